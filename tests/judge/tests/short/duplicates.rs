//! Deliveries that come many times at once, and ids that come again with another body.

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_duplicates_is_one_row_each_and_the_first_body_stays() {
    let mut stage = Stage::new(13);
    let load = &mut stage.cycles.load;
    (load.count, load.copies_max, load.connections, load.contradict) = (Some(300), 20, 64, true);
    let program = stage.cycles.home.serve(None).unwrap();
    let tally = stage.cycles.send(&program).await.unwrap();
    assert_eq!((tally.nacks, tally.unknown), (0, 0));
    drop(program);
    stage.acquit().await;
    let book = stage.book();
    assert_eq!(book.acks.iter().filter(|ack| !ack.duplicate).count(), 300);
    assert!(book.acks.len() > 2_000 && !book.others.is_empty());
}
