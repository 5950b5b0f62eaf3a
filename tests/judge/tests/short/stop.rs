//! A stop under load: what is in flight is answered, and nothing that is stored goes without an answer.

use std::collections::HashSet;
use std::sync::Arc;

use judge::book::Book;
use judge::load::{self, Load};
use judge::stored::sqlite;
use tokio::sync::watch;

use crate::stage::{Stage, until};

/// Times that it is stopped.
const STOPS: u64 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_leaves_no_stored_delivery_without_an_answer() {
    let stage = Stage::new(16);
    for stop in 0..STOPS {
        let program = stage.cycles.home.serve(None).unwrap();
        let book = Arc::new(Book::open(&stage.cycles.book).unwrap());
        let load = Load { until_gone: true, ..stage.cycles.load_for(&program) };
        let (_stop, stopped) = watch::channel(false);
        let sending = {
            let book = Arc::clone(&book);
            tokio::spawn(async move { load::run(&load, &book, stopped).await })
        };
        until("acknowledgements", async || book.tally().acks > 30 * stop).await;
        program.ask_to_stop().unwrap();
        let ended = program.ended().unwrap();
        assert_eq!(ended.exit, Some(0), "{ended:?}");
        sending.await.unwrap().unwrap();
        Arc::into_inner(book).unwrap().close().unwrap();

        let book = stage.book();
        let acknowledged: HashSet<&str> = book.acks.iter().map(|ack| ack.id.as_str()).collect();
        let log = sqlite::read(&stage.cycles.home.database()).await.unwrap();
        let unanswered: Vec<_> =
            log.deliveries.iter().filter(|stored| !acknowledged.contains(stored.id.as_str())).collect();
        assert!(unanswered.is_empty(), "{unanswered:?}");
        assert_eq!(book.nacks, []);
    }
    stage.acquit().await;
}
