//! Deliveries that come many times at once, and ids that come again with another body.

use judge::storage::Engine;

use crate::stage::Stage;

/// Deliveries that come, and on which engine.
const SENT: [(Engine, u64); 3] = [(Engine::Sqlite, 300), (Engine::Postgres, 100), (Engine::Kafka, 100)];

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_duplicates_is_one_row_each_and_the_first_body_stays() {
    for (engine, sent) in SENT {
        let mut stage = Stage::on(13, engine, None);
        let load = &mut stage.cycles.load;
        (load.count, load.copies_max, load.connections, load.contradict) = (Some(sent), 20, 64, true);
        let program = stage.cycles.home.serve(None).unwrap();
        let tally = stage.cycles.send(&program).await.unwrap();
        assert_eq!((tally.nacks, tally.unknown), (0, 0));
        drop(program);
        let book = stage.book();
        assert!(book.acks.len() as u64 > 6 * sent && !book.others.is_empty());
        if !stage.ground.storage.places_later() {
            assert_eq!(book.acks.iter().filter(|ack| !ack.duplicate).count() as u64, sent);
        }
        let verdict = stage.verdict().await;
        assert!(verdict.broken().is_empty(), "{engine:?}: {verdict}");
    }
}
