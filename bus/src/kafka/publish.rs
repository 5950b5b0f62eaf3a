//! From the log to the topic of events: in the order of the log, each as a `CloudEvent` in the structured mode of the
//! Kafka binding. One process at a time does it.
//!
//! How far it has come is noted after the brokers have confirmed; what they have beyond that is looked up at the start.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, Message as _, OwnedHeaders};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::Deserialize;
use tokio::sync::watch;

use super::client::{BackOff, Context, finish};
use super::courier::Courier;
use super::produce::{Record, Report, Unsent};
use crate::cdevents::to_cloudevent;
use crate::cloudevents::{Attribute, CloudEvent, Payload};
use crate::data::Data;
use crate::delivery::Delivery;
use crate::event::Recorded;
use crate::ids::{DeliveryOffset, EventOffset, ReaderName};
use crate::lease::Lease;
use crate::stop::stopped;
use crate::streams::StreamError;
use crate::streams::postgres::Postgres;

/// Whose lease and checkpoint it is.
const NAME: &str = "kafka.publish";

/// Events on their way at the same time: what brokers confirm in a few milliseconds.
const WAVE: usize = 256;

/// Records looked at at the end of each partition: more than can be on their way beyond what is noted, repeated twice.
const TAIL: i64 = 1_024;

/// Brokers that are there answer within this.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Looking at the ends of all partitions takes no longer.
const TAIL_TIMEOUT: Duration = Duration::from_secs(30);

/// How often bodies that no message refers to any more are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);

/// Bodies are kept so many hours longer than the messages that refer to them: brokers remove whole segments.
const PRUNE_LATER_HOURS: u32 = 8 * 24;

/// Where an event that is too large for a message is read.
const EVENTS_PATH: &str = "/api/v1/events";

/// Publishes events.
#[derive(Debug, Clone)]
pub(super) struct Publisher {
    pub(super) log: Postgres,
    pub(super) courier: Courier,
    pub(super) tail: ClientConfig,
    pub(super) context: Context,
    /// How long messages are kept; none for ever.
    pub(super) retention_hours: Option<u32>,
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Streams(#[from] StreamError),
    #[error("an event could not be published")]
    Unsent(#[from] Unsent),
    #[error("an event cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    #[error("another process publishes events now")]
    LeaseLost,
}

impl From<KafkaError> for Ended {
    fn from(error: KafkaError) -> Self {
        Self::Streams(error.into())
    }
}

impl Publisher {
    /// Publishes until `stop` turns true, whatever happens to brokers or database.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut waits = BackOff::new();
        loop {
            let Some(Err(error)) = finish(self.session(stop.clone(), &mut waits), &mut stop).await else { return };
            let wait = waits.next();
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                retry_ms = wait.as_millis(),
                "events wait in the log for Kafka"
            );
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stopped(&mut stop) => return,
            }
        }
    }

    async fn session(&self, mut stop: watch::Receiver<bool>, waits: &mut BackOff) -> Result<(), Ended> {
        let lease = tokio::select! {
            lease = self.log.lease(NAME) => lease?,
            () = stopped(&mut stop) => return Ok(()),
        };
        let mut head = self.log.event_head();
        let mut at = EventOffset(self.log.checkpoint(ReaderName(NAME)).await?);
        let mut there = self.published(at).await?;
        let mut bodies = Bodies::default();
        let mut pruned: Option<Instant> = None;
        loop {
            if lost(&lease) {
                return Err(Ended::LeaseLost);
            }
            if *stop.borrow() {
                return Ok(());
            }
            if pruned.is_none_or(|at| at.elapsed() >= PRUNE_EVERY) {
                self.prune().await;
                pruned = Some(Instant::now());
            }
            // Looked at before the log is read: what is recorded meanwhile wakes us again.
            head.borrow_and_update();
            let events = self.log.events(at, WAVE).await?;
            let Some(last) = events.last().map(|event| event.offset) else {
                tokio::select! {
                    changed = head.changed() => if changed.is_err() { return Err(StreamError::Stopped.into()) },
                    () = lease.lost() => return Err(Ended::LeaseLost),
                    () = tokio::time::sleep(PRUNE_EVERY) => {}
                    () = stopped(&mut stop) => return Ok(()),
                }
                continue;
            };
            self.publish(events, &there, &mut bodies).await?;
            self.log.save_checkpoint(ReaderName(NAME), last.0).await?;
            at = last;
            // Only what was on its way at the start can be there already.
            there.retain(|(sequence, _)| *sequence > at.0);
            waits.reset();
        }
    }

    /// Sends events in order and waits until the brokers have all of them.
    async fn publish(&self, events: Vec<Recorded>, there: &Published, bodies: &mut Bodies) -> Result<(), Ended> {
        let mut sent: Vec<(Recorded, Report)> = Vec::with_capacity(events.len());
        for event in events {
            if there.contains(&(event.offset.0, event.event.id.to_string())) {
                continue;
            }
            let body = bodies.of(&self.log, &event).await?;
            loop {
                match self.send(&event, body.as_deref()) {
                    Ok(report) => break sent.push((event, report)),
                    // Nothing is queued beside this wave, so there is room once it is settled.
                    Err(Ended::Unsent(Unsent::Full)) if !sent.is_empty() => {
                        self.settle(std::mem::take(&mut sent)).await?;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        self.settle(sent).await
    }

    async fn settle(&self, sent: Vec<(Recorded, Report)>) -> Result<(), Ended> {
        let mut settled = Ok(());
        // All are heard, so that none is on its way when it is sent again.
        for (event, report) in sent {
            match self.courier.producer.settle(report).await {
                Ok(()) => {}
                // The topic takes less than was configured.
                Err(Unsent::TooLarge) => {
                    let report = self.offer(&event, &by_reference(&event).to_json()?)?;
                    match self.courier.producer.settle(report).await {
                        Err(Unsent::TooLarge) => too_large(&event),
                        other => settled = settled.and(other),
                    }
                }
                Err(error) => settled = Err(error),
            }
        }
        Ok(settled?)
    }

    fn send(&self, event: &Recorded, body: Option<&[u8]>) -> Result<Report, Ended> {
        /// What a message takes beside key and value.
        const ENVELOPE_BYTES: usize = 256;
        let mut json = to_cloudevent(event, body).to_json()?;
        if json.len() + event.event.key.0.len() + ENVELOPE_BYTES > self.courier.message_bytes_max {
            json = by_reference(event).to_json()?;
        }
        Ok(self.offer(event, &json)?)
    }

    fn offer(&self, event: &Recorded, json: &[u8]) -> Result<Report, Unsent> {
        let key = event.event.key.0.as_bytes();
        let content_type = Header { key: "content-type", value: Some("application/cloudevents+json; charset=UTF-8") };
        self.courier.producer.send(Record {
            topic: &self.courier.topics.events,
            partition: None,
            key: (!key.is_empty()).then_some(key),
            value: Some(json),
            headers: OwnedHeaders::new().insert(content_type),
        })
    }

    /// What the topic has after an offset.
    async fn published(&self, after: EventOffset) -> Result<Published, Ended> {
        let topic = self.courier.topics.events.clone();
        let partitions = self.courier.topics.partitions(&self.courier.producer, &topic).await?;
        let (config, context) = (self.tail.clone(), self.context.clone());
        let (found, receiver) = tokio::sync::oneshot::channel();
        // Not in the pool: a token may have to be waited for, which its threads must not.
        let look = move || drop(found.send(tail(&config, context, &topic, partitions, after)));
        let spawned = std::thread::Builder::new().name("kafka-tail".to_owned()).spawn(look);
        spawned.map(drop).map_err(|source| StreamError::File { path: "a thread for Kafka".to_owned(), source })?;
        Ok(receiver.await.map_err(|_| StreamError::Stopped)??)
    }

    async fn prune(&self) {
        let Some(hours) = self.retention_hours else { return };
        match self.courier.tables.prune_bodies(hours.saturating_add(PRUNE_LATER_HOURS)).await {
            Ok(0) => {}
            Ok(bodies) => tracing::info!(bodies, "bodies that no message refers to any more were removed"),
            // It is tried again in an hour.
            Err(error) => tracing::warn!(error = %error, "old bodies could not be removed"),
        }
    }
}

fn lost(lease: &Lease) -> bool {
    lease.watch().is_some_and(|lost| *lost.borrow())
}

/// Sequence and id of events that are in the topic.
type Published = HashSet<(i64, String)>;

/// The members of an event that say whether it is one of ours.
#[derive(Deserialize)]
struct Known {
    id: String,
    sequence: String,
}

/// Reads the ends of all partitions.
fn tail(
    config: &ClientConfig,
    context: Context,
    topic: &str,
    partitions: i32,
    after: EventOffset,
) -> Result<Published, KafkaError> {
    let consumer: BaseConsumer<Context> = config.create_with_context(context)?;
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        let (low, high) = consumer.fetch_watermarks(topic, partition, ANSWER_TIMEOUT)?;
        list.add_partition_offset(topic, partition, Offset::Offset((high - TAIL).max(low)))?;
    }
    consumer.assign(&list)?;
    let (mut ended, mut published) = (HashSet::new(), Published::new());
    let began = Instant::now();
    while ended.len() < usize::try_from(partitions).unwrap_or(0) {
        if began.elapsed() > TAIL_TIMEOUT {
            return Err(KafkaError::NoMessageReceived);
        }
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                let known: Option<Known> = message.payload().and_then(|payload| serde_json::from_slice(payload).ok());
                let sequence = known.as_ref().and_then(|known| known.sequence.parse().ok());
                if let (Some(known), Some(sequence)) = (known, sequence)
                    && sequence > after.0
                {
                    published.insert((sequence, known.id));
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(ended.insert(partition)),
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error),
            // The library goes on by itself.
            Some(Err(_)) | None => {}
        }
    }
    Ok(published)
}

/// The event without its data, and where they are read.
fn by_reference(event: &Recorded) -> CloudEvent {
    let mut envelope = to_cloudevent(event, None);
    envelope.payload = Payload::None;
    envelope.datacontenttype = None;
    let reference = Attribute::UriReference(format!("{EVENTS_PATH}/{}", event.event.id));
    envelope.extensions.insert("dataref".to_owned(), reference);
    envelope
}

fn too_large(event: &Recorded) {
    tracing::error!(
        event.id = %event.event.id,
        event.offset = event.offset.0,
        "an event is too large for its topic even without its data, and is left out there"
    );
}

/// The bodies of deliveries whose events have no data of their own. Events of one delivery follow each other.
#[derive(Default)]
struct Bodies(Option<(DeliveryOffset, Option<Delivery>)>);

impl Bodies {
    async fn of(&mut self, log: &Postgres, event: &Recorded) -> Result<Option<Vec<u8>>, StreamError> {
        if !matches!(event.event.data, Data::AsReceived) {
            return Ok(None);
        }
        let offset = event.origin.delivery;
        if self.0.as_ref().is_none_or(|(known, _)| *known != offset) {
            self.0 = Some((offset, log.delivery(offset).await?));
        }
        let delivery = self.0.as_ref().and_then(|(_, delivery)| delivery.as_ref());
        Ok(delivery.map(|delivery| delivery.content.body.clone()))
    }
}
