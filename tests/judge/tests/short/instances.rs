//! Two programs over one directory: the second refuses, and the first does not mind.

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_second_program_over_the_same_data_refuses_and_harms_nothing() {
    let mut stage = Stage::new(14);
    stage.cycles.load.count = Some(100);
    let program = stage.cycles.home.serve(None).unwrap();
    stage.cycles.send(&program).await.unwrap();
    let second = stage.cycles.home.run(&["serve", "--listen", "127.0.0.1:0"]).unwrap();
    assert_eq!(second.exit, Some(6), "{second:?}");
    assert!(second.stderr.contains("is in use by another process: stop that one"), "{second:?}");
    let tally = stage.cycles.send(&program).await.unwrap();
    assert_eq!(tally.acks, 100);
    assert_eq!(program.stop().unwrap().exit, Some(0));
    stage.acquit().await;
}
