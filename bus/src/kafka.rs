//! Kafka takes deliveries and carries events; PostgreSQL holds the log, which is the searchable index, and everything
//! that is read from it.
//!
//! ```text
//! append ─► spool ─► topic deliveries ─► index ─► log in PostgreSQL ─► (normalizer) ─► events ─► publish ─► topic events
//! ```
//!
//! A delivery is acknowledged once the spool has it on disk, or without a spool once the brokers have confirmed it. It
//! gets its place in the log later, and duplicates are found then.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::delivery::{NewDelivery, Receipt};
use crate::stop::stopped;
use crate::storage::{KafkaSettings, PostgresSettings, Weakness};
use crate::streams::body::off_thread;
use crate::streams::postgres::Postgres;
use crate::streams::write::queue::{BATCH_BYTES_MAX, BATCH_COMMANDS_MAX};
use crate::streams::{QUEUED_BYTES_MAX, StreamError};
use client::{BackOff, Context, FLUSH_WITHIN};
use config::Role;
use courier::{Courier, ShipError};
use index::Indexer;
use produce::{Producer, Unsent};
use publish::Publisher;
use spool::Spool;
use topics::Topics;
use wire::Parcel;

mod client;
mod config;
mod courier;
mod forward;
mod index;
pub(crate) mod postgres;
mod produce;
mod publish;
mod spool;
mod token;
mod topics;
mod wire;

/// Headers and the like must fit into every message: those that are kept of a request have a few kilobytes.
const MESSAGE_BYTES_MIN: usize = 64 << 10;

const HEADERS_TOO_LARGE: StreamError = StreamError::Busy("its headers are larger than a Kafka message may be");

/// The engine. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct Kafka {
    /// What is read.
    pub(crate) log: Postgres,
    intake: Intake,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: KafkaSettings,
    context: Context,
    /// Sends what is kept elsewhere until the brokers have it.
    courier: Courier,
    alarms: Alarms,
    stop: watch::Sender<bool>,
    /// What runs beside: preparing topics, forwarding.
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// Where deliveries go first.
#[derive(Debug, Clone)]
enum Intake {
    Spool(Spool),
    Brokers(Courier, Arc<Semaphore>),
}

/// What was found to keep things less well than promised. It is looked at by pages, and does not go away by itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Alarms(Arc<Mutex<Vec<Weakness>>>);

impl Alarms {
    /// More are not told apart by anybody.
    const MAX: usize = 100;

    fn raise(&self, weakness: Weakness) {
        tracing::warn!("{weakness}");
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains(&weakness) && all.len() < Self::MAX {
            all.push(weakness);
        }
    }

    fn all(&self) -> Vec<Weakness> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Kafka {
    /// Opens the log and the way to the brokers. With a spool the brokers may be away.
    pub(crate) async fn open(settings: &KafkaSettings, postgres: &PostgresSettings) -> Result<Self, StreamError> {
        check(settings)?;
        let context = Context { tokens: token::Tokens::of(settings)? };
        let topics = Topics::of(settings);
        let log = Postgres::open(postgres).await?;
        let tables = postgres::Tables::open(postgres).await?;
        let producer = |role| Producer::new(config::client(settings, role), context.clone());
        let courier = Courier {
            producer: producer(Role::Patient)?,
            topics,
            tables,
            message_bytes_max: settings.message_bytes_max,
        };
        let intake = match &settings.spool {
            Some(spool) => Intake::Spool(Spool::open(spool).await?),
            None => {
                let direct = Courier { producer: producer(Role::Direct)?, ..courier.clone() };
                Intake::Brokers(direct, Arc::new(Semaphore::new(QUEUED_BYTES_MAX)))
            }
        };
        let shared = Shared {
            settings: settings.clone(),
            context,
            courier,
            alarms: Alarms::default(),
            stop: watch::channel(false).0,
            tasks: Mutex::default(),
        };
        let kafka = Self { log, intake, shared: Arc::new(shared) };
        kafka.begin().await?;
        Ok(kafka)
    }

    /// Prepares the topics. With a spool that may wait for the brokers, and deliveries do not.
    async fn begin(&self) -> Result<(), StreamError> {
        let prepared = self.shared.prepare().await;
        match (&self.intake, prepared) {
            (Intake::Brokers(..), Err(StreamError::Kafka(error))) => Err(StreamError::Setup(format!(
                "the Kafka brokers {} cannot be used: {error}. Start them, or configure a spool that takes deliveries \
                 while they are away",
                self.shared.settings.brokers.join(", ")
            ))),
            (Intake::Brokers(..), prepared) => prepared,
            (Intake::Spool(spool), prepared) => {
                if let Err(error) = prepared {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the Kafka brokers cannot be used yet");
                    self.spawn(prepare_later(Arc::clone(&self.shared)));
                }
                let courier = self.shared.courier.clone();
                self.spawn(forward::run(spool.clone(), courier, self.shared.stop.subscribe()));
                Ok(())
            }
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.shared.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(tokio::spawn(task));
    }

    /// Why no delivery can be taken now. Without a spool only the brokers know, and tell each sender.
    pub(crate) fn unwritable(&self) -> Option<StreamError> {
        match &self.intake {
            Intake::Spool(spool) => spool.unwritable(),
            Intake::Brokers(..) => None,
        }
    }

    /// What keeps deliveries or events less well than promised, as far as is known.
    pub(crate) fn weaknesses(&self) -> Vec<Weakness> {
        self.shared.alarms.all()
    }

    /// Stores a delivery. Its place is not known yet.
    pub(crate) async fn append(&self, delivery: NewDelivery) -> Result<Receipt, StreamError> {
        self.put(vec![delivery]).await?;
        Ok(UNPLACED)
    }

    /// Stores many, in parts.
    pub(crate) async fn append_all(&self, deliveries: Vec<NewDelivery>) -> Result<Vec<Receipt>, StreamError> {
        let count = deliveries.len();
        let mut deliveries = deliveries.into_iter().peekable();
        while deliveries.peek().is_some() {
            let (mut part, mut bytes) = (Vec::new(), 0);
            while part.len() < BATCH_COMMANDS_MAX && bytes < BATCH_BYTES_MAX {
                let Some(delivery) = deliveries.next() else { break };
                bytes += delivery.body.len();
                part.push(delivery);
            }
            self.put(part).await?;
        }
        Ok(vec![UNPLACED; count])
    }

    async fn put(&self, deliveries: Vec<NewDelivery>) -> Result<(), StreamError> {
        let too_large = |delivery: &NewDelivery| {
            let headers: usize = delivery.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
            // As JSON a byte takes up to six.
            headers * 6 + MESSAGE_BYTES_MIN / 4 > self.shared.settings.message_bytes_max
        };
        if *self.shared.stop.borrow() {
            return Err(StreamError::Stopped);
        }
        if deliveries.iter().any(too_large) {
            return Err(HEADERS_TOO_LARGE);
        }
        match &self.intake {
            Intake::Spool(spool) => spool.put(deliveries).await,
            Intake::Brokers(courier, room) => {
                let bytes = deliveries.iter().map(|delivery| delivery.body.len()).sum::<usize>().max(1);
                let permits = u32::try_from(bytes.min(QUEUED_BYTES_MAX)).unwrap_or(u32::MAX);
                let room = Arc::clone(room).try_acquire_many_owned(permits).map_err(|_| FULL)?;
                let courier = courier.clone();
                // Not the caller's task: a request that is dropped must not leave half of it undone.
                let sending = tokio::spawn(async move {
                    let sent = send(&courier, deliveries, bytes).await;
                    drop(room);
                    sent
                });
                sending.await.map_err(|_| StreamError::Stopped)?
            }
        }
    }

    /// Takes deliveries into the log and publishes events until `stop` turns true.
    pub(crate) async fn carry(&self, stop: watch::Receiver<bool>) {
        let (shared, courier) = (&self.shared, &self.shared.courier);
        let indexer = Indexer {
            log: self.log.clone(),
            courier: courier.clone(),
            consumer: index::consumer::Settings {
                config: config::client(&shared.settings, Role::Indexer),
                context: shared.context.clone(),
                topic: courier.topics.deliveries.clone(),
                tables: courier.tables.clone(),
                alarms: shared.alarms.clone(),
            },
        };
        let publisher = Publisher {
            log: self.log.clone(),
            courier: courier.clone(),
            tail: config::client(&shared.settings, Role::Tail),
            context: shared.context.clone(),
            retention_hours: shared.settings.retention_hours,
        };
        // Large futures, kept off the caller's.
        tokio::join!(Box::pin(indexer.run(stop.clone())), Box::pin(publisher.run(stop)));
    }

    /// Waits for what is on its way, but not for brokers that are away, and closes everything.
    pub(crate) async fn close(&self) -> Result<(), StreamError> {
        self.shared.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.shared.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // They end by themselves, within the time that a flush may take.
            drop(task.await);
        }
        let closed = match &self.intake {
            Intake::Spool(spool) => spool.close().await,
            Intake::Brokers(courier, room) => {
                // What was handed in is still sent.
                let all = u32::try_from(QUEUED_BYTES_MAX).unwrap_or(u32::MAX);
                drop(tokio::time::timeout(FLUSH_WITHIN, room.acquire_many(all)).await);
                if !courier.producer.flush(FLUSH_WITHIN).await {
                    tracing::warn!("deliveries that no sender waits for any more were not confirmed by the brokers");
                }
                Ok(())
            }
        };
        self.shared.courier.tables.close().await;
        self.log.close().await.and(closed)
    }
}

/// A receipt of what has no place yet.
const UNPLACED: Receipt = Receipt { offset: None, duplicate: false, conflict: false };

const FULL: StreamError = StreamError::Busy("too many deliveries wait for the brokers");

/// Settings that cannot work are refused with what to do about them.
fn check(settings: &KafkaSettings) -> Result<(), StreamError> {
    let why = if settings.brokers.is_empty() {
        "no Kafka brokers are configured: give host:port of some".to_owned()
    } else if settings.partitions == 0 || settings.replication == 0 {
        "Kafka topics need at least one partition and one replica".to_owned()
    } else if settings.message_bytes_max < MESSAGE_BYTES_MIN {
        format!("the largest Kafka message must have at least {MESSAGE_BYTES_MIN} bytes")
    } else {
        return Ok(());
    };
    Err(StreamError::Setup(why))
}

/// Sends deliveries and waits until the brokers have all of them.
async fn send(courier: &Courier, deliveries: Vec<NewDelivery>, bytes: usize) -> Result<(), StreamError> {
    let parcels: Result<Vec<Parcel>, StreamError> =
        off_thread(bytes, || deliveries.into_iter().map(Parcel::new).collect()).await?;
    let parcels = parcels?;
    if !parcels.iter().all(|parcel| courier.takes(parcel)) {
        return Err(HEADERS_TOO_LARGE);
    }
    let mut sent = Ok(());
    let mut on_their_way = Vec::with_capacity(parcels.len());
    for parcel in &parcels {
        match courier.send(parcel).await {
            Ok(report) => on_their_way.push((parcel, report)),
            Err(error) => {
                sent = Err(error);
                break;
            }
        }
    }
    for (parcel, report) in on_their_way {
        sent = courier.settle(parcel, report).await.and(sent);
    }
    sent.map_err(|error| match error {
        ShipError::Unsent(Unsent::Full) => FULL,
        ShipError::Unsent(error @ (Unsent::TooLarge | Unsent::Unknown(_))) => {
            tracing::warn!(error = %error, "a delivery is not confirmed by the brokers, and its sender has to come again");
            StreamError::Busy("the brokers do not confirm deliveries")
        }
        ShipError::Body(error) => error,
    })
}

impl Shared {
    async fn prepare(&self) -> Result<(), StreamError> {
        let courier = &self.courier;
        let weaknesses = courier.topics.prepare(&self.settings, &self.context, &courier.producer).await?;
        weaknesses.into_iter().for_each(|weakness| self.alarms.raise(weakness));
        Ok(())
    }
}

/// Prepares the topics as soon as the brokers are there.
async fn prepare_later(shared: Arc<Shared>) {
    let mut waits = BackOff::new();
    let mut stop = shared.stop.subscribe();
    loop {
        tokio::select! {
            () = tokio::time::sleep(waits.next()) => {}
            () = stopped(&mut stop) => return,
        }
        match shared.prepare().await {
            Ok(()) => return tracing::info!("the Kafka brokers are there"),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the Kafka brokers cannot be used yet")
            }
        }
    }
}
