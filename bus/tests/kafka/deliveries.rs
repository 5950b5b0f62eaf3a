//! Deliveries on their way through the brokers into the log.

use bus::delivery::Receipt;
use futures_util::future::{join_all, poll_immediate};

use super::*;

/// Bytes that no compression makes smaller.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_comes_through_the_brokers_unchanged() {
    let broker = Broker::shared();
    for spool in [None, Some(64 << 20)] {
        let mut installation = Installation::at(&broker).await;
        if let Some(bytes_max) = spool {
            installation = installation.with_spool(bytes_max);
        }
        let process = installation.start().await;
        let new: Vec<_> = [b"{}".to_vec(), Vec::new(), noise(1, 300_000), noise(2, 2_500_000), vec![b'a'; 5_000_000]]
            .into_iter()
            .enumerate()
            .map(|(n, body)| delivery(n, body))
            .collect();
        for each in &new {
            let receipt = process.streams.append(each.clone()).await.unwrap();
            assert_eq!(receipt, Receipt { offset: None, duplicate: false, conflict: false });
        }
        assert_eq!(log_of(&process.streams, 5).await, new);

        let records = broker.read(&installation.topic("deliveries")).await;
        assert_eq!(records.len(), 5);
        assert!(records.iter().all(|record| record.key.as_deref() == Some("forge/acme")));
        assert!(records.iter().all(|record| record.partition == records[0].partition), "a source keeps its order");
        assert_eq!(records[0].value.as_deref(), Some(b"{}".as_slice()));
        assert_eq!(records[0].header("ce_type"), Some("dev.devhose.delivery.received.v1"));
        assert_eq!(records[0].header("content-type"), Some("application/json"));
        assert_eq!(records[1].value.as_deref(), Some(b"".as_slice()), "an empty body is no tombstone");
        let reference = format!("blake3:{}", blake3::hash(&new[3].body).to_hex());
        assert_eq!(records[3].header("ce_dataref"), Some(reference.as_str()));
        assert_eq!((&records[3].value, records[2].header("ce_dataref")), (&None, None));
        process.stop().await;
        installation.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_that_comes_again_is_stored_once() {
    let broker = Broker::shared();
    let installation = Installation::at(&broker).await;
    let process = installation.start().await;
    process.streams.append_all((0..1_200).map(|n| spread(n / 3)).collect()).await.unwrap();
    process.streams.append(NewDelivery { body: b"other".to_vec(), ..spread(0) }).await.unwrap();
    process.streams.append(delivery("last", "{}")).await.unwrap();
    let log = log_of(&process.streams, 401).await;
    assert_eq!(log.len(), 401);
    let first = log.iter().find(|delivery| delivery.delivery_id.as_str() == "0").unwrap();
    assert_eq!(first.body, b"{\"n\":0}", "the first is kept");
    process.stop().await;
    installation.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_delivery_is_taken_once_while_processes_come_and_go() {
    const COUNT: usize = 3_000;
    let broker = Broker::shared();
    let installation = Installation::at(&broker).await;
    let (mut one, two) = (installation.start().await, installation.start().await);
    let writer = two.streams.clone();
    let appending = tokio::spawn(async move {
        for part in (0..COUNT).collect::<Vec<_>>().chunks(100) {
            writer.append_all(part.iter().map(|n| spread(*n)).collect()).await.unwrap();
        }
    });
    let mut head = two.streams.delivery_head();
    head.wait_for(|head| head.0 >= 500).await.unwrap();
    one.stop_carrying().await;
    head.wait_for(|head| head.0 >= 1_500).await.unwrap();
    let three = installation.start().await;
    appending.await.unwrap();
    let log = log_of(&three.streams, i64::try_from(COUNT).unwrap()).await;
    assert_eq!(ids(&log), (0..COUNT).map(|n| n.to_string()).collect());
    for source in 0..7 {
        let of_source: Vec<usize> = log
            .iter()
            .filter(|delivery| delivery.source.as_str() == format!("forge/{source}"))
            .map(|delivery| delivery.delivery_id.as_str().parse().unwrap())
            .collect();
        assert!(of_source.is_sorted(), "the order of a source is kept");
    }
    one.streams.close().await.unwrap();
    join_all([two.stop(), three.stop()]).await;
    installation.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_another_has_overtaken_begins_anew_where_the_log_is() {
    let broker = Broker::shared();
    let installation = Installation::at(&broker).await;
    let process = installation.start().await;
    process.streams.append_all((0..50).map(spread).collect()).await.unwrap();
    log_of(&process.streams, 50).await;
    postgres::forget_places(&installation.postgres).await;
    process.streams.append_all((50..100).map(spread).collect()).await.unwrap();
    let log = log_of(&process.streams, 100).await;
    assert_eq!(log.len(), 100);
    process.stop().await;
    installation.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_delivery_is_put_aside_and_blocks_nothing() {
    let broker = Broker::shared();
    let installation = Installation::at(&broker).await;
    // The topic takes more than the program sends, and more than the dead letters take.
    broker.make_topic(&installation.topic("deliveries"), &[("max.message.bytes", "20000000")]).await;
    let process = installation.start().await;
    let topic = installation.topic("deliveries");
    process.streams.append(delivery("before", "{}")).await.unwrap();
    // It is taken before its body is lost below.
    process.streams.append(delivery("large", noise(3, 2_000_000))).await.unwrap();
    log_of(&process.streams, 2).await;

    let sent = broker.read(&topic).await;
    let headers = |change: &str, value: Option<&'static str>| -> Vec<(String, Option<String>)> {
        let known = sent[0].headers.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
        let kept = known.filter(|(name, _)| name != change);
        kept.chain(value.map(|value| (change.to_owned(), Some(value.to_owned())))).collect()
    };
    let write = async |headers: Vec<(String, Option<String>)>, value: Option<&[u8]>| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        broker.write(&topic, &headers, value).await;
    };
    write(Vec::new(), Some(b"\xff\xfe garbage")).await;
    write(headers("ce_id", None), Some(b"{}")).await;
    write(headers("ce_type", Some("dev.devhose.delivery.received.v9")), Some(b"{}")).await;
    write(headers("", None), Some(b"{")).await;
    write(headers("", None), None).await;
    let huge = noise(4, 10_000_000);
    write(Vec::new(), Some(&huge)).await;
    postgres::lose_bodies(&installation.postgres).await;
    let by_reference = sent[1].headers.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
    write(by_reference, None).await;
    process.streams.append(delivery("after", "{}")).await.unwrap();

    assert_eq!(ids(&log_of(&process.streams, 3).await), ["after", "before", "large"].map(str::to_owned).into());
    let mut letters = broker.read(&installation.topic("dead-letters")).await;
    letters.sort_by_key(|letter| letter.header("devhose_offset").unwrap().parse::<i64>().unwrap());
    let errors: Vec<_> = letters.iter().map(|letter| letter.header("devhose_error").unwrap()).collect();
    let hash = |body: &[u8]| blake3::hash(body).to_hex().to_string();
    assert_eq!(errors, [
        "header ce_specversion is missing".to_owned(),
        "header ce_id is missing".to_owned(),
        "it is a \"dev.devhose.delivery.received.v9\", and dev.devhose.delivery.received.v1 is what this version reads"
            .to_owned(),
        format!(
            "the body is not the one that was sent: its BLAKE3 hash is {}, the header says {}",
            hash(b"{"),
            hash(b"{}")
        ),
        "it has neither a value nor a ce_dataref".to_owned(),
        "header ce_specversion is missing".to_owned(),
        format!("the body it refers to, blake3:{}, is not in the database", hash(&noise(3, 2_000_000))),
    ]);
    assert_eq!(letters[0].value.as_deref(), Some(b"\xff\xfe garbage".as_slice()), "byte for byte");
    assert!(letters.iter().all(|letter| letter.key.as_deref() == Some("stranger")));
    assert!(letters.iter().all(|letter| letter.header("devhose_topic") == Some(topic.as_str())));
    assert_eq!(letters[1].header("ce_source"), Some("forge/acme"), "with the headers it came with");
    let reference = format!("blake3:{}", hash(&huge));
    assert_eq!((letters[5].header("devhose_dataref"), &letters[5].value), (Some(reference.as_str()), &None));
    process.stop().await;
    installation.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_has_less_than_was_taken_is_told_and_taken_from_its_beginning() {
    let broker = Broker::shared();
    let installation = Installation::at(&broker).await;
    let process = installation.start().await;
    process.streams.append(delivery("before", "{}")).await.unwrap();
    log_of(&process.streams, 1).await;
    process.stop().await;
    postgres::run_ahead(&installation.postgres).await;

    let process = installation.start().await;
    process.streams.append(delivery("after", "{}")).await.unwrap();
    log_of(&process.streams, 2).await;
    let told: Vec<String> = process.streams.weaknesses().iter().map(ToString::to_string).collect();
    let lost = "and the log has taken it to 1000: records were lost, or it was made anew";
    assert!(told.iter().any(|weakness| weakness.contains(lost)), "{told:?}");
    process.stop().await;
    installation.remove().await;
}

#[tokio::test]
async fn closing_sends_what_was_handed_in() {
    let broker = Broker::shared();
    let installation = Installation::at(&broker).await;
    let streams = installation.open().await.unwrap();
    let mut appends: Vec<_> = (0..600).map(|n| Box::pin(streams.append(spread(n)))).collect();
    for append in &mut appends {
        assert!(poll_immediate(append).await.is_none());
    }
    streams.close().await.unwrap();
    assert!(join_all(appends).await.iter().all(Result::is_ok));
    assert!(matches!(streams.append(spread(600)).await, Err(StreamError::Stopped)));
    streams.close().await.expect("closing twice is closing once");
    assert_eq!(broker.read(&installation.topic("deliveries")).await.len(), 600);
    installation.remove().await;
}

#[tokio::test]
async fn weak_settings_of_topics_are_told_in_words() {
    let broker = Broker::shared();
    let mut installation = Installation::at(&broker).await;
    installation.kafka.prefix = format!("weak-{}", std::process::id());
    let weak = [
        ("retention.ms", "3600000"),
        ("cleanup.policy", "compact"),
        ("unclean.leader.election.enable", "true"),
        ("max.message.bytes", "100000"),
    ];
    broker.make_topic(&installation.topic("deliveries"), &weak).await;
    let streams = installation.open().await.unwrap();
    let told: Vec<String> = streams.weaknesses().iter().map(ToString::to_string).collect();
    let told = told.join("\n").replace(&installation.kafka.prefix, "PREFIX");
    insta::assert_snapshot!(told, @"
    Kafka topic PREFIX.deliveries: it is kept on 1 of the 3 brokers that it should be kept on; give it 3 replicas with kafka-reassign-partitions, and then min.insync.replicas=2
    Kafka topic PREFIX.deliveries: unclean.leader.election.enable is true: a broker that lacks messages may become the leader, and they are gone; run kafka-configs --alter --topic PREFIX.deliveries --add-config unclean.leader.election.enable=false
    Kafka topic PREFIX.deliveries: retention.ms is 3600000: messages are removed earlier than they should be; run kafka-configs --alter --topic PREFIX.deliveries --add-config retention.ms=2592000000
    Kafka topic PREFIX.deliveries: cleanup.policy is compact: all but the newest message of each key are removed; run kafka-configs --alter --topic PREFIX.deliveries --add-config cleanup.policy=delete
    Kafka topic PREFIX.deliveries: max.message.bytes is 100000: larger bodies travel by reference to the database; run kafka-configs --alter --topic PREFIX.deliveries --add-config max.message.bytes=1000000
    Kafka topic PREFIX.events: it is kept on 1 of the 3 brokers that it should be kept on; give it 3 replicas with kafka-reassign-partitions, and then min.insync.replicas=2
    Kafka topic PREFIX.dead-letters: it is kept on 1 of the 3 brokers that it should be kept on; give it 3 replicas with kafka-reassign-partitions, and then min.insync.replicas=2
    ");
    // Bodies that the topic does not take go by reference.
    let process = Process::of(streams);
    process.streams.append(delivery("larger", noise(5, 500_000))).await.unwrap();
    assert_eq!(log_of(&process.streams, 1).await[0].body, noise(5, 500_000));
    process.stop().await;
    installation.remove().await;
}
