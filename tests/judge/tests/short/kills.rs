//! `kill -9`, at every step of a delivery and at any time.

use judge::load::Load;
use judge::storage::Engine;

use crate::stage::Stage;

/// Has the program kill itself at each of its steps.
async fn killed_at_every_step(mut stage: Stage) {
    for step in stage.cycles.home.storage().steps() {
        let tally = stage.cycles.kill_at(step).await.unwrap();
        assert!(tally.unknown > 0, "{step}: nothing was in flight");
        stage.acquit().await;
    }
    assert!(!stage.book().acks.is_empty());
}

/// Kills the program so many times at any time.
async fn killed_at_any_time(mut stage: Stage, times: usize) {
    for _ in 0..times {
        let tally = stage.cycles.kill().await.unwrap();
        assert!(tally.acks > 0 && tally.unknown > 0, "{tally:?}");
        stage.acquit().await;
    }
    // As senders see it: what was acknowledged is known when it comes again, at the place that was told.
    let before = stage.book();
    stage.cycles.load = Load { again: true, count: Some(before.next_number), ..stage.cycles.load };
    let program = stage.cycles.home.serve(None).unwrap();
    let tally = stage.cycles.send(&program).await.unwrap();
    assert_eq!((tally.acks, tally.nacks, tally.unknown), (before.next_number, 0, 0));
    drop(program);
    stage.acquit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_acknowledged_survives_a_kill_at_every_step() {
    killed_at_every_step(Stage::new(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_acknowledged_survives_a_kill_at_any_time() {
    killed_at_any_time(Stage::new(2), 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_whatever_was_acknowledged_survives_a_kill_at_every_step() {
    killed_at_every_step(Stage::on(20, Engine::Postgres, None)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_whatever_was_acknowledged_survives_a_kill_at_any_time() {
    killed_at_any_time(Stage::on(21, Engine::Postgres, None), 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_kafka_whatever_was_acknowledged_survives_a_kill_at_every_step() {
    killed_at_every_step(Stage::on(22, Engine::Kafka, None)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_kafka_whatever_was_acknowledged_survives_a_kill_at_any_time() {
    killed_at_any_time(Stage::on(23, Engine::Kafka, None), 3).await;
}
