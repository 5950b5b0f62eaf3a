//! A broker, and what stands in its topics.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::*;

/// A broker; one of its own ends with the test.
pub(super) struct Broker {
    address: String,
    directory: Option<tempfile::TempDir>,
}

/// A record as any client reads it.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) partition: i32,
    pub(super) key: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) value: Option<Vec<u8>>,
}

impl Broker {
    /// The one that tests share; each has topics of its own.
    pub(super) fn shared() -> Self {
        let address = std::env::var_os("DEVHOSE_TEST_KAFKA").and_then(|address| address.into_string().ok());
        let address = address.expect(
            "a Kafka broker is needed: export DEVHOSE_TEST_KAFKA=$(tests/services/kafka start target/tmp/kafka)",
        );
        Self { address, directory: None }
    }

    /// One that a test may break.
    pub(super) async fn own(options: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("devhose-kafka-").tempdir().unwrap();
        let mut broker = Self { address: String::new(), directory: Some(directory) };
        broker.address = broker.script("start", options).await;
        broker
    }

    pub(super) fn address(&self) -> String {
        self.address.clone()
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.as_ref().expect("only a broker of its own is broken").path()
    }

    /// As a machine that loses power.
    pub(super) async fn kill(&self) {
        self.script("stop", &["kill"]).await;
    }

    pub(super) async fn start_again(&self) {
        assert_eq!(self.script("start", &[]).await, self.address);
    }

    /// What Apache's console consumer prints of the first records of a topic.
    pub(super) async fn consumed(&self, topic: &str, count: usize) -> String {
        self.script("consume", &[topic, &count.to_string()]).await
    }

    async fn script(&self, command: &str, more: &[&str]) -> String {
        let mut script = Command::new(script());
        script.arg(command).arg(self.path()).args(more).stderr(Stdio::inherit());
        let output = tokio::task::spawn_blocking(move || script.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "tests/services/kafka {command} failed");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        config
    }

    /// Makes a topic as an operator might.
    pub(super) async fn make_topic(&self, name: &str, settings: &[(&str, &str)]) {
        let admin: AdminClient<DefaultClientContext> = self.config().create().unwrap();
        let topic = NewTopic::new(name, 1, TopicReplication::Fixed(1));
        let topic = settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
        let made = admin.create_topics(&[topic], &AdminOptions::new()).await.unwrap();
        made.into_iter().for_each(|made| drop(made.unwrap()));
    }

    /// Writes a record as a stranger might.
    pub(super) async fn write(&self, topic: &str, headers: &[(&str, Option<&str>)], value: Option<&[u8]>) {
        let mut config = self.config();
        config.set("message.max.bytes", "20000000");
        let producer: FutureProducer = config.create().unwrap();
        let insert = |all: OwnedHeaders, (key, value): &(&str, Option<&str>)| all.insert(Header { key, value: *value });
        let record = FutureRecord {
            topic,
            partition: None,
            payload: value,
            key: Some("stranger"),
            timestamp: None,
            headers: Some(headers.iter().fold(OwnedHeaders::new(), insert)),
        };
        producer.send(record, PATIENCE).await.unwrap();
    }

    /// Everything in a topic.
    pub(super) async fn read(&self, topic: &str) -> Vec<Record> {
        let mut config = self.config();
        config.set("group.id", "test").set("enable.partition.eof", "true").set("enable.auto.commit", "false");
        let topic = topic.to_owned();
        tokio::task::spawn_blocking(move || read(&config, &topic)).await.unwrap()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            let stopped = Command::new(script()).arg("stop").arg(directory.path()).arg("kill").status();
            drop(stopped);
        }
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/services/kafka")
}

fn read(config: &ClientConfig, topic: &str) -> Vec<Record> {
    let consumer: BaseConsumer = config.create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
    let partitions = metadata.topics()[0].partitions().len();
    let mut list = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        list.add_partition_offset(topic, partition.id(), Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let (mut records, mut ended) = (Vec::new(), 0);
    let began = Instant::now();
    while ended < partitions {
        assert!(began.elapsed() < PATIENCE, "{topic} cannot be read");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => records.push(Record::of(&message)),
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(_)) | None => {}
        }
    }
    records
}

impl Record {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let pair = |header: Header<'_, &[u8]>| (header.key.to_owned(), header.value.map(text).unwrap_or_default());
        Self {
            partition: message.partition(),
            key: message.key().map(text),
            headers: message.headers().map(|all| all.iter().map(pair).collect()).unwrap_or_default(),
            value: message.payload().map(<[u8]>::to_vec),
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}
