//! What stands in the channel.

use serde_json::{Value, json};

use super::{Stage, by_token, limited};
use crate::cluster::server::terminated;
use crate::program::until;

#[tokio::test]
async fn a_killed_pod_is_told_once_in_the_channel_of_the_team_that_owns_it() {
    let stage = Stage::set("told", by_token).await;
    let program = stage.serve(&[]).await;
    stage.kill("checkout-1").await;
    stage.hears(1).await;
    stage.settles(&program).await;
    let messages = stage.chat.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].channel, "C-payments");
    assert_eq!(messages[0].body["metadata"]["event_type"], "devhose_action");
    let mut blocks = messages[0].body["blocks"].clone();
    steady(&mut blocks);
    let lines: Vec<String> = blocks.as_array().unwrap().iter().map(Value::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r##"
    {"text":{"emoji":false,"text":"checkout killed: out of memory (512Mi limit)","type":"plain_text"},"type":"header"}
    {"elements":[{"elements":[{"text":"Container app used more memory than its limit of 512Mi and was killed by the kernel.","type":"text"}],"type":"rich_text_section"}],"type":"rich_text"}
    {"elements":[{"elements":[{"style":{"bold":true},"text":"Since DATE TIME UTC","type":"text"},{"text":": 1 kill.","type":"text"}],"type":"rich_text_section"}],"type":"rich_text"}
    {"elements":[{"elements":[{"style":{"bold":true},"text":"What changed","type":"text"}],"type":"rich_text_section"}],"type":"rich_text"}
    {"elements":[{"elements":[{"elements":[{"text":"No deployment of checkout is known in the 14 days before.","type":"text"}],"type":"rich_text_section"}],"style":"bullet","type":"rich_text_list"}],"type":"rich_text"}
    {"elements":[{"elements":[{"style":{"bold":true},"text":"What to do: ","type":"text"},{"text":"Look whether its memory grew slowly (a leak) or at once (load): kubectl -n told logs checkout-1 -c app. Raise the limit only if it needs more when it is well.","type":"text"}],"type":"rich_text_section"}],"type":"rich_text"}
    {"fields":[{"text":"*Cause:* oom.container_limit (medium confidence)","type":"mrkdwn","verbatim":true},{"text":"*Exit:* exit code 137 (SIGKILL) after 4 min","type":"mrkdwn","verbatim":true},{"text":"*Memory:* limit 512Mi; use at death not known","type":"mrkdwn","verbatim":true},{"text":"*Restarts:* 0","type":"mrkdwn","verbatim":true},{"text":"*Version:* checkout:1.2.3","type":"mrkdwn","verbatim":true},{"text":"*Team:* payments","type":"mrkdwn","verbatim":true},{"text":"*Pod:* told/checkout-1","type":"mrkdwn","verbatim":true}],"type":"section"}
    {"elements":[{"emoji":false,"text":"Log: the cluster has none of this run.","type":"plain_text"}],"type":"context"}
    {"elements":[{"emoji":false,"text":"test / told / Pod/checkout-1 · 6 API calls, N ms · 1 answer missing, see the thread","type":"plain_text"}],"type":"context"}
    {"elements":[{"action_id":"killed-pods/acknowledge","text":{"emoji":false,"text":"Acknowledge","type":"plain_text"},"type":"button","value":"workload/test/told/Pod/checkout-1/app#1"},{"action_id":"killed-pods/snooze","text":{"emoji":false,"text":"Snooze 1 h","type":"plain_text"},"type":"button","value":"workload/test/told/Pod/checkout-1/app#1"}],"type":"actions"}
    "##);
}

/// Replaces what differs from run to run: when it was, and how long the answers took.
fn steady(value: &mut Value) {
    match value {
        Value::String(text) => {
            let words: Vec<&str> = text.split(' ').collect();
            let next = words.iter().skip(1).copied().chain([""]);
            let steady = words.iter().zip(next).map(|(word, next)| match (word.len(), next) {
                (_, "ms" | "ms\u{a0}") => "N",
                (10, _) if word.parse::<chrono::NaiveDate>().is_ok() => "DATE",
                (5, _) if word.split(':').count() == 2 && word.starts_with(char::is_numeric) => "TIME",
                (_, _) => word,
            });
            *text = steady.collect::<Vec<_>>().join(" ");
        }
        Value::Array(items) => items.iter_mut().for_each(steady),
        Value::Object(fields) => fields.values_mut().for_each(steady),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[tokio::test]
async fn two_hundred_pods_that_a_node_gives_up_are_one_message() {
    let stage = Stage::set("storm", by_token).await;
    let program = stage.serve(&[]).await;
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
    // One more, alone on its node, waits as each of the others did: once it is told, none of theirs can still come.
    let more = json!({"spec": {"nodeName": "a-quiet-node"}});
    let alone = stage.api.pod("storm", "alone-0", &more).await;
    stage.api.set_status(&alone, evicted).await;
    let told = async || stage.chat.messages().iter().any(|message| message.channel == "C-payments").then_some(());
    until("the one alone is told", told).await;
    stage.settles(&program).await;
    let messages = stage.chat.messages();
    assert_eq!(messages.len(), 2, "{messages:#?}");
    assert_eq!(messages[0].channel, "C-platform");
    let whole = messages[0].body["blocks"].to_string();
    assert!(whole.contains("node-of-the-storm"), "{whole}");
}

#[tokio::test]
async fn what_a_payload_says_stays_text() {
    let stage = Stage::set("inert", by_token).await;
    let _program = stage.serve(&[]).await;
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
