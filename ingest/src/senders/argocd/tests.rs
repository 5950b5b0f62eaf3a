//! What our templates make of applications, what that means, and that templates and reader agree.

use serde_json::json;

use super::*;
use crate::senders::fixtures;

const TEMPLATES: &str = include_str!("../../../../deploy/argocd/notifications.yaml");

/// The triggers that the templates are for.
const TRIGGERS: [&str; 6] =
    ["on-sync-running", "on-deployed", "on-sync-failed", "on-health-degraded", "on-healthy", "on-deleted"];

fn show(name: &str) -> String {
    fixtures::print(&normalize(&fixtures::load("argocd", name)).unwrap())
}

fn body(name: &str) -> Value {
    serde_json::from_slice(&fixtures::load("argocd", name).content.body).unwrap()
}

/// The event of a recorded body, with these values in their places.
fn changed(name: &str, changes: &[(&str, Value)]) -> Draft {
    let mut delivery = fixtures::load("argocd", name);
    let mut body = body(name);
    for (pointer, value) in changes {
        *body.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value.clone();
    }
    delivery.content.body = body.to_string().into_bytes();
    normalize(&delivery).unwrap().remove(0)
}

fn deployment(draft: &Draft) -> &Deployment {
    let Data::Deployment(data) = &draft.data else { panic!("{draft:?}") };
    data
}

#[test]
fn a_deployment_begins_and_ends() {
    insta::assert_snapshot!(show("on-sync-running-ours"), @r#"
    deployment.started argocd.example.com/applications/argocd/shop-production/operations/2026-01-05T10:00:00Z at 2026-01-05T10:00:00Z
    source https://argocd.example.com/applications/argocd/shop-production, key shop/production
    {
      "environment": "production",
      "gitRef": "main",
      "id": "argocd.example.com/applications/argocd/shop-production/operations/2026-01-05T10:00:00Z",
      "repository": "github.com/acme/shop",
      "service": "shop",
      "sha": "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2",
      "startedAt": "2026-01-05T10:00:00Z",
      "url": "https://argocd.example.com/applications/argocd/shop-production"
    }
    "#);
    insta::assert_snapshot!(show("on-deployed-upgrade-ours"), @r#"
    service.upgraded shop at 2026-01-05T10:02:30Z
    source https://argocd.example.com/applications/argocd/shop-production, key shop/production
    {
      "artifact": "pkg:oci/shop?repository_url=ghcr.io/acme/shop&tag=v1.4.0",
      "environment": "production",
      "finishedAt": "2026-01-05T10:02:30Z",
      "gitRef": "main",
      "id": "argocd.example.com/applications/argocd/shop-production/operations/2026-01-05T10:00:00Z",
      "outcome": "success",
      "repository": "github.com/acme/shop",
      "service": "shop",
      "sha": "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2",
      "startedAt": "2026-01-05T10:00:00Z",
      "url": "https://argocd.example.com/applications/argocd/shop-production",
      "version": "v1.4.0"
    }
    "#);
}

#[test]
fn a_deployment_fails_or_is_stopped() {
    insta::assert_snapshot!(show("on-sync-failed-ours"), @r#"
    deployment.failed argocd.example.com/applications/argocd/shop-production/operations/2026-01-05T10:00:00Z at 2026-01-05T10:02:00Z
    source https://argocd.example.com/applications/argocd/shop-production, key shop/production
    {
      "environment": "production",
      "finishedAt": "2026-01-05T10:02:00Z",
      "gitRef": "main",
      "id": "argocd.example.com/applications/argocd/shop-production/operations/2026-01-05T10:00:00Z",
      "outcome": "failure",
      "repository": "github.com/acme/shop",
      "service": "shop",
      "sha": "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2",
      "startedAt": "2026-01-05T10:00:00Z",
      "url": "https://argocd.example.com/applications/argocd/shop-production"
    }
    "#);
    let stopped = changed("on-sync-failed-terminated-ours", &[]);
    assert_eq!(deployment(&stopped).outcome, Some(Outcome::Cancelled));
    let error = changed("on-sync-failed-ours", &[("/data/operation/phase", json!("Error"))]);
    assert_eq!(deployment(&error).outcome, Some(Outcome::Error));
}

#[test]
fn the_history_says_whether_it_is_the_first_a_step_forward_or_back() {
    insta::assert_snapshot!(show("on-deployed-rollback-ours"), @r#"
    service.rolledback shop at 2026-01-05T10:31:20Z
    source https://argocd.example.com/applications/argocd/shop-production, key shop/production
    {
      "artifact": "pkg:oci/shop?repository_url=ghcr.io/acme/shop&tag=v1.3.0",
      "environment": "production",
      "finishedAt": "2026-01-05T10:31:20Z",
      "gitRef": "main",
      "id": "argocd.example.com/applications/argocd/shop-production/operations/2026-01-05T10:30:00Z",
      "manner": "rollback",
      "outcome": "success",
      "repository": "github.com/acme/shop",
      "service": "shop",
      "sha": "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
      "startedAt": "2026-01-05T10:30:00Z",
      "url": "https://argocd.example.com/applications/argocd/shop-production",
      "version": "v1.3.0"
    }
    "#);
    assert_eq!(changed("on-deployed-first-ours", &[]).kind, Kind::ServiceDeployed);
    // An installation may be set to keep no history.
    assert_eq!(changed("on-deployed-upgrade-ours", &[("/data/history", json!([]))]).kind, Kind::ServiceDeployed);
    // The same commit with other parameters is another content.
    let same = json!("b2".repeat(20));
    let values = [("/data/history/0/revision", same), ("/data/history/0/source", json!("other values"))];
    assert_eq!(changed("on-deployed-upgrade-ours", &values).kind, Kind::ServiceUpgraded);
}

#[test]
fn what_deploys_nothing_new_is_no_deployment() {
    let name = |draft: Draft| draft.kind.name().to_owned();
    let upgrade = "on-deployed-upgrade-ours";
    // Recorded: somebody synced what was deployed already, ten times.
    assert_eq!(name(changed("on-deployed-resync-argocd", &[])), "com.argoproj.argo-cd.on-deployed");
    assert_eq!(name(changed("on-deployed-selfheal-ours", &[])), "com.argoproj.argo-cd.on-deployed");
    let dry = [("/data/operation/dryRun", json!(true))];
    assert_eq!(name(changed(upgrade, &dry)), "com.argoproj.argo-cd.on-deployed");
    let last = body("on-sync-running-ours")["data"]["operation"]["revision"].clone();
    let resync = [("/data/history/0/revision", last)];
    assert_eq!(name(changed("on-sync-running-ours", &resync)), "com.argoproj.argo-cd.on-sync-running");
}

#[test]
fn an_application_of_several_sources_has_a_repository_a_chart_and_an_image() {
    insta::assert_snapshot!(show("on-deployed-chart-ours"), @r#"
    service.upgraded cart at 2026-01-05T10:02:30Z
    source https://argocd.example.com/applications/argocd/cart, key cart/prod-eu-1
    {
      "artifact": "pkg:oci/cart@sha256%3A4444444444444444444444444444444444444444444444444444444444444444?repository_url=registry.example:5000/acme/cart&tag=1.9.2",
      "environment": "prod-eu-1",
      "finishedAt": "2026-01-05T10:02:30Z",
      "gitRef": "main",
      "id": "argocd.example.com/applications/argocd/cart/operations/2026-01-05T10:00:00Z",
      "outcome": "success",
      "repository": "github.com/acme/config",
      "service": "cart",
      "sha": "c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3",
      "startedAt": "2026-01-05T10:00:00Z",
      "url": "https://argocd.example.com/applications/argocd/cart",
      "version": "1.9.2"
    }
    "#);
}

#[test]
fn a_degradation_is_an_incident_that_the_next_recovery_ends() {
    insta::assert_snapshot!(show("on-health-degraded-ours"), @r#"
    incident.detected argocd.example.com/applications/argocd/shop-production/degraded/2026-01-05T10:20:00Z at 2026-01-05T10:20:00Z
    source https://argocd.example.com/applications/argocd/shop-production, key argocd.example.com/applications/argocd/shop-production/degraded/2026-01-05T10:20:00Z
    {
      "artifact": "pkg:oci/shop?repository_url=ghcr.io/acme/shop&tag=v1.4.0",
      "description": "shop-production is degraded",
      "detectedAt": "2026-01-05T10:20:00Z",
      "environment": "production",
      "id": "argocd.example.com/applications/argocd/shop-production/degraded/2026-01-05T10:20:00Z",
      "repository": "github.com/acme/shop",
      "service": "shop",
      "url": "https://argocd.example.com/applications/argocd/shop-production"
    }
    "#);
    insta::assert_snapshot!(show("on-healthy-ours"), @r#"
    incident.resolved argocd.example.com/applications/argocd/shop-production/degraded/2026-01-05T10:20:00Z at 2026-01-05T10:50:00Z
    source https://argocd.example.com/applications/argocd/shop-production, key argocd.example.com/applications/argocd/shop-production/degraded/2026-01-05T10:20:00Z
    {
      "artifact": "pkg:oci/shop?repository_url=ghcr.io/acme/shop&tag=v1.4.0",
      "detectedAt": "2026-01-05T10:20:00Z",
      "environment": "production",
      "id": "argocd.example.com/applications/argocd/shop-production/degraded/2026-01-05T10:20:00Z",
      "repository": "github.com/acme/shop",
      "resolvedAt": "2026-01-05T10:50:00Z",
      "service": "shop",
      "url": "https://argocd.example.com/applications/argocd/shop-production"
    }
    "#);
    let again = changed("on-healthy-again-ours", &[]);
    assert_eq!(again.kind.name(), "com.argoproj.argo-cd.on-healthy", "the recovery was told before");
    let without_note = changed("on-healthy-ours", &[("/data/notified", json!(""))]);
    assert_eq!(without_note.kind.name(), "com.argoproj.argo-cd.on-healthy");
}

#[test]
fn a_service_that_is_removed_keeps_its_name() {
    insta::assert_snapshot!(show("on-deleted-ours"), @r#"
    service.removed shop at 2026-01-06T08:00:00Z
    source https://argocd.example.com/applications/argocd/shop-production, key shop/production
    {
      "artifact": "pkg:oci/shop?repository_url=ghcr.io/acme/shop&tag=v1.4.0",
      "environment": "production",
      "gitRef": "main",
      "id": "argocd.example.com/applications/argocd/shop-production/removed",
      "repository": "github.com/acme/shop",
      "service": "shop",
      "sha": "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2",
      "url": "https://argocd.example.com/applications/argocd/shop-production",
      "version": "v1.4.0"
    }
    "#);
}

#[test]
fn without_labels_the_names_of_application_and_destination_serve() {
    let named = |labels: Value, destination: Value| {
        let changes = [("/data/application/labels", labels), ("/data/destination", destination)];
        let draft = changed("on-deployed-upgrade-ours", &changes);
        let data = deployment(&draft);
        format!("{} in {}", data.service.as_deref().unwrap_or("-"), data.environment.as_deref().unwrap_or("-"))
    };
    let cases = [
        named(json!({"app.kubernetes.io/name": "shop", "env": "prod"}), json!({"name": "eu"})),
        named(json!(null), json!({"name": "eu", "namespace": "shop"})),
        named(json!({}), json!({"name": "in-cluster", "namespace": "shop"})),
        named(json!({"env": ""}), json!({"server": "https://kubernetes.default.svc"})),
    ];
    insta::assert_snapshot!(cases.join("\n"), @"
    shop in prod
    shop-production in eu
    shop-production in shop
    shop-production in -
    ");
}

#[test]
fn a_delivery_is_named_by_application_trigger_and_instant() {
    let id = |name: &str| delivery_id(&HeaderMap::new(), &fixtures::load("argocd", name).content.body);
    let text = |name: &str| id(name).map(|id| id.to_string()).unwrap_or_default();
    let names = TRIGGERS.map(|trigger| if trigger == "on-deployed" { "on-deployed-upgrade" } else { trigger });
    insta::assert_snapshot!(names.map(|name| text(&format!("{name}-ours"))).join("\n"), @"
    5b0f0b7e-8d1c-4d7e-9b55-3d9f8f6c2a11/on-sync-running/2026-01-05T10:00:00Z
    5b0f0b7e-8d1c-4d7e-9b55-3d9f8f6c2a11/on-deployed/2026-01-05T10:00:00Z
    5b0f0b7e-8d1c-4d7e-9b55-3d9f8f6c2a11/on-sync-failed/2026-01-05T10:00:00Z
    5b0f0b7e-8d1c-4d7e-9b55-3d9f8f6c2a11/on-health-degraded/2026-01-05T10:20:00Z
    5b0f0b7e-8d1c-4d7e-9b55-3d9f8f6c2a11/on-healthy/2026-01-05T10:50:00Z
    5b0f0b7e-8d1c-4d7e-9b55-3d9f8f6c2a11/on-deleted/2026-01-06T08:00:00Z
    ");
    assert_eq!(id("custom-ours"), None);
}

#[test]
fn whatever_another_template_sends_is_kept() {
    let kind = |body: &str| {
        let headers = [("content-type".to_owned(), "text/plain".to_owned())];
        let drafts = normalize(&fixtures::delivery("argocd", &headers, body.as_bytes().to_vec())).unwrap();
        drafts[0].kind.name().to_owned()
    };
    let strange = [
        "shop has been synced",
        "",
        "[1]",
        r#"{"type": "dev.cdevents.service.deployed.0.3.0"}"#,
        r#"{"type": "com.argoproj.argo-cd.on-deployed"}"#,
        r#"{"type": "com.argoproj.argo-cd.on-deployed", "data": {"operation": [], "history": 5}}"#,
        r#"{"type": "com.argoproj.argo-cd.on-deployed", "data": []}"#,
        r#"{"type": "com.argoproj.argo-cd.on-created", "subject": "shop", "data": {}}"#,
    ];
    insta::assert_snapshot!(strange.map(kind).join("\n"), @"
    com.argoproj.argo-cd.notification
    com.argoproj.argo-cd.notification
    com.argoproj.argo-cd.notification
    com.argoproj.argo-cd.notification
    com.argoproj.argo-cd.on-deployed
    com.argoproj.argo-cd.on-deployed
    com.argoproj.argo-cd.on-deployed
    com.argoproj.argo-cd.on-created
    ");
}

/// The text of one entry of the templates' file.
fn entry(name: &str) -> String {
    let begin = format!("\n  {name}: |\n");
    let text = TEMPLATES.split_once(&begin).unwrap_or_else(|| panic!("no {name}")).1;
    let lines = text.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_trigger_has_a_template_and_all_say_the_same_but_for_the_moment() {
    let mut bodies = Vec::new();
    for trigger in TRIGGERS {
        assert!(entry("subscriptions").contains(&format!("- devhose-{trigger}")), "{trigger}");
        let condition = entry(&format!("trigger.devhose-{trigger}"));
        assert!(condition.contains(&format!("send: [devhose-{trigger}]")) && condition.contains("oncePer:"));
        let template = entry(&format!("template.devhose-{trigger}"));
        assert!(template.contains(&format!("\"type\": \"{TYPE}{trigger}\"")), "{trigger}");
        let own = ["\"id\":", "\"type\":", "\"time\":"];
        let shared = template.lines().filter(|line| !own.iter().any(|member| line.trim().starts_with(member)));
        bodies.push(shared.map(str::to_owned).collect::<Vec<_>>());
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
    for key in [super::health::DEGRADED, super::health::HEALTHY] {
        assert!(TEMPLATES.contains(&format!("trigger.{}:", key.trim_matches(':'))), "{key}");
    }
}

#[test]
fn the_templates_write_the_fields_that_are_recorded() {
    let template = entry("template.devhose-on-deployed");
    let mut members = Vec::new();
    for (name, delivery) in fixtures::all("argocd").into_iter().filter(|(name, _)| name.starts_with("on-")) {
        let body: Value = serde_json::from_slice(&delivery.content.body).unwrap();
        let data = body["data"].as_object().unwrap();
        let inner = [&data["operation"], &data["history"][0]].into_iter().filter_map(Value::as_object);
        let inner = inner.flat_map(serde_json::Map::keys);
        let found: Vec<String> = body.as_object().unwrap().keys().chain(data.keys()).chain(inner).cloned().collect();
        for member in &found {
            assert!(template.contains(&format!("\"{member}\":")), "{name}: the templates do not write {member}");
        }
        members.extend(found);
    }
    let written = template.split('"').skip(1).step_by(2).filter(|text| template.contains(&format!("\"{text}\": ")));
    for member in written {
        assert!(members.iter().any(|known| known == member), "no recorded body has {member}");
    }
}
