//! Dry runs and replays.

use bus::subscriptions::{DryRun, Filter, ReplayPlan};
use serde_json::json;

use super::*;

fn offsets(run: &DryRun) -> Vec<i64> {
    run.sample.iter().map(|event| event.offset.0).collect()
}

#[tokio::test]
async fn a_dry_run_says_which_of_the_last_events_would_match() {
    over_every_engine(async |installation| {
        installation.record((0..300).map(|n| if n % 3 == 0 { "checkout" } else { "search" })).await;
        let subscriptions = &installation.subscriptions;
        let query = Filter::of_query("service:checkout", monday()).unwrap();
        let same = Filter::parse(&json!([{"exact": {"partitionkey": "checkout"}}]), monday()).unwrap();
        assert!(same.as_query().is_none());
        for last in [0, 1, 2, 100, 299, 300, 10_000] {
            let run = subscriptions.would_match(&query, last).await.unwrap();
            assert_eq!(run, subscriptions.would_match(&same, last).await.unwrap(), "of {last}");
            assert_eq!(run.looked_at, u64::try_from(last.min(300)).unwrap());
        }
        let run = subscriptions.would_match(&query, 100).await.unwrap();
        assert_eq!((run.matched, offsets(&run).len(), offsets(&run)[..2].to_vec()), (33, 20, vec![298, 295]));
        let all = subscriptions.would_match(&Filter::default(), 50).await.unwrap();
        assert_eq!((all.looked_at, all.matched), (50, 50));
    })
    .await;
}

#[tokio::test]
async fn a_replay_sends_a_range_once_more_under_other_ids() {
    over_every_engine(async |installation| {
        let subscriptions = &installation.subscriptions;
        subscriptions.create(webhook("all")).await.unwrap();
        let running = installation.run();
        installation.record((0..20).map(|n| if n % 2 == 0 { "a" } else { "b" })).await;
        installation.until_done("all").await;
        let before = installation.endpoint.seen();

        let second = |n| monday() + TimeDelta::seconds(n);
        let filter = Filter::of_query("service:a since:2020-01-01", monday()).unwrap();
        let plan = subscriptions.replay_plan(&filter, second(5), second(12)).await.unwrap();
        assert_eq!(plan, ReplayPlan { events: [5, 7, 9, 11].map(EventOffset).to_vec() });
        assert_eq!(subscriptions.replay(&name("all"), plan.clone()).await.unwrap(), 4);
        installation.until_done("all").await;
        assert_eq!(subscriptions.replay(&name("all"), plan.clone()).await.unwrap(), 4);
        installation.until_done("all").await;
        running.stop().await;
        let seen = installation.endpoint.seen();
        let replayed: Vec<i64> = seen[20..].iter().map(|request| request.offset).collect();
        assert_eq!(replayed, [5, 7, 9, 11, 5, 7, 9, 11]);
        let first = before.iter().find(|request| request.offset == 5).unwrap();
        assert!(seen[20].id.starts_with(&first.id) && seen[20].id != first.id && seen[20].id != seen[24].id);
        assert!(!seen[20].id.contains('.'));
        let marks: Vec<bool> = installation.attempts("all").await.into_iter().map(|attempt| attempt.replay).collect();
        assert_eq!(marks, [vec![false; 20], vec![true; 8]].concat());

        subscriptions.create(pull("pull")).await.unwrap();
        assert!(matches!(subscriptions.replay(&name("pull"), plan).await, Err(SubscriptionError::Conflict(_))));
    })
    .await;
}
