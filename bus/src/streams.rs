//! The two append-only streams, deliveries and events, whatever engine keeps them.
//!
//! One read path: replay and live tail are the same loop over offsets. Only "the head moved" is signalled
//! ([`Streams::delivery_head`], [`Streams::event_head`]); records themselves are always read from the log.
//!
//! Nothing here updates or deletes a delivery or an event, save the declared door of retention: [`Streams::trim`].

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::watch;

use crate::delivery::{Delivery, NewDelivery, Receipt};
use crate::event::{Event, Recorded};
use crate::ids::{DeliveryId, DeliveryOffset, EventId, EventOffset, ReaderName, SourceName};
use crate::kafka::Kafka;
use crate::lease::Lease;
use crate::query::Query;
use crate::storage::{Storage, Weakness};
use engine::{Engine, ask};
use verify::{Chained as _, Stream};

pub(crate) mod body;
mod chain;
mod engine;
pub(crate) mod postgres;
mod read;
mod search;
pub(crate) mod sqlite;
pub(crate) mod text;
mod trim;
mod verify;
pub(crate) mod write;

/// Why the streams could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// Another process has the data directory open.
    #[error("{0} is in use by another process: stop that one, or choose another data directory")]
    InUse(String),
    /// The queue before the writer is full, or the disk is, or the database is away: the sender should come again.
    /// What was stored nevertheless is then a duplicate.
    #[error("the log cannot take more now: {0}")]
    Busy(&'static str),
    /// The engine refused to work as promised, such as another journal mode than asked for.
    #[error("the storage engine is not set up as needed: {0}")]
    Setup(String),
    /// The engine failed; whether the record was stored is unknown.
    #[error("the storage engine failed")]
    Engine(#[from] sqlx::Error),
    /// The brokers, or the client that speaks to them, failed.
    #[error("Kafka cannot be used")]
    Kafka(#[from] rdkafka::error::KafkaError),
    /// A migration could not be applied.
    #[error("the database could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A stored row is not what was written.
    #[error("{table} {row}: column {column} cannot be read: {why}")]
    Corrupt {
        /// Table.
        table: &'static str,
        /// Offset of the row.
        row: i64,
        /// Column.
        column: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A file could not be read or written.
    #[error("{path}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The writer has stopped after an error; the program must be started again.
    #[error("the writer has stopped")]
    Stopped,
    /// Another process has taken over what this one held the lease for: nothing was written.
    #[error("the lease {0} has gone over to another process")]
    Fenced(String),
}

/// What normalization made of one delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Which delivery.
    pub delivery: DeliveryOffset,
    /// The source it came through.
    pub source: SourceName,
    /// Its events in order, or why it cannot be interpreted: it is then quarantined.
    pub outcome: Result<Vec<Event>, String>,
}

/// A delivery that could not be interpreted. It is kept, and can be tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// Which delivery.
    pub delivery: DeliveryOffset,
    /// The source it came through.
    pub source: SourceName,
    /// Why.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was first tried.
    pub since: DateTime<Utc>,
}

/// Figures of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceFigures {
    /// Which source.
    pub source: SourceName,
    /// Deliveries stored.
    pub deliveries: u64,
    /// Bytes of their bodies as received.
    pub bytes: u64,
    /// When the first arrived.
    pub first_at: DateTime<Utc>,
    /// When the last arrived.
    pub last_at: DateTime<Utc>,
    /// Deliveries now in quarantine.
    pub quarantined: u64,
    /// The 99th percentile of the gaps between its arrivals in the 28 days before the last one, from at most 10,000
    /// deliveries: a longer silence is unusual. None while fewer than 10 gaps are known.
    pub gap_p99_seconds: Option<i64>,
}

/// One page of a search, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The events. Where matches are rare a page can be short, or even empty, before the end is reached: a search
    /// stops looking after half a second.
    pub events: Vec<Recorded>,
    /// Where the next page begins: search again with this as [`Search::before`]; none at the end.
    pub next: Option<EventOffset>,
}

/// A search through the events, newest first.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Which events.
    pub query: Query,
    /// Only events before this offset.
    pub before: Option<EventOffset>,
    /// At most so many; at most [`SEARCH_EVENTS_MAX`].
    pub limit: usize,
}

/// One bar of the histogram over a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bar {
    /// Where it begins; it ends where the next begins.
    pub from: DateTime<Utc>,
    /// Events that ended well or have no outcome.
    pub ok: u64,
    /// Events that ended with failure or error.
    pub failed: u64,
}

/// A page of a search holds at most this many events: about 1 MB of JSON.
pub const SEARCH_EVENTS_MAX: usize = 1_000;

/// The deliveries waiting for the writer hold at most this many bytes; beyond it a sender is told to come again.
pub const QUEUED_BYTES_MAX: usize = 64 << 20;

/// The two streams with their readers' checkpoints. Clones share one writer.
#[derive(Debug, Clone)]
pub struct Streams {
    engine: Engine,
}

impl Streams {
    /// Opens, or creates, the streams in a directory on a local disk.
    ///
    /// # Errors
    /// If another process has it open, the engine cannot be set up as needed, or a migration fails.
    pub async fn open(directory: &Path) -> Result<Self, StreamError> {
        Ok(Self { engine: Engine::Sqlite(sqlite::Sqlite::open(directory).await?) })
    }

    /// Opens, or creates, the streams of a storage.
    ///
    /// # Errors
    /// As [`Streams::open`].
    pub async fn open_on(storage: &Storage) -> Result<Self, StreamError> {
        match storage {
            Storage::Sqlite(directory) => Self::open(directory).await,
            Storage::Postgres(settings) => {
                Ok(Self { engine: Engine::Postgres(postgres::Postgres::open(settings).await?) })
            }
            Storage::Kafka(kafka, postgres) => {
                let engine = Box::pin(Kafka::open(kafka, postgres)).await?;
                Ok(Self { engine: Engine::Kafka(Box::new(engine)) })
            }
        }
    }

    /// Waits until something that only one process may do at a time is ours to do.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn lease(&self, name: &str) -> Result<Lease, StreamError> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(Lease::sole()),
            Engine::Postgres(postgres) => postgres.lease(name).await,
            Engine::Kafka(kafka) => kafka.log.lease(name).await,
        }
    }

    /// Does what an engine has to have done beside reading and writing, until `stop` turns true: on Kafka, taking what
    /// is in the topic of deliveries into the log, and events from the log into theirs. Any number of processes may.
    /// Ends with an error where nothing can be stored any more before the program is started again.
    ///
    /// # Errors
    /// If it cannot go on; what is not done then is done at the next start.
    pub async fn carry(&self, mut stop: watch::Receiver<bool>) -> Result<(), StreamError> {
        match &self.engine {
            Engine::Sqlite(engine) => tokio::select! {
                () = crate::stop::stopped(&mut stop) => {}
                // Started again, the program reads what the disk really holds.
                () = engine.broken() => return Err(StreamError::Stopped),
            },
            Engine::Postgres(_) => crate::stop::stopped(&mut stop).await,
            Engine::Kafka(kafka) => kafka.carry(stop).await,
        }
        Ok(())
    }

    /// What keeps records less well than promised, as far as is known: topics of Kafka with weak settings, records that
    /// were lost there. For a page or a report; all of it was logged as well.
    #[must_use]
    pub fn weaknesses(&self) -> Vec<Weakness> {
        ask!(self, _engine => Vec::new(), kafka => kafka.weaknesses())
    }

    /// Why nothing can be stored now; none while all is well. Whatever is refused meanwhile may be sent again.
    #[must_use]
    pub fn unwritable(&self) -> Option<StreamError> {
        ask!(self, engine => engine.unwritable(), kafka => kafka.unwritable())
    }

    /// The newest delivery's offset, and every later one.
    #[must_use]
    pub fn delivery_head(&self) -> watch::Receiver<DeliveryOffset> {
        ask!(self, engine => engine.delivery_head())
    }

    /// The newest event's offset, and every later one.
    #[must_use]
    pub fn event_head(&self) -> watch::Receiver<EventOffset> {
        ask!(self, engine => engine.event_head())
    }

    /// Stores a delivery. It is durable when this returns; a second one of the same source and id is not stored.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn append(&self, delivery: NewDelivery) -> Result<Receipt, StreamError> {
        ask!(self, engine => engine.append(delivery).await, kafka => kafka.append(delivery).await)
    }

    /// Stores many deliveries in order, in as few commits as the limits allow. Durable when this returns. After an
    /// error some may be stored; handing all of them in again stores the rest.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn append_all(&self, deliveries: Vec<NewDelivery>) -> Result<Vec<Receipt>, StreamError> {
        ask!(self, engine => engine.append_all(deliveries).await, kafka => kafka.append_all(deliveries).await)
    }

    /// Deliveries after an offset, oldest first, at most `limit` and about 32 MB of bodies.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn deliveries(&self, after: DeliveryOffset, limit: usize) -> Result<Vec<Delivery>, StreamError> {
        ask!(self, engine => engine.deliveries(after, limit).await)
    }

    /// One delivery.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn delivery(&self, offset: DeliveryOffset) -> Result<Option<Delivery>, StreamError> {
        ask!(self, engine => engine.delivery(offset).await)
    }

    /// Where the delivery of that source and id stands, if there is one.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn delivery_by_id(
        &self,
        source: &SourceName,
        id: &DeliveryId,
    ) -> Result<Option<DeliveryOffset>, StreamError> {
        ask!(self, engine => engine.delivery_by_id(source, id).await)
    }

    /// Deliveries of one source, newest first, before an offset if one is given; at most `limit` and about 32 MB of
    /// bodies.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn deliveries_of(
        &self,
        source: &SourceName,
        before: Option<DeliveryOffset>,
        limit: usize,
    ) -> Result<Vec<Delivery>, StreamError> {
        ask!(self, engine => engine.deliveries_of(source, before, limit).await)
    }

    /// Records what normalization made of deliveries, in order, and the reader's checkpoint at the last of them, in one transaction. An event whose id is recorded already is left as it is, unless it is `revise`d. Returns the events that were recorded. Also settles a quarantined delivery that is read again.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn record(&self, reader: ReaderName, readings: Vec<Reading>) -> Result<Vec<EventOffset>, StreamError> {
        ask!(self, engine => engine.record(reader, readings).await)
    }

    /// Appends a corrected reading of events that are recorded already; from then on readers see only the later one.
    /// An event that reads as it did before is left as it is. Returns the events that were recorded.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn revise(&self, readings: Vec<Reading>) -> Result<Vec<EventOffset>, StreamError> {
        ask!(self, engine => engine.revise(readings).await)
    }

    /// The latest readings of events after an offset, oldest first, at most `limit`: an event that was corrected
    /// stands where its correction was recorded.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn events(&self, after: EventOffset, limit: usize) -> Result<Vec<Recorded>, StreamError> {
        ask!(self, engine => engine.events(after, limit).await)
    }

    /// The latest reading of one event.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn event(&self, id: EventId) -> Result<Option<Recorded>, StreamError> {
        ask!(self, engine => engine.event(id).await)
    }

    /// The latest readings of these events, in the order asked for; unknown ids are left out.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn events_by_id(&self, ids: Vec<EventId>) -> Result<Vec<Recorded>, StreamError> {
        ask!(self, engine => engine.events_by_id(ids).await)
    }

    /// The latest readings of the events of one delivery, in order.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn events_of(&self, delivery: DeliveryOffset) -> Result<Vec<Recorded>, StreamError> {
        ask!(self, engine => engine.events_of(delivery).await)
    }

    /// Searches events, newest first.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn search(&self, search: Search) -> Result<Page, StreamError> {
        ask!(self, engine => search::plan::search(engine, search).await)
    }

    /// Counts the events of a query in `bars` equal steps of `[from, to)`, by [`Event::time`].
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn histogram(
        &self,
        query: Query,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        bars: u32,
    ) -> Result<Vec<Bar>, StreamError> {
        ask!(self, engine => engine.histogram(query, from, to, bars).await)
    }

    /// Deliveries in quarantine, oldest first, at most `limit`.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn quarantined(&self, limit: usize) -> Result<Vec<Quarantined>, StreamError> {
        ask!(self, engine => engine.quarantined(limit).await)
    }

    /// Figures of every source that ever delivered, by name.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn sources(&self) -> Result<Vec<SourceFigures>, StreamError> {
        ask!(self, engine => engine.sources().await)
    }

    /// How far a reader has come; 0 if it never read.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn checkpoint(&self, reader: ReaderName) -> Result<i64, StreamError> {
        ask!(self, engine => engine.checkpoint(reader).await)
    }

    /// Notes how far a reader has come.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn save_checkpoint(&self, reader: ReaderName, position: i64) -> Result<(), StreamError> {
        ask!(self, engine => engine.save_checkpoint(reader, position).await)
    }

    /// A small value of the installation, such as the generation of facts that is live.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StreamError> {
        ask!(self, engine => engine.setting(name).await)
    }

    /// Keeps a small value of the installation.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn save_setting(&self, name: &str, value: String) -> Result<(), StreamError> {
        ask!(self, engine => engine.save_setting(name, value).await)
    }

    /// Recomputes the hash chains of both streams and returns the first broken link, if any, in words. `progress` hears how many records were checked.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn verify(&self, progress: impl Fn(u64) + Send + Sync) -> Result<Option<String>, StreamError> {
        ask!(self, engine => verify::verify(engine, progress).await)
    }

    /// Removes the oldest events and deliveries, up to and with these, for ever: the declared door of retention. The
    /// hash chains go on from the last that was removed, and a removed delivery that comes again is still a duplicate.
    /// An event that was removed is recorded again if its delivery is read again, so remove both up to the same time.
    /// What a reader has not read yet is removed all the same. Small transactions: after an error some are removed.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn trim(
        &self,
        events_through: EventOffset,
        deliveries_through: DeliveryOffset,
    ) -> Result<(), StreamError> {
        // Events first: they say which delivery they were read from.
        for (stream, through) in [(Stream::Events, events_through.0), (Stream::Deliveries, deliveries_through.0)] {
            while ask!(self, engine => engine.trim(stream, through).await)? {}
        }
        Ok(())
    }

    /// The oldest event that was not removed by [`Streams::trim`]; 1 if none was removed.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn oldest_event(&self) -> Result<EventOffset, StreamError> {
        Ok(EventOffset(ask!(self, engine => engine.trimmed(Stream::Events).await)?.position + 1))
    }

    /// The oldest delivery that was not removed by [`Streams::trim`]; 1 if none was removed.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn oldest_delivery(&self) -> Result<DeliveryOffset, StreamError> {
        Ok(DeliveryOffset(ask!(self, engine => engine.trimmed(Stream::Deliveries).await)?.position + 1))
    }

    /// Waits until the writer has committed what is queued, then closes the files.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub async fn close(&self) -> Result<(), StreamError> {
        ask!(self, engine => engine.close().await, kafka => kafka.close().await)
    }
}
