//! A disk that fails: nothing is acknowledged any more, the program ends so that it is started again, and what it
//! had acknowledged is there.

use judge::load::Load;

use crate::stage::Stage;

/// Which wait for the disk fails: some in the middle of the load, once, and then from some on for ever.
const FAILING: [&str; 4] = ["40", "41", "60", "50+"];

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_wait_for_the_disk_ends_the_program_and_loses_nothing() {
    let mut stage = Stage::new(17);
    for failing in FAILING {
        // Of each thread its own: the writer's is the only one that comes so far.
        let inject = format!("inject=fdatasync,fsync:error=EIO:when={failing}");
        let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", &inject];
        let program = stage.cycles.home.serve_under(&strace, None).unwrap();
        stage.cycles.load = Load { until_gone: true, count: Some(20_000), ..stage.cycles.load };
        let tally = stage.cycles.send(&program).await.unwrap();
        assert!(tally.acks > 0, "{tally:?}");
        let ended = program.ended().unwrap();
        assert_eq!(ended.exit, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("the writer has stopped"), "{ended:?}");
        stage.acquit().await;
    }
}
