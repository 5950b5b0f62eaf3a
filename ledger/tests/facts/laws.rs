//! What holds through restarts, corrections, rebuilds and crashes.

use bus::data::Data;
use bus::event::Event;
use bus::ids::DeliveryOffset;
use bus::kind::Kind;
use ledger::ledger::Ledger;
use ledger::rebuild::plan::PlanLine;
use serde_json::{Value, json};

use crate::installation::{
    Installation, deployment, over_every_engine, quietly, read, read_better, reading, rereading, settings, time,
};

/// Three deliveries of two deployments each.
fn some() -> Vec<Value> {
    (0..3).map(|number| json!([deployment(number), deployment(number + 100)])).collect()
}

#[tokio::test]
async fn what_was_counted_is_in_view_again_after_a_restart() {
    over_every_engine(async |home| {
        let installation = Installation::start(home).await;
        installation.deliver(some()).await;
        assert_eq!(installation.environments(), [("live".to_owned(), 6)]);
        let before = installation.ledger.view().data_through();

        let again = Installation::start(installation.stop().await).await;
        assert_eq!(again.environments(), [("live".to_owned(), 6)], "before anything was read anew");
        assert_eq!(again.ledger.view().data_through(), before);
        assert_eq!(before, Some(time("2026-11-19T10:00:00.123456Z")));
        again.stop().await
    })
    .await;
}

#[tokio::test]
async fn a_rebuild_by_the_same_reading_changes_nothing() {
    over_every_engine(async |home| {
        let installation = Installation::start(home).await;
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
        assert_eq!(installation.home.generations().await, [2]);
        installation.stop().await
    })
    .await;
}

#[tokio::test]
async fn a_rebuild_by_a_better_reading_corrects_facts_and_log() {
    over_every_engine(async |home| {
        let installation = Installation::start(home).await;
        installation.deliver(some()).await;
        let plan = installation.ledger.plan(&rereading(read_better), &quietly).await.unwrap();
        let line = PlanLine { kind: "service.deployed".to_owned(), month: "2026-11".to_owned(), ..PlanLine::default() };
        assert_eq!(plan.lines, [PlanLine { changed: 3, withdrawn: 3, ..line }]);

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
        assert_eq!(again.home.generations().await, [2], "corrections that a rebuild brought are not folded anew");
        again.stop().await
    })
    .await;
}

#[tokio::test]
async fn corrections_that_came_without_a_rebuild_are_not_folded_over_what_they_correct() {
    over_every_engine(async |home| {
        let installation = Installation::start(home).await;
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
        installation.stop().await
    })
    .await;
}

#[tokio::test]
async fn other_bot_rules_fold_the_facts_anew() {
    over_every_engine(async |home| {
        let installation = Installation::start(home).await;
        installation.deliver(some()).await;
        let again = Installation::with_bots(installation.stop().await, vec!["robot".to_owned()]).await;
        // The old facts are in view until the new ones are; only their number tells them apart.
        again.deliver(vec![json!([deployment(9)])]).await;
        assert_eq!(again.environments(), [("live".to_owned(), 7)]);
        assert_eq!(again.home.generations().await, [2]);
        again.stop().await
    })
    .await;
}

#[tokio::test]
async fn what_a_rebuild_left_unfinished_is_removed_at_the_next_start() {
    over_every_engine(async |home| {
        let installation = Installation::start(home).await;
        installation.deliver(some()).await;
        let home = installation.stop().await;
        home.leave_half_a_generation().await;
        let again = Installation::start(home).await;
        again.deliver(vec![json!([deployment(9)])]).await;
        assert_eq!(again.home.generations().await, [1]);
        assert!(!again.home.directory.path().join("ledger-verify.db").exists());
        assert_eq!(again.environments(), [("live".to_owned(), 7)]);
        again.stop().await
    })
    .await;
}

#[tokio::test]
async fn verification_names_the_row_that_was_altered() {
    over_every_engine(async |home| {
        let installation = Installation::start(home).await;
        installation.deliver(some()).await;
        installation.home.alter_a_deployment("deployment-0001").await;
        let difference = installation.difference(read).await;
        assert_eq!(difference.as_deref(), Some(r#"deployment_facts "deployment-0001": finished differs"#));
        installation.stop().await
    })
    .await;
}

#[tokio::test]
async fn a_delivery_that_cannot_be_read_any_more_still_counts_as_it_was_read() {
    over_every_engine(async |home| {
        let installation = Installation::start(home).await;
        installation.deliver(some()).await;
        let rebuilt = installation.ledger.rebuild(&rereading(|_| Err("broken".to_owned())), &quietly).await.unwrap();
        assert_eq!((rebuilt.deliveries_unreadable, rebuilt.deliveries_revised), (3, 0));
        assert_eq!(installation.environments(), [("live".to_owned(), 6)]);
        installation.stop().await
    })
    .await;
}

#[tokio::test]
async fn a_rebuild_without_a_projector_says_so_and_leaves_nothing() {
    over_every_engine(async |home| {
        let home = Installation::start(home).await.stop().await;
        let streams = home.streams().await;
        let ledger = Ledger::open(&home.tables(), streams.clone(), settings(Vec::new())).await.unwrap();
        let error = ledger.rebuild(&rereading(read), &quietly).await.unwrap_err();
        assert_eq!(error.to_string(), "the projector is not running");
        assert_eq!(home.generations().await, [1]);
        streams.close().await.unwrap();
        home
    })
    .await;
}

#[tokio::test]
async fn other_programs_read_the_stable_schema_and_find_no_person_in_it() {
    over_every_engine(async |home| {
        let installation = Installation::start(home).await;
        installation.deliver(vec![json!([deployment(3)])]).await;
        let row = ("deployment-0003", "live", "2026-11-04T10:00:00.123456Z", "success");
        let row = (row.0.to_owned(), row.1.to_owned(), row.2.to_owned(), row.3.to_owned());
        assert_eq!(installation.home.stored_deployments().await, [row]);
        let columns = installation.home.columns().await;
        assert!(columns.contains(&"changes.merged_at".to_owned()), "{columns:?}");
        for word in ["login", "handle", "mail", "avatar", "person", "people"] {
            assert!(!columns.iter().any(|column| column.contains(word)), "{word}");
        }
        installation.stop().await
    })
    .await;
}

#[tokio::test]
async fn names_that_no_tool_has_are_kept_all_the_same() {
    over_every_engine(async |home| {
        let installation = Installation::start(home).await;
        let long = "x".repeat(10_000);
        let names = ["a\u{0}b", "a\u{1}b", "a", &long, &format!("{long}y")];
        let named = |(number, name): (u32, &&str)| {
            let mut one = deployment(number);
            one["data"]["id"] = json!(name);
            one["data"]["repository"] = json!(name);
            json!([one])
        };
        installation.deliver((1..).zip(&names).map(named).collect()).await;
        assert_eq!(installation.environments(), [("live".to_owned(), 5)]);
        assert_eq!(installation.difference(read).await, None);
        assert_eq!(installation.home.stored_deployments().await.len(), 5);
        let again = Installation::start(installation.stop().await).await;
        assert_eq!(again.environments(), [("live".to_owned(), 5)]);
        assert_eq!(again.difference(read).await, None);
        again.stop().await
    })
    .await;
}
