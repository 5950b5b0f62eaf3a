//! One story, told to every engine: the logs are the same to the last bit, so that one can take over from another.

use bus::delivery::{Delivery, Receipt};
use proptest::prelude::*;

use super::*;

/// Events by their index and name.
type Names = Vec<(u8, u8)>;

/// One thing that is done.
#[derive(Debug, Clone)]
enum Step {
    /// Deliveries by their number and body, in one call.
    Append(Vec<(u8, bool)>),
    /// Readings of deliveries by their number; none if it cannot be interpreted.
    Record(Vec<(u8, Option<Names>)>),
    Revise(u8, Names),
    SaveCheckpoint(u8),
    Trim(u8, u8),
}

fn any_step() -> impl Strategy<Value = Step> {
    let number = || 0_u8..20;
    let events = || prop::collection::vec((0_u8..3, 0_u8..3), 0..4);
    prop_oneof![
        4 => prop::collection::vec((number(), any::<bool>()), 1..6).prop_map(Step::Append),
        4 => prop::collection::vec((number(), prop::option::weighted(0.8, events())), 1..4).prop_map(Step::Record),
        2 => (number(), events()).prop_map(|(number, events)| Step::Revise(number, events)),
        1 => number().prop_map(Step::SaveCheckpoint),
        1 => (number(), number()).prop_map(|(events, deliveries)| Step::Trim(events / 2, deliveries / 2)),
    ]
}

/// What an engine answered to a step.
#[derive(Debug, PartialEq)]
enum Answer {
    Receipts(Vec<Receipt>),
    Offsets(Vec<EventOffset>),
    Done,
}

/// What an engine holds in the end; of events everything but when they were recorded.
#[derive(Debug, PartialEq)]
struct Log {
    answers: Vec<Answer>,
    /// With their chain hashes.
    deliveries: Vec<Delivery>,
    events: Vec<Recorded>,
    found: Vec<EventId>,
    quarantined: Vec<(i64, u32, String)>,
    sources: Vec<(SourceName, u64, u64, u64)>,
    checkpoint: i64,
    heads: (i64, i64),
    oldest: (i64, i64),
    broken: Option<String>,
}

fn events(delivery: u8, events: &[(u8, u8)]) -> Vec<Event> {
    let event = |(index, name): &(u8, u8)| {
        let id = event_id(&delivery.to_string(), u32::from(*index));
        deployed(id, ["checkout", "a\0b", "ünï"][usize::from(*name)], Outcome::Success)
    };
    events.iter().map(event).collect()
}

async fn follow(streams: &Streams, step: &Step) -> Answer {
    match step {
        Step::Append(deliveries) => {
            let new = |(number, body): &(u8, bool)| NewDelivery {
                source: source(if number % 3 == 0 { "forge/acme" } else { "ci" }),
                received_at: monday() - chrono::TimeDelta::minutes(i64::from(*number)),
                ..delivery(number, if *body { b"{}" } else { b"[]" })
            };
            Answer::Receipts(streams.append_all(deliveries.iter().map(new).collect()).await.unwrap())
        }
        Step::Record(readings) => {
            let each = |(number, read): &(u8, Option<Names>)| match read {
                Some(of) => reading(i64::from(*number), events(*number, of)),
                None => unreadable(i64::from(*number), "not \0 JSON"),
            };
            Answer::Offsets(streams.record(NORMALIZER, readings.iter().map(each).collect()).await.unwrap())
        }
        Step::Revise(number, of) => {
            let readings = vec![reading(i64::from(*number), events(*number, of))];
            Answer::Offsets(streams.revise(readings).await.unwrap())
        }
        Step::SaveCheckpoint(position) => {
            streams.save_checkpoint(NORMALIZER, i64::from(*position)).await.unwrap();
            Answer::Done
        }
        Step::Trim(events, deliveries) => {
            let through = (EventOffset(i64::from(*events)), DeliveryOffset(i64::from(*deliveries)));
            streams.trim(through.0, through.1).await.unwrap();
            Answer::Done
        }
    }
}

async fn told(installation: &Installation, steps: &[Step]) -> Log {
    let streams = installation.open().await;
    let mut answers = Vec::new();
    for step in steps {
        answers.push(follow(&streams, step).await);
    }
    streams.close().await.unwrap();
    let streams = installation.open().await;
    let timeless = |recorded: Recorded| Recorded { recorded_at: monday(), ..recorded };
    Log {
        answers,
        deliveries: streams.deliveries(DeliveryOffset::START, 1_000).await.unwrap(),
        events: streams.events(EventOffset::START, 1_000).await.unwrap().into_iter().map(timeless).collect(),
        found: ids(&search(&streams, &Query::parse("service:checkout", monday()).unwrap()).await),
        quarantined: streams
            .quarantined(100)
            .await
            .unwrap()
            .into_iter()
            .map(|held| (held.delivery.0, held.attempts, held.error))
            .collect(),
        sources: streams
            .sources()
            .await
            .unwrap()
            .into_iter()
            .map(|figures| (figures.source, figures.deliveries, figures.bytes, figures.quarantined))
            .collect(),
        checkpoint: streams.checkpoint(NORMALIZER).await.unwrap(),
        heads: (streams.delivery_head().borrow().0, streams.event_head().borrow().0),
        oldest: (streams.oldest_delivery().await.unwrap().0, streams.oldest_event().await.unwrap().0),
        broken: streams.verify(|_| {}).await.unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn one_story_makes_the_same_log_in_every_engine(steps in prop::collection::vec(any_step(), 1..40)) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let mut logs = Vec::new();
            for engine in engines() {
                let installation = Installation::of(engine).await;
                logs.push(told(&installation, &steps).await);
                (engine.remove)(installation.storage).await;
            }
            assert_eq!(logs[0].broken, None);
            for log in &logs[1..] {
                assert_eq!(log, &logs[0]);
            }
        });
    }
}
