//! Reads deliveries anew, page by page, and says what differs from what is recorded.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bus::data::Data;
use bus::delivery::Delivery;
use bus::event::{Event, Recorded};
use bus::ids::{DeliveryOffset, EventId};
use bus::kind::Kind;
use bus::streams::Streams;
use chrono::SubsecRound;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Normalize, Rereading};
use crate::error::LedgerError;

/// Deliveries read at once; their bodies are the larger limit, at about 32 MB.
const DELIVERIES_PER_PAGE: usize = 1_000;

/// Pages that are interpreted while earlier ones are folded: two keep two cores busy, and each has its bodies in memory.
const PAGES_AHEAD: usize = 2;

/// Kind of the reading that takes an event back which its delivery does not yield any more. No fact follows from it.
const WITHDRAWN: &str = "devhose.event.withdrawn";

/// Digits of a second that the log keeps.
const TIME_DIGITS: u16 = 6;

/// One delivery, read anew.
#[derive(Debug)]
pub(super) struct Reread {
    pub(super) delivery: DeliveryOffset,
    pub(super) events: Vec<Event>,
    /// Recorded events that are no more, as they were.
    pub(super) withdrawn: Vec<Event>,
    /// Latest recorded reading of each event, in the order of `events`; none if it is new.
    pub(super) recorded: Vec<Option<Recorded>>,
}

impl Reread {
    /// Whether anything is to be appended to the log.
    pub(super) fn differs(&self) -> bool {
        !self.withdrawn.is_empty() || self.compared().any(|(event, recorded)| !is_same(event, recorded))
    }

    /// The reading to append to the log: what the delivery means, and what it does not mean any more.
    pub(super) fn correction(self) -> impl Iterator<Item = Event> {
        let kind = Kind::from(WITHDRAWN);
        let withdraw = move |event| Event { kind: kind.clone(), data: Data::Other(serde_json::Value::Null), ..event };
        self.events.into_iter().chain(self.withdrawn.into_iter().map(withdraw))
    }

    /// Each event with what is recorded of it.
    pub(super) fn compared(&self) -> impl Iterator<Item = (&Event, Option<&Recorded>)> {
        self.events.iter().zip(self.recorded.iter().map(Option::as_ref))
    }
}

/// Whether an event is recorded as it reads now.
pub(super) fn is_same(event: &Event, recorded: Option<&Recorded>) -> bool {
    recorded.is_some_and(|recorded| {
        let old = &recorded.event;
        let data = |event: &Event| event.data.to_json().ok();
        (&event.kind, &event.source, &event.subject, &event.key) == (&old.kind, &old.source, &old.subject, &old.key)
            && event.time.trunc_subsecs(TIME_DIGITS) == old.time.trunc_subsecs(TIME_DIGITS)
            && (event.data == old.data || data(event) == data(old))
    })
}

/// Some deliveries in order.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) readings: Vec<Reread>,
    /// How many of them cannot be interpreted.
    pub(super) unreadable: u64,
}

type Interpreted = Vec<(Delivery, Result<Vec<Event>, String>)>;

/// All deliveries that the normalizer has come to.
#[derive(Debug)]
pub(super) struct Pages<'a> {
    streams: &'a Streams,
    rereading: &'a Rereading,
    after: DeliveryOffset,
    through: DeliveryOffset,
    ahead: VecDeque<JoinHandle<Interpreted>>,
}

impl<'a> Pages<'a> {
    pub(super) async fn open(streams: &'a Streams, rereading: &'a Rereading) -> Result<Self, LedgerError> {
        let through = DeliveryOffset(streams.checkpoint(rereading.reader.clone()).await?);
        Ok(Self { streams, rereading, after: DeliveryOffset::START, through, ahead: VecDeque::new() })
    }

    pub(super) fn deliveries_total(&self) -> u64 {
        u64::try_from(self.through.0).unwrap_or_default()
    }

    /// The next page; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Page>, LedgerError> {
        while self.ahead.len() < PAGES_AHEAD && self.after < self.through {
            let mut deliveries = self.streams.deliveries(self.after, DELIVERIES_PER_PAGE).await?;
            let through = self.through;
            deliveries.retain(|delivery| delivery.offset <= through);
            self.after = deliveries.last().map_or(self.through, |last| last.offset);
            self.ahead.push_back(interpret(deliveries, &self.rereading.normalize));
        }
        let Some(interpreted) = self.ahead.pop_front() else { return Ok(None) };
        compare(self.streams, interpreted.await?).await.map(Some)
    }
}

/// Reads some deliveries anew.
pub(super) async fn page(
    streams: &Streams,
    deliveries: Vec<Delivery>,
    rereading: &Rereading,
) -> Result<Page, LedgerError> {
    compare(streams, interpret(deliveries, &rereading.normalize).await?).await
}

fn interpret(deliveries: Vec<Delivery>, normalize: &Normalize) -> JoinHandle<Interpreted> {
    let normalize = Arc::clone(normalize);
    spawn_blocking(move || {
        let read = |delivery: Delivery| {
            let mut outcome = normalize(&delivery);
            for event in outcome.iter_mut().flatten() {
                // As the log keeps it, so that facts are the same whether folded from here or from there.
                event.time = event.time.trunc_subsecs(TIME_DIGITS);
            }
            (delivery, outcome)
        };
        deliveries.into_iter().map(read).collect()
    })
}

async fn compare(streams: &Streams, interpreted: Interpreted) -> Result<Page, LedgerError> {
    let mut ids = Vec::new();
    for (delivery, outcome) in &interpreted {
        let events = outcome.as_ref().map(Vec::as_slice).unwrap_or_default();
        ids.extend(events.iter().map(|event| event.id));
        ids.extend(next_id(delivery, events));
    }
    let known = streams.events_by_id(ids).await?;
    let known: HashMap<EventId, Recorded> = known.into_iter().map(|recorded| (recorded.event.id, recorded)).collect();
    let mut page = Page { readings: Vec::new(), unreadable: 0 };
    for (delivery, outcome) in interpreted {
        page.unreadable += u64::from(outcome.is_err());
        page.readings.push(match outcome {
            Ok(events) => compare_one(streams, &delivery, events, &known).await?,
            Err(_) => as_recorded(streams, delivery.offset).await?,
        });
    }
    Ok(page)
}

/// The id that one event more would have: if it is recorded, the delivery yielded more than it does now.
fn next_id(delivery: &Delivery, events: &[Event]) -> Option<EventId> {
    let index = u32::try_from(events.len()).ok()?;
    Some(EventId::derive(&delivery.content.source, &delivery.content.delivery_id, index))
}

async fn compare_one(
    streams: &Streams,
    delivery: &Delivery,
    events: Vec<Event>,
    known: &HashMap<EventId, Recorded>,
) -> Result<Reread, LedgerError> {
    let recorded = events.iter().map(|event| known.get(&event.id).cloned()).collect();
    let yielded_more = next_id(delivery, &events).is_some_and(|id| known.contains_key(&id));
    let withdrawn = if yielded_more { withdrawals(streams, delivery.offset, &events).await? } else { Vec::new() };
    Ok(Reread { delivery: delivery.offset, events, withdrawn, recorded })
}

/// A delivery that cannot be interpreted any more still means what it meant before.
async fn as_recorded(streams: &Streams, delivery: DeliveryOffset) -> Result<Reread, LedgerError> {
    let recorded = streams.events_of(delivery).await?;
    let events = recorded.iter().map(|recorded| recorded.event.clone()).collect();
    Ok(Reread { delivery, events, withdrawn: Vec::new(), recorded: recorded.into_iter().map(Some).collect() })
}

async fn withdrawals(streams: &Streams, delivery: DeliveryOffset, events: &[Event]) -> Result<Vec<Event>, LedgerError> {
    let still: HashSet<EventId> = events.iter().map(|event| event.id).collect();
    let withdrawn = Kind::from(WITHDRAWN);
    let gone = streams.events_of(delivery).await?.into_iter().map(|recorded| recorded.event);
    Ok(gone.filter(|event| !still.contains(&event.id) && event.kind != withdrawn).collect())
}
