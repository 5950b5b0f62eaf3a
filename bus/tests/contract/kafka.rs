//! Kafka before PostgreSQL under test: topics and a database of its own.

use bus::storage::{KafkaSettings, PostgresSettings, Security};
use futures_util::FutureExt;

use super::*;

pub(super) fn engine() -> Engine {
    Engine {
        create: |_| create().boxed(),
        alter: |storage, alteration| postgres::alter(Storage::Postgres(log(storage)), alteration).boxed(),
        remove: |storage| postgres::remove(Storage::Postgres(log(storage))).boxed(),
        shared: true,
        placing: false,
    }
}

/// Where its log is.
fn log(storage: Storage) -> PostgresSettings {
    let Storage::Kafka(_, postgres) = storage else { panic!("not behind Kafka") };
    postgres
}

async fn create() -> Storage {
    let broker = std::env::var_os("DEVHOSE_TEST_KAFKA").and_then(|address| address.into_string().ok());
    let broker = broker
        .expect("a Kafka broker is needed: export DEVHOSE_TEST_KAFKA=$(tests/services/kafka start target/tmp/kafka)");
    let Storage::Postgres(postgres) = postgres::create(&postgres::server()).await else {
        panic!("not kept in PostgreSQL")
    };
    let kafka = KafkaSettings {
        brokers: vec![broker],
        security: Security::default(),
        prefix: format!("contract-{}", uuid::Uuid::new_v4()),
        partitions: 3,
        replication: 1,
        min_insync_replicas: 1,
        retention_hours: None,
        message_bytes_max: 1_000_000,
        spool: None,
        instance: None,
    };
    Storage::Kafka(Box::new(kafka), postgres)
}
