//! What holds through restarts, corrections, rebuilds and crashes.

use std::sync::Arc;

use bus::data::Data;
use bus::event::Event;
use bus::ids::DeliveryOffset;
use bus::kind::Kind;
use bus::streams::Streams;
use ledger::ledger::Ledger;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::installation::{Installation, deployment, quietly, read, read_better, reading, rereading, settings, time};
use crate::sqlite;

/// Three deliveries of two deployments each.
fn some() -> Vec<Value> {
    (0..3).map(|number| json!([deployment(number), deployment(number + 100)])).collect()
}

#[tokio::test]
async fn what_was_counted_is_in_view_again_after_a_restart() {
    let installation = Installation::new().await;
    installation.deliver(some()).await;
    assert_eq!(installation.environments(), [("live".to_owned(), 6)]);
    let before = installation.ledger.view().data_through();

    let again = Installation::start(installation.stop().await).await;
    assert_eq!(again.environments(), [("live".to_owned(), 6)], "before anything was read anew");
    assert_eq!(again.ledger.view().data_through(), before);
    assert_eq!(before, Some(time("2026-11-19T10:00:00.123456Z")));
    again.stop().await;
}

#[tokio::test]
async fn a_rebuild_by_the_same_reading_changes_nothing() {
    let installation = Installation::new().await;
    installation.deliver(some()).await;
    assert_eq!(installation.difference(read).await, None);
    let head = *installation.streams.event_head().borrow();
    let plan = installation.ledger.plan(&rereading(read), &quietly).await.unwrap();
    assert_eq!((plan.unchanged, plan.lines), (6, vec![]));

    let rebuilt = installation.ledger.rebuild(&rereading(read), &quietly).await.unwrap();
    assert_eq!((rebuilt.generation, rebuilt.deliveries, rebuilt.events, rebuilt.deliveries_revised), (2, 3, 6, 0));
    assert_eq!(*installation.streams.event_head().borrow(), head, "nothing was appended");
    assert_eq!(installation.environments(), [("live".to_owned(), 6)]);
    assert_eq!(installation.difference(read).await, None);
    assert!(!installation.file(1).exists() && installation.file(2).exists());
    installation.stop().await;
}

#[tokio::test]
async fn a_rebuild_by_a_better_reading_corrects_facts_and_log() {
    let installation = Installation::new().await;
    installation.deliver(some()).await;
    let plan = installation.ledger.plan(&rereading(read_better), &quietly).await.unwrap();
    insta::assert_json_snapshot!(plan.lines, @r#"
    [
      {
        "kind": "service.deployed",
        "month": "2026-11",
        "changed": 3,
        "added": 0,
        "withdrawn": 3
      }
    ]
    "#);

    let rebuilt = installation.ledger.rebuild(&rereading(read_better), &quietly).await.unwrap();
    assert_eq!((rebuilt.deliveries_revised, rebuilt.events), (3, 3));
    installation.counted().await;
    assert_eq!(installation.environments(), [("production".to_owned(), 3)]);
    let first = installation.streams.events_of(DeliveryOffset(1)).await.unwrap();
    assert_eq!(first.iter().map(|recorded| recorded.revision).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(first[1].event.kind.name(), "devhose.event.withdrawn");
    assert_eq!(installation.difference(read_better).await, None);

    let again = Installation::start(installation.stop().await).await;
    again.counted().await;
    assert_eq!(again.environments(), [("production".to_owned(), 3)]);
    assert!(again.file(2).exists(), "corrections that a rebuild brought are not folded anew");
    again.stop().await;
}

#[tokio::test]
async fn corrections_that_came_without_a_rebuild_are_not_folded_over_what_they_correct() {
    let installation = Installation::new().await;
    installation.deliver(some()).await;
    // As if a rebuild had been cut short between appending its corrections and its swap.
    for offset in 1..=3 {
        let delivery = installation.streams.delivery(DeliveryOffset(offset)).await.unwrap().unwrap();
        let mut corrected = reading(&delivery, read_better);
        let all = read(&delivery).unwrap();
        corrected.outcome.as_mut().unwrap().push(Event {
            kind: Kind::from("x.withdrawn"),
            data: Data::Other(Value::Null),
            ..all[1].clone()
        });
        installation.streams.revise(vec![corrected]).await.unwrap();
    }
    installation.counted().await;
    assert_eq!(installation.environments(), [("production".to_owned(), 3)]);
    installation.stop().await;
}

#[tokio::test]
async fn other_bot_rules_fold_the_facts_anew() {
    let installation = Installation::new().await;
    installation.deliver(some()).await;
    let directory = installation.stop().await;
    let streams = Streams::open(directory.path()).await.unwrap();
    let again = Installation::with_bots(directory, streams, vec!["robot".to_owned()]).await;
    // The old facts are in view until the new ones are; only the file tells them apart.
    again.deliver(vec![json!([deployment(9)])]).await;
    assert_eq!(again.environments(), [("live".to_owned(), 7)]);
    assert!(again.file(2).exists() && !again.file(1).exists());
    again.stop().await;
}

#[tokio::test]
async fn what_a_rebuild_left_unfinished_is_removed_at_the_next_start() {
    let installation = Installation::new().await;
    installation.deliver(some()).await;
    let directory = installation.stop().await;
    for name in ["ledger-2.db", "ledger-verify.db"] {
        std::fs::write(directory.path().join(name), "half of a file").unwrap();
    }
    let again = Installation::start(directory).await;
    assert!(!again.file(2).exists() && !again.directory.path().join("ledger-verify.db").exists());
    assert_eq!(again.environments(), [("live".to_owned(), 6)]);
    again.stop().await;
}

#[tokio::test]
async fn verification_names_the_row_that_was_altered() {
    let installation = Installation::new().await;
    installation.deliver(some()).await;
    sqlite::alter_a_deployment(&installation.file(1), "deployment-0001").await;
    let difference = installation.difference(read).await;
    insta::assert_snapshot!(difference.unwrap(), @r#"deployment_facts "deployment-0001": finished differs"#);
    installation.stop().await;
}

#[tokio::test]
async fn a_delivery_that_cannot_be_read_any_more_still_counts_as_it_was_read() {
    let installation = Installation::new().await;
    installation.deliver(some()).await;
    let rebuilt = installation.ledger.rebuild(&rereading(|_| Err("broken".to_owned())), &quietly).await.unwrap();
    assert_eq!((rebuilt.deliveries_unreadable, rebuilt.deliveries_revised), (3, 0));
    assert_eq!(installation.environments(), [("live".to_owned(), 6)]);
    installation.stop().await;
}

#[tokio::test]
async fn a_rebuild_without_a_projector_says_so_and_leaves_no_file() {
    let directory = Installation::new().await.stop().await;
    let streams = Streams::open(directory.path()).await.unwrap();
    let ledger = Arc::new(Ledger::open(directory.path(), streams, settings(Vec::new())).await.unwrap());
    let (_stop, stopped) = watch::channel(true);
    Arc::clone(&ledger).run(stopped).await.unwrap();
    let error = ledger.rebuild(&rereading(read), &quietly).await.unwrap_err();
    insta::assert_snapshot!(error, @"the projector is not running");
    assert!(!directory.path().join("ledger-2.db").exists());
}

#[tokio::test]
async fn other_programs_read_the_stable_schema_and_find_no_person_in_it() {
    let installation = Installation::new().await;
    installation.deliver(vec![json!([deployment(3)])]).await;
    let row = ("deployment-0003", "live", "2026-11-04T10:00:00.123456Z", "success");
    let row = (row.0.to_owned(), row.1.to_owned(), row.2.to_owned(), row.3.to_owned());
    assert_eq!(sqlite::deployments(&installation.file(1)).await, [row]);
    let columns = sqlite::columns(&installation.file(1)).await;
    assert!(columns.contains(&"changes.merged_at".to_owned()), "{columns:?}");
    for word in ["login", "handle", "mail", "avatar", "person", "people"] {
        assert!(!columns.iter().any(|column| column.contains(word)), "{word}");
    }
    installation.stop().await;
}
