//! Events: recorded with their reader's checkpoint, once, corrected by revisions, chained.

use chrono::TimeDelta;

use super::*;

#[tokio::test]
async fn the_readers_checkpoint_and_its_events_are_recorded_together() {
    over_every_engine(async |installation| {
        let streams = installation.open().await;
        assert_eq!(streams.checkpoint(NORMALIZER).await.unwrap(), 0);
        let one = deployed(event_id("1", 0), "checkout", Outcome::Success);
        let two = deployed(event_id("2", 0), "checkout", Outcome::Failure);
        let readings = vec![reading(1, vec![one]), reading(2, vec![two]), reading(3, vec![])];
        let offsets = streams.record(NORMALIZER, readings).await.unwrap();
        assert_eq!(offsets, [EventOffset(1), EventOffset(2)]);
        streams.close().await.unwrap();

        let streams = installation.open().await;
        assert_eq!(streams.checkpoint(NORMALIZER).await.unwrap(), 3);
        assert_eq!(streams.event_head().borrow().0, 2);
        streams.record(NORMALIZER, vec![reading(1, vec![])]).await.unwrap();
        assert_eq!(streams.checkpoint(NORMALIZER).await.unwrap(), 3, "an old delivery read again moves nothing");
        streams.save_checkpoint(NORMALIZER, 1).await.unwrap();
        assert_eq!(streams.checkpoint(NORMALIZER).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_event_recorded_twice_stands_once() {
    over_every_engine(async |installation| {
        let streams = installation.open().await;
        let event = deployed(event_id("1", 0), "checkout", Outcome::Success);
        let twice = vec![reading(1, vec![event.clone(), event.clone()]), reading(1, vec![event.clone()])];
        assert_eq!(streams.record(NORMALIZER, twice).await.unwrap().len(), 1);
        let other = deployed(event.id, "other", Outcome::Failure);
        assert_eq!(streams.record(NORMALIZER, vec![reading(1, vec![other])]).await.unwrap(), []);

        let stored = streams.events(EventOffset::START, 10).await.unwrap();
        assert_eq!(stored.len(), 1);
        assert_eq!(stored[0].event, event);
        assert_eq!((stored[0].revision, stored[0].origin.index), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_revision_replaces_what_readers_see() {
    over_every_engine(async |installation| {
        let streams = installation.open().await;
        let first = deployed(event_id("1", 0), "checkout", Outcome::Success);
        let other = deployed(event_id("1", 1), "payments", Outcome::Success);
        streams.record(NORMALIZER, vec![reading(1, vec![first.clone(), other.clone()])]).await.unwrap();
        let revised = deployed(first.id, "checkout", Outcome::Failure);
        let offsets = streams.revise(vec![reading(1, vec![revised.clone(), other.clone()])]).await.unwrap();
        assert_eq!(offsets, [EventOffset(3)], "what reads as before is not recorded again");

        let latest = streams.event(first.id).await.unwrap().unwrap();
        assert_eq!((&latest.event, latest.revision, latest.origin.index), (&revised, 1, 0));
        assert_eq!(ids(&streams.events(EventOffset::START, 10).await.unwrap()), [other.id, first.id]);
        assert_eq!(ids(&streams.events_of(DeliveryOffset(1)).await.unwrap()), [first.id, other.id]);
        let unknown = event_id("none", 0);
        let asked = vec![other.id, unknown, first.id];
        assert_eq!(ids(&streams.events_by_id(asked).await.unwrap()), [other.id, first.id]);
        let query = |text| Query::parse(text, monday()).unwrap();
        assert_eq!(ids(&search(&streams, &query("outcome:success")).await), [other.id]);
        let bars = streams.histogram(Query::default(), monday(), monday() + TimeDelta::hours(1), 1).await.unwrap();
        assert_eq!((bars[0].ok, bars[0].failed), (1, 1));
        assert_eq!(streams.verify(|_| {}).await.unwrap(), None, "the earlier reading is still in the chain");
    })
    .await;
}

#[tokio::test]
async fn replay_and_live_tail_see_the_same() {
    over_every_engine(async |installation| {
        let streams = installation.open().await;
        let tail = tokio::spawn({
            let streams = streams.clone();
            async move {
                let mut head = streams.event_head();
                let mut seen: Vec<Recorded> = Vec::new();
                while seen.len() < 100 {
                    let after = seen.last().map_or(EventOffset::START, |recorded| recorded.offset);
                    let more = streams.events(after, 7).await.unwrap();
                    if more.is_empty() {
                        head.wait_for(|head| head.0 > after.0).await.unwrap();
                    }
                    seen.extend(more);
                }
                seen
            }
        });
        for n in 0..50 {
            let event = |index| deployed(event_id(&n.to_string(), index), "checkout", Outcome::Success);
            streams.record(NORMALIZER, vec![reading(n + 1, vec![event(0), event(1)])]).await.unwrap();
        }
        assert_eq!(tail.await.unwrap(), streams.events(EventOffset::START, 1_000).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn the_chain_names_the_first_altered_record() {
    let cases = [
        (Alteration::DeliveryTime(DeliveryOffset(7)), "delivery 7 is not what was written"),
        (Alteration::Body(DeliveryOffset(8)), "the body of delivery 8 is not the one that was received"),
        (Alteration::RemoveDelivery(DeliveryOffset(3)), "delivery 3 is missing"),
        (Alteration::EventOutcome(EventOffset(2)), "event 2 is not what was written"),
    ];
    for (alteration, expected) in cases {
        over_every_engine(async |installation| {
            let streams = installation.open().await;
            // Bodies of the same length.
            let bodies = (0..10).map(|n| delivery(n, format!("{{\"n\":{n}}}").as_bytes()));
            streams.append_all(bodies.collect()).await.unwrap();
            let event = |n: u32| deployed(event_id("0", n), "checkout", Outcome::Failure);
            streams.record(NORMALIZER, vec![reading(1, vec![event(0), event(1), event(2)])]).await.unwrap();
            streams.close().await.unwrap();
            installation.alter(alteration).await;
            let found = installation.open().await.verify(|_| {}).await.unwrap().unwrap();
            assert!(found.starts_with(expected), "{alteration:?}: {found}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_quarantined_delivery_can_be_settled() {
    over_every_engine(async |installation| {
        let streams = installation.open().await;
        streams.append(delivery("1", b"?")).await.unwrap();
        streams.append(delivery("2", b"{}")).await.unwrap();
        let fine = deployed(event_id("2", 0), "checkout", Outcome::Success);
        streams
            .record(NORMALIZER, vec![unreadable(1, "expected value at line 1"), reading(2, vec![fine])])
            .await
            .unwrap();
        assert_eq!(streams.checkpoint(NORMALIZER).await.unwrap(), 2, "it blocks nobody");
        streams.record(NORMALIZER, vec![unreadable(1, "still not")]).await.unwrap();
        let held = streams.quarantined(10).await.unwrap();
        assert_eq!((held.len(), held[0].delivery, held[0].attempts), (1, DeliveryOffset(1), 2));
        assert_eq!(held[0].error, "still not");
        assert_eq!(streams.sources().await.unwrap()[0].quarantined, 1);
        streams.close().await.unwrap();

        let streams = installation.open().await;
        let understood = deployed(event_id("1", 0), "checkout", Outcome::Success);
        streams.record(NORMALIZER, vec![reading(1, vec![understood.clone()])]).await.unwrap();
        assert_eq!(streams.quarantined(10).await.unwrap(), []);
        assert_eq!(streams.events_of(DeliveryOffset(1)).await.unwrap()[0].event, understood);
    })
    .await;
}

#[tokio::test]
async fn settings_are_kept() {
    over_every_engine(async |installation| {
        let streams = installation.open().await;
        assert_eq!(streams.setting("generation").await.unwrap(), None);
        streams.save_setting("generation", "1".to_owned()).await.unwrap();
        streams.save_setting("generation", "2".to_owned()).await.unwrap();
        streams.close().await.unwrap();
        assert_eq!(installation.open().await.setting("generation").await.unwrap(), Some("2".to_owned()));
    })
    .await;
}
