//! A member of the consumer group, on a thread of its own: the client library calls back on the thread that polls it,
//! and what is asked there (how far the log is) may take a while.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _, OwnedHeaders};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::Places;
use crate::kafka::Alarms;
use crate::kafka::client::Context;
use crate::kafka::postgres::Tables;
use crate::kafka::wire::{Fields, Poison};
use crate::storage::Weakness;
use crate::streams::StreamError;
use crate::streams::write::queue::{BATCH_BYTES_MAX, BATCH_COMMANDS_MAX};

/// How often the thread looks whether it is still wanted.
const POLL: Duration = Duration::from_millis(200);

/// Brokers that are there answer within this.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Batches ahead of the one that is being taken.
const BATCHES_AHEAD: usize = 2;

/// What a member needs.
#[derive(Debug, Clone)]
pub(in crate::kafka) struct Settings {
    pub(in crate::kafka) config: ClientConfig,
    pub(in crate::kafka) context: Context,
    pub(in crate::kafka) topic: String,
    pub(in crate::kafka) tables: Tables,
    pub(in crate::kafka) alarms: Alarms,
}

/// What the thread says, in order.
#[derive(Debug)]
pub(super) enum Heard {
    /// Partitions are ours from here on, and where the log is in each.
    Assigned(Places),
    /// Records in their order.
    Records(Vec<Taken>),
    /// Partitions are another's as soon as this is answered.
    Revoked(Vec<i32>, oneshot::Sender<()>),
    /// It cannot go on.
    Failed(StreamError),
}

/// A record as it was read.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) fields: Result<Fields, Poison>,
    /// Kept where the names cannot be read.
    pub(super) raw_headers: Option<OwnedHeaders>,
}

/// A running member.
pub(super) struct Member {
    pub(super) heard: mpsc::Receiver<Heard>,
    taken: Arc<Mutex<HashMap<i32, i64>>>,
    ended: oneshot::Receiver<()>,
}

/// Joins the group.
pub(super) async fn start(settings: Settings) -> Result<Member, StreamError> {
    let (say, heard) = mpsc::channel(BATCHES_AHEAD);
    let (end, ended) = oneshot::channel();
    let taken = Arc::new(Mutex::new(HashMap::new()));
    let topic = settings.topic.clone();
    let rebalancer = Rebalancer {
        context: settings.context,
        say: say.clone(),
        tables: settings.tables,
        topic: settings.topic,
        alarms: settings.alarms,
        runtime: Handle::current(),
    };
    let consumer: BaseConsumer<Rebalancer> = settings.config.create_with_context(rebalancer)?;
    consumer.subscribe(&[&topic])?;
    let thread = Thread { consumer, say, topic, taken: Arc::clone(&taken) };
    let run = move || {
        thread.run();
        // Whoever waited for it may have gone.
        end.send(()).ok();
    };
    let spawned = std::thread::Builder::new().name("kafka-index".to_owned()).spawn(run);
    spawned.map(drop).map_err(|source| StreamError::File { path: "a thread for Kafka".to_owned(), source })?;
    Ok(Member { heard, taken, ended })
}

impl Member {
    /// Tells the group how far the log is, for those who look at its lag: nothing here reads it again.
    pub(super) fn taken(&self, places: &Places) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.extend(places.iter().filter_map(|(partition, next)| Some((*partition, (*next)?))));
    }

    /// Leaves the group.
    pub(super) async fn end(self) {
        drop(self.heard);
        // An error means that the thread has ended already.
        drop(self.ended.await);
    }
}

/// The thread's own.
struct Thread {
    consumer: BaseConsumer<Rebalancer>,
    say: mpsc::Sender<Heard>,
    topic: String,
    taken: Arc<Mutex<HashMap<i32, i64>>>,
}

impl Thread {
    fn run(self) {
        while !self.say.is_closed() {
            let (records, failed) = self.next();
            // An error means that nobody listens any more.
            if !records.is_empty() && self.say.blocking_send(Heard::Records(records)).is_err() {
                break;
            }
            if let Some(error) = failed {
                drop(self.say.blocking_send(Heard::Failed(error.into())));
                break;
            }
            self.tell();
        }
    }

    /// What has arrived, up to the size of a batch.
    fn next(&self) -> (Vec<Taken>, Option<KafkaError>) {
        let (mut records, mut bytes, mut wait) = (Vec::new(), 0, POLL);
        while records.len() < BATCH_COMMANDS_MAX && bytes < BATCH_BYTES_MAX {
            match self.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    let taken = Taken::of(&message);
                    bytes += taken.bytes();
                    records.push(taken);
                    wait = Duration::ZERO;
                }
                Some(Err(error)) if ends(&error) => return (records, Some(error)),
                // The library goes on by itself.
                Some(Err(error)) => tracing::debug!(error = %error, "the Kafka consumer has trouble"),
            }
        }
        (records, None)
    }

    fn tell(&self) {
        let taken = std::mem::take(&mut *self.taken.lock().unwrap_or_else(PoisonError::into_inner));
        if taken.is_empty() {
            return;
        }
        let mut list = TopicPartitionList::new();
        for (partition, next) in taken {
            // Only what is ours; an error is one of a number that no broker has.
            drop(list.add_partition_offset(&self.topic, partition, Offset::Offset(next)));
        }
        if let Err(error) = self.consumer.commit(&list, CommitMode::Async) {
            tracing::debug!(error = %error, "the consumer group does not hear how far the log is");
        }
    }
}

/// Whether the library does not get over an error by itself.
fn ends(error: &KafkaError) -> bool {
    matches!(error, KafkaError::MessageConsumptionFatal(_))
        || matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::UnknownTopic
                    | RDKafkaErrorCode::UnknownPartition
                    | RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::GroupAuthorizationFailed
                    | RDKafkaErrorCode::Fatal
            )
        )
}

impl Taken {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        let pair =
            |header: rdkafka::message::Header<'_, &[u8]>| (header.key.to_owned(), header.value.map(<[u8]>::to_vec));
        // The library panics where a name is no text, which anybody may write.
        let read = || Fields(message.headers().map(|all| all.iter().map(pair).collect()).unwrap_or_default());
        let fields = catch_unwind(AssertUnwindSafe(read)).map_err(|_| Poison::Names);
        let raw_headers =
            if fields.is_err() { message.headers().map(rdkafka::message::BorrowedHeaders::detach) } else { None };
        Self {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            fields,
            raw_headers,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let header = |(name, value): &(String, Option<Vec<u8>>)| name.len() + value.as_ref().map_or(0, Vec::len);
        let headers: usize = self.fields.iter().flat_map(|fields| &fields.0).map(header).sum();
        headers + self.key.as_ref().map_or(0, Vec::len) + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// Begins each partition where the log is, and gives one up only when what was read of it is taken.
struct Rebalancer {
    context: Context,
    say: mpsc::Sender<Heard>,
    tables: Tables,
    topic: String,
    alarms: Alarms,
    runtime: Handle,
}

impl ClientContext for Rebalancer {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = Context::ENABLE_REFRESH_OAUTH_TOKEN;

    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        self.context.log(level, fac, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }

    fn generate_oauth_token(&self, settings: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.context.generate_oauth_token(settings)
    }
}

impl ConsumerContext for Rebalancer {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let done = if what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.assign(consumer, list);
            consumer.incremental_assign(list)
        } else {
            self.revoke(list);
            consumer.incremental_unassign(list)
        };
        if let Err(error) = done {
            drop(self.say.blocking_send(Heard::Failed(error.into())));
        }
    }
}

impl Rebalancer {
    fn assign(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList) {
        let known = match self.runtime.block_on(self.tables.positions(&self.topic)) {
            Ok(known) => known,
            Err(error) => {
                // The protocol wants an answer all the same; nothing of it is taken.
                return drop(self.say.blocking_send(Heard::Failed(error)));
            }
        };
        let partitions: Vec<i32> = list.elements().iter().map(|element| element.partition()).collect();
        let mut places = Places::new();
        for partition in partitions {
            let next = known.get(&partition).copied();
            let from = next.and_then(|next| self.there(consumer, partition, next)).unwrap_or(Offset::Beginning);
            if let Err(error) = list.set_partition_offset(&self.topic, partition, from) {
                return drop(self.say.blocking_send(Heard::Failed(error.into())));
            }
            places.insert(partition, next);
        }
        tracing::info!(kafka.topic = self.topic, partitions = places.len(), "takes deliveries of more partitions");
        drop(self.say.blocking_send(Heard::Assigned(places)));
    }

    /// Where to go on; none if what comes next is gone, and what is left is taken from its beginning.
    fn there(&self, consumer: &BaseConsumer<Self>, partition: i32, next: i64) -> Option<Offset> {
        let at = Some(Offset::Offset(next));
        let Ok((low, high)) = consumer.fetch_watermarks(&self.topic, partition, ANSWER_TIMEOUT) else { return at };
        let what = if next < low {
            format!("{} records were removed before they were taken into the log", low - next)
        } else if next > high {
            format!("it ends at {high}, and the log has taken it to {next}: records were lost, or it was made anew")
        } else {
            return at;
        };
        self.alarms.raise(Weakness {
            place: format!("Kafka topic {}, partition {partition}", self.topic),
            what,
            remedy: "have senders deliver again what is missing since then".to_owned(),
        });
        None
    }

    fn revoke(&self, list: &TopicPartitionList) {
        let partitions = list.elements().iter().map(|element| element.partition()).collect();
        let (done, taken) = oneshot::channel();
        if self.say.blocking_send(Heard::Revoked(partitions, done)).is_ok() {
            // An error means that the other side has ended, and takes nothing more.
            drop(taken.blocking_recv());
        }
    }
}
