//! Trimming: the oldest records go, the chains and the knowledge of duplicates stay.

use bus::delivery::Receipt;

use super::*;

/// More than one transaction of trimming, of one event each, and every tenth corrected.
async fn fill(streams: &Opened) {
    streams.append_all((1..=1_200).map(|n| delivery(n, b"{}")).collect()).await.unwrap();
    let event = |n: i64, outcome| deployed(event_id(&n.to_string(), 0), "checkout", outcome);
    let readings = (1..=1_200).map(|n| reading(n, vec![event(n, Outcome::Success)]));
    streams.record(NORMALIZER, readings.collect()).await.unwrap();
    streams.record(NORMALIZER, vec![unreadable(3, "not JSON"), unreadable(1_101, "not JSON")]).await.unwrap();
    let corrections = (1..=120).map(|n| reading(n * 10, vec![event(n * 10, Outcome::Failure)]));
    streams.revise(corrections.collect()).await.unwrap();
}

#[tokio::test]
async fn the_oldest_records_go_and_the_chain_goes_on() {
    over_every_engine(async |installation| {
        let streams = installation.open().await;
        assert_eq!(streams.oldest_event().await.unwrap(), EventOffset(1));
        fill(&streams).await;
        streams.trim(EventOffset(700), DeliveryOffset(900)).await.unwrap();
        streams.trim(EventOffset(600), DeliveryOffset(0)).await.expect("nothing is left to remove there");
        streams.close().await.unwrap();

        let streams = installation.open().await;
        assert_eq!(streams.oldest_event().await.unwrap(), EventOffset(701));
        assert_eq!(streams.oldest_delivery().await.unwrap(), DeliveryOffset(901));
        assert_eq!(streams.deliveries(DeliveryOffset::START, 1).await.unwrap()[0].offset, DeliveryOffset(901));
        assert_eq!(streams.delivery(DeliveryOffset(900)).await.unwrap(), None);
        let rest = streams.events(EventOffset::START, 2_000).await.unwrap();
        // 500 first readings without the 50 that were corrected, and all corrections.
        assert_eq!((rest.len(), rest[0].offset), (450 + 120, EventOffset(701)));
        assert_eq!(search(&streams, &Query::default()).await.len(), 570);
        assert_eq!(streams.event(event_id("20", 0)).await.unwrap().unwrap().revision, 1, "a correction outlives");
        assert_eq!(streams.event(event_id("21", 0)).await.unwrap(), None);
        let held: Vec<_> = streams.quarantined(10).await.unwrap().into_iter().map(|held| held.delivery.0).collect();
        assert_eq!(held, [1_101]);
        assert_eq!(streams.verify(|_| {}).await.unwrap(), None);

        let next = streams.append(delivery("next", b"{}")).await.unwrap();
        assert_eq!(next.offset, Some(DeliveryOffset(1_201)));
        installation.alter(Alteration::DeliveryTime(DeliveryOffset(1_000))).await;
        let found = streams.verify(|_| {}).await.unwrap().unwrap();
        assert!(found.starts_with("delivery 1000 is not what was written"), "{found}");
    })
    .await;
}

#[tokio::test]
async fn a_removed_delivery_that_comes_again_is_a_duplicate() {
    over_every_placing_engine(async |installation| {
        let streams = installation.open().await;
        fill(&streams).await;
        streams.trim(EventOffset(0), DeliveryOffset(1_000)).await.unwrap();
        let check = async |streams: &Opened| {
            let again = streams.append(delivery(7, b"{}")).await.unwrap();
            assert_eq!(again, Receipt { offset: Some(DeliveryOffset(7)), duplicate: true, conflict: false });
            let other = streams.append(delivery(8, b"[]")).await.unwrap();
            assert_eq!(other, Receipt { offset: Some(DeliveryOffset(8)), duplicate: true, conflict: true });
        };
        check(&streams).await;
        streams.close().await.unwrap();
        check(&installation.open().await).await;
    })
    .await;
}

#[tokio::test]
async fn a_log_that_is_emptied_goes_on_where_it_was() {
    over_every_engine(async |installation| {
        let streams = installation.open().await;
        fill(&streams).await;
        streams.trim(EventOffset(i64::MAX), DeliveryOffset(i64::MAX)).await.unwrap();
        assert_eq!(streams.events(EventOffset::START, 10).await.unwrap(), []);
        assert_eq!(search(&streams, &Query::default()).await, []);
        streams.close().await.unwrap();

        let streams = installation.open().await;
        assert_eq!((streams.delivery_head().borrow().0, streams.event_head().borrow().0), (1_200, 1_320));
        let next = streams.append(delivery("next", b"{}")).await.unwrap();
        assert_eq!(next.offset, Some(DeliveryOffset(1_201)));
        let event = deployed(event_id("next", 0), "checkout", Outcome::Success);
        let offsets = streams.record(NORMALIZER, vec![reading(1_201, vec![event])]).await.unwrap();
        assert_eq!(offsets, [EventOffset(1_321)]);
        assert_eq!(streams.verify(|_| {}).await.unwrap(), None);
    })
    .await;
}
