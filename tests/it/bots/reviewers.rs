//! Reviewers are asked for and told about once, wherever the program dies.

use crate::forge::Forge;
use crate::program::{CONFIGURATION, Delivery, Home, payload, until};

/// The steps, as the program names them.
const STEPS: [&str; 5] = ["after-decision", "after-commit", "after-attempting", "after-call", "after-performed"];

fn home(forge: &Forge) -> Home {
    Home::with(&format!("{CONFIGURATION}\n{}\n[bot.reviewer-assignment]\nmode = \"live\"\n", forge.configuration()))
}

fn opened(id: &str) -> Delivery {
    Delivery::github("pull_request", id, payload("pull_request-opened-pull_request-hub4j"))
}

// On threads of its own, because the forge answers while the test waits for a process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reviewers_are_asked_once_and_one_comment_says_why_wherever_the_program_dies() {
    for step in STEPS {
        let forge = Forge::start().await;
        let home = home(&forge);
        let program = home.serve_with(&[("DEVHOSE_CRASH_AT", step)]).await;
        assert_eq!(program.deliver(&opened("d-1")).await.status, 200);
        assert_ne!(program.ends().exit, 0, "{step}: it was to end at that step");

        let program = home.serve().await;
        let told = async || (program.events("type:action.performed").await.len() == 2).then_some(());
        until("both actions are told", told).await;
        assert_eq!(forge.comments().len(), 1, "{step}: {:?}", forge.writes());
        let mut asked = forge.asked();
        asked.sort();
        assert_eq!(asked, ["ann", "bob"], "{step}: {:?}", forge.writes());

        // The same again, as a redelivery and as another delivery of the same: nobody is asked twice.
        program.deliver(&opened("d-1")).await;
        program.deliver(&opened("d-2")).await;
        program.interpreted().await;
        let settled = async || {
            let bot = program.json("/api/v1/bots/reviewer-assignment").await;
            (bot["open_actions"] == 0 && bot["lag"]["events"] == 0 && bot["lag"]["at_least"] == false).then_some(())
        };
        until("everything is decided and performed", settled).await;
        assert_eq!((forge.asked().len(), forge.comments().len()), (2, 1), "{step}: {:?}", forge.writes());
    }
}
