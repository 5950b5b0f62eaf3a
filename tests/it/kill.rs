//! The promise of every 2xx: what was acknowledged is there, whenever the program is killed.

use std::collections::BTreeMap;

use bus::ids::DeliveryOffset;
use bus::streams::Streams;
use futures_util::{StreamExt, stream};

use crate::program::{Answer, Delivery, Home, Program};

/// Times that the program is killed.
const CYCLES: usize = 6;

/// Deliveries that are sent in each.
const DELIVERIES: usize = 400;

/// Requests in flight at once: enough that a kill always meets some half-way.
const IN_FLIGHT: usize = 16;

/// What was sent, and what the answer said, by id.
#[derive(Default)]
struct Judge {
    sent: BTreeMap<String, [u8; 32]>,
    /// Where it is stored, of what was acknowledged.
    acknowledged: BTreeMap<String, i64>,
}

/// A body that nobody else sends, some of a few bytes and some of a few hundred thousand.
fn body(id: &str, number: usize) -> String {
    let filling = id.repeat(if number.is_multiple_of(50) { 20_000 } else { number });
    format!(r#"{{"zen": "{filling}"}}"#)
}

impl Judge {
    /// Sends deliveries until so many are acknowledged, and kills the program while others are in flight.
    async fn load_and_kill(&mut self, program: Program, cycle: usize) {
        let deliveries = (0..DELIVERIES).map(|number| {
            let id = format!("{cycle}-{number}");
            let body = body(&id, number);
            (id.clone(), *blake3::hash(body.as_bytes()).as_bytes(), Delivery::github("ping", &id, body))
        });
        let requests: Vec<_> = deliveries
            .map(|(id, hash, delivery)| {
                self.sent.insert(id.clone(), hash);
                (id, delivery.request(&program))
            })
            .collect();
        let send = async |(id, request)| (id, Answer::try_of(request).await);
        let mut answers = stream::iter(requests).map(send).buffer_unordered(IN_FLIGHT);
        let (enough, mut program) = (10 + 37 * cycle, Some(program));
        let mut taken = 0;
        // Answers that were on their way when the program died are acknowledgements too.
        while let Some((id, answer)) = answers.next().await {
            let Ok(answer) = answer else { continue };
            let receipt = answer.receipt();
            assert_eq!(receipt["duplicate"], false, "{id}");
            self.acknowledged.insert(id, receipt["offset"].as_i64().unwrap());
            taken += 1;
            if taken == enough
                && let Some(program) = program.take()
            {
                program.kill();
            }
        }
        assert!((enough..DELIVERIES).contains(&taken), "cycle {cycle}: {taken} of {DELIVERIES} were acknowledged");
    }
}

#[tokio::test]
async fn whatever_was_acknowledged_survives_every_kill_exactly_once() {
    let home = Home::new();
    let mut judge = Judge::default();
    for cycle in 0..CYCLES {
        judge.load_and_kill(home.serve().await, cycle).await;
        home.print(&["verify"]);
    }

    // As a sender sees it: what is sent again is a duplicate, at the place that was acknowledged.
    let program = home.serve().await;
    for (id, offset) in judge.acknowledged.iter().step_by(7) {
        let receipt = program.deliver(&Delivery::github("ping", id, "{}")).await.receipt();
        assert_eq!((receipt["offset"].as_i64(), &receipt["duplicate"]), (Some(*offset), &true.into()), "{id}");
    }
    // As a reader sees it: every delivery is one event.
    program.interpreted().await;
    let stored = program.source("github/acme").await["deliveries"].as_u64().unwrap();
    let events = home.print(&["events", "list", "source:github/acme", "--limit", "1000"]);
    assert_eq!(events.lines().count() as u64, stored.min(1000));
    assert_eq!(program.stop().exit, 0);

    // As it stands in the log: everything acknowledged, nothing twice, nothing that was not sent, no gap.
    let streams = Streams::open(&home.data()).await.unwrap();
    let mut found = BTreeMap::new();
    let mut position = DeliveryOffset::START;
    loop {
        let deliveries = streams.deliveries(position, 1_000).await.unwrap();
        let Some(last) = deliveries.last() else { break };
        for delivery in &deliveries {
            position = DeliveryOffset(position.0 + 1);
            assert_eq!(delivery.offset, position, "a gap");
            let id = delivery.content.delivery_id.to_string();
            assert_eq!(blake3::hash(&delivery.content.body), delivery.body_hash, "{id}");
            assert_eq!(judge.sent.get(&id), Some(&delivery.body_hash), "{id} is not what was sent");
            assert_eq!(found.insert(id.clone(), delivery.offset.0), None, "{id} stands twice");
        }
        assert_eq!(last.offset, position);
    }
    for (id, offset) in &judge.acknowledged {
        assert_eq!(found.get(id), Some(offset), "{id} was acknowledged");
    }
    streams.close().await.unwrap();
    assert_eq!(home.run(&["verify"]).exit, 0);
}
