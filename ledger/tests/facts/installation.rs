//! An installation of Ledger for a test: a data directory, streams, and a projector that runs.

use std::path::PathBuf;
use std::sync::Arc;

use bus::data::Data;
use bus::delivery::{Delivery, NewDelivery, Verification};
use bus::event::Event;
use bus::ids::{EventId, OrderKey, ReaderName};
use bus::kind::Kind;
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

pub(crate) const READER: ReaderName = ReaderName("normalize");

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

pub(crate) struct Installation {
    pub(crate) directory: TempDir,
    pub(crate) streams: Streams,
    pub(crate) ledger: Arc<Ledger>,
    stop: watch::Sender<bool>,
    running: JoinHandle<Result<(), LedgerError>>,
}

impl Installation {
    pub(crate) async fn new() -> Self {
        Self::start(tempfile::tempdir().unwrap()).await
    }

    pub(crate) async fn start(directory: TempDir) -> Self {
        let streams = Streams::open(directory.path()).await.unwrap();
        Self::with_bots(directory, streams, vec!["*[bot]".to_owned()]).await
    }

    pub(crate) async fn with_bots(directory: TempDir, streams: Streams, bots: Vec<String>) -> Self {
        let ledger = Arc::new(Ledger::open(directory.path(), streams.clone(), settings(bots)).await.unwrap());
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(Arc::clone(&ledger).run(stopped));
        Self { directory, streams, ledger, stop, running }
    }

    pub(crate) async fn stop(self) -> TempDir {
        self.stop.send_replace(true);
        self.running.await.unwrap().unwrap();
        self.streams.close().await.unwrap();
        drop((self.ledger, self.streams));
        self.directory
    }

    /// Sends one delivery for each of these bodies, interprets them, and waits until they are counted.
    pub(crate) async fn deliver(&self, bodies: Vec<Value>) {
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
            let receipt = self.streams.append(new).await.unwrap();
            let delivery = self.streams.delivery(receipt.offset.unwrap()).await.unwrap().unwrap();
            self.streams.record(READER, vec![reading(&delivery, read)]).await.unwrap();
        }
        self.counted().await;
    }

    pub(crate) async fn counted(&self) {
        let head = *self.streams.event_head().borrow();
        self.ledger.wait_for(head).await.unwrap();
    }

    pub(crate) fn file(&self, generation: u32) -> PathBuf {
        self.directory.path().join(format!("ledger-{generation}.db"))
    }

    /// Environments of the deployments in view, and how many of each.
    pub(crate) fn environments(&self) -> Vec<(String, usize)> {
        let recent = self.ledger.view().recent_deployments(&Scope::Company, 1_000).unwrap();
        let mut names: Vec<String> = recent.into_iter().map(|deployment| deployment.environment).collect();
        names.sort();
        names.chunk_by(|left, right| left == right).map(|same| (same[0].clone(), same.len())).collect()
    }

    pub(crate) async fn difference(&self, normalize: fn(&Delivery) -> Result<Vec<Event>, String>) -> Option<String> {
        let verified = self.ledger.verify(&rereading(normalize), &quietly).await.unwrap();
        let same = verified.tables.iter().all(|table| table.live == table.folded);
        assert_eq!(same, verified.difference.is_none(), "hashes and rows agree: {verified:?}");
        verified.difference.map(|difference| difference.to_string())
    }
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
