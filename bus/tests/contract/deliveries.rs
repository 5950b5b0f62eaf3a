//! Deliveries: durable, unchanged, once, in order, whatever else happens.

use std::collections::BTreeSet;

use bus::delivery::Receipt;
use bus::streams::QUEUED_BYTES_MAX;
use chrono::TimeDelta;
use futures_util::future::{join_all, poll_immediate};

use super::*;

#[tokio::test]
async fn a_delivery_is_durable_and_unchanged_after_reopen() {
    over_every_engine(async |installation| {
        let streams = installation.open().await;
        let bodies = [b"{\"ref\":\"refs/heads/main\"}".to_vec(), Vec::new(), noise(1, 300_000), vec![b'a'; 2_000_000]];
        let new: Vec<_> = bodies.iter().enumerate().map(|(n, body)| delivery(n, body)).collect();
        for each in &new {
            streams.append(each.clone()).await.unwrap();
        }
        streams.close().await.unwrap();

        let streams = installation.open().await;
        let stored = streams.deliveries(DeliveryOffset::START, 100).await.unwrap();
        assert_eq!(stored.iter().map(|d| d.content.clone()).collect::<Vec<_>>(), new);
        assert_eq!(streams.delivery(DeliveryOffset(3)).await.unwrap().as_ref(), stored.get(2));
        assert_eq!(streams.delivery(DeliveryOffset(5)).await.unwrap(), None);
        assert_eq!(streams.verify(|_| {}).await.unwrap(), None);
        let next = streams.append(delivery("next", b"{}")).await.unwrap();
        assert_eq!(next, Receipt { offset: Some(DeliveryOffset(5)), duplicate: false, conflict: false });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn duplicates_are_stored_once_under_concurrency() {
    over_every_placing_engine(async |installation| {
        let streams = installation.open().await;
        let tasks = (0..1_000).map(|n| {
            let streams = streams.clone();
            tokio::spawn(async move { streams.append(delivery(n % 50, b"{\"n\":1}")).await.unwrap() })
        });
        let receipts: Vec<Receipt> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();

        assert_eq!(receipts.iter().filter(|receipt| !receipt.duplicate).count(), 50);
        assert!(receipts.iter().all(|receipt| !receipt.conflict));
        for (n, receipt) in receipts.iter().enumerate() {
            let stored = streams.delivery(receipt.offset.unwrap()).await.unwrap().unwrap();
            assert_eq!(stored.content.delivery_id.as_str(), (n % 50).to_string());
        }
        assert_eq!(streams.deliveries(DeliveryOffset::START, 1_000).await.unwrap().len(), 50);
        assert_eq!(streams.sources().await.unwrap()[0].deliveries, 50);
    })
    .await;
}

#[tokio::test]
async fn copies_within_one_batch_are_stored_once() {
    over_every_placing_engine(async |installation| {
        let streams = installation.open().await;
        let batch = (0..1_500).map(|n| delivery(n / 3, b"same")).collect();
        let receipts = streams.append_all(batch).await.unwrap();
        assert_eq!(receipts.iter().filter(|receipt| !receipt.duplicate).count(), 500);
        let offsets: Vec<i64> = receipts.iter().map(|receipt| receipt.offset.unwrap().0).collect();
        assert_eq!(offsets, (0..1_500).map(|n| n / 3 + 1).collect::<Vec<i64>>());
    })
    .await;
}

#[tokio::test]
async fn the_same_id_with_another_body_keeps_the_first_and_reports_a_conflict() {
    over_every_placing_engine(async |installation| {
        let streams = installation.open().await;
        streams.append(delivery("a", b"first")).await.unwrap();
        let second = streams.append(delivery("a", b"second")).await.unwrap();
        assert_eq!(second, Receipt { offset: Some(DeliveryOffset(1)), duplicate: true, conflict: true });
        assert_eq!(streams.delivery(DeliveryOffset(1)).await.unwrap().unwrap().content.body, b"first");

        let elsewhere = NewDelivery { source: source("forge/other"), ..delivery("a", b"second") };
        assert!(!streams.append(elsewhere).await.unwrap().duplicate, "ids count within their source");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn offsets_are_dense_and_in_order_under_concurrency() {
    over_every_engine(async |installation| {
        let streams = installation.open().await;
        let writers = (0..8).map(|writer| {
            let streams = streams.clone();
            tokio::spawn(async move {
                let mut offsets = Vec::new();
                for n in 0..50 {
                    let receipt = streams.append(delivery(format!("{writer}-{n}"), b"{}")).await.unwrap();
                    assert!(
                        streams.delivery_head().borrow().0 >= receipt.offset.unwrap().0,
                        "who has a receipt sees the head"
                    );
                    offsets.push(receipt.offset.unwrap());
                }
                assert!(offsets.is_sorted(), "one after the other is stored one after the other");
                offsets
            })
        });
        let offsets: BTreeSet<i64> =
            join_all(writers).await.into_iter().flat_map(Result::unwrap).map(|o| o.0).collect();
        assert_eq!(offsets, (1..=400).collect());
        let stored = streams.deliveries(DeliveryOffset::START, 1_000).await.unwrap();
        assert_eq!(stored.iter().map(|d| d.offset.0).collect::<Vec<_>>(), (1..=400).collect::<Vec<_>>());
        assert_eq!(streams.verify(|_| {}).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_second_program_on_the_same_directory_is_refused() {
    for engine in engines().into_iter().filter(|engine| !engine.shared) {
        let installation = Installation::of(engine).await;
        let streams = installation.open().await;
        let refused = Streams::open_on(&installation.storage).await.unwrap_err();
        assert!(matches!(refused, StreamError::InUse(_)));
        let directory = installation.directory.path().display();
        assert_eq!(
            refused.to_string(),
            format!("{directory} is in use by another process: stop that one, or choose another data directory")
        );
        streams.append(delivery("a", b"{}")).await.expect("the first goes on undisturbed");
        streams.close().await.unwrap();
        installation.open().await;
    }
}

#[tokio::test]
async fn a_request_that_is_dropped_harms_nothing() {
    over_every_engine(async |installation| {
        let streams = installation.open().await;
        for n in 0..50 {
            let mut append = Box::pin(streams.append(delivery(n, b"{}")));
            // Polled once it is queued; then the request goes away.
            assert!(poll_immediate(&mut append).await.is_none());
        }
        streams.append(delivery("last", b"{}")).await.unwrap();
        assert_eq!(streams.delivery_head().borrow().0, 51);
    })
    .await;
}

#[tokio::test]
async fn a_full_queue_says_busy_and_stores_what_it_took() {
    over_every_placing_engine(async |installation| {
        let streams = installation.open().await;
        let count = QUEUED_BYTES_MAX / 200_000 + 50;
        let appends = (0..count as u64).map(|n| streams.append(delivery(n, &noise(n, 200_000))));
        // On one thread, and never yielding, nothing is written before all have been offered.
        let receipts = tokio::task::unconstrained(join_all(appends)).await;
        let stored = receipts.iter().filter(|receipt| receipt.is_ok()).count();
        assert!(stored < count && stored > count / 2, "{stored} of {count}");
        assert!(receipts.iter().all(|r| matches!(r, Ok(_) | Err(StreamError::Busy(_)))));
        assert_eq!(streams.delivery_head().borrow().0, stored as i64);
        streams.append(delivery("later", b"{}")).await.expect("there is room again");
    })
    .await;
}

#[tokio::test]
async fn closing_commits_what_was_queued() {
    over_every_placing_engine(async |installation| {
        let streams = installation.open().await;
        let mut appends: Vec<_> = (0..600).map(|n| Box::pin(streams.append(delivery(n, b"{}")))).collect();
        for append in &mut appends {
            assert!(poll_immediate(append).await.is_none());
        }
        streams.close().await.unwrap();
        assert!(join_all(appends).await.iter().all(Result::is_ok));
        assert!(matches!(streams.append(delivery("late", b"{}")).await, Err(StreamError::Stopped)));
        streams.close().await.expect("closing twice is closing once");
        assert_eq!(installation.open().await.delivery_head().borrow().0, 600);
    })
    .await;
}

#[tokio::test]
async fn the_figures_of_a_source_are_those_of_its_deliveries() {
    over_every_engine(async |installation| {
        let streams = installation.open().await;
        let at = |hours| NewDelivery { received_at: monday() + TimeDelta::hours(hours), ..delivery(hours, b"12345") };
        streams.append_all((0..20).map(at).collect()).await.unwrap();
        streams.append(NewDelivery { source: source("ci"), ..delivery("x", b"1") }).await.unwrap();
        let check = async |streams: &Streams| {
            let sources = streams.sources().await.unwrap();
            assert_eq!(sources.iter().map(|s| s.source.as_str()).collect::<Vec<_>>(), ["ci", "forge/acme"]);
            assert_eq!((sources[0].deliveries, sources[0].bytes, sources[0].gap_p99_seconds), (1, 1, None));
            assert_eq!((sources[1].deliveries, sources[1].bytes), (20, 100));
            assert_eq!((sources[1].first_at, sources[1].last_at), (monday(), monday() + TimeDelta::hours(19)));
            assert_eq!(sources[1].gap_p99_seconds, Some(3_600));
        };
        check(&streams).await;
        streams.close().await.unwrap();
        let streams = installation.open().await;
        check(&streams).await;
        let forge = source("forge/acme");
        assert_eq!(streams.delivery_by_id(&forge, &"3".parse().unwrap()).await.unwrap(), Some(DeliveryOffset(4)));
        assert_eq!(streams.delivery_by_id(&forge, &"x".parse().unwrap()).await.unwrap(), None);
        let newest = streams.deliveries_of(&forge, Some(DeliveryOffset(20)), 2).await.unwrap();
        assert_eq!(newest.iter().map(|d| d.offset.0).collect::<Vec<_>>(), [19, 18]);
        assert_eq!(streams.deliveries_of(&source("ci"), None, 9).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_read_of_large_bodies_stops_in_time_and_goes_on_where_it_stopped() {
    over_every_engine(async |installation| {
        let streams = installation.open().await;
        for n in 0..6 {
            streams.append(delivery(n, &vec![b'x'; 10 << 20])).await.unwrap();
        }
        let first = streams.deliveries(DeliveryOffset::START, 100).await.unwrap();
        assert_eq!(first.len(), 4, "about 32 MB");
        assert_eq!(streams.deliveries(first[3].offset, 100).await.unwrap().len(), 2);
    })
    .await;
}
