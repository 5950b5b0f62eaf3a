//! Ended without a word at every step between an event and its performed action.

use std::collections::BTreeSet;

use super::{Stage, by_token};
use serde_json::Value;

use crate::program::{Program, until};

/// The steps, as the program names them.
const STEPS: [&str; 5] = ["after-decision", "after-commit", "after-attempting", "after-call", "after-performed"];

async fn crash_and_go_on(stage: &Stage, step: &str) {
    let program = stage.serve(&[("DEVHOSE_CRASH_AT", step)]).await;
    stage.kill("checkout-1").await;
    let ended = program.ends();
    assert_ne!(ended.exit, 0, "{step}: it was to end at that step");
    let program = stage.serve(&[]).await;
    until("it is posted", async || (!stage.chat.messages().is_empty()).then_some(())).await;
    stage.settles(&program).await;
    // The message, and the details in its thread.
    let posted = stage.chat.messages().len() + stage.chat.replies().len();
    let told = until("all that was posted is told", async || {
        let told = program.events("type:action.performed").await;
        (told.len() >= posted).then_some(told)
    })
    .await;
    let subjects = told.iter().map(|event| event["subject"].as_str().unwrap()).collect::<BTreeSet<_>>();
    assert_eq!(subjects.len(), told.len(), "{step}: {told:#?}");
    assert_eq!(told.len(), stage.chat.messages().len() + stage.chat.replies().len(), "{step}: {told:#?}");
    let kills = program.events("type:pod.killed").await;
    assert_eq!(kills.len(), 1, "{step}: {kills:#?}");
}

/// The first action that was told.
async fn first_performed(program: &Program) -> Value {
    let told = async || program.events("type:action.performed").await.pop();
    until("an action is performed", told).await
}

// On threads of its own, because the chat answers while the test waits for a process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_can_be_read_back_is_posted_once_wherever_the_program_dies() {
    let namespaces = ["crash-0", "crash-1", "crash-2", "crash-3", "crash-4"];
    for (step, namespace) in STEPS.into_iter().zip(namespaces) {
        let stage = Stage::set(namespace, by_token).await;
        crash_and_go_on(&stage, step).await;
        assert_eq!(stage.chat.messages().len(), 1, "{step}: {:?}", stage.chat.calls());
        assert_eq!(stage.chat.replies().len(), 1, "{step}: {:?}", stage.chat.calls());
    }
}

// On threads of its own, because the chat answers while the test waits for a process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_cannot_be_read_back_is_posted_at_least_once_and_marked_as_in_doubt() {
    let by_webhook = |chat: &crate::chat::Chat| {
        format!("[[tool]]\nname = \"slack\"\nwebhooks = {{ \"#payments\" = \"{}\" }}\n", chat.webhook("payments"))
    };
    for (step, namespace, posted) in [("after-attempting", "hook-2", 1), ("after-call", "hook-3", 2)] {
        let stage = Stage::set(namespace, by_webhook).await;
        let program = stage.serve(&[("DEVHOSE_CRASH_AT", step)]).await;
        stage.kill("checkout-1").await;
        assert_ne!(program.ends().exit, 0);
        let program = stage.serve(&[]).await;
        let performed = first_performed(&program).await;
        assert_eq!(performed["data"]["customData"]["inDoubt"], true, "{step}: {performed:#}");
        until("it is posted", async || (stage.chat.messages().len() == posted).then_some(())).await;
    }
}
