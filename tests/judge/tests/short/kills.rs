//! `kill -9`, at every step of a delivery and at any time.

use judge::cycle::PHASES;
use judge::load::Load;

use crate::stage::Stage;

/// Times that the program is killed at any time.
const ANY_TIME: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_acknowledged_survives_a_kill_at_every_step() {
    let mut stage = Stage::new(1);
    for phase in PHASES {
        let tally = stage.cycles.kill_at(phase).await.unwrap();
        assert!(tally.unknown > 0, "{phase}: nothing was in flight");
        stage.acquit().await;
    }
    assert!(!stage.book().acks.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_acknowledged_survives_a_kill_at_any_time() {
    let mut stage = Stage::new(2);
    for _ in 0..ANY_TIME {
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
