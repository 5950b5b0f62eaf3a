//! A disk that fails: nothing is acknowledged any more, the program ends so that it is started again, and what it
//! had acknowledged is there. And one that takes its time: senders are told in time.

use judge::load::Load;

use crate::stage::{Stage, get, until};

/// Which wait for the disk fails: some in the middle of the load, once, and then from some on for ever.
const FAILING: [&str; 4] = ["40", "41", "60", "50+"];

/// A wait for the disk in the middle of the load takes 7 s.
const STANDSTILL: &str = "inject=fdatasync,fsync:delay_enter=7000000:when=20";

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_wait_for_the_disk_ends_the_program_and_loses_nothing() {
    let mut stage = Stage::new(17);
    for failing in FAILING {
        // Counted in each thread by itself: the writer's is the only one that comes so far. With -D the program is our
        // child and not strace's, so that what we do to it reaches it.
        let inject = format!("inject=fdatasync,fsync:error=EIO:when={failing}");
        let strace = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", &inject];
        let program = stage.cycles.home.serve_under(&strace, None).unwrap();
        stage.cycles.load = Load { until_gone: true, count: Some(20_000), ..stage.cycles.load };
        let tally = stage.cycles.send(&program).await.unwrap();
        assert!(tally.acks > 0, "{tally:?}");
        let ended = program.ended().unwrap();
        assert_eq!(ended.exit, Some(75), "{ended:?}");
        assert!(ended.stderr.contains("the writer has stopped"), "{ended:?}");
        stage.acquit().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_stands_still_lets_no_sender_wait_until_it_gives_up() {
    let mut stage = Stage::new(18);
    // Longer than the program lets a sender wait, once.
    let strace = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", STANDSTILL];
    let program = stage.cycles.home.serve_under(&strace, None).unwrap();
    stage.cycles.load.count = Some(1_000);
    let tally = stage.cycles.send(&program).await.unwrap();
    assert!(tally.acks > 0 && tally.nacks > 0, "{tally:?}");
    assert_eq!(tally.unknown, 0);
    until("ready", async || get(&program, "/readyz").await.0 == 200).await;
    let verdict = stage.cycles.check_running(&program).await.unwrap();
    assert!(verdict.broken().is_empty(), "{verdict}");
}
