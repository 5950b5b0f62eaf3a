//! What notifications mean, how often they come, and what Prometheus calls labels.

use bus::event::Event;

use super::*;
use crate::sender::stamp;
use crate::senders::fixtures;

fn show(name: &str) -> String {
    fixtures::print(&normalize(&fixtures::load("alertmanager", name)).unwrap())
}

fn body(name: &str) -> Value {
    serde_json::from_slice(&fixtures::load("alertmanager", name).content.body).unwrap()
}

fn id_of(body: &Value) -> Option<DeliveryId> {
    delivery_id(&HeaderMap::new(), body.to_string().as_bytes())
}

fn delivery(body: &str) -> Delivery {
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    fixtures::delivery("alertmanager", &headers, body.as_bytes().to_vec())
}

/// The events of a body, as they would be recorded.
fn events(body: &Value) -> Vec<Event> {
    let mut delivery = delivery(&body.to_string());
    delivery.content.delivery_id = id_of(body).unwrap();
    stamp(&delivery, normalize(&delivery).unwrap())
}

#[test]
fn an_alert_begins_an_incident_and_ends_it() {
    insta::assert_snapshot!(show("firing-ours"), @r#"
    incident.detected alertmanager.example:9093/alerts/3c1a4f0b6d2e9a71/2026-01-05T10:20:00.500Z at 2026-01-05T10:20:00.500Z
    source http://alertmanager.example:9093, key alertmanager.example:9093/alerts/3c1a4f0b6d2e9a71/2026-01-05T10:20:00.500Z, known as 3c1a4f0b6d2e9a71/2026-01-05T10:20:00.500Z/firing
    {
      "deployment": "v1.4.0",
      "description": "5xx responses of shop are above 5 %",
      "detectedAt": "2026-01-05T10:20:00.500Z",
      "environment": "production",
      "id": "alertmanager.example:9093/alerts/3c1a4f0b6d2e9a71/2026-01-05T10:20:00.500Z",
      "service": "shop",
      "severity": "critical",
      "url": "http://prometheus.example:9090/graph?g0.expr=up"
    }
    "#);
    insta::assert_snapshot!(show("resolved-ours"), @r#"
    incident.resolved alertmanager.example:9093/alerts/3c1a4f0b6d2e9a71/2026-01-05T10:20:00.500Z at 2026-01-05T10:50:00Z
    source http://alertmanager.example:9093, key alertmanager.example:9093/alerts/3c1a4f0b6d2e9a71/2026-01-05T10:20:00.500Z, known as 3c1a4f0b6d2e9a71/2026-01-05T10:20:00.500Z/resolved
    {
      "deployment": "v1.4.0",
      "description": "5xx responses of shop are above 5 %",
      "detectedAt": "2026-01-05T10:20:00.500Z",
      "environment": "production",
      "id": "alertmanager.example:9093/alerts/3c1a4f0b6d2e9a71/2026-01-05T10:20:00.500Z",
      "resolvedAt": "2026-01-05T10:50:00Z",
      "service": "shop",
      "severity": "critical",
      "url": "http://prometheus.example:9090/graph?g0.expr=up"
    }
    "#);
}

#[test]
fn each_alert_of_a_group_is_an_event_and_what_was_left_out_is_told() {
    insta::assert_snapshot!(show("mixed-ours"), @r#"
    incident.resolved alertmanager.example:9093/alerts/3c1a4f0b6d2e9a71/2026-01-05T10:20:00.500Z at 2026-01-05T10:50:00Z
    source http://alertmanager.example:9093, key alertmanager.example:9093/alerts/3c1a4f0b6d2e9a71/2026-01-05T10:20:00.500Z, known as 3c1a4f0b6d2e9a71/2026-01-05T10:20:00.500Z/resolved
    {
      "deployment": "v1.4.0",
      "description": "5xx responses of shop are above 5 %",
      "detectedAt": "2026-01-05T10:20:00.500Z",
      "environment": "production",
      "id": "alertmanager.example:9093/alerts/3c1a4f0b6d2e9a71/2026-01-05T10:20:00.500Z",
      "resolvedAt": "2026-01-05T10:50:00Z",
      "service": "shop",
      "severity": "critical",
      "url": "http://prometheus.example:9090/graph?g0.expr=up"
    }
    incident.detected alertmanager.example:9093/alerts/77b0c9e1f2d34a58/2026-01-05T10:41:00Z at 2026-01-05T10:41:00Z
    source http://alertmanager.example:9093, key alertmanager.example:9093/alerts/77b0c9e1f2d34a58/2026-01-05T10:41:00Z, known as 77b0c9e1f2d34a58/2026-01-05T10:41:00Z/firing
    {
      "deployment": "v0.9.1",
      "description": "5xx responses of shop are above 5 %",
      "detectedAt": "2026-01-05T10:41:00Z",
      "environment": "production",
      "id": "alertmanager.example:9093/alerts/77b0c9e1f2d34a58/2026-01-05T10:41:00Z",
      "service": "cart",
      "severity": "critical",
      "url": "http://prometheus.example:9090/graph?g0.expr=up"
    }
    com.prometheus.notification.truncated {}:{alertname="HighErrorRate"} at 2026-01-02T03:04:05Z
    source http://alertmanager.example:9093, key http://alertmanager.example:9093
    {
      "groupKey": "{}:{alertname=\"HighErrorRate\"}",
      "receiver": "devhose",
      "truncatedAlerts": 3
    }
    "#);
}

#[test]
fn the_same_alert_in_another_notification_is_the_same_event() {
    let (firing, resolved) = (body("firing-ours"), body("resolved-ours"));
    assert_eq!(events(&resolved)[0], events(&body("mixed-ours"))[0]);
    assert_ne!(events(&firing)[0].id, events(&resolved)[0].id);
    let mut reminder = body("mixed-ours");
    reminder["alerts"].as_array_mut().unwrap().reverse();
    reminder["receiver"] = json!("another");
    assert_eq!(id_of(&reminder), id_of(&body("mixed-ours")), "what tells nothing new is the same delivery");
    assert_ne!(id_of(&firing), id_of(&resolved));
    assert_eq!(id_of(&json!({"text": "no alerts"})), None);
}

#[test]
fn who_measured_is_not_who_suffers() {
    insta::assert_snapshot!(show("kubernetes-ours"), @r#"
    incident.detected alertmanager.example:9093/alerts/19c2d7a8b3e4f560/2026-01-05T11:00:00Z at 2026-01-05T11:00:00Z
    source http://alertmanager.example:9093, key alertmanager.example:9093/alerts/19c2d7a8b3e4f560/2026-01-05T11:00:00Z, known as 19c2d7a8b3e4f560/2026-01-05T11:00:00Z/firing
    {
      "description": "Pod is crash looping.",
      "detectedAt": "2026-01-05T11:00:00Z",
      "environment": "prod-eu-1",
      "id": "alertmanager.example:9093/alerts/19c2d7a8b3e4f560/2026-01-05T11:00:00Z",
      "service": "shop",
      "severity": "warning",
      "url": "http://prometheus.example:9090/graph?g0.expr=up"
    }
    "#);
    let service = |labels: Value| incident(&serde_json::from_value(json!({"labels": labels})).unwrap()).service;
    assert_eq!(service(json!({"job": "shop"})).as_deref(), Some("shop"));
    assert_eq!(service(json!({"job": "node_exporter", "app": "shop"})).as_deref(), Some("shop"));
    assert_eq!(service(json!({"job": "node_exporter", "service": 7})), None);
}

#[test]
fn what_always_fires_is_no_incident() {
    insta::assert_snapshot!(show("watchdog-ours"), @r#"
    com.prometheus.alert.firing alertmanager.example:9093/alerts/8d4c1a2f7e6b5039/2026-01-01T00:00:12Z at 2026-01-01T00:00:12Z
    source http://alertmanager.example:9093, key http://alertmanager.example:9093, known as 8d4c1a2f7e6b5039/2026-01-01T00:00:12Z/firing
    {
      "annotations": {
        "summary": "An alert that should always be firing to certify that Alertmanager is working properly."
      },
      "endsAt": "0001-01-01T00:00:00Z",
      "fingerprint": "8d4c1a2f7e6b5039",
      "generatorURL": "http://prometheus.example:9090/graph?g0.expr=up",
      "labels": {
        "alertname": "Watchdog",
        "prometheus": "monitoring/k8s",
        "severity": "none"
      },
      "startsAt": "2026-01-01T00:00:12Z",
      "status": "firing"
    }
    "#);
}

#[test]
fn what_others_write_in_the_same_form_is_read() {
    insta::assert_snapshot!(show("grafana-ours"), @r#"
    incident.detected grafana.example/alerts/c6eadffa33fcdf37/2026-01-05T12:00:00Z at 2026-01-05T12:00:00Z
    source https://grafana.example/, key grafana.example/alerts/c6eadffa33fcdf37/2026-01-05T12:00:00Z, known as c6eadffa33fcdf37/2026-01-05T12:00:00Z/firing
    {
      "description": "p99 is above 2 s",
      "detectedAt": "2026-01-05T12:00:00Z",
      "id": "grafana.example/alerts/c6eadffa33fcdf37/2026-01-05T12:00:00Z",
      "service": "shop",
      "url": "https://grafana.example/alerting/grafana/abc/view?orgId=1"
    }
    "#);
    insta::assert_snapshot!(show("template-ours"), @"
    com.prometheus.notification alertmanager/acme at 2026-01-02T03:04:05Z
    source alertmanager/acme, key alertmanager/acme
    null
    ");
    let kinds = |body: &str| {
        let drafts = normalize(&delivery(body));
        drafts.map(|drafts| drafts.iter().map(|draft| draft.kind.name().to_owned()).collect::<Vec<_>>().join(" "))
    };
    for strange in [r#"{"alerts": 5}"#, r#"{"alerts": [{"status": "odd"}]}"#, "[]", "{}", "7", r#"{"alerts": [[]]}"#] {
        assert_eq!(kinds(strange).unwrap(), "com.prometheus.notification", "{strange}");
    }
    insta::assert_snapshot!(kinds("no json").unwrap_err(), @"the body is not JSON: expected ident at line 1 column 2");
}

#[test]
fn a_fingerprint_that_is_left_out_is_the_one_that_prometheus_would_give() {
    // Recorded from the API of an Alertmanager 0.31 by prymitive/karma (Apache-2.0).
    let disk = json!({
        "alertname": "Free_Disk_Space_Too_Low",
        "cluster": "staging",
        "disk": "sda",
        "instance": "server5",
        "job": "node_exporter"
    });
    let host = json!({
        "alertname": "Host_Down",
        "cluster": "prod",
        "instance": "server1",
        "ip": "127.0.0.1",
        "job": "node_ping"
    });
    for (known, labels) in [("aae7a1432b5d2f1b", disk), ("7013294faf5f854d", host)] {
        assert_eq!(fingerprint(&serde_json::from_value(labels).unwrap()), known);
    }
}
