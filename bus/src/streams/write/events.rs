//! Events on their way to the writer.

use super::{Head, ROW_BYTES};
use crate::data::Outcome;
use crate::event::Event;
use crate::ids::{EventId, ReaderName, SourceName};
use crate::streams::body::off_thread;
use crate::streams::chain::{EventLink, Hash};
use crate::streams::{Reading, StreamError};

pub(in crate::streams) mod postgres;
pub(in crate::streams) mod sqlite;

/// An event, ready to be written.
#[derive(Debug)]
pub(in crate::streams) struct PreparedEvent {
    pub(in crate::streams) id: EventId,
    pub(in crate::streams) kind: String,
    pub(in crate::streams) source: String,
    pub(in crate::streams) subject: String,
    pub(in crate::streams) order_key: String,
    pub(in crate::streams) happened_at: i64,
    pub(in crate::streams) repository: Option<String>,
    pub(in crate::streams) service: Option<String>,
    pub(in crate::streams) environment: Option<String>,
    pub(in crate::streams) outcome: Option<&'static str>,
    pub(in crate::streams) data: Option<String>,
}

/// A reading, ready to be written.
#[derive(Debug)]
pub(in crate::streams) struct PreparedReading {
    pub(in crate::streams) delivery: i64,
    pub(in crate::streams) source: SourceName,
    pub(in crate::streams) outcome: Result<Vec<PreparedEvent>, String>,
}

/// Readings and what is to be done with them.
#[derive(Debug)]
pub(in crate::streams) struct Record {
    /// Whose checkpoint moves to the last of them.
    pub(in crate::streams) reader: Option<ReaderName>,
    /// True if an event that is recorded already gets a new revision.
    pub(in crate::streams) revise: bool,
    pub(in crate::streams) readings: Vec<PreparedReading>,
}

impl PreparedReading {
    pub(super) fn bytes(&self) -> usize {
        let events = self.outcome.as_ref().map(Vec::as_slice).unwrap_or_default();
        ROW_BYTES
            + events.iter().map(|e| 2 * ROW_BYTES + e.data.as_ref().map_or(0, String::len)).sum::<usize>()
            + self.outcome.as_ref().err().map_or(0, String::len)
    }

    fn new(reading: Reading) -> Result<Self, serde_json::Error> {
        let outcome = match reading.outcome {
            Ok(events) => Ok(events.into_iter().map(PreparedEvent::new).collect::<Result<_, _>>()?),
            Err(error) => Err(error),
        };
        Ok(Self { delivery: reading.delivery.0, source: reading.source, outcome })
    }

    pub(in crate::streams) async fn prepare(readings: Vec<Reading>) -> Result<Vec<Self>, StreamError> {
        /// Typed data is about this long as JSON.
        const EVENT_BYTES: usize = 512;
        let events: usize = readings.iter().filter_map(|r| r.outcome.as_ref().ok()).map(Vec::len).sum();
        let prepared: Result<Vec<_>, serde_json::Error> =
            off_thread(events * EVENT_BYTES, || readings.into_iter().map(Self::new).collect()).await?;
        prepared.map_err(|e| StreamError::File { path: "the data of an event".to_owned(), source: e.into() })
    }
}

impl PreparedEvent {
    fn new(event: Event) -> Result<Self, serde_json::Error> {
        let data = event.data;
        Ok(Self {
            id: event.id,
            kind: event.kind.into(),
            source: event.source,
            subject: event.subject,
            order_key: event.key.0,
            happened_at: event.time.timestamp_micros(),
            repository: data.repository().map(str::to_owned),
            service: data.service().map(str::to_owned),
            environment: data.environment().map(str::to_owned),
            outcome: data.outcome().map(Outcome::name),
            data: data.to_json()?,
        })
    }
}

/// An event of a reading, not yet known to be new.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    reading: &'a PreparedReading,
    source_id: i64,
    ordinal: i64,
    event: &'a PreparedEvent,
}

/// An event with its place in the stream.
#[derive(Debug)]
pub(super) struct PlacedEvent<'a> {
    position: i64,
    revision: i64,
    recorded_at: i64,
    chain_hash: Hash,
    of: &'a Candidate<'a>,
}

/// The latest revision of an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Latest {
    position: i64,
    revision: i64,
}

impl PreparedReading {
    /// Its events in order; none if it cannot be interpreted.
    fn candidates(&self, source_id: i64) -> impl Iterator<Item = Candidate<'_>> {
        let events = self.outcome.as_ref().map(Vec::as_slice).unwrap_or_default();
        (0..).zip(events).map(move |(ordinal, event)| Candidate { reading: self, source_id, ordinal, event })
    }
}

impl Head {
    /// Gives an event the next place.
    fn place_event<'a>(&mut self, of: &'a Candidate<'a>, revision: i64, now: i64) -> PlacedEvent<'a> {
        let event = of.event;
        let link = EventLink {
            position: self.position + 1,
            id: event.id.as_bytes(),
            revision,
            texts: [&event.kind, &event.source, &event.subject, &event.order_key, of.reading.source.as_str()],
            numbers: [event.happened_at, now, of.reading.delivery, of.ordinal],
            optional: [
                event.repository.as_deref(),
                event.service.as_deref(),
                event.environment.as_deref(),
                event.outcome,
                event.data.as_deref(),
            ],
        };
        *self = Self { position: link.position, chain_hash: link.hash(&self.chain_hash) };
        PlacedEvent { position: self.position, revision, recorded_at: now, chain_hash: self.chain_hash, of }
    }
}
