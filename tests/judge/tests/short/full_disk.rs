//! A full disk: senders are asked to come again, readers are answered, and all goes on by itself once there is room.

use crate::stage::{Stage, get, interpreted, until};

/// Room that is left: more than nothing, so that it runs out in the middle of something.
const LEFT_KIB: u64 = 512;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_what_it_cannot_keep_and_takes_it_again_once_there_is_room() {
    let Some(mut stage) = Stage::on_a_disk(12, 64) else { return };
    let disk = stage.disk.take().unwrap();
    let program = stage.cycles.home.serve(None).unwrap();
    stage.cycles.load.count = Some(100);
    assert_eq!(stage.cycles.send(&program).await.unwrap().acks, 100);

    disk.fill(LEFT_KIB).unwrap();
    stage.cycles.load.count = Some(600);
    let full = stage.cycles.send(&program).await.unwrap();
    assert!(full.nacks > 0, "{full:?}");
    assert_eq!(full.unknown, 0, "{full:?}");
    until("not ready", async || get(&program, "/readyz").await.0 == 503).await;
    assert_eq!(get(&program, "/readyz").await.1, "the log cannot take more now: the disk is full\n");
    for path in ["/healthz", "/", "/events", "/api/v1/events?limit=1000", "/api/v1/metrics"] {
        assert_eq!(get(&program, path).await.0, 200, "{path}");
    }

    disk.make_room().unwrap();
    until("ready again", async || get(&program, "/readyz").await.0 == 200).await;
    stage.cycles.load.count = Some(100);
    let after = stage.cycles.send(&program).await.unwrap();
    assert_eq!((after.acks, after.nacks, after.unknown), (100, 0, 0));
    interpreted(&program).await;
    let verdict = stage.cycles.check_running(&program).await.unwrap();
    assert!(verdict.broken().is_empty(), "{verdict}");
    assert_eq!(program.stop().unwrap().exit, Some(0));
    let verified = stage.cycles.home.run(&["rebuild", "--verify"]).unwrap();
    assert_eq!(verified.exit, Some(0), "{verified:?}");
}
