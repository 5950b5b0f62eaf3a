//! From stored rows to what they mean. A row that cannot be read is an error that names table, row and column.

use chrono::{DateTime, Utc};
use sqlx::FromRow;

use super::body::decompress;
use super::chain::{DeliveryLink, EventLink, Hash};
use super::{Quarantined, SourceFigures, StreamError};
use crate::data::Data;
use crate::delivery::{Delivery, NewDelivery, Verification};
use crate::event::{Event, Origin, Recorded};
use crate::ids::{DeliveryOffset, EventId, EventOffset, OrderKey};
use crate::kind::Kind;

pub(super) mod postgres;
pub(super) mod sqlite;

/// One read of deliveries stops after about so many bytes of bodies.
const READ_BYTES_MAX: i64 = 32 << 20;

/// A row of deliveries with its source's name and its body.
#[derive(Debug, FromRow)]
pub(super) struct DeliveryRow {
    pub(super) position: i64,
    pub(super) source: String,
    pub(super) delivery_id: String,
    pub(super) received_at: i64,
    pub(super) headers: String,
    pub(super) content_type: Option<String>,
    pub(super) verification: String,
    pub(super) body_bytes: i64,
    pub(super) body_hash: Vec<u8>,
    pub(super) chain_hash: Vec<u8>,
    /// The compressed body.
    pub(super) body: Vec<u8>,
}

/// A row of events with the name of its delivery's source.
#[derive(Debug, FromRow)]
pub(super) struct EventRow {
    pub(super) position: i64,
    pub(super) id: Vec<u8>,
    pub(super) revision: i64,
    pub(super) kind: String,
    pub(super) source: String,
    pub(super) subject: String,
    pub(super) order_key: String,
    pub(super) happened_at: i64,
    pub(super) recorded_at: i64,
    pub(super) origin_source: String,
    pub(super) delivery: i64,
    pub(super) ordinal: i64,
    pub(super) data: Option<String>,
}

/// The columns of a row of events that only the chain needs.
#[derive(Debug, FromRow)]
pub(super) struct LinkColumns {
    pub(super) repository: Option<String>,
    pub(super) service: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) chain_hash: Vec<u8>,
}

/// A row of the quarantine with its source's name.
#[derive(Debug, FromRow)]
pub(super) struct QuarantineRow {
    delivery: i64,
    source: String,
    error: String,
    attempts: i64,
    since: i64,
}

/// A row of sources, with how many of its deliveries are in quarantine.
#[derive(Debug, FromRow)]
pub(super) struct SourceRow {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) deliveries: i64,
    pub(super) body_bytes: i64,
    pub(super) first_at: i64,
    pub(super) last_at: i64,
    pub(super) quarantined: i64,
}

/// Names table and row once, the column each time.
struct Place {
    table: &'static str,
    row: i64,
}

impl Place {
    fn read<T, E: ToString>(&self, column: &'static str, value: Result<T, E>) -> Result<T, StreamError> {
        value.map_err(|why| self.corrupt(column, why.to_string()))
    }

    fn corrupt(&self, column: &'static str, why: String) -> StreamError {
        StreamError::Corrupt { table: self.table, row: self.row, column, why }
    }

    fn time(&self, column: &'static str, micros: i64) -> Result<DateTime<Utc>, StreamError> {
        DateTime::from_timestamp_micros(micros).ok_or_else(|| self.corrupt(column, format!("{micros} is no time")))
    }

    fn hash(&self, column: &'static str, bytes: Vec<u8>) -> Result<Hash, StreamError> {
        bytes.try_into().map_err(|b: Vec<u8>| self.corrupt(column, format!("{} bytes instead of 32", b.len())))
    }
}

impl DeliveryRow {
    pub(super) fn into_delivery(self) -> Result<Delivery, StreamError> {
        let place = Place { table: "deliveries", row: self.position };
        let body_bytes = place.read("body_bytes", usize::try_from(self.body_bytes))?;
        let unknown = || place.corrupt("verification", format!("{:?} is none", self.verification));
        Ok(Delivery {
            offset: DeliveryOffset(self.position),
            content: NewDelivery {
                source: place.read("source_id", self.source.parse())?,
                delivery_id: place.read("delivery_id", self.delivery_id.parse())?,
                received_at: place.time("received_at", self.received_at)?,
                headers: place.read("headers", serde_json::from_str(&self.headers))?,
                content_type: self.content_type,
                verification: Verification::parse(&self.verification).ok_or_else(unknown)?,
                body: place.read("body", decompress(&self.body, body_bytes))?,
            },
            body_hash: place.hash("body_hash", self.body_hash)?,
            chain_hash: place.hash("chain_hash", self.chain_hash)?,
        })
    }

    /// The hash that the chain should have here.
    pub(super) fn link(&self, previous: &Hash) -> Hash {
        DeliveryLink {
            position: self.position,
            source: &self.source,
            delivery_id: &self.delivery_id,
            received_at: self.received_at,
            headers: &self.headers,
            content_type: self.content_type.as_deref(),
            verification: &self.verification,
            body_bytes: self.body_bytes,
            body_hash: &self.body_hash,
        }
        .hash(previous)
    }

    /// Whether the body is the one that was hashed when it arrived.
    pub(super) fn body_is_whole(&self) -> bool {
        usize::try_from(self.body_bytes)
            .ok()
            .and_then(|bytes| decompress(&self.body, bytes).ok())
            .is_some_and(|body| blake3::hash(&body).as_bytes().as_slice() == self.body_hash)
    }
}

impl EventRow {
    pub(super) fn into_recorded(self) -> Result<Recorded, StreamError> {
        let place = Place { table: "events", row: self.position };
        let kind = Kind::from(self.kind);
        let width = |id: Vec<u8>| format!("{} bytes instead of 16", id.len());
        Ok(Recorded {
            offset: EventOffset(self.position),
            recorded_at: place.time("recorded_at", self.recorded_at)?,
            revision: place.read("revision", u32::try_from(self.revision))?,
            origin: Origin {
                source: place.read("source_id", self.origin_source.parse())?,
                delivery: DeliveryOffset(self.delivery),
                index: place.read("ordinal", u32::try_from(self.ordinal))?,
            },
            event: Event {
                id: EventId::from_bytes(place.read("id", self.id.try_into().map_err(width))?),
                data: place.read("data", Data::from_json(&kind, self.data.as_deref()))?,
                kind,
                source: self.source,
                subject: self.subject,
                time: place.time("happened_at", self.happened_at)?,
                key: OrderKey(self.order_key),
            },
        })
    }

    /// The hash that the chain should have here.
    pub(super) fn link(&self, columns: &LinkColumns, previous: &Hash) -> Hash {
        EventLink {
            position: self.position,
            id: &self.id,
            revision: self.revision,
            texts: [&self.kind, &self.source, &self.subject, &self.order_key, &self.origin_source],
            numbers: [self.happened_at, self.recorded_at, self.delivery, self.ordinal],
            optional: [
                columns.repository.as_deref(),
                columns.service.as_deref(),
                columns.environment.as_deref(),
                columns.outcome.as_deref(),
                self.data.as_deref(),
            ],
        }
        .hash(previous)
    }
}

impl QuarantineRow {
    pub(super) fn into_quarantined(self) -> Result<Quarantined, StreamError> {
        let place = Place { table: "quarantine", row: self.delivery };
        Ok(Quarantined {
            delivery: DeliveryOffset(self.delivery),
            source: place.read("source_id", self.source.parse())?,
            error: self.error,
            attempts: place.read("attempts", u32::try_from(self.attempts))?,
            since: place.time("since", self.since)?,
        })
    }
}

impl SourceRow {
    pub(super) fn into_figures(self, gap_p99_seconds: Option<i64>) -> Result<SourceFigures, StreamError> {
        let place = Place { table: "sources", row: self.id };
        Ok(SourceFigures {
            source: place.read("name", self.name.parse())?,
            deliveries: place.read("deliveries", u64::try_from(self.deliveries))?,
            bytes: place.read("body_bytes", u64::try_from(self.body_bytes))?,
            first_at: place.time("first_at", self.first_at)?,
            last_at: place.time("last_at", self.last_at)?,
            quarantined: place.read("quarantined", u64::try_from(self.quarantined))?,
            gap_p99_seconds,
        })
    }
}

/// A delivery that is read to be looked at, if its body matches its hash.
fn whole(delivery: Delivery) -> Result<Delivery, StreamError> {
    if blake3::hash(&delivery.content.body) == delivery.body_hash {
        return Ok(delivery);
    }
    Err(StreamError::Corrupt {
        table: "delivery_bodies",
        row: delivery.offset.0,
        column: "body",
        why: "it does not match its hash".to_owned(),
    })
}

/// A limit as databases take it.
pub(super) fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
