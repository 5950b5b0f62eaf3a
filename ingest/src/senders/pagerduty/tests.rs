//! What becomes of incidents in each version, and what nobody maps.

use super::*;
use crate::senders::fixtures;

fn show(name: &str) -> String {
    fixtures::print(&normalize(&fixtures::load("pagerduty", name)).unwrap())
}

#[test]
fn an_incident_is_detected_taken_on_and_resolved() {
    insta::assert_snapshot!(show("v3-incident.triggered-ours"), @r#"
    incident.detected acme.pagerduty.com/incidents/Q1SHOP7VJ2K3LM at 2026-01-05T10:21:07.412Z
    source https://acme.pagerduty.com/services/PF9KMXH, key acme.pagerduty.com/incidents/Q1SHOP7VJ2K3LM
    {
      "description": "5xx responses of shop are above 5 %",
      "detectedAt": "2026-01-05T10:21:07Z",
      "id": "acme.pagerduty.com/incidents/Q1SHOP7VJ2K3LM",
      "service": "shop",
      "severity": "P1",
      "url": "https://acme.pagerduty.com/incidents/Q1SHOP7VJ2K3LM"
    }
    "#);
    insta::assert_snapshot!(show("v3-incident.acknowledged-ours"), @r#"
    incident.acknowledged acme.pagerduty.com/incidents/Q1SHOP7VJ2K3LM at 2026-01-05T10:25:30.120Z
    source https://acme.pagerduty.com/services/PF9KMXH, key acme.pagerduty.com/incidents/Q1SHOP7VJ2K3LM
    {
      "acknowledgedAt": "2026-01-05T10:25:30.120Z",
      "description": "5xx responses of shop are above 5 %",
      "detectedAt": "2026-01-05T10:21:07Z",
      "id": "acme.pagerduty.com/incidents/Q1SHOP7VJ2K3LM",
      "service": "shop",
      "severity": "P1",
      "url": "https://acme.pagerduty.com/incidents/Q1SHOP7VJ2K3LM"
    }
    "#);
    insta::assert_snapshot!(show("v3-incident.resolved-ours"), @r#"
    incident.resolved acme.pagerduty.com/incidents/Q1SHOP7VJ2K3LM at 2026-01-05T10:51:00.001Z
    source https://acme.pagerduty.com/services/PF9KMXH, key acme.pagerduty.com/incidents/Q1SHOP7VJ2K3LM
    {
      "description": "5xx responses of shop are above 5 %",
      "detectedAt": "2026-01-05T10:21:07Z",
      "id": "acme.pagerduty.com/incidents/Q1SHOP7VJ2K3LM",
      "resolvedAt": "2026-01-05T10:51:00.001Z",
      "service": "shop",
      "severity": "P1",
      "url": "https://acme.pagerduty.com/incidents/Q1SHOP7VJ2K3LM"
    }
    "#);
}

#[test]
fn an_incident_that_is_reopened_is_the_same_incident() {
    insta::assert_snapshot!(show("v3-incident.reopened-ours"), @r#"
    incident.detected acme.pagerduty.com/incidents/Q1SHOP7VJ2K3LM at 2026-01-05T11:05:00.500Z
    source https://acme.pagerduty.com/services/PF9KMXH, key acme.pagerduty.com/incidents/Q1SHOP7VJ2K3LM
    {
      "description": "5xx responses of shop are above 5 %",
      "detectedAt": "2026-01-05T10:21:07Z",
      "id": "acme.pagerduty.com/incidents/Q1SHOP7VJ2K3LM",
      "service": "shop",
      "severity": "high",
      "url": "https://acme.pagerduty.com/incidents/Q1SHOP7VJ2K3LM"
    }
    "#);
}

#[test]
fn the_older_versions_are_understood() {
    insta::assert_snapshot!(show("trigger-zulip"), @r#"
    incident.detected zulip-test.pagerduty.com/incidents/P140S4Y at 2015-02-07T21:42:52Z
    source https://zulip-test.pagerduty.com/services/PIL5CUQ, key zulip-test.pagerduty.com/incidents/P140S4Y, known as 44df6240-af12-11e4-8e1e-22000ae31361
    {
      "description": "foo",
      "detectedAt": "2015-02-07T21:42:52Z",
      "id": "zulip-test.pagerduty.com/incidents/P140S4Y",
      "service": "Test service",
      "url": "https://zulip-test.pagerduty.com/incidents/P140S4Y"
    }
    "#);
    insta::assert_snapshot!(show("trigger_v2-zulip"), @r#"
    incident.detected webdemo.pagerduty.com/incidents/PRORDTY at 2017-09-26T15:14:36Z
    source https://webdemo.pagerduty.com/services/PN49J75, key webdemo.pagerduty.com/incidents/PRORDTY, known as 69a7ced0-a2cd-11e7-a799-22000a15839c
    {
      "description": "My new incident",
      "detectedAt": "2017-09-26T15:14:36Z",
      "id": "webdemo.pagerduty.com/incidents/PRORDTY",
      "service": "Production XDB Cluster",
      "severity": "high",
      "url": "https://webdemo.pagerduty.com/incidents/PRORDTY"
    }
    "#);
}

#[test]
fn the_whole_map() {
    let line = |(name, delivery): (String, Delivery)| {
        let drafts = normalize(&delivery).unwrap();
        let kinds: Vec<_> = drafts.iter().map(|draft| draft.kind.name()).collect();
        format!("{name} -> {}", kinds.join(" + "))
    };
    let lines: Vec<_> = fixtures::all("pagerduty").into_iter().map(line).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    acknowledge-zulip -> com.pagerduty.incident.assign + incident.acknowledged
    acknowledge_v2-zulip -> incident.acknowledged
    assign_v2-zulip -> com.pagerduty.incident.assign
    auto_resolved-zulip -> incident.resolved
    mp_fail-zulip -> incident.resolved
    resolved-zulip -> incident.resolved
    trigger-zulip -> incident.detected
    trigger_v2-zulip -> incident.detected
    trigger_without_assignee_v2-zulip -> incident.detected
    unacknowledge-zulip -> com.pagerduty.incident.unacknowledge
    v3-incident.acknowledged-ours -> incident.acknowledged
    v3-incident.priority_updated-captured-gopagerduty -> com.pagerduty.incident.priority_updated
    v3-incident.reopened-ours -> incident.detected
    v3-incident.resolved-ours -> incident.resolved
    v3-incident.triggered-ours -> incident.detected
    v3-pagey.ping-ours -> com.pagerduty.pagey.ping
    v3-service.updated-ours -> com.pagerduty.service.updated
    ");
}

#[test]
fn a_delivery_is_named_by_its_event() {
    let id = |name: &str| delivery_id(&HeaderMap::new(), &fixtures::load("pagerduty", name).content.body);
    let text = |name: &str| id(name).map(|id| id.to_string()).unwrap_or_default();
    insta::assert_snapshot!(text("v3-incident.triggered-ours"), @"01DEN2HPG8DNQF5KQ9J0V4BBX1");
    insta::assert_snapshot!(text("trigger_v2-zulip"), @"69a7ced0-a2cd-11e7-a799-22000a15839c");
}

#[test]
fn whatever_comes_is_kept() {
    let kind = |body: &str| {
        let headers = [("content-type".to_owned(), "application/json".to_owned())];
        let drafts = normalize(&fixtures::delivery("pagerduty", &headers, body.as_bytes().to_vec()));
        drafts.map(|drafts| drafts[0].kind.name().to_owned())
    };
    for strange in ["{}", "[]", "7", r#"{"messages": []}"#, r#"{"event": {"event_type": "a b"}}"#, r#"{"event": 1}"#] {
        assert_eq!(kind(strange).unwrap(), "com.pagerduty.webhook", "{strange}");
    }
    // An incident without an id cannot be told from another.
    let nameless = r#"{"event": {"id": "e", "event_type": "incident.triggered", "data": {"title": "x"}}}"#;
    assert_eq!(kind(nameless).unwrap(), "com.pagerduty.incident.triggered");
    insta::assert_snapshot!(kind("no json").unwrap_err(), @"the body is not JSON: expected ident at line 1 column 2");
}
