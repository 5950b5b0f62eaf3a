//! Events in their topic, as clients read them that nobody here wrote.

use std::collections::HashMap;
use std::process::Command;

use bus::cloudevents::{CloudEvent, Payload, Rules};
use bus::data::runtime::Deployment;
use bus::data::{Data, Outcome};
use bus::event::Event;
use bus::ids::{EventId, OrderKey, ReaderName};
use bus::kind::Kind;
use bus::streams::Reading;

use super::*;

const PUBLISHER: ReaderName = ReaderName("kafka.publish");

fn deployed(n: i64) -> Event {
    let service = format!("service-{}", n % 5);
    Event {
        id: EventId::derive(&"forge/acme".parse().unwrap(), &n.to_string().parse().unwrap(), 0),
        kind: Kind::ServiceDeployed,
        source: "//forge.example/acme/shop".to_owned(),
        subject: format!("{service}/production"),
        time: "2026-03-02T09:00:00Z".parse().unwrap(),
        key: OrderKey(format!("{service}/production")),
        data: Data::Deployment(Box::new(Deployment {
            id: n.to_string(),
            service: Some(service),
            environment: Some("production".to_owned()),
            outcome: Some(Outcome::Success),
            ..Deployment::default()
        })),
    }
}

async fn record(streams: &Streams, deliveries: std::ops::RangeInclusive<i64>, event: impl Fn(i64) -> Event) {
    let reading =
        |n| Reading { delivery: DeliveryOffset(n), source: "forge/acme".parse().unwrap(), outcome: Ok(vec![event(n)]) };
    streams.record(ReaderName("normalizer"), deliveries.map(reading).collect()).await.unwrap();
}

async fn published(streams: &Streams, count: i64) {
    let what = format!("{count} events are published");
    until(&what, async || streams.checkpoint(PUBLISHER).await.unwrap() >= count).await;
}

/// What kcat prints of a topic: key, headers, value.
async fn kcat(broker: &Broker, topic: &str) -> Vec<[String; 3]> {
    let mut kcat = Command::new("kcat");
    kcat.args(["-b", &broker.address(), "-t", topic, "-C", "-e", "-q", "-o", "beginning", "-f", "%k\t%h\t%s\n"]);
    let output = tokio::task::spawn_blocking(move || kcat.output()).await.unwrap();
    let output = output.expect("kcat is missing: install the Debian package kcat");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let line = |line: &str| {
        let mut parts = line.splitn(3, '\t').map(str::to_owned);
        std::array::from_fn(|_| parts.next().unwrap())
    };
    String::from_utf8(output.stdout).unwrap().lines().map(line).collect()
}

fn sequence(event: &CloudEvent) -> i64 {
    event.extensions["sequence"].text().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_clients_read_events_in_their_order() {
    let broker = Broker::own(&[]).await;
    let installation = Installation::at(&broker).await;
    let process = installation.start().await;
    record(&process.streams, 1..=300, deployed).await;
    published(&process.streams, 300).await;

    let topic = installation.topic("events");
    let read = kcat(&broker, &topic).await;
    assert_eq!(read.len(), 300);
    let mut last: HashMap<String, i64> = HashMap::new();
    for [key, headers, value] in &read {
        assert_eq!(headers, "content-type=application/cloudevents+json; charset=UTF-8");
        let event = CloudEvent::from_json(value.as_bytes(), Rules::Strict).unwrap();
        assert_eq!(event.extensions["partitionkey"].text(), key.as_str());
        assert_eq!(event.subject.as_deref(), Some(key.as_str()));
        let before = last.insert(key.clone(), sequence(&event));
        assert!(before.is_none_or(|before| before < sequence(&event)), "{key} keeps its order");
    }
    assert_eq!(last.len(), 5);

    let console = broker.consumed(&topic, 300).await;
    let of_kcat: std::collections::BTreeSet<String> = read
        .iter()
        .map(|[key, _, value]| format!("content-type:application/cloudevents+json; charset=UTF-8\t{key}\t{value}"))
        .collect();
    let partition = |line: &str| line.split_once('\t').unwrap().1.to_owned();
    assert_eq!(console.lines().map(partition).collect::<std::collections::BTreeSet<_>>(), of_kcat);
    process.stop().await;
    installation.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_already_is_not_published_again() {
    let broker = Broker::shared();
    let installation = Installation::at(&broker).await;
    let process = installation.start().await;
    record(&process.streams, 1..=200, deployed).await;
    published(&process.streams, 200).await;
    process.stop().await;

    // As if it had been killed after the brokers had confirmed, and before that was noted.
    let idle = installation.open().await.unwrap();
    idle.save_checkpoint(PUBLISHER, 50).await.unwrap();
    idle.close().await.unwrap();
    let (one, two) = (installation.start().await, installation.start().await);
    record(&one.streams, 201..=210, deployed).await;
    published(&two.streams, 210).await;
    let records = broker.read(&installation.topic("events")).await;
    let read = |record: &brokers::Record| {
        sequence(&CloudEvent::from_json(record.value.as_deref().unwrap(), Rules::Strict).unwrap())
    };
    let mut sequences: Vec<i64> = records.iter().map(read).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=210).collect::<Vec<_>>());
    one.stop().await;
    two.stop().await;
    installation.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_that_is_too_large_or_as_received_finds_its_way() {
    let broker = Broker::shared();
    let installation = Installation::at(&broker).await;
    let process = installation.start().await;
    let body = format!("{{\"text\":\"{}\"}}", "x".repeat(1_500_000));
    process.streams.append(delivery(1, body)).await.unwrap();
    process.streams.append(delivery(2, "{\"text\":\"short\"}")).await.unwrap();
    log_of(&process.streams, 2).await;
    let as_received = |n| Event {
        kind: Kind::from("com.example.said"),
        data: Data::AsReceived,
        key: OrderKey(String::new()),
        ..deployed(n)
    };
    record(&process.streams, 1..=2, as_received).await;
    published(&process.streams, 2).await;
    let mut records = broker.read(&installation.topic("events")).await;
    assert!(records.iter().all(|record| record.key.is_none()));
    records.sort_by_key(|record| record.value.as_ref().map(Vec::len));
    let read =
        |record: &brokers::Record| CloudEvent::from_json(record.value.as_deref().unwrap(), Rules::Strict).unwrap();
    let events: Vec<_> = records.iter().map(read).collect();
    let by_reference = events.iter().find(|event| event.payload == Payload::None).unwrap();
    let path = format!("/api/v1/events/{}", by_reference.id);
    assert_eq!(by_reference.extensions["dataref"].text(), path.as_str());
    let short = events.iter().find(|event| event.payload != Payload::None).unwrap();
    assert_eq!(short.payload, Payload::Json(serde_json::json!({"text": "short"})));
    process.stop().await;
    installation.remove().await;
}
