//! Webhooks that arrive: in order, once, over restarts, with bounded queues.

use super::*;

#[tokio::test]
async fn what_is_recorded_after_the_subscription_arrives_in_the_order_of_each_key() {
    over_every_engine(async |installation| {
        installation.record(["before"]).await;
        installation.subscriptions.create(webhook("all")).await.unwrap();
        let running = installation.run();
        installation.record((0..60).map(|n| format!("key-{}", n % 7))).await;
        installation.until_done("all").await;
        let mut of_key: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for seen in installation.endpoint.seen() {
            of_key.entry(seen.key).or_default().push(seen.offset);
        }
        for offsets in of_key.values() {
            assert!(offsets.is_sorted(), "{of_key:?}");
        }
        let mut all = of_key.into_values().collect::<Vec<_>>().concat();
        all.sort_unstable();
        assert_eq!(all, (2..=61).collect::<Vec<_>>());
        assert!(installation.endpoint.most_in_flight("all") <= 8);
        let seen = installation.endpoint.seen().remove(0);
        assert_eq!(seen.body["type"], "dev.cdeventsx.devhose-service.deployed.0.1.0");
        assert_eq!((seen.id, seen.keys), (format!("evt_{}", seen.body["id"].as_str().unwrap()), 1));
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn only_what_the_filter_lets_through_arrives_and_the_position_moves_over_the_rest() {
    over_every_engine(async |installation| {
        let filter = bus::subscriptions::Filter::of_query("service:checkout outcome:failed", monday()).unwrap();
        let spec = Spec { filter, start: Start::Earliest, ..webhook("some") };
        installation.record(["checkout", "checkout", "search", "search", "checkout"]).await;
        installation.subscriptions.create(spec).await.unwrap();
        let running = installation.run();
        installation.until("two deliveries", async || installation.endpoint.offsets() == [1, 5]).await;
        installation.record(["search"]).await;
        installation.advance(TimeDelta::minutes(1));
        installation.until("the end of the log", async || installation.get("some").await.behind == 0).await;
        running.stop().await;
        assert_eq!(installation.endpoint.offsets(), [1, 5]);
    })
    .await;
}

#[tokio::test]
async fn what_was_in_flight_when_the_program_was_killed_is_sent_again_with_the_same_id() {
    over_every_engine(async |installation| {
        installation.endpoint.answers(|_| Reply::Hangs);
        installation.subscriptions.create(webhook("all")).await.unwrap();
        let running = installation.run();
        installation.record(["a", "b", "a"]).await;
        installation.until("two requests", async || installation.endpoint.seen().len() == 2).await;
        running.kill().await;
        installation.open_again().await;

        installation.endpoint.answers(|_| Reply::Status(200));
        let running = installation.run();
        installation.until_done("all").await;
        running.stop().await;
        let ids = |offset| -> Vec<String> {
            installation.endpoint.seen().into_iter().filter(|seen| seen.offset == offset).map(|seen| seen.id).collect()
        };
        for offset in [1, 2] {
            assert_eq!(ids(offset).len(), 2);
            assert_eq!(ids(offset)[0], ids(offset)[1]);
        }
        assert_eq!(ids(3).len(), 1);
        let position = |offset| installation.endpoint.offsets().iter().rposition(|seen| *seen == offset);
        assert!(position(1) < position(3), "the order of the key is kept");
    })
    .await;
}

#[tokio::test]
async fn a_program_that_is_told_to_stop_notes_what_it_has_in_flight() {
    over_every_engine(async |installation| {
        installation.endpoint.answers(|_| Reply::Hangs);
        installation.subscriptions.create(webhook("all")).await.unwrap();
        let running = installation.run();
        installation.record(["a"]).await;
        installation.until("the request", async || installation.endpoint.seen().len() == 1).await;
        running.stop.send_replace(true);
        installation.endpoint.let_go.send_replace(true);
        running.stop().await;
        assert_eq!(installation.get("all").await.waiting, 0);
        assert_eq!(installation.attempts("all").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_hangs_holds_a_bounded_queue_and_nobody_else_up() {
    over_every_engine(async |installation| {
        installation.endpoint.answers(
            |seen| {
                if seen.subscription == "stuck" { Reply::Hangs } else { Reply::Status(200) }
            },
        );
        installation.subscriptions.create(webhook("stuck")).await.unwrap();
        installation.subscriptions.create(webhook("fine")).await.unwrap();
        let running = installation.run();
        let keys: Vec<String> = (0..1_000).map(|n| format!("key-{n}")).collect();
        for _ in 0..2 {
            installation.record(&keys).await;
        }
        installation.until_done("fine").await;
        assert_eq!(installation.endpoint.offsets_of("fine").len(), 2_000);
        let stuck = installation.get("stuck").await;
        assert_eq!(installation.endpoint.offsets_of("stuck").len(), 8, "its own concurrency");
        assert!(stuck.waiting <= 1_256 && stuck.waiting + stuck.behind == 2_000, "{stuck:?}");

        installation.endpoint.answers(|_| Reply::Status(200));
        installation.endpoint.let_go.send_replace(true);
        installation.until_done("stuck").await;
        running.stop().await;
        let mut arrived = installation.endpoint.offsets_of("stuck");
        arrived.sort_unstable();
        assert_eq!(arrived, (1..=2_000).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn without_an_order_one_key_goes_as_fast_as_it_can() {
    over_every_engine(async |installation| {
        installation.endpoint.answers(|_| Reply::Hangs);
        let spec = Spec { ordering: bus::subscriptions::Ordering::None, ..webhook("all") };
        installation.subscriptions.create(spec).await.unwrap();
        let running = installation.run();
        installation.record(["a"; 20]).await;
        installation.until("eight requests", async || installation.endpoint.most_in_flight("all") == 8).await;
        installation.endpoint.let_go.send_replace(true);
        installation.until_done("all").await;
        running.stop().await;
        assert_eq!(installation.endpoint.seen().len(), 20);
    })
    .await;
}

#[tokio::test]
async fn what_is_paused_stays_and_what_is_deleted_is_gone() {
    over_every_engine(async |installation| {
        let subscriptions = &installation.subscriptions;
        subscriptions.create(webhook("paused")).await.unwrap();
        subscriptions.create(webhook("deleted")).await.unwrap();
        subscriptions.create(webhook("other")).await.unwrap();
        let running = installation.run();
        installation.record(["a"]).await;
        for all in ["paused", "deleted", "other"] {
            installation.until_done(all).await;
        }
        subscriptions.pause(&name("paused")).await.unwrap();
        subscriptions.delete(&name("deleted")).await.unwrap();
        installation.record(["a", "b"]).await;
        installation.until_done("other").await;
        subscriptions.resume(&name("paused")).await.unwrap();
        installation.until_done("paused").await;
        running.stop().await;
        assert_eq!(installation.endpoint.offsets_of("paused").len(), 3);
        assert_eq!(installation.endpoint.offsets_of("deleted"), [1]);
        let gone = subscriptions.get(&name("deleted")).await;
        assert!(matches!(gone, Err(SubscriptionError::Unknown(_))));
    })
    .await;
}

#[tokio::test]
async fn a_correction_takes_the_place_of_what_was_not_delivered_yet() {
    over_every_engine(async |installation| {
        installation.endpoint.answers(|_| Reply::Unreachable);
        installation.subscriptions.create(webhook("all")).await.unwrap();
        let running = installation.run();
        installation.record(["a"]).await;
        installation.until("a failure", async || installation.attempts("all").await.len() == 1).await;
        let corrected = Event { subject: "other/production".to_owned(), ..deployed(1, "a") };
        let source = "forge/acme".parse().unwrap();
        let reading = Reading { delivery: DeliveryOffset(1), source, outcome: Ok(vec![corrected]) };
        installation.streams.revise(vec![reading]).await.unwrap();
        installation.endpoint.answers(|_| Reply::Status(200));
        installation.advance(TimeDelta::minutes(10));
        installation.until_done("all").await;
        running.stop().await;
        let last = installation.endpoint.seen().pop().unwrap();
        assert_eq!((last.offset, last.body["subject"].as_str().unwrap()), (2, "other/production"));
        assert!(last.id.ends_with("_1"), "a correction is another message: {}", last.id);
        assert_eq!(installation.endpoint.offsets(), [1, 2], "what it corrects is not sent any more");
    })
    .await;
}
