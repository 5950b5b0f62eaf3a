//! An installation of Ledger for a test: a place for its data, streams, and a projector that runs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::data::Data;
use bus::delivery::{Delivery, NewDelivery, Verification};
use bus::event::Event;
use bus::ids::{EventId, OrderKey, ReaderName};
use bus::kind::Kind;
use bus::lease::Lease;
use bus::storage::{Storage, Tables};
use bus::streams::{Reading, Streams};
use chrono::{DateTime, Utc};
use ledger::catalog::Catalog;
use ledger::error::LedgerError;
use ledger::ledger::{Ledger, Settings};
use ledger::rebuild::{Normalize, Progress, Rereading};
use ledger::report::Scope;
use ledger::rules::Rules;
use ledger::window::Calendar;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::postgres::{self, Database};
use crate::sqlite;

pub(crate) const READER: ReaderName = ReaderName("normalize");

/// Nothing in a test takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A body is a list of `{kind, time, data}`.
pub(crate) fn read(delivery: &Delivery) -> Result<Vec<Event>, String> {
    let content = &delivery.content;
    let items: Vec<Value> = serde_json::from_slice(&content.body).map_err(|why| why.to_string())?;
    let event = |(index, item): (u32, &Value)| {
        let kind = Kind::from(item["kind"].as_str().unwrap());
        let data = Data::from_json(&kind, Some(&item["data"].to_string())).map_err(|why| why.to_string())?;
        Ok(Event {
            id: EventId::derive(&content.source, &content.delivery_id, index),
            kind,
            source: "/tests".to_owned(),
            subject: format!("subject-{index}"),
            time: time(item["time"].as_str().unwrap()),
            key: OrderKey("tests".to_owned()),
            data,
        })
    };
    (0..).zip(&items).map(event).collect()
}

/// The same, by a later version that knows `live` as `production` and yields only the first event of a delivery.
pub(crate) fn read_better(delivery: &Delivery) -> Result<Vec<Event>, String> {
    let mut events = read(delivery)?;
    events.truncate(1);
    for event in &mut events {
        if let Data::Deployment(deployment) = &mut event.data {
            deployment.environment = Some("production".to_owned());
        }
    }
    Ok(events)
}

pub(crate) fn rereading(normalize: fn(&Delivery) -> Result<Vec<Event>, String>) -> Rereading {
    let normalize: Normalize = Arc::new(normalize);
    Rereading { normalize, reader: READER }
}

pub(crate) fn quietly(_: Progress) {}

pub(crate) fn deployment(number: u32) -> Value {
    let at = format!("2026-11-{:02}T10:00:00.123456Z", number % 28 + 1);
    let data = json!({
        "id": format!("deployment-{number:04}"), "repository": "git.example/acme/shop", "service": "shop",
        "environment": "live", "sha": format!("{number:040x}"), "outcome": "success",
    });
    json!({"kind": "service.deployed", "time": at, "data": data})
}

/// Where an installation keeps its data.
pub(crate) struct Home {
    pub(crate) directory: TempDir,
    /// None if the facts are in the directory.
    pub(crate) database: Option<Database>,
    /// A lease ends with whoever could say that it is lost.
    keepers: Mutex<Vec<watch::Sender<bool>>>,
}

impl Home {
    pub(crate) async fn with_postgres() -> Self {
        Self::new(Some(Database::new().await))
    }

    fn new(database: Option<Database>) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), database, keepers: Mutex::default() }
    }

    fn storage(&self) -> Storage {
        match &self.database {
            None => Storage::Sqlite(self.directory.path().to_owned()),
            Some(database) => database.storage(),
        }
    }

    pub(crate) fn tables(&self) -> Tables {
        self.storage().tables()
    }

    pub(crate) async fn streams(&self) -> Streams {
        Streams::open_on(&self.storage()).await.unwrap()
    }

    pub(crate) async fn lease(&self) -> Lease {
        match &self.database {
            None => Lease::sole(),
            Some(database) => {
                let (lease, keeper) = postgres::take_lease(&database.url).await;
                self.keepers.lock().unwrap().push(keeper);
                lease
            }
        }
    }

    /// The numbers of the generations that there are.
    pub(crate) async fn generations(&self) -> Vec<u32> {
        match &self.database {
            None => sqlite::generations(self.directory.path()),
            Some(database) => postgres::generations(&database.url).await,
        }
    }

    pub(crate) async fn leave_half_a_generation(&self) {
        match &self.database {
            None => sqlite::leave_half_a_generation(self.directory.path()),
            Some(database) => postgres::leave_half_a_generation(&database.url).await,
        }
    }

    pub(crate) async fn alter_a_deployment(&self, key: &str) {
        match &self.database {
            None => sqlite::alter_a_deployment(&self.directory.path().join("ledger-1.db"), key).await,
            Some(database) => postgres::alter_a_deployment(&database.url, key).await,
        }
    }

    pub(crate) async fn stored_deployments(&self) -> Vec<(String, String, String, String)> {
        match &self.database {
            None => sqlite::deployments(&self.directory.path().join("ledger-1.db")).await,
            Some(database) => postgres::deployments(&database.url).await,
        }
    }

    pub(crate) async fn columns(&self) -> Vec<String> {
        match &self.database {
            None => sqlite::columns(&self.directory.path().join("ledger-1.db")).await,
            Some(database) => postgres::columns(&database.url).await,
        }
    }

    pub(crate) async fn end(self) {
        if let Some(database) = self.database {
            database.drop().await;
        }
    }
}

/// Runs a case over every engine; each gives its home back in the end.
pub(crate) async fn over_every_engine(case: impl AsyncFn(Home) -> Home) {
    case(Home::new(None)).await.end().await;
    case(Home::with_postgres().await).await.end().await;
}

pub(crate) struct Installation {
    pub(crate) home: Home,
    pub(crate) streams: Streams,
    pub(crate) ledger: Arc<Ledger>,
    stop: watch::Sender<bool>,
    running: JoinHandle<Result<(), LedgerError>>,
}

impl Installation {
    pub(crate) async fn start(home: Home) -> Self {
        Self::with_bots(home, vec!["*[bot]".to_owned()]).await
    }

    pub(crate) async fn with_bots(home: Home, bots: Vec<String>) -> Self {
        let streams = home.streams().await;
        let ledger = Arc::new(Ledger::open(&home.tables(), streams.clone(), settings(bots)).await.unwrap());
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(Arc::clone(&ledger).run(home.lease().await, stopped));
        tokio::time::timeout(PATIENCE, ledger.loaded()).await.expect("facts should be loaded").unwrap();
        Self { home, streams, ledger, stop, running }
    }

    pub(crate) async fn stop(self) -> Home {
        self.stop.send_replace(true);
        self.running.await.unwrap().unwrap();
        self.streams.close().await.unwrap();
        drop((self.ledger, self.streams));
        self.home
    }

    pub(crate) async fn deliver(&self, bodies: Vec<Value>) {
        deliver(&self.streams, bodies).await;
        self.counted().await;
    }

    pub(crate) async fn counted(&self) {
        counted(&self.streams, &self.ledger).await;
    }

    pub(crate) fn environments(&self) -> Vec<(String, usize)> {
        environments(&self.ledger)
    }

    pub(crate) async fn difference(&self, normalize: fn(&Delivery) -> Result<Vec<Event>, String>) -> Option<String> {
        difference(&self.ledger, normalize).await
    }
}

/// Sends one delivery for each of these bodies, and interprets them.
pub(crate) async fn deliver(streams: &Streams, bodies: Vec<Value>) {
    for body in bodies {
        let body = body.to_string().into_bytes();
        let source = "generic/tests".parse().unwrap();
        let new = NewDelivery {
            source,
            delivery_id: blake3::hash(&body).to_hex().to_string().parse().unwrap(),
            received_at: time("2026-11-30T00:00:00Z"),
            headers: Vec::new(),
            content_type: None,
            body,
            verification: Verification::None,
        };
        let receipt = streams.append(new).await.unwrap();
        let delivery = streams.delivery(receipt.offset.unwrap()).await.unwrap().unwrap();
        streams.record(READER, vec![reading(&delivery, read)]).await.unwrap();
    }
}

/// Waits until everything recorded is in view.
pub(crate) async fn counted(streams: &Streams, ledger: &Ledger) {
    let head = *streams.event_head().borrow();
    let counting = tokio::time::timeout(PATIENCE, ledger.wait_for(head)).await;
    counting.expect("it should be counted").unwrap();
}

/// Environments of the deployments in view, and how many of each.
pub(crate) fn environments(ledger: &Ledger) -> Vec<(String, usize)> {
    let recent = ledger.view().recent_deployments(&Scope::Company, 1_000).unwrap();
    let mut names: Vec<String> = recent.into_iter().map(|deployment| deployment.environment).collect();
    names.sort();
    names.chunk_by(|left, right| left == right).map(|same| (same[0].clone(), same.len())).collect()
}

pub(crate) async fn difference(
    ledger: &Ledger,
    normalize: fn(&Delivery) -> Result<Vec<Event>, String>,
) -> Option<String> {
    let verified = ledger.verify(&rereading(normalize), &quietly).await.unwrap();
    let same = verified.tables.iter().all(|table| table.live == table.folded);
    assert_eq!(same, verified.difference.is_none(), "hashes and rows agree: {verified:?}");
    verified.difference.map(|difference| difference.to_string())
}

pub(crate) fn settings(bots: Vec<String>) -> Settings {
    Settings {
        catalog: Catalog::default(),
        people_key: [7; 32],
        rules: Rules { bots, ..Rules::default() },
        calendar: Calendar::default(),
    }
}

pub(crate) fn reading(delivery: &Delivery, normalize: fn(&Delivery) -> Result<Vec<Event>, String>) -> Reading {
    Reading { delivery: delivery.offset, source: delivery.content.source.clone(), outcome: normalize(delivery) }
}
