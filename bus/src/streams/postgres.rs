//! The PostgreSQL engine: any number of processes append to one log. This file opens and closes it and hands work to
//! the writers; what is written is in `write/postgres.rs`, what is read in `read/postgres.rs` and `search/postgres.rs`.
//!
//! The head row of a log is its sequencer: a transaction that appends locks it first, takes position and chain hash
//! from it, and leaves it pointing to the last row it wrote. So positions are dense and in order of commit whichever
//! process appends, no leader has to be elected, and a process that was paused in a transaction holds nobody up for
//! long: the server ends its session.

use std::sync::Arc;

use sqlx::PgConnection;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::search::GapCache;
use super::trim::postgres as trim;
use super::verify::Stream;
use super::write::queue::Queue;
use super::{Reading, StreamError};
use crate::delivery::{NewDelivery, Receipt};
use crate::ids::{DeliveryOffset, EventOffset, ReaderName};
use crate::lease::{self, Lease};
use crate::postgres::{self as server, STREAMS_SCHEMA, patiently};
use crate::storage::PostgresSettings;
use heads::Heads;
use writer::Writer;

mod heads;
mod writer;

/// What processes tell each other on: that a head has moved. Whoever misses it sees it a second later.
const CHANNEL: &str = "devhose";

/// The engine. Clones share the writers.
#[derive(Debug, Clone)]
pub(super) struct Postgres {
    /// Takes deliveries.
    deliveries: Queue,
    /// Takes everything else, so that the two logs do not wait for each other.
    events: Queue,
    delivery_head: watch::Receiver<DeliveryOffset>,
    event_head: watch::Receiver<EventOffset>,
    closing: Arc<watch::Sender<bool>>,
    options: Arc<PgConnectOptions>,
    pub(super) readers: PgPool,
    pub(super) gaps: GapCache,
}

impl Postgres {
    pub(super) async fn open(settings: &PostgresSettings) -> Result<Self, StreamError> {
        let migrations = sqlx::migrate!("../migrations/postgres/streams");
        let readers = match server::open(settings, STREAMS_SCHEMA, &migrations).await {
            Err(StreamError::Engine(error)) if server::is_transient(&error) => {
                tracing::warn!(error = %error, "the database does not answer; waiting for it for a minute");
                patiently(|| server::open(settings, STREAMS_SCHEMA, &migrations)).await?
            }
            opened => opened?,
        };
        let options = server::options(settings, STREAMS_SCHEMA)?;
        let (heads, delivery_head, event_head) = Heads::new(patiently(|| load_heads(&readers)).await?);
        let heads = Arc::new(heads);
        let (closing, closed) = watch::channel(false);
        let (deliveries, delivery_jobs) = Queue::new();
        let (events, event_jobs) = Queue::new();
        // Not the caller's task: a request that is dropped must not stop a commit. They end with the last handle.
        drop(tokio::spawn(Writer::of_deliveries(options.clone(), delivery_jobs, Arc::clone(&heads)).run()));
        drop(tokio::spawn(Writer::of_events(options.clone(), event_jobs, Arc::clone(&heads)).run()));
        drop::<JoinHandle<()>>(tokio::spawn(heads::watch(listeners(&options), heads, closed)));
        Ok(Self {
            deliveries,
            events,
            delivery_head,
            event_head,
            closing: Arc::new(closing),
            options: Arc::new(options),
            readers,
            gaps: GapCache::default(),
        })
    }

    pub(super) async fn lease(&self, name: &'static str) -> Result<Lease, StreamError> {
        lease::postgres::take(&self.options, name).await
    }

    pub(super) fn delivery_head(&self) -> watch::Receiver<DeliveryOffset> {
        self.delivery_head.clone()
    }

    pub(super) fn event_head(&self) -> watch::Receiver<EventOffset> {
        self.event_head.clone()
    }

    pub(super) async fn append(&self, delivery: NewDelivery) -> Result<Receipt, StreamError> {
        self.deliveries.append(delivery).await
    }

    pub(super) async fn append_all(&self, deliveries: Vec<NewDelivery>) -> Result<Vec<Receipt>, StreamError> {
        self.deliveries.append_all(deliveries).await
    }

    pub(super) async fn record(
        &self,
        reader: ReaderName,
        readings: Vec<Reading>,
    ) -> Result<Vec<EventOffset>, StreamError> {
        self.events.record(Some(reader), readings).await
    }

    pub(super) async fn revise(&self, readings: Vec<Reading>) -> Result<Vec<EventOffset>, StreamError> {
        self.events.record(None, readings).await
    }

    pub(super) async fn save_checkpoint(&self, reader: ReaderName, position: i64) -> Result<(), StreamError> {
        self.events.save_checkpoint(reader, position).await
    }

    pub(super) async fn save_setting(&self, name: &str, value: String) -> Result<(), StreamError> {
        self.events.save_setting(name, value).await
    }

    /// Not by a writer: it takes nothing away that an append could need.
    pub(super) async fn trim(&self, stream: Stream, through: i64) -> Result<bool, StreamError> {
        patiently(|| trim::trim(&self.readers, stream, through)).await
    }

    pub(super) async fn close(&self) -> Result<(), StreamError> {
        let (deliveries, events) = tokio::join!(self.deliveries.close(), self.events.close());
        self.closing.send_replace(true);
        self.readers.close().await;
        for closed in [deliveries, events] {
            match closed {
                // Another handle closed it.
                Ok(()) | Err(StreamError::Stopped) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The ends of both logs: deliveries, events.
async fn load_heads(readers: &PgPool) -> Result<(DeliveryOffset, EventOffset), StreamError> {
    Ok(select_heads(readers).await?)
}

async fn select_heads<'c>(executor: impl sqlx::PgExecutor<'c>) -> sqlx::Result<(DeliveryOffset, EventOffset)> {
    const HEADS: &str = "select (select position from log_heads where log = 'deliveries'), \
                         (select position from log_heads where log = 'events')";
    let (deliveries, events): (i64, i64) = sqlx::query_as(HEADS).fetch_one(executor).await?;
    Ok((DeliveryOffset(deliveries), EventOffset(events)))
}

/// The one connection that hears of heads.
fn listeners(options: &PgConnectOptions) -> PgPool {
    // It writes nothing, so its commits need not be durable.
    let options = options.clone().options([("synchronous_commit", "off")]);
    PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None).connect_lazy_with(options)
}

/// Listens; which process of the server it is that does.
async fn listen(listeners: &PgPool) -> sqlx::Result<(PgListener, u32)> {
    let mut listener = PgListener::connect_with(listeners).await?;
    let process: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut listener).await?;
    listener.listen(CHANNEL).await?;
    Ok((listener, process.unsigned_abs()))
}

/// Tells the other processes that a head has moved.
async fn announce(listener: &mut PgListener) -> sqlx::Result<()> {
    sqlx::query("select pg_notify($1, '')").bind(CHANNEL).execute(listener).await?;
    Ok(())
}

async fn begin(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("begin").execute(connection).await?;
    Ok(())
}

async fn commit(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("commit").execute(connection).await?;
    Ok(())
}

async fn roll_back(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("rollback").execute(connection).await?;
    Ok(())
}
