//! Making and changing subscriptions, their secrets, and the delivery log.

use bus::subscriptions::{Change, Filter, LiveSecret, Signatures};

use super::*;

#[tokio::test]
async fn what_is_not_possible_is_refused_in_words() {
    over_every_engine(async |installation| {
        let subscriptions = &installation.subscriptions;
        let with = |change: fn(&mut Webhook)| {
            let mut spec = webhook("x");
            if let Transport::Webhook(webhook) = &mut spec.transport {
                change(webhook);
            }
            spec
        };
        let refused = async |spec: Spec| subscriptions.create(spec).await.unwrap_err().to_string();
        let retry = RetryPolicy { delays_seconds: vec![1; 51] };
        let cases = [
            (with(|webhook| webhook.url = "http://x".to_owned()), "url: http://x is not https"),
            (with(|webhook| webhook.concurrency = 0), "concurrency 0: 1 to 64 are possible"),
            (
                Spec { transport: Transport::Pull { lease_seconds: 0 }, ..webhook("x") },
                "lease_seconds 0: 1 to 3600 are possible",
            ),
            (Spec { start: Start::After(EventOffset(7)), ..webhook("x") }, "start after 7: the log ends at 0"),
            (Spec { retry, ..webhook("x") }, "retry.delays_seconds: at most 50 are possible"),
        ];
        for (spec, expected) in cases {
            assert_eq!(refused(spec).await, expected);
        }
        subscriptions.create(webhook("x")).await.unwrap();
        assert_eq!(refused(webhook("x")).await, "there is a subscription x already");
        assert_eq!(subscriptions.list().await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_start_is_the_oldest_the_newest_an_offset_or_a_time() {
    over_every_engine(async |installation| {
        installation.record(["a", "b", "c"]).await;
        let recorded_at = installation.streams.events(EventOffset(1), 1).await.unwrap()[0].recorded_at;
        let starts = [
            (Start::Earliest, 0),
            (Start::Latest, 3),
            (Start::After(EventOffset(2)), 2),
            (Start::Since(recorded_at + TimeDelta::hours(1)), 3),
            (Start::Since(recorded_at - TimeDelta::hours(1)), 0),
        ];
        for (n, (start, position)) in starts.into_iter().enumerate() {
            let spec = Spec { start, ..webhook(&format!("s{n}")) };
            let made = installation.subscriptions.create(spec).await.unwrap();
            assert_eq!(made.position, Some(EventOffset(position)), "{start:?}");
        }
        let sse = Spec { transport: Transport::Sse, ..webhook("sse") };
        assert_eq!(installation.subscriptions.create(sse).await.unwrap().position, None);
    })
    .await;
}

#[tokio::test]
async fn a_change_is_heard_of_while_webhooks_are_delivered() {
    over_every_engine(async |installation| {
        let subscriptions = &installation.subscriptions;
        subscriptions.create(webhook("all")).await.unwrap();
        let running = installation.run();
        installation.record(["a"]).await;
        installation.until_done("all").await;
        let filter = Filter::of_query("service:b", monday()).unwrap();
        let change = Change { filter: Some(filter.clone()), concurrency: Some(3), ..Change::default() };
        assert_eq!(subscriptions.update(&name("all"), change).await.unwrap().spec.filter, filter);
        installation.record(["b"]).await;
        installation.until("the second", async || installation.endpoint.offsets() == [1, 2]).await;
        // Whoever delivers had the change before it took the second, or takes it with the next.
        subscriptions.look_again();
        installation.record(["a", "b"]).await;
        installation.until("the last", async || installation.endpoint.offsets().contains(&4)).await;
        running.stop().await;
        assert_eq!(installation.endpoint.offsets(), [1, 2, 4]);
        subscriptions.create(pull("pull")).await.unwrap();
        let url = Change { url: Some("https://x".to_owned()), ..Change::default() };
        let refused = subscriptions.update(&name("pull"), url).await;
        assert!(matches!(refused, Err(SubscriptionError::Conflict(_))));
    })
    .await;
}

#[tokio::test]
async fn two_secrets_sign_after_a_rotation_and_one_a_day_later() {
    over_every_engine(async |installation| {
        let subscriptions = &installation.subscriptions;
        subscriptions.create(webhook("all")).await.unwrap();
        let all = name("all");
        let texts = async || -> Vec<String> {
            let live: Vec<LiveSecret> = subscriptions.secrets(&all).await.unwrap();
            live.into_iter().map(|secret| secret.text).collect()
        };
        let first = texts().await;
        let second = subscriptions.rotate_secret(&all).await.unwrap();
        assert_eq!(texts().await, [second.clone(), first[0].clone()]);
        let running = installation.run();
        installation.record(["a"]).await;
        installation.until_done("all").await;
        installation.advance(TimeDelta::hours(25));
        assert_eq!(texts().await, [second]);
        installation.record(["a"]).await;
        installation.until_done("all").await;
        running.stop().await;
        let keys: Vec<usize> = installation.endpoint.seen().into_iter().map(|seen| seen.keys).collect();
        assert_eq!(keys, [2, 1]);
        let shown = serde_json::to_string(&installation.get("all").await).unwrap();
        assert!(!shown.contains("whsec_"), "{shown}");

        let mut both = webhook("both");
        if let Transport::Webhook(webhook) = &mut both.transport {
            webhook.signatures = Signatures::Both;
        }
        let both = subscriptions.create(both).await.unwrap();
        assert!(both.public_key.is_some_and(|key| key.starts_with("whpk_")));
        subscriptions.create(pull("pull")).await.unwrap();
        assert!(matches!(subscriptions.secrets(&name("pull")).await, Err(SubscriptionError::Conflict(_))));
    })
    .await;
}

#[tokio::test]
async fn the_delivery_log_is_read_page_by_page_and_holds_what_was_sent() {
    over_every_engine(async |installation| {
        let subscriptions = &installation.subscriptions;
        subscriptions.create(webhook("all")).await.unwrap();
        subscriptions.create(webhook("other")).await.unwrap();
        let running = installation.run();
        installation.record(["a"; 5]).await;
        installation.until_done("all").await;
        installation.until_done("other").await;
        running.stop().await;
        let all = name("all");
        let first = subscriptions.attempts(&all, None, 3).await.unwrap();
        let second = subscriptions.attempts(&all, Some(first[2].id), 3).await.unwrap();
        let offsets: Vec<i64> = first.iter().chain(&second).map(|attempt| attempt.event.0).collect();
        assert_eq!(offsets, [5, 4, 3, 2, 1]);
        let one = subscriptions.attempt(first[0].id).await.unwrap().unwrap();
        assert_eq!(one, first[0]);
        assert_eq!((one.subscription, one.webhook_id), (all, format!("evt_{}", one.event_id)));
        assert_eq!(one.seen, attempted(monday(), &Reply::Status(200)));
        assert_eq!(subscriptions.attempt(bus::subscriptions::AttemptId(0)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_test_is_sent_at_once_and_stays_alone() {
    over_every_engine(async |installation| {
        installation.endpoint.answers(|_| Reply::Status(418));
        installation.subscriptions.create(webhook("all")).await.unwrap();
        let seen = installation.subscriptions.test(&name("all")).await.unwrap();
        assert_eq!(seen.response.unwrap().status, 418);
        let sent = installation.endpoint.seen();
        assert_eq!((sent.len(), sent[0].keys), (1, 1));
        assert_eq!(sent[0].body["type"], "dev.cdeventsx.devhose-subscription.tested.0.1.0");
        assert_eq!(installation.attempts("all").await, []);
    })
    .await;
}
