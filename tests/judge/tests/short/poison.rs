//! Deliveries that are taken and cannot be interpreted: they stay, set apart, and nothing waits for them.

use judge::book::Book;
use judge::load::send_one;

use crate::stage::{Stage, get, interpreted};

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_interpreted_is_kept_and_blocks_nothing() {
    let mut stage = Stage::new(15);
    stage.cycles.load.count = Some(100);
    let program = stage.cycles.home.serve(None).unwrap();
    stage.cycles.send(&program).await.unwrap();
    let load = stage.cycles.load_for(&program);
    let book = Book::open(&stage.cycles.book).unwrap();
    let deep = "[".repeat(100_000);
    let poison = ["no JSON at all", "[]", deep.as_str()];
    for (number, body) in poison.iter().enumerate() {
        let id = format!("poison-{number}");
        assert_eq!(send_one(&load, &book, ("pull_request", &id), body.as_bytes().to_vec()).await.unwrap(), 200);
    }
    book.close().unwrap();
    stage.cycles.send(&program).await.unwrap();

    interpreted(&program).await;
    let quarantine: serde_json::Value = serde_json::from_str(&get(&program, "/api/v1/quarantine").await.1).unwrap();
    assert_eq!(quarantine["quarantined"].as_array().unwrap().len(), poison.len(), "{quarantine:#}");
    let events: serde_json::Value = serde_json::from_str(&get(&program, "/api/v1/events?limit=1000").await.1).unwrap();
    assert_eq!(events["events"].as_array().unwrap().len(), 200);
    assert_eq!(program.stop().unwrap().exit, Some(0));
    stage.acquit().await;
}
