//! Deployments, alerts, incidents and chat, sent as their tools send them: what counts, what is answered, what is refused.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use ingest::senders::SENDERS;
use ingest::source::Secret;
use serde_json::{Value, json};

use crate::program::{Delivery, Home, Program, SECRET, payload, until};

/// When the recorded requests arrive: what is signed over its time is signed just then. The week of what they tell is
/// over, so that it counts in totals.
const NOW: &str = "2026-01-13T12:00:00Z";

/// The week in which everything happens.
const WEEK: &str = "from=2026-01-05&to=2026-01-12";

const SOURCES: &str = r#"
[[source]]
name = "argocd/main"
secret = "a secret of the tests, long enough"
[[source]]
name = "alertmanager/main"
secret = "a secret of the tests, long enough"
[[source]]
name = "pagerduty/main"
secret = "a secret of the tests, long enough"
[[source]]
name = "slack/main"
secret = "a secret of the tests, long enough"
[[source]]
name = "github/acme"
secret = "a secret of the tests, long enough"

[[service]]
name = "shop"
team = "payments"
repository = "github.com/acme/shop"

[[team]]
name = "payments"
"#;

fn home() -> Home {
    Home::with(SOURCES).at(NOW)
}

fn now() -> DateTime<Utc> {
    NOW.parse().unwrap()
}

/// A recorded payload of a sender, by the name of its file.
fn recorded(sender: &str, file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ingest/testdata").join(sender).join(file)
}

fn body(sender: &str, file: &str) -> Vec<u8> {
    fs::read(recorded(sender, file)).unwrap()
}

/// A delivery as this sender makes it: with its headers, and proven with this secret at that time.
fn proven(sender: &str, event: &str, body: Vec<u8>, (secret, at): (&str, DateTime<Utc>)) -> Delivery {
    let known = SENDERS.iter().find(|known| known.name == sender).unwrap();
    let headers = (known.headers_for)(event, "an id");
    let proof = ingest::verify::prove(known.scheme, &Secret::new(secret.to_owned()), at, &body);
    let delivery = Delivery::to(&format!("{sender}/main"), body);
    headers.iter().chain(&proof).fold(delivery, |delivery, (name, value)| delivery.with(name, value))
}

/// Sends recorded payloads one after another, as their senders would.
async fn send(program: &Program, files: &[(&str, &str, &str)]) {
    for (sender, event, file) in files {
        let delivery = proven(sender, event, body(sender, file), (SECRET, now()));
        let answer = program.deliver(&delivery).await;
        assert_eq!(answer.status, 200, "{sender}/{file}: {answer:?}");
    }
    program.interpreted().await;
}

/// Waits until a metric says this of the week: the value, and how many it is taken from.
async fn says(program: &Program, metric: &str, (value, n): (f64, u64)) {
    let what = format!("{metric} is {value} of {n}");
    until(&what, async || {
        let report = program.metric(&format!("{metric}?{WEEK}")).await;
        let (figure, counted) = (&report["total"]["figure"], &report["total"]["n"]);
        let found = [&figure["value"], &figure["p50"]].into_iter().find_map(Value::as_f64);
        (found == Some(value) && *counted == n).then_some(())
    })
    .await;
}

const DEPLOYED: [(&str, &str, &str); 2] = [
    ("argocd", "on-sync-running", "on-sync-running-ours.json"),
    ("argocd", "on-deployed", "on-deployed-upgrade-ours.json"),
];

#[tokio::test]
async fn a_deployment_of_a_cd_tool_counts() {
    let home = home();
    let program = home.serve().await;
    send(&program, &DEPLOYED).await;
    let event = program.event("type:service.*").await;
    assert_eq!(event["type"], "dev.cdevents.service.upgraded.0.3.0");
    assert_eq!(event["subject"], "shop");
    says(&program, "successful-deployments", (1.0, 1)).await;
    let page = program.page(&format!("/services/shop?{WEEK}")).await;
    assert!(page.contains("payments"), "the deployment belongs to the service of the catalog");
    // A sync of what is deployed already is not a second one, nor is a failed one, an hour later, a success.
    send(&program, &[("argocd", "on-deployed", "on-deployed-resync-argocd.json")]).await;
    let failed = String::from_utf8(body("argocd", "on-sync-failed-ours.json")).unwrap().replace("T10:", "T11:");
    let failed = proven("argocd", "on-sync-failed", failed.into_bytes(), (SECRET, now()));
    assert_eq!(program.deliver(&failed).await.receipt()["duplicate"], false);
    says(&program, "deployment-success-rate", (0.5, 2)).await;
    says(&program, "successful-deployments", (1.0, 1)).await;
}

#[tokio::test]
async fn an_alert_makes_the_deployment_before_it_a_failed_one_until_it_is_resolved() {
    let home = home();
    let program = home.serve().await;
    send(&program, &DEPLOYED).await;
    says(&program, "change-failure-rate", (0.0, 1)).await;
    send(&program, &[("alertmanager", "", "firing-ours.json")]).await;
    // It tells again and again while it fires.
    send(&program, &[("alertmanager", "", "firing-ours.json")]).await;
    says(&program, "change-failure-rate", (1.0, 1)).await;
    send(&program, &[("alertmanager", "", "resolved-ours.json"), ("alertmanager", "", "mixed-ours.json")]).await;
    // Deployed and healthy at 10:02:30, over at 10:50:00.
    says(&program, "recovery-time", (2850.0, 1)).await;
    says(&program, "time-to-restore", (1799.5, 1)).await;
    assert_eq!(program.events("type:incident.* service:shop").await.len(), 2);
}

#[tokio::test]
async fn an_incident_of_an_on_call_tool_does_the_same() {
    let home = home();
    let program = home.serve().await;
    send(&program, &DEPLOYED).await;
    let happened = ["triggered", "acknowledged", "resolved"];
    for event in happened {
        send(&program, &[("pagerduty", event, &format!("v3-incident.{event}-ours.json"))]).await;
    }
    says(&program, "change-failure-rate", (1.0, 1)).await;
    // 10:02:30 to 10:51:00.001, and 10:21:07 to then.
    says(&program, "recovery-time", (2910.001, 1)).await;
    says(&program, "time-to-restore", (1793.001, 1)).await;
}

#[tokio::test]
async fn a_degradation_that_a_rollback_ends_fails_the_deployment() {
    let home = home();
    let program = home.serve().await;
    send(&program, &DEPLOYED).await;
    let ends = [
        ("argocd", "on-health-degraded", "on-health-degraded-ours.json"),
        ("argocd", "on-deployed", "on-deployed-rollback-ours.json"),
        ("argocd", "on-healthy", "on-healthy-ours.json"),
    ];
    send(&program, &ends).await;
    // The rollback was healthy at 10:31:20, before the incident was told to be over.
    says(&program, "recovery-time", (1730.0, 1)).await;
    says(&program, "time-to-restore", (1800.0, 1)).await;
    says(&program, "successful-deployments", (2.0, 2)).await;
}

#[tokio::test]
async fn what_two_tools_tell_of_one_deployment_counts_once() {
    let home = home();
    let program = home.serve().await;
    send(&program, &DEPLOYED).await;
    let mut status: Value = serde_json::from_slice(&payload("deployment_status-deployment_status-jxscm")).unwrap();
    let page = "https://github.com/acme/shop";
    for member in ["html_url", "url"] {
        status["repository"][member] = json!(page);
    }
    status["repository"]["full_name"] = json!("acme/shop");
    status["deployment"]["sha"] = json!("b2".repeat(20));
    status["deployment"]["environment"] = json!("production");
    status["deployment_status"]["environment"] = json!("production");
    status["deployment_status"]["state"] = json!("success");
    for member in ["created_at", "updated_at"] {
        status["deployment_status"][member] = json!("2026-01-05T10:07:00Z");
    }
    let delivery = Delivery::github("deployment_status", "d-1", status.to_string());
    assert_eq!(program.deliver(&delivery).await.status, 200);
    program.interpreted().await;
    assert_eq!(program.events("type:service.*").await.len(), 2);
    until("both are seen as one", async || {
        let report = program.metric(&format!("successful-deployments?{WEEK}")).await;
        report.to_string().contains("told by another tool").then_some(())
    })
    .await;
    says(&program, "successful-deployments", (1.0, 1)).await;
}

#[tokio::test]
async fn chat_is_answered_as_chat_wants_it() {
    let home = home();
    let program = home.serve().await;
    let ask = async |event: &str, file: &str| {
        let answer = program.deliver(&proven("slack", event, body("slack", file), (SECRET, now()))).await;
        format!("{} {:?} {:?}", answer.status, answer.header("content-type"), answer.body)
    };
    let answers = [
        ask("url_verification", "url_verification-ours.json").await,
        ask("message", "event_callback-message-ours.json").await,
        ask("block_actions", "block_actions-button-ours.form").await,
        ask("command", "command-ours.form").await,
    ];
    insta::assert_snapshot!(answers.join("\n"), @r#"
    200 "text/plain; charset=utf-8" "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"
    200 "application/json" "{\"duplicate\":false,\"id\":\"Ev08MFMKH7\",\"offset\":2}"
    200 "" ""
    200 "" ""
    "#);
    program.interpreted().await;
    let source = program.source("slack/main").await;
    assert_eq!((&source["deliveries"], &source["quarantined"]), (&json!(4), &json!(0)));
    let mut types: Vec<_> = program.events("").await.iter().map(|event| event["type"].to_string()).collect();
    types.sort();
    insta::assert_snapshot!(types.join("\n"), @r#"
    "dev.cdeventsx.devhose-command.invoked.0.1.0"
    "dev.cdeventsx.devhose-message.answered.0.1.0"
    "dev.cdeventsx.devhose-message.posted.0.1.0"
    "#);
    // Slack retries with the same event id.
    let again = proven("slack", "message", body("slack", "event_callback-message-ours.json"), (SECRET, now()));
    let again = again.with("x-slack-retry-num", "1").with("x-slack-retry-reason", "http_timeout");
    assert_eq!(program.deliver(&again).await.receipt()["duplicate"], true);
}

#[tokio::test]
async fn whoever_proves_nothing_changes_nothing() {
    let home = home();
    let program = home.serve().await;
    let files = [
        ("argocd", "on-deployed-upgrade-ours.json"),
        ("alertmanager", "firing-ours.json"),
        ("pagerduty", "v3-incident.triggered-ours.json"),
        ("slack", "url_verification-ours.json"),
    ];
    for (sender, file) in files {
        let forged = proven(sender, "x", body(sender, file), ("another secret", now()));
        let answer = program.deliver(&forged).await;
        assert_eq!((answer.status, answer.body.contains("3eZbrw1")), (401, false), "{sender}");
        assert_eq!(program.source(&format!("{sender}/main")).await["deliveries"], 0);
    }
    let old = now() - chrono::TimeDelta::minutes(6);
    let replayed = proven("slack", "message", body("slack", "event_callback-message-ours.json"), (SECRET, old));
    assert_eq!(program.deliver(&replayed).await.status, 401);
    let rejected = program.json("/api/v1/sources").await["rejected"][0]["reason"].clone();
    insta::assert_snapshot!(rejected.as_str().unwrap(), @"the request was signed more than 5 minutes before or after the time of this machine's clock");
    // A tool that only knows basic authentication sends the secret as its password.
    let basic = Delivery::to("alertmanager/main", body("alertmanager", "firing-ours.json"))
        .with("content-type", "application/json")
        .with("authorization", "Basic YW1kOmEgc2VjcmV0IG9mIHRoZSB0ZXN0cywgbG9uZyBlbm91Z2g=");
    assert_eq!(program.deliver(&basic).await.status, 200);
}

#[tokio::test]
async fn send_proves_itself_by_every_scheme() {
    let home = home();
    let program = home.serve().await;
    let send = |sent_as: &str, file: PathBuf| {
        let file = file.display().to_string();
        home.print(&["send", "--as", sent_as, &file, "--server", program.url()])
    };
    let shown = [
        send("argocd:on-deployed", recorded("argocd", "on-deployed-upgrade-ours.json")),
        send("alertmanager", recorded("alertmanager", "firing-ours.json")),
        send("pagerduty:incident.triggered", recorded("pagerduty", "v3-incident.triggered-ours.json")),
        send("slack:message", recorded("slack", "event_callback-message-ours.json")),
        send("slack:command", recorded("slack", "command-ours.form")),
        send("slack:url_verification", recorded("slack", "url_verification-ours.json")),
    ];
    insta::assert_snapshot!(shown.join(""), @"
    5b0f0b7e-8d1c-4d7e-9b55-3d9f8f6c2a11/on-deployed/2026-01-05T10:00:00Z	1	false
    group/a05a2a3c657357411be3e2a15fe46b7d72b43e234581f72aa75622f4fd2dcdc8	2	false
    01DEN2HPG8DNQF5KQ9J0V4BBX1	3	false
    Ev08MFMKH7	4	false

    3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P
    ");
}
