//! The three topics: made where they are missing, and looked at whether they keep what they are given.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;

use super::client::Context;
use super::config::{self, Role};
use super::produce::Producer;
use crate::storage::{KafkaSettings, Sasl, Weakness};
use crate::streams::StreamError;

/// Brokers that are there answer within this.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A new topic is known to all brokers after about a second.
const APPEAR_ATTEMPTS: u32 = 50;
const APPEAR_WAIT: Duration = Duration::from_millis(200);

/// What is kept on fewer brokers is gone with them: one may fail while another is serviced.
const REPLICATION_MIN: u16 = 3;
const IN_SYNC_MIN: u16 = 2;

/// The index may be away for a weekend, and somebody has to notice.
const RETENTION_HOURS_MIN: u32 = 7 * 24;

/// What a batch of one message takes beside it.
const BATCH_BYTES: usize = 1 << 10;

/// Names of the topics.
#[derive(Debug, Clone)]
pub(super) struct Topics {
    pub(super) deliveries: String,
    pub(super) events: String,
    pub(super) dead_letters: String,
}

/// A topic as the brokers have it.
struct Found {
    name: String,
    partitions: usize,
    /// Replicas of the partition that has the fewest.
    replicas: usize,
}

impl Topics {
    pub(super) fn of(settings: &KafkaSettings) -> Self {
        let named = |name: &str| format!("{}.{name}", settings.prefix);
        Self { deliveries: named("deliveries"), events: named("events"), dead_letters: named("dead-letters") }
    }

    fn all(&self) -> [&str; 3] {
        [&self.deliveries, &self.events, &self.dead_letters]
    }

    /// Makes what is missing, and returns what could lose something.
    pub(super) async fn prepare(
        &self,
        settings: &KafkaSettings,
        context: &Context,
        producer: &Producer,
    ) -> Result<Vec<Weakness>, StreamError> {
        let found = self.look(producer).await?;
        let missing: Vec<&str> =
            self.all().into_iter().filter(|name| found.iter().all(|topic| topic.name != *name)).collect();
        // The library's own administration does not know how to log in by token.
        if matches!(settings.security.sasl, Some(Sasl::OauthBearer { .. })) {
            return match missing.as_slice() {
                [] => Ok(unseen(settings, &found)),
                [name, ..] => Err(StreamError::Setup(format!(
                    "topic {name} is missing, and with OAUTHBEARER topics are not made by the program: make {} with the \
                     tools of Kafka",
                    missing.join(", ")
                ))),
            };
        }
        let config = config::client(settings, Role::Admin);
        let admin: AdminClient<Context> = config.create_with_context(context.clone())?;
        let prepared = async {
            make(&admin, settings, &missing).await?;
            let found = if missing.is_empty() { found } else { self.appear(producer).await? };
            let resources: Vec<_> = self.all().into_iter().map(ResourceSpecifier::Topic).collect();
            let described = admin.describe_configs(&resources, &options()).await?;
            let mut weaknesses = Vec::new();
            for (topic, described) in self.all().into_iter().zip(described) {
                let resource = described.map_err(KafkaError::AdminOp)?;
                weaknesses.extend(replicas(settings, &found, topic));
                let replicas = found.iter().find(|found| found.name == topic).map_or(0, |found| found.replicas);
                weaknesses.extend(configured(settings, replicas, &resource, topic));
            }
            Ok(weaknesses)
        }
        .await;
        // It waits for a thread of its own.
        drop(tokio::task::spawn_blocking(move || drop(admin)));
        prepared
    }

    /// How many partitions a topic has.
    pub(super) async fn partitions(&self, producer: &Producer, topic: &str) -> Result<i32, StreamError> {
        let found = self.look(producer).await?;
        let missing = || StreamError::Kafka(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopic));
        let topic = found.into_iter().find(|found| found.name == topic).ok_or_else(missing)?;
        i32::try_from(topic.partitions).map_err(|_| missing())
    }

    async fn appear(&self, producer: &Producer) -> Result<Vec<Found>, StreamError> {
        for _ in 0..APPEAR_ATTEMPTS {
            let found = self.look(producer).await?;
            if self.all().into_iter().all(|name| found.iter().any(|topic| topic.name == name)) {
                return Ok(found);
            }
            tokio::time::sleep(APPEAR_WAIT).await;
        }
        Err(StreamError::Kafka(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopic)))
    }

    async fn look(&self, producer: &Producer) -> Result<Vec<Found>, StreamError> {
        let client = producer.client();
        let names = self.all().map(str::to_owned);
        let look = move || -> Result<Vec<Found>, KafkaError> {
            // All topics: to ask for one makes brokers that make topics by themselves do so.
            let metadata = client.client().fetch_metadata(None, ANSWER_TIMEOUT)?;
            let ours = metadata.topics().iter().filter(|topic| names.iter().any(|name| name == topic.name()));
            Ok(ours
                .filter(|topic| topic.error().is_none())
                .map(|topic| Found {
                    name: topic.name().to_owned(),
                    partitions: topic.partitions().len(),
                    replicas: topic.partitions().iter().map(|p| p.replicas().len()).min().unwrap_or(0),
                })
                .collect())
        };
        Ok(tokio::task::spawn_blocking(look).await.map_err(|_| StreamError::Stopped)??)
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER_TIMEOUT)).operation_timeout(Some(ANSWER_TIMEOUT))
}

async fn make(admin: &AdminClient<Context>, settings: &KafkaSettings, missing: &[&str]) -> Result<(), StreamError> {
    if missing.is_empty() {
        return Ok(());
    }
    let in_sync = settings.min_insync_replicas.to_string();
    let retention = settings.retention_hours.map_or_else(|| "-1".to_owned(), |hours| milliseconds(hours).to_string());
    let bytes = (settings.message_bytes_max + BATCH_BYTES).to_string();
    let topic = |name| {
        NewTopic::new(name, i32::from(settings.partitions), TopicReplication::Fixed(i32::from(settings.replication)))
            .set("min.insync.replicas", &in_sync)
            .set("retention.ms", &retention)
            .set("max.message.bytes", &bytes)
            .set("cleanup.policy", "delete")
            .set("unclean.leader.election.enable", "false")
    };
    let topics: Vec<_> = missing.iter().map(|name| topic(*name)).collect();
    for made in admin.create_topics(&topics, &options()).await? {
        match made {
            Ok(name) => tracing::info!(topic = name, "a Kafka topic was made"),
            // Another process that starts at the same time.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => {
                return Err(StreamError::Setup(format!(
                    "topic {name} with {} partitions and {} replicas cannot be made: {code}. Make it with the tools of \
                     Kafka, or ask for what the brokers can have",
                    settings.partitions, settings.replication
                )));
            }
        }
    }
    Ok(())
}

fn milliseconds(hours: u32) -> i64 {
    i64::from(hours) * 3_600_000
}

/// What can be said of topics whose settings cannot be asked for.
fn unseen(settings: &KafkaSettings, found: &[Found]) -> Vec<Weakness> {
    let mut weaknesses: Vec<_> = found.iter().filter_map(|topic| replicas(settings, found, &topic.name)).collect();
    weaknesses.push(Weakness {
        place: "Kafka topics".to_owned(),
        what: "their settings cannot be looked at when brokers are reached with OAUTHBEARER".to_owned(),
        remedy: "see with the tools of Kafka that min.insync.replicas is 2 or more, unclean.leader.election.enable is \
                 false and retention.ms is a week or more"
            .to_owned(),
    });
    weaknesses
}

fn replicas(settings: &KafkaSettings, found: &[Found], topic: &str) -> Option<Weakness> {
    let wanted = settings.replication.max(REPLICATION_MIN);
    let found = found.iter().find(|found| found.name == topic)?;
    (found.replicas < usize::from(wanted)).then(|| Weakness {
        place: format!("Kafka topic {topic}"),
        what: format!("it is kept on {} of the {wanted} brokers that it should be kept on", found.replicas),
        remedy: format!("give it {wanted} replicas with kafka-reassign-partitions, and then min.insync.replicas=2"),
    })
}

/// Settings of a topic that could lose something, in words.
fn configured(settings: &KafkaSettings, replicas: usize, resource: &ConfigResource, topic: &str) -> Vec<Weakness> {
    let value = |name: &str| resource.get(name).and_then(|entry| entry.value.as_deref());
    let number = |name: &str| value(name).and_then(|text| text.parse::<i64>().ok());
    let mut found = Vec::new();
    let mut weak = |name: &str, wanted: String, because: &str| {
        found.push(Weakness {
            place: format!("Kafka topic {topic}"),
            what: format!("{name} is {}: {because}", value(name).unwrap_or("unknown")),
            remedy: format!("run kafka-configs --alter --topic {topic} --add-config {name}={wanted}"),
        });
    };
    let in_sync = settings.min_insync_replicas.max(IN_SYNC_MIN);
    // More than there are replicas would refuse every message.
    if replicas >= usize::from(in_sync) && number("min.insync.replicas").is_none_or(|n| n < i64::from(in_sync)) {
        weak("min.insync.replicas", in_sync.to_string(), "what one broker acknowledged is gone with it");
    }
    if value("unclean.leader.election.enable") != Some("false") {
        let because = "a broker that lacks messages may become the leader, and they are gone";
        weak("unclean.leader.election.enable", "false".to_owned(), because);
    }
    let hours = settings.retention_hours.map(|hours| hours.max(RETENTION_HOURS_MIN));
    let wanted = hours.map_or(i64::MAX, milliseconds);
    if number("retention.ms").is_none_or(|kept| kept >= 0 && kept < wanted) {
        let told = hours.map_or_else(|| "-1".to_owned(), |hours| milliseconds(hours).to_string());
        weak("retention.ms", told, "messages are removed earlier than they should be");
    }
    if number("retention.bytes").is_some_and(|bytes| bytes >= 0) {
        weak("retention.bytes", "-1".to_owned(), "messages are removed whatever their age");
    }
    if value("cleanup.policy").is_none_or(|policy| policy.contains("compact")) {
        let because = "all but the newest message of each key are removed";
        weak("cleanup.policy", "delete".to_owned(), because);
    }
    let bytes = i64::try_from(settings.message_bytes_max).unwrap_or(i64::MAX);
    if number("max.message.bytes").is_none_or(|found| found < bytes) {
        weak("max.message.bytes", bytes.to_string(), "larger bodies travel by reference to the database");
    }
    found
}
