//! The Kafka engine against real brokers: what is acknowledged is in the log once, whatever fails, and events reach
//! their topic in the form that other clients read.
//!
//! `DEVHOSE_TEST_KAFKA` is the address of a broker, as `tests/services/kafka start DIR` prints it, and
//! `DEVHOSE_TEST_POSTGRES` that of a server in which databases may be made, as `tests/services/postgres start DIR`
//! prints it. What breaks a broker starts its own.

// Not for the compiler, which builds this file for tests only, but for the lints, which allow more in tests.
#[cfg(test)]
mod kafka {
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    use bus::delivery::{NewDelivery, Verification};
    use bus::ids::DeliveryOffset;
    use bus::storage::{KafkaSettings, PostgresSettings, Security, SpoolSettings, Storage};
    use bus::streams::{StreamError, Streams};
    use tokio::sync::watch;
    use tokio::task::JoinHandle;

    mod brokers;
    mod deliveries;
    mod events;
    mod faults;
    mod postgres;
    mod security;

    use brokers::Broker;

    /// Whatever is waited for is there within this, also on a machine that is busy with other tests.
    const PATIENCE: Duration = Duration::from_secs(120);

    /// An installation of its own: topics, database, spool.
    struct Installation {
        kafka: KafkaSettings,
        postgres: PostgresSettings,
        directory: tempfile::TempDir,
    }

    /// One process of an installation.
    struct Process {
        streams: Streams,
        stop: watch::Sender<bool>,
        carrying: JoinHandle<Result<(), StreamError>>,
    }

    impl Installation {
        /// With topics of its own at that broker.
        async fn at(broker: &Broker) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let postgres = postgres::create().await;
            let kafka = KafkaSettings {
                brokers: vec![broker.address()],
                security: Security::default(),
                prefix: format!("test-{}", uuid::Uuid::new_v4()),
                partitions: 3,
                replication: 1,
                min_insync_replicas: 1,
                retention_hours: Some(24 * 30),
                message_bytes_max: 1_000_000,
                spool: None,
                instance: None,
            };
            Self { kafka, postgres, directory }
        }

        fn with_spool(mut self, bytes_max: u64) -> Self {
            self.kafka.spool = Some(SpoolSettings { directory: self.spool(), bytes_max });
            self
        }

        fn spool(&self) -> PathBuf {
            self.directory.path().join("spool")
        }

        fn topic(&self, name: &str) -> String {
            format!("{}.{name}", self.kafka.prefix)
        }

        async fn open(&self) -> Result<Streams, StreamError> {
            let storage = Storage::Kafka(Box::new(self.kafka.clone()), self.postgres.clone());
            Streams::open_on(&storage).await
        }

        /// A process that also takes deliveries into the log and publishes events.
        async fn start(&self) -> Process {
            Process::of(self.open().await.unwrap())
        }

        async fn remove(self) {
            postgres::remove(self.postgres).await;
        }
    }

    impl Process {
        fn of(streams: Streams) -> Self {
            let (stop, stopped) = watch::channel(false);
            let carried = streams.clone();
            let carrying = tokio::spawn(async move { carried.carry(stopped).await });
            Self { streams, stop, carrying }
        }

        async fn stop_carrying(&mut self) {
            self.stop.send_replace(true);
            (&mut self.carrying).await.unwrap().unwrap();
        }

        async fn stop(mut self) {
            self.stop_carrying().await;
            self.streams.close().await.unwrap();
        }
    }

    /// Waits until something is so.
    async fn until(what: &str, so: impl AsyncFn() -> bool) {
        let began = Instant::now();
        while !so().await {
            assert!(began.elapsed() < PATIENCE, "not within {} s: {what}", PATIENCE.as_secs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the log has so many deliveries, and checks that it has each once.
    async fn log_of(streams: &Streams, count: i64) -> Vec<NewDelivery> {
        let mut head = streams.delivery_head();
        let arrived = tokio::time::timeout(PATIENCE, head.wait_for(|head| head.0 >= count)).await;
        assert!(arrived.is_ok(), "{} of {count} deliveries arrived", streams.delivery_head().borrow().0);
        drop(arrived);
        let mut all = Vec::new();
        let mut after = DeliveryOffset::START;
        loop {
            let page = streams.deliveries(after, 1_000).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.offset;
            all.extend(page.into_iter().map(|delivery| delivery.content));
        }
        assert_eq!(streams.verify(|_| {}).await.unwrap(), None);
        let mut ids: Vec<_> = all.iter().map(|delivery| delivery.delivery_id.clone()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all.len(), "a delivery is there twice");
        all
    }

    fn delivery(id: impl std::fmt::Display, body: impl Into<Vec<u8>>) -> NewDelivery {
        NewDelivery {
            source: "forge/acme".parse().unwrap(),
            delivery_id: id.to_string().parse().unwrap(),
            received_at: "2026-03-02T09:00:00.000123Z".parse().unwrap(),
            headers: vec![
                ("x-event".to_owned(), "push".to_owned()),
                ("x-event".to_owned(), "ünïcode \"q\"".to_owned()),
            ],
            content_type: Some("application/json".to_owned()),
            body: body.into(),
            verification: Verification::Signature,
        }
    }

    /// The same from one of several sources, so that it goes to one of several partitions.
    fn spread(n: usize) -> NewDelivery {
        NewDelivery { source: format!("forge/{}", n % 7).parse().unwrap(), ..delivery(n, format!("{{\"n\":{n}}}")) }
    }

    fn ids(deliveries: &[NewDelivery]) -> std::collections::BTreeSet<String> {
        deliveries.iter().map(|delivery| delivery.delivery_id.to_string()).collect()
    }
}
