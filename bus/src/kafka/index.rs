//! From the topic of deliveries into the log. The place of each partition is kept in the log's own database and moves
//! in the transaction that appends, so that a delivery is taken once whatever stops in between. A process that was
//! paused while another took over finds a place it does not expect, and begins anew.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::sync::watch;

use super::client::{BackOff, finish};
use super::courier::{Courier, DeadLetter, ShipError};
use super::postgres::Advance;
use super::wire::{Envelope, Poison};
use crate::delivery::NewDelivery;
use crate::stop::stopped;
use crate::streams::StreamError;
use crate::streams::body::off_thread;
use crate::streams::postgres::Postgres;
use crate::streams::write::queue::BATCH_BYTES_MAX;
use consumer::{Heard, Taken};

pub(super) mod consumer;

/// A reference is written before the message that holds it, so one that is not found at once is hardly found later:
/// only a database that was just restored, or a replica, may be behind.
const REFERENCE_ATTEMPTS: u32 = 3;
const REFERENCE_WAIT: Duration = Duration::from_millis(200);

/// Takes deliveries into the log.
#[derive(Debug, Clone)]
pub(super) struct Indexer {
    pub(super) log: Postgres,
    pub(super) courier: Courier,
    pub(super) consumer: consumer::Settings,
}

/// Why a session ended. The next begins where the log is.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Streams(#[from] StreamError),
    #[error("another process has taken deliveries of partition {0} meanwhile")]
    Superseded(i32),
    #[error("a record that is no delivery could not be put with the dead letters")]
    DeadLetter(#[source] ShipError),
    #[error("the consumer has ended")]
    Consumer,
}

/// Where the log stands in each partition that is ours; none before its first record.
type Places = HashMap<i32, Option<i64>>;

impl Indexer {
    /// Takes deliveries until `stop` turns true, whatever happens to brokers or database.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut waits = BackOff::new();
        while !*stop.borrow() {
            let Some(Err(error)) = finish(self.session(stop.clone(), &mut waits), &mut stop).await else { return };
            let wait = waits.next();
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                retry_ms = wait.as_millis(),
                "deliveries wait in Kafka for the log"
            );
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stopped(&mut stop) => {}
            }
        }
    }

    /// Works as one member of the consumer group.
    async fn session(&self, mut stop: watch::Receiver<bool>, waits: &mut BackOff) -> Result<(), Ended> {
        let mut consumer = consumer::start(self.consumer.clone()).await?;
        let mut places = Places::new();
        let ended = loop {
            let heard = tokio::select! {
                heard = consumer.heard.recv() => heard,
                () = stopped(&mut stop) => break Ok(()),
            };
            // Not part of what is selected: a batch that was begun is finished.
            match heard {
                Some(Heard::Assigned(assigned)) => places.extend(assigned),
                Some(Heard::Revoked(revoked, done)) => {
                    places.retain(|partition, _| !revoked.contains(partition));
                    // The consumer may have given up waiting.
                    done.send(()).ok();
                }
                Some(Heard::Records(records)) => match self.take(records, &mut places).await {
                    Ok(()) => {
                        consumer.taken(&places);
                        waits.reset();
                    }
                    Err(error) => break Err(error),
                },
                Some(Heard::Failed(error)) => break Err(error.into()),
                None => break Err(Ended::Consumer),
            }
        };
        consumer.end().await;
        ended
    }

    /// Takes records into the log, in parts that fit into memory.
    async fn take(&self, records: Vec<Taken>, places: &mut Places) -> Result<(), Ended> {
        let bytes = records.iter().map(Taken::bytes).sum();
        // Hashing is work.
        let read = off_thread(bytes, || records.into_iter().map(Read::of).collect::<Vec<_>>()).await?;
        let mut part = Part::default();
        for record in read {
            // Records of a partition that was given up after they were fetched are another's.
            if places.contains_key(&record.place.partition) {
                self.add(record, &mut part).await?;
            }
            if part.bytes >= BATCH_BYTES_MAX {
                self.append(std::mem::take(&mut part), places).await?;
            }
        }
        self.append(part, places).await
    }

    async fn add(&self, record: Read, part: &mut Part) -> Result<(), Ended> {
        let place = record.place;
        let buried = match record.content {
            Content::Whole(delivery) => {
                part.add(delivery);
                None
            }
            Content::ByReference(envelope, value) => match self.fetch(&envelope).await? {
                Ok(body) => {
                    part.add(envelope.fill(body));
                    None
                }
                Err(poison) => Some((poison, value)),
            },
            Content::Poison(poison, value) => Some((poison, value)),
        };
        if let Some((poison, value)) = buried {
            let letter = DeadLetter {
                key: record.key,
                value,
                headers: record.headers,
                place: (self.courier.topics.deliveries.clone(), place.partition, place.offset),
                error: poison.to_string(),
            };
            self.courier.bury(&letter).await.map_err(Ended::DeadLetter)?;
        }
        part.next.insert(place.partition, place.offset + 1);
        Ok(())
    }

    /// The body that a message refers to.
    async fn fetch(&self, envelope: &Envelope) -> Result<Result<Vec<u8>, Poison>, Ended> {
        for attempt in 1..=REFERENCE_ATTEMPTS {
            if let Some(body) = self.courier.tables.body(envelope.told).await? {
                return Ok(envelope.check(&body).map(|()| body));
            }
            if attempt < REFERENCE_ATTEMPTS {
                tokio::time::sleep(REFERENCE_WAIT).await;
            }
        }
        Ok(Err(Poison::NoReference(envelope.told.to_hex().to_string())))
    }

    async fn append(&self, part: Part, places: &mut Places) -> Result<(), Ended> {
        let Some(first) = part.next.keys().next().copied() else { return Ok(()) };
        let advance = |(partition, next): (&i32, &i64)| Advance {
            topic: self.courier.topics.deliveries.clone(),
            partition: *partition,
            expected: places.get(partition).copied().flatten(),
            next: *next,
        };
        let advances: Vec<_> = part.next.iter().map(advance).collect();
        let named: Vec<_> = part.deliveries.iter().map(|d| (d.source.clone(), d.delivery_id.clone())).collect();
        let receipts = self.log.append_at(part.deliveries, advances).await?.ok_or(Ended::Superseded(first))?;
        for (receipt, (source, id)) in receipts.iter().zip(named).filter(|(receipt, _)| receipt.conflict) {
            tracing::warn!(
                source.name = source.as_str(),
                delivery.id = id.as_str(),
                delivery.offset = receipt.offset.map(|offset| offset.0),
                "a delivery came again with another body: the first is kept"
            );
        }
        places.extend(part.next.into_iter().map(|(partition, next)| (partition, Some(next))));
        Ok(())
    }
}

/// What is appended at once.
#[derive(Debug, Default)]
struct Part {
    deliveries: Vec<NewDelivery>,
    bytes: usize,
    next: BTreeMap<i32, i64>,
}

impl Part {
    fn add(&mut self, delivery: NewDelivery) {
        self.bytes += delivery.body.len();
        self.deliveries.push(delivery);
    }
}

/// Where a record stands in its topic.
#[derive(Debug, Clone, Copy)]
struct Place {
    partition: i32,
    offset: i64,
}

/// A record and what it is.
struct Read {
    place: Place,
    key: Option<Vec<u8>>,
    headers: Option<rdkafka::message::OwnedHeaders>,
    content: Content,
}

enum Content {
    Whole(NewDelivery),
    ByReference(Envelope, Option<Vec<u8>>),
    Poison(Poison, Option<Vec<u8>>),
}

impl Read {
    fn of(taken: Taken) -> Self {
        let content = match (taken.fields.as_ref().map_err(Clone::clone).and_then(|fields| fields.read()), taken.value)
        {
            (Err(poison), value) => Content::Poison(poison, value),
            (Ok(envelope), value) if envelope.by_reference => Content::ByReference(envelope, value),
            (Ok(_), None) => Content::Poison(Poison::NoBody, None),
            (Ok(envelope), Some(body)) => match envelope.check(&body) {
                Ok(()) => Content::Whole(envelope.fill(body)),
                Err(poison) => Content::Poison(poison, Some(body)),
            },
        };
        // Only dead letters need them again.
        let headers = match &content {
            Content::Whole(_) => None,
            Content::ByReference(..) | Content::Poison(..) => {
                taken.raw_headers.or_else(|| taken.fields.ok().map(|fields| fields.headers()))
            }
        };
        Self { place: Place { partition: taken.partition, offset: taken.offset }, key: taken.key, headers, content }
    }
}
