//! What stands in the channel.

use serde_json::{Value, json};

use super::{Stage, by_token, limited};
use crate::cluster::server::terminated;
use crate::program::until;

/// The text of all parts of a message, a line each.
fn lines(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| lines(item, into)),
        Value::Object(fields) => {
            if let Some(text) = fields.get("text").and_then(Value::as_str) {
                into.push(text.to_owned());
            }
            fields.values().filter(|value| !value.is_string()).for_each(|value| lines(value, into));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn a_killed_pod_is_told_once_in_the_channel_of_the_team_that_owns_it() {
    let stage = Stage::set("told", by_token).await;
    let program = stage.home.serve().await;
    stage.kill("checkout-1").await;
    stage.hears(1).await;
    stage.settles(&program).await;
    let messages = stage.chat.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].channel, "C-payments");
    assert_eq!(messages[0].body["metadata"]["event_type"], "devhose_action");
    let mut text = Vec::new();
    lines(&messages[0].body["blocks"], &mut text);
    assert!(text[0].contains("checkout") && text[0].contains("memory"), "what died and why come first: {text:#?}");
    let whole = text.join("\n");
    for part in ["512Mi", "137", "checkout-1"] {
        assert!(whole.contains(part), "{part} is missing: {text:#?}");
    }
}

#[tokio::test]
async fn two_hundred_pods_that_a_node_gives_up_are_one_message() {
    let stage = Stage::set("storm", by_token).await;
    let program = stage.home.serve().await;
    let evicted = json!({
        "phase": "Failed", "reason": "Evicted",
        "message": "The node was low on resource: memory. Threshold quantity: 100Mi, available: 61140Ki. ",
    });
    let mut paths = Vec::new();
    for number in 0..200 {
        let owner = json!([{
            "apiVersion": "apps/v1", "kind": "StatefulSet", "name": format!("service-{number}"),
            "uid": format!("00000000-0000-4000-8000-{number:012}"), "controller": true,
        }]);
        let more = json!({"metadata": {"ownerReferences": owner}, "spec": {"nodeName": "node-of-the-storm"}});
        paths.push(stage.api.pod("storm", &format!("service-{number}-0"), &more).await);
    }
    for path in &paths {
        stage.api.set_status(path, evicted.clone()).await;
    }
    let told = async || (program.events("type:pod.evicted").await.len() == 200).then_some(());
    until("every eviction is told", told).await;
    stage.hears(1).await;
    stage.settles(&program).await;
    let messages = stage.chat.messages();
    assert_eq!(messages.len(), 1, "{messages:#?}");
    assert_eq!(messages[0].channel, "C-platform");
    let whole = messages[0].body["blocks"].to_string();
    assert!(whole.contains("node-of-the-storm"), "{whole}");
}

#[tokio::test]
async fn what_a_payload_says_stays_text() {
    let stage = Stage::set("inert", by_token).await;
    let _program = stage.home.serve().await;
    let path = stage.api.pod("inert", "checkout-1", &limited()).await;
    let mut status = terminated(1, "Error", "containerd://1");
    let said = "<!channel> *fire* `rm -rf` <https://evil.example|click> <@U123>";
    status["containerStatuses"][0]["state"]["terminated"]["message"] = json!(said);
    stage.api.set_status(&path, status).await;
    stage.hears(1).await;
    let body = &stage.chat.messages()[0].body;
    for live in mrkdwn(body) {
        assert!(!live.contains("<!") && !live.contains("<@") && !live.contains("<http"), "{live}");
        assert!(!live.contains("`rm -rf`"), "{live}");
    }
    assert!(!body["text"].as_str().unwrap().contains("<!channel>"), "{body:#}");
}

/// Every text of a message that the tool would read for markup.
fn mrkdwn(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(mrkdwn).collect(),
        Value::Object(fields) => {
            let own =
                (fields.get("type") == Some(&json!("mrkdwn"))).then(|| fields["text"].as_str().unwrap().to_owned());
            own.into_iter().chain(fields.values().flat_map(mrkdwn)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}
