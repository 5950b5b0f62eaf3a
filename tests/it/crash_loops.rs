//! Whatever works on the log dies again and again in the middle of it, and in the end has made the same of it as if it
//! had never died.

use bus::streams::Streams;
use ingest::demo::{self, Options};
use serde_json::Value;

use crate::program::{Home, Program, until};

/// When everything has happened.
const NOW: &str = "2026-11-18T15:20:00Z";

/// Deliveries that wait to be interpreted: several times what is interpreted at once.
const DELIVERIES: usize = 5_000;

/// How often the program is killed while it works on them.
const CRASHES: usize = 8;

/// A program's directory with a backlog of an invented organisation, clusters included, so that bots have work too.
async fn backlog() -> Home {
    let home = Home::new().at(NOW);
    let options = Options { seed: 11, now: NOW.parse().unwrap(), scale: 0.5 };
    let mut deliveries: Vec<_> = demo::deliveries(options).collect();
    let backlog = deliveries.split_off(deliveries.len() - DELIVERIES);
    let streams = Streams::open(&home.data()).await.unwrap();
    streams.append_all(backlog).await.unwrap();
    streams.close().await.unwrap();
    home
}

/// Deliveries that are not interpreted yet.
async fn behind(program: &Program) -> usize {
    let ready = program.page("/readyz").await;
    ready.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Waits until everything is interpreted, counted and decided, and gives what the program makes of it.
async fn outcome(home: &Home) -> (Vec<Value>, Vec<Value>) {
    let program = home.serve().await;
    program.interpreted().await;
    let bots = async || {
        let bots = program.json("/api/v1/bots").await["bots"].as_array().unwrap().clone();
        bots.iter().all(|bot| bot["lag"]["events"] == 0 && bot["lag"]["at_least"] == false).then_some(bots)
    };
    let bots = until("every bot has decided", bots).await;
    // Verifying waits for whatever is not counted yet.
    assert_eq!(home.run(&["rebuild", "--verify"]).exit, 0);
    let mut metrics = Vec::new();
    for name in program.metrics().await {
        metrics.push(program.metric(&name).await);
    }
    let told = |bot: &Value| serde_json::json!([bot["name"], bot["dead_letters"], bot["performed"]]);
    let outcome = (metrics, bots.iter().map(told).collect());
    assert_eq!(program.stop().exit, 0);
    outcome
}

#[tokio::test]
async fn readers_that_die_again_and_again_make_the_same_of_the_log() {
    let (harmed, unharmed) = (backlog().await, backlog().await);
    for crash in 0..CRASHES {
        let program = harmed.serve().await;
        let before = behind(&program).await;
        // At once, when the next part is interpreted, or when all of it is and others still work on it.
        let moved = async || {
            let now = behind(&program).await;
            (crash % 3 == 0 || now < before || now == 0).then_some(())
        };
        until("the program works", moved).await;
        program.kill();
    }
    let (after_crashes, without) = (outcome(&harmed).await, outcome(&unharmed).await);
    assert_eq!(after_crashes.0, without.0);
    assert_eq!(after_crashes.1, without.1);
    assert_eq!(harmed.run(&["verify"]).exit, 0);
}
