//! Consumers that pull: shares, leases, fencing, takeover, dead letters.

use std::collections::BTreeSet;

use bus::subscriptions::{Pulled, Token};

use super::*;

const NO_WAIT: Duration = Duration::ZERO;

fn offsets(pulled: &Pulled) -> Vec<EventOffset> {
    pulled.events.iter().map(|event| event.offset).collect()
}

fn keys(pulled: &Pulled) -> Vec<String> {
    pulled.events.iter().map(|event| event.event.key.0.clone()).collect()
}

impl Installation {
    async fn pull(&self, consumer: &str, max: usize) -> Pulled {
        self.subscriptions.pull(&name("group"), consumer, max, NO_WAIT).await.unwrap()
    }

    async fn acknowledge(&self, consumer: &str, pulled: &Pulled) -> Result<(), SubscriptionError> {
        self.subscriptions.acknowledge(&name("group"), consumer, &pulled.token, &offsets(pulled)).await
    }
}

#[tokio::test]
async fn two_consumers_share_the_keys_and_each_key_keeps_its_order() {
    over_every_engine(async |installation| {
        installation.subscriptions.create(pull("group")).await.unwrap();
        // Both live before there is anything to share.
        for consumer in ["one", "two", "one", "two"] {
            assert_eq!(installation.pull(consumer, 10).await.events, []);
        }
        installation.record((0..400).map(|n| format!("key-{}", n % 40))).await;
        let mut of_key: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        let mut owners: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for _ in 0..10 {
            let mut held = BTreeSet::new();
            let pulled = [("one", installation.pull("one", 100).await), ("two", installation.pull("two", 100).await)];
            for (consumer, pulled) in &pulled {
                for event in &pulled.events {
                    let key = event.event.key.0.clone();
                    assert!(held.insert(key.clone()), "{key} is held twice");
                    owners.entry(key.clone()).or_default().insert(consumer);
                    of_key.entry(key).or_default().push(event.offset.0);
                }
            }
            for (consumer, pulled) in &pulled {
                installation.acknowledge(consumer, pulled).await.unwrap();
            }
        }
        assert!(of_key.values().all(|offsets| offsets.len() == 10 && offsets.is_sorted()), "{of_key:?}");
        assert!(owners.values().all(|owners| owners.len() == 1), "{owners:?}");
        let of_one = owners.values().filter(|owners| owners.contains("one")).count();
        assert!((8..=32).contains(&of_one), "{of_one} of 40");
        assert_eq!(installation.get("group").await.waiting, 0);
    })
    .await;
}

#[tokio::test]
async fn what_a_consumer_does_not_acknowledge_goes_to_another_and_its_token_is_stale() {
    over_every_engine(async |installation| {
        installation.subscriptions.create(pull("group")).await.unwrap();
        installation.record(["a", "b", "a"]).await;
        let first = installation.pull("one", 10).await;
        assert_eq!(keys(&first), ["a", "b"]);
        assert_eq!(first.leased_until, installation.now() + TimeDelta::seconds(60));
        assert_eq!(installation.pull("one", 10).await.events, [], "it is leased");
        installation.advance(TimeDelta::seconds(59));
        assert_eq!(installation.pull("two", 10).await.events, [], "still");
        installation.advance(TimeDelta::seconds(62));
        let second = installation.pull("two", 10).await;
        assert_eq!(offsets(&second), offsets(&first));
        assert!(matches!(installation.acknowledge("one", &first).await, Err(SubscriptionError::Fenced)));
        installation.acknowledge("two", &second).await.unwrap();
        assert_eq!(offsets(&installation.pull("two", 10).await), [EventOffset(3)]);
    })
    .await;
}

#[tokio::test]
async fn a_token_is_of_one_consumer_and_of_what_it_was_handed() {
    over_every_engine(async |installation| {
        installation.subscriptions.create(pull("group")).await.unwrap();
        installation.record(["a", "b"]).await;
        let pulled = installation.pull("one", 10).await;
        let group = name("group");
        for (consumer, token, event) in [
            ("two", pulled.token.clone(), 1),
            ("one", Token("nonsense".to_owned()), 1),
            ("one", Token("999-one".to_owned()), 1),
            ("one", pulled.token.clone(), 9),
        ] {
            let refused = installation.subscriptions.acknowledge(&group, consumer, &token, &[EventOffset(event)]).await;
            assert!(matches!(refused, Err(SubscriptionError::Fenced)), "{consumer} {token:?} {event}");
        }
        installation.acknowledge("one", &pulled).await.unwrap();
        let twice = installation.acknowledge("one", &pulled).await;
        assert!(matches!(twice, Err(SubscriptionError::Fenced)));
        let empty = installation.pull("one", 10).await;
        assert_eq!(empty.events, []);
    })
    .await;
}

#[tokio::test]
async fn acknowledging_a_part_leases_the_rest_for_as_long_again() {
    over_every_engine(async |installation| {
        installation.subscriptions.create(pull("group")).await.unwrap();
        installation.record(["a", "b"]).await;
        let pulled = installation.pull("one", 10).await;
        let group = name("group");
        installation.advance(TimeDelta::seconds(50));
        installation.subscriptions.acknowledge(&group, "one", &pulled.token, &[EventOffset(1)]).await.unwrap();
        installation.advance(TimeDelta::seconds(50));
        assert_eq!(installation.pull("one", 10).await.events, []);
        installation.subscriptions.acknowledge(&group, "one", &pulled.token, &[EventOffset(2)]).await.unwrap();
        assert_eq!(installation.get("group").await.waiting, 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_given_back_comes_later_and_dies_in_the_end() {
    over_every_engine(async |installation| {
        let retry = RetryPolicy { delays_seconds: vec![100, 1_000] };
        installation.subscriptions.create(Spec { retry, ..pull("group") }).await.unwrap();
        installation.record(["a", "a", "b"]).await;
        let group = name("group");
        for delay in [100, 1_000] {
            let pulled = installation.pull("one", 10).await;
            assert_eq!(offsets(&pulled)[0], EventOffset(1));
            installation.subscriptions.release(&group, "one", &pulled.token, &[EventOffset(1)]).await.unwrap();
            if let Some(other) = offsets(&pulled).get(1) {
                let other = std::slice::from_ref(other);
                installation.subscriptions.acknowledge(&group, "one", &pulled.token, other).await.unwrap();
            }
            assert_eq!(installation.pull("one", 10).await.events, [], "its key is parked");
            assert_eq!(installation.get("group").await.parked_keys, 1);
            installation.advance(TimeDelta::seconds(delay * 12 / 10 + 1));
        }
        // The third and last time it is simply not acknowledged.
        assert_eq!(offsets(&installation.pull("one", 10).await), [EventOffset(1)]);
        installation.advance(TimeDelta::seconds(61));
        assert_eq!(offsets(&installation.pull("one", 10).await), [EventOffset(2)], "the key goes on");
        let dead = installation.subscriptions.dead_letters(&group, 10).await.unwrap();
        assert_eq!((dead.len(), dead[0].event, dead[0].attempts), (1, EventOffset(1), 3));
        let redriven = installation.subscriptions.redrive(&group, bus::subscriptions::Which::All).await.unwrap();
        assert_eq!(redriven, 1);
    })
    .await;
}

#[tokio::test]
async fn a_consumer_that_waits_is_woken_by_an_event_and_by_an_acknowledgement() {
    over_every_engine(async |installation| {
        installation.subscriptions.create(pull("group")).await.unwrap();
        let wait = |max| {
            let subscriptions = installation.subscriptions.clone();
            tokio::spawn(async move {
                subscriptions.pull(&name("group"), "one", max, Duration::from_secs(30)).await.unwrap()
            })
        };
        let waiting = wait(10);
        installation.record(["a", "a"]).await;
        let first = waiting.await.unwrap();
        assert_eq!(offsets(&first), [EventOffset(1)]);
        let waiting = wait(10);
        installation.acknowledge("one", &first).await.unwrap();
        assert_eq!(offsets(&waiting.await.unwrap()), [EventOffset(2)]);
    })
    .await;
}

#[tokio::test]
async fn what_is_queued_for_a_group_is_bounded_and_nothing_is_lost_beyond_it() {
    over_every_engine(async |installation| {
        installation.subscriptions.create(pull("group")).await.unwrap();
        let keys: Vec<String> = (0..1_000).map(|n| format!("key-{n}")).collect();
        for _ in 0..2 {
            installation.record(&keys).await;
        }
        let mut all = Vec::new();
        loop {
            let pulled = installation.pull("one", 300).await;
            let standing = installation.get("group").await;
            assert!(standing.waiting <= 1_600, "{standing:?}");
            if pulled.events.is_empty() {
                break;
            }
            installation.acknowledge("one", &pulled).await.unwrap();
            all.extend(offsets(&pulled).into_iter().map(|offset| offset.0));
        }
        all.sort_unstable();
        assert_eq!(all, (1..=2_000).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn many_consumers_at_once_lose_nothing_and_hold_no_key_twice() {
    over_every_engine(async |installation| {
        installation.subscriptions.create(pull("group")).await.unwrap();
        let held: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let done: Arc<Mutex<Vec<i64>>> = Arc::default();
        let tasks: Vec<_> = (0..4)
            .map(|n| {
                let (subscriptions, held, done) =
                    (installation.subscriptions.clone(), Arc::clone(&held), Arc::clone(&done));
                tokio::spawn(async move {
                    let (group, consumer) = (name("group"), format!("consumer-{n}"));
                    while done.lock().unwrap().len() < 300 {
                        let wait = Duration::from_millis(20);
                        let pulled = subscriptions.pull(&group, &consumer, 10, wait).await.unwrap();
                        for key in keys(&pulled) {
                            assert!(held.lock().unwrap().insert(key.clone()), "{key} is held twice");
                        }
                        tokio::task::yield_now().await;
                        for key in keys(&pulled) {
                            held.lock().unwrap().remove(&key);
                        }
                        done.lock().unwrap().extend(offsets(&pulled).into_iter().map(|offset| offset.0));
                        subscriptions.acknowledge(&group, &consumer, &pulled.token, &offsets(&pulled)).await.ok();
                    }
                })
            })
            .collect();
        for n in 0..30 {
            installation.record((0..10).map(|key| format!("key-{}", (n + key) % 23))).await;
        }
        for task in tasks {
            task.await.unwrap();
        }
        let mut done = done.lock().unwrap().clone();
        done.sort_unstable();
        assert_eq!(done, (1..=300).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn only_a_pull_subscription_that_is_active_is_pulled() {
    over_every_engine(async |installation| {
        installation.subscriptions.create(pull("group")).await.unwrap();
        installation.subscriptions.create(webhook("hook")).await.unwrap();
        let refused = async |group: &str, consumer: &str| {
            installation.subscriptions.pull(&name(group), consumer, 1, NO_WAIT).await.unwrap_err().to_string()
        };
        assert_eq!(refused("hook", "one").await, "hook is no pull subscription");
        assert_eq!(refused("none", "one").await, "there is no subscription none");
        assert_eq!(refused("group", "").await, "a consumer needs a name of 1 to 80 bytes without control characters");
        installation.subscriptions.pause(&name("group")).await.unwrap();
        assert_eq!(refused("group", "one").await, "group is paused: resume it first");
    })
    .await;
}
