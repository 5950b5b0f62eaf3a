//! What every engine of the streams promises, said against [`bus::streams::Streams`] alone. A new engine adds a file
//! beside `contract/sqlite.rs` and a line to `engines`; every case then runs over it too.
//!
//! A Kafka broker is needed: `DEVHOSE_TEST_KAFKA` is its address, as `tests/services/kafka start DIR` prints it.
//! PostgreSQL is needed: `DEVHOSE_TEST_POSTGRES` is the address of a server in which databases may be made, as
//! `tests/services/postgres start DIR` prints it.

// Not for the compiler, which builds this file for tests only, but for the lints, which allow more in tests.
#[cfg(test)]
mod contract {
    use std::path::Path;

    use bus::data::runtime::Deployment;
    use bus::data::{Data, Outcome};
    use bus::delivery::{NewDelivery, Verification};
    use bus::event::{Event, Recorded};
    use bus::ids::{DeliveryId, DeliveryOffset, EventId, EventOffset, OrderKey, ReaderName, SourceName};
    use bus::kind::Kind;
    use bus::query::Query;
    use bus::storage::Storage;
    use bus::streams::{Reading, Search, StreamError, Streams};
    use chrono::{DateTime, TimeZone, Utc};
    use futures_util::future::BoxFuture;

    mod deliveries;
    mod events;
    mod kafka;
    mod opened;
    mod parity;
    mod postgres;
    mod searches;
    mod sqlite;
    mod texts;
    mod trims;

    use opened::Opened;

    /// An engine under test.
    #[derive(Clone, Copy)]
    struct Engine {
        /// A place of its own for an installation; the directory is empty.
        create: fn(&Path) -> BoxFuture<'static, Storage>,
        alter: fn(Storage, Alteration) -> BoxFuture<'static, ()>,
        remove: fn(Storage) -> BoxFuture<'static, ()>,
        /// Whether more than one process may have it open.
        shared: bool,
        /// Whether a receipt says where the delivery stands, and whether it was there already.
        placing: bool,
    }

    /// What somebody might do to a stored record behind the program's back.
    #[derive(Debug, Clone, Copy)]
    enum Alteration {
        DeliveryTime(DeliveryOffset),
        Body(DeliveryOffset),
        RemoveDelivery(DeliveryOffset),
        EventOutcome(EventOffset),
    }

    fn engines() -> Vec<Engine> {
        vec![sqlite::engine(), postgres::engine(), kafka::engine()]
    }

    /// An engine with a place of its own.
    struct Installation {
        engine: Engine,
        storage: Storage,
        /// Removed with it.
        directory: tempfile::TempDir,
    }

    impl Installation {
        async fn of(engine: Engine) -> Self {
            let directory = tempfile::tempdir().unwrap();
            Self { engine, storage: (engine.create)(directory.path()).await, directory }
        }

        async fn open(&self) -> Opened {
            Opened::of(Streams::open_on(&self.storage).await.unwrap())
        }

        async fn alter(&self, alteration: Alteration) {
            (self.engine.alter)(self.storage.clone(), alteration).await;
        }
    }

    /// Runs a case over every engine.
    async fn over_every_engine(case: impl AsyncFn(&Installation)) {
        for engine in engines() {
            let installation = Installation::of(engine).await;
            case(&installation).await;
            (engine.remove)(installation.storage).await;
        }
    }

    /// Runs a case over every engine whose receipts say where a delivery stands. The log behind Kafka is that of
    /// PostgreSQL, which is among them; what Kafka promises instead is in `bus/tests/kafka.rs`.
    async fn over_every_placing_engine(case: impl AsyncFn(&Installation)) {
        for engine in engines().into_iter().filter(|engine| engine.placing) {
            let installation = Installation::of(engine).await;
            case(&installation).await;
            (engine.remove)(installation.storage).await;
        }
    }

    const NORMALIZER: ReaderName = ReaderName("normalizer");

    fn monday() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 3, 2, 9, 0, 0).unwrap()
    }

    fn source(name: &str) -> SourceName {
        name.parse().unwrap()
    }

    fn delivery(id: impl std::fmt::Display, body: &[u8]) -> NewDelivery {
        NewDelivery {
            source: source("forge/acme"),
            delivery_id: id.to_string().parse().unwrap(),
            received_at: monday(),
            headers: vec![
                ("x-event".to_owned(), "push".to_owned()),
                ("x-event".to_owned(), "ünïcode \"q\"".to_owned()),
            ],
            content_type: Some("application/json".to_owned()),
            body: body.to_vec(),
            verification: Verification::Signature,
        }
    }

    /// Bytes that no compression makes smaller.
    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        std::iter::repeat_with(|| {
            // xorshift64: Marsaglia, 2003.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .take(length)
        .collect()
    }

    fn event_id(delivery: &str, index: u32) -> EventId {
        EventId::derive(&source("forge/acme"), &delivery.parse::<DeliveryId>().unwrap(), index)
    }

    fn deployed(id: EventId, service: &str, outcome: Outcome) -> Event {
        Event {
            id,
            kind: Kind::ServiceDeployed,
            source: "//forge.example/acme/shop".to_owned(),
            subject: format!("{service}/production"),
            time: monday(),
            key: OrderKey(format!("{service}/production")),
            data: Data::Deployment(Box::new(Deployment {
                id: "forge.example/acme/shop/deployments/1".to_owned(),
                service: Some(service.to_owned()),
                environment: Some("production".to_owned()),
                outcome: Some(outcome),
                ..Deployment::default()
            })),
        }
    }

    fn reading(delivery: i64, events: Vec<Event>) -> Reading {
        Reading { delivery: DeliveryOffset(delivery), source: source("forge/acme"), outcome: Ok(events) }
    }

    fn unreadable(delivery: i64, why: &str) -> Reading {
        Reading { delivery: DeliveryOffset(delivery), source: source("forge/acme"), outcome: Err(why.to_owned()) }
    }

    async fn search(streams: &Streams, query: &Query) -> Vec<Recorded> {
        let mut found = Vec::new();
        let mut before = None;
        loop {
            // Three to a page, so that every case with more goes over the edges of pages.
            let page = streams.search(Search { query: query.clone(), before, limit: 3 }).await.unwrap();
            assert!(page.events.len() <= 3);
            found.extend(page.events);
            before = page.next;
            if before.is_none() {
                return found;
            }
        }
    }

    fn ids(events: &[Recorded]) -> Vec<EventId> {
        events.iter().map(|recorded| recorded.event.id).collect()
    }
}
