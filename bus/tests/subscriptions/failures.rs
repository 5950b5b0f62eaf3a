//! Webhooks that do not arrive: retries, parked keys, the circuit breaker, 410, dead letters.

use bus::subscriptions::{State, Verdict, Which};

use super::*;

#[tokio::test]
async fn an_event_is_tried_ten_times_over_75_hours_and_then_its_key_goes_on() {
    over_every_engine(async |installation| {
        installation.endpoint.answers(|seen| Reply::Status(if seen.offset == 1 { 500 } else { 200 }));
        installation.subscriptions.create(webhook("all")).await.unwrap();
        let running = installation.run();
        installation.record(["a", "a"]).await;
        let nominal = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        for (made, seconds) in (1..).zip(nominal) {
            installation.until("an attempt", async || installation.attempts("all").await.len() == made).await;
            let last = installation.attempts("all").await.pop().unwrap();
            assert_eq!((last.verdict, usize::try_from(last.number).unwrap()), (Verdict::Retried, made));
            let delay = (last.next_at.unwrap() - installation.now()).num_seconds();
            assert!((seconds * 8 / 10 - 1..=seconds * 12 / 10).contains(&delay), "{delay} s for {seconds} s");
            // A moment before it is due nothing happens, which the next round would see.
            installation.set_clock(last.next_at.unwrap() - TimeDelta::milliseconds(1));
            installation.until("a look", async || installation.get("all").await.parked_keys == 1).await;
            assert_eq!(installation.endpoint.seen().len(), made);
            installation.set_clock(last.next_at.unwrap());
        }
        installation.until("it is given up", async || installation.get("all").await.dead == 1).await;
        // So many failures in a row have opened the circuit.
        installation.advance(TimeDelta::minutes(5));
        installation.until_done("all").await;
        running.stop().await;
        assert_eq!(installation.endpoint.offsets(), [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
        let seen = installation.endpoint.seen();
        assert!(seen[..10].iter().all(|request| request.id == seen[0].id));
        let hours = (seen[9].at - seen[0].at).num_hours();
        assert!((60..=91).contains(&hours), "{hours} h");
        let dead = installation.subscriptions.dead_letters(&name("all"), 10).await.unwrap();
        assert_eq!((dead.len(), dead[0].event, dead[0].attempts), (1, EventOffset(1), 10));
        assert_eq!(dead[0].because, "the endpoint answered 500");
    })
    .await;
}

#[tokio::test]
async fn a_key_that_fails_parks_while_others_go_on() {
    over_every_engine(async |installation| {
        installation.endpoint.answers(|seen| if seen.key == "bad" { Reply::Status(503) } else { Reply::Status(200) });
        installation.subscriptions.create(webhook("all")).await.unwrap();
        let running = installation.run();
        installation.record(["bad", "good", "bad", "good", "bad", "better"]).await;
        installation.until("the others", async || installation.attempts("all").await.len() == 4).await;
        let standing = installation.get("all").await;
        assert_eq!((standing.waiting, standing.parked_keys, standing.behind), (3, 1, 0));
        installation.endpoint.answers(|_| Reply::Status(200));
        installation.advance(TimeDelta::seconds(6));
        installation.until_done("all").await;
        running.stop().await;
        let bad = installation.endpoint.seen().into_iter().filter(|seen| seen.key == "bad").map(|seen| seen.offset);
        assert_eq!(bad.collect::<Vec<_>>(), [1, 1, 3, 5]);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_is_left_alone_as_long_as_it_asks_to_be() {
    over_every_engine(async |installation| {
        installation.endpoint.answers(|_| Reply::RetryAfter(429, "600"));
        let mut spec = webhook("all");
        if let Transport::Webhook(webhook) = &mut spec.transport {
            webhook.concurrency = 1;
        }
        installation.subscriptions.create(spec).await.unwrap();
        let running = installation.run();
        installation.record(["a", "b"]).await;
        installation.until("an attempt", async || installation.attempts("all").await.len() == 1).await;
        let begun = installation.now();
        let first = installation.attempts("all").await.remove(0);
        assert_eq!(first.next_at, Some(begun + TimeDelta::seconds(600)));
        assert_eq!(installation.get("all").await.circuit_open_until, first.next_at);

        installation.endpoint.answers(|_| Reply::Status(200));
        installation.set_clock(begun + TimeDelta::seconds(599));
        installation.set_clock(begun + TimeDelta::seconds(600));
        installation.until_done("all").await;
        running.stop().await;
        let seen = installation.endpoint.seen();
        assert_eq!(seen.len(), 3);
        assert!(seen[1..].iter().all(|request| request.at >= begun + TimeDelta::seconds(600)));
        assert_eq!(installation.get("all").await.circuit_open_until, None);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_is_down_is_probed_with_one_request_and_no_attempt_is_used_up_meanwhile() {
    over_every_engine(async |installation| {
        installation.endpoint.answers(|_| Reply::Unreachable);
        installation.subscriptions.create(webhook("all")).await.unwrap();
        let running = installation.run();
        let keys: Vec<String> = (0..30).map(|n| format!("key-{n}")).collect();
        installation.record(&keys).await;
        installation
            .until("an open circuit", async || installation.get("all").await.circuit_open_until.is_some())
            .await;
        installation
            .until("the end of what is in flight", async || {
                installation.attempts("all").await.len() == installation.endpoint.seen().len()
            })
            .await;
        let opened = installation.endpoint.seen().len();
        assert!((5..=12).contains(&opened), "{opened}: at most what was in flight comes after the fifth");
        for probes in 1..=3 {
            let until = installation.get("all").await.circuit_open_until.unwrap();
            installation.set_clock(until);
            installation.until("a probe", async || installation.attempts("all").await.len() == opened + probes).await;
            installation
                .until("a longer pause", async || {
                    installation.get("all").await.circuit_open_until.is_some_and(|next| next > until)
                })
                .await;
        }
        let tried = installation.attempts("all").await.into_iter().map(|attempt| attempt.event.0).max().unwrap();
        assert!(tried < 30, "most were never tried");
        assert_eq!(installation.get("all").await.waiting, 30);

        installation.endpoint.answers(|_| Reply::Status(200));
        installation.advance(TimeDelta::minutes(10));
        installation.until_done("all").await;
        running.stop().await;
        assert_eq!(installation.get("all").await.circuit_open_until, None);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_disables_its_subscription_until_it_is_resumed() {
    over_every_engine(async |installation| {
        installation.endpoint.answers(|_| Reply::Status(410));
        installation.subscriptions.create(webhook("all")).await.unwrap();
        let running = installation.run();
        installation.record(["a"]).await;
        installation.until("it is disabled", async || installation.get("all").await.state == State::Disabled).await;
        let standing = installation.get("all").await;
        assert_eq!((standing.because.as_deref(), standing.waiting), (Some("the endpoint answered 410 Gone"), 1));
        assert_eq!(installation.attempts("all").await[0].verdict, Verdict::Gone);
        assert_eq!(installation.subscriptions.pause(&name("all")).await.unwrap().state, State::Disabled);

        installation.endpoint.answers(|_| Reply::Status(200));
        let standing = installation.subscriptions.resume(&name("all")).await.unwrap();
        assert_eq!((standing.state, standing.because), (State::Active, None));
        installation.until_done("all").await;
        running.stop().await;
        assert_eq!(installation.endpoint.offsets(), [1, 1]);
    })
    .await;
}

#[tokio::test]
async fn dead_letters_are_redriven_one_by_one_or_all_with_their_ids() {
    over_every_engine(async |installation| {
        installation.endpoint.answers(|_| Reply::Status(400));
        let retry = RetryPolicy { delays_seconds: Vec::new() };
        installation.subscriptions.create(Spec { retry, ..webhook("all") }).await.unwrap();
        let running = installation.run();
        installation.record(["a", "b", "a"]).await;
        installation.until("three dead letters", async || installation.get("all").await.dead == 3).await;
        let all = name("all");
        let letters = installation.subscriptions.dead_letters(&all, 10).await.unwrap();
        assert_eq!(installation.get("all").await.waiting, 0);

        installation.endpoint.answers(|_| Reply::Status(200));
        let one = Which::These(vec![letters[0].id]);
        assert_eq!(installation.subscriptions.redrive(&all, one.clone()).await.unwrap(), 1);
        assert_eq!(installation.subscriptions.redrive(&all, one).await.unwrap(), 0, "once");
        installation.until_done("all").await;
        assert_eq!(installation.get("all").await.dead, 2);
        assert_eq!(installation.subscriptions.redrive(&all, Which::All).await.unwrap(), 2);
        installation.until_done("all").await;
        running.stop().await;
        assert_eq!(installation.get("all").await.dead, 0);
        let mut ids: Vec<String> = installation.endpoint.seen().into_iter().map(|seen| seen.id).collect();
        assert_eq!(ids.len(), 6);
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 3, "receivers know them");
    })
    .await;
}

#[tokio::test]
async fn a_failed_delivery_is_tried_again_after_a_restart_when_it_is_due() {
    over_every_engine(async |installation| {
        installation.endpoint.answers(|_| Reply::Unreachable);
        installation.subscriptions.create(webhook("all")).await.unwrap();
        let running = installation.run();
        installation.record(["a", "a"]).await;
        installation.until("an attempt", async || installation.attempts("all").await.len() == 1).await;
        running.stop().await;
        installation.open_again().await;

        installation.endpoint.answers(|_| Reply::Status(200));
        let running = installation.run();
        installation.record(["b"]).await;
        installation.until("the other key", async || installation.endpoint.offsets() == [1, 3]).await;
        installation.advance(TimeDelta::seconds(6));
        installation.until_done("all").await;
        running.stop().await;
        assert_eq!(installation.endpoint.offsets(), [1, 3, 1, 2]);
        let tries: Vec<u32> = installation.attempts("all").await.into_iter().map(|attempt| attempt.number).collect();
        assert_eq!(tries, [1, 1, 2, 1]);
    })
    .await;
}
