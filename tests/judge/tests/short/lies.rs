//! The judge is judged: it finds out every lie, and believes the truth.

use judge::check::Verdict;
use judge::storage::Engine;

use crate::stage::Stage;

/// Sends to a program that lies, and judges.
async fn judged(lie: &str, stage: &Stage, count: u64) -> Verdict {
    let program = stage.cycles.home.serve(Some(&format!("sabotage={lie}"))).unwrap();
    let mut cycles = stage.cycles.clone();
    cycles.load.count = Some(count);
    let tally = cycles.send(&program).await.unwrap();
    assert!(tally.acks >= count, "{lie}: {tally:?}");
    // Where deliveries get their places later, the program that lies gives them theirs.
    cycles.arrived(&program).await.unwrap();
    assert_eq!(program.stop().unwrap().exit, Some(0));
    stage.verdict().await
}

fn check(verdict: &Verdict, laws: &[&str]) {
    assert_eq!(verdict.broken(), laws, "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_program_is_believed() {
    for engine in [Engine::Sqlite, Engine::Postgres, Engine::Kafka] {
        let mut stage = Stage::on(3, engine, None);
        stage.cycles.load.count = Some(200);
        let program = stage.cycles.home.serve(None).unwrap();
        let tally = stage.cycles.send(&program).await.unwrap();
        assert_eq!((tally.acks, tally.nacks, tally.unknown), (200, 0, 0));
        check(&stage.cycles.check_running(&program).await.unwrap(), &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_before_the_commit_is_found_out_by_a_kill() {
    let mut stage = Stage::new(4);
    stage.cycles.sabotage = Some("sabotage=ack-before-fsync".to_owned());
    stage.cycles.kill().await.unwrap();
    assert!(stage.verdict().await.lost() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_lost_delivery_in_a_thousand_is_found_out() {
    let mut stage = Stage::new(5);
    stage.cycles.load.body_bytes = 100;
    let verdict = judged("drop-every-1000", &stage, 1_000).await;
    assert_eq!(verdict.lost(), 1, "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_is_stored_again_is_found_out() {
    let mut stage = Stage::new(6);
    stage.cycles.load.copies_max = 3;
    check(&judged("dup", &stage, 50).await, &["L2", "L4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_of_other_deliveries_are_found_out() {
    check(&judged("reorder", &Stage::new(7), 200).await, &["L4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_of_other_places_are_found_out() {
    check(&judged("stale-seq", &Stage::new(8), 50).await, &["L4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_wrong_bit_in_a_hundred_bodies_is_found_out_though_every_hash_agrees_with_it() {
    let verdict = judged("flip-bit", &Stage::new(9), 150).await;
    check(&verdict, &["L1", "L3"]);
    assert_eq!(verdict.lost(), 1, "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_lies_are_found_out() {
    let mut stage = Stage::on(30, Engine::Postgres, None);
    stage.cycles.load.body_bytes = 100;
    let verdict = judged("drop-every-1000", &stage, 1_000).await;
    assert_eq!(verdict.lost(), 1, "{verdict}");

    let mut stage = Stage::on(31, Engine::Postgres, None);
    stage.cycles.load.copies_max = 3;
    check(&judged("dup", &stage, 50).await, &["L2", "L4"]);

    let verdict = judged("flip-bit", &Stage::on(32, Engine::Postgres, None), 150).await;
    check(&verdict, &["L1", "L3"]);
    assert_eq!(verdict.lost(), 1, "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_kafka_lies_are_found_out() {
    // Thrown away on the way from the topic into the log: it is in the one and not in the other.
    let mut stage = Stage::on(33, Engine::Kafka, None);
    stage.cycles.load.body_bytes = 100;
    let verdict = judged("drop-every-1000", &stage, 1_000).await;
    check(&verdict, &["L1", "L13"]);
    assert_eq!(verdict.lost(), 1, "{verdict}");

    // A bit is another in the spool, or on the way into the log.
    let verdict = judged("flip-bit", &Stage::on(34, Engine::Kafka, None), 150).await;
    assert!(verdict.broken().starts_with(&["L1", "L3"]), "{verdict}");
}
