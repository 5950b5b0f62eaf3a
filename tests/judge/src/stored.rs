//! What stands in the log, by two ways that have nothing in common: the public API, and the tables of the engine. With
//! Kafka by a third: the topic that it came from.

use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::body::sha256;
use crate::storage::Storage;

pub mod api;
pub mod kafka;
pub mod postgres;
pub mod sqlite;

mod chain;

/// A delivery as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Where it stands.
    pub offset: i64,
    /// The source it came through.
    pub source: String,
    /// What its sender calls it.
    pub id: String,
    /// Bytes of its body.
    pub bytes: u64,
    /// BLAKE3 of its body.
    pub blake3: String,
    /// SHA-256 of its body, where the body itself was read.
    pub sha256: Option<String>,
}

/// A log as its tables hold it.
#[derive(Debug, Default)]
pub struct Log {
    /// Every delivery in order.
    pub deliveries: Vec<Stored>,
    /// The first place at which the hash chain is broken, in words.
    pub broken: Option<String>,
    /// Every record of the topic in order, where there is one.
    pub topic: Option<Vec<Record>>,
}

/// A record of the topic of deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Which partition.
    pub partition: i32,
    /// Where it stands there.
    pub offset: i64,
    /// The delivery that it is, or why it is none.
    pub content: Result<Carried, String>,
}

/// A delivery as a record carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// The source it came through.
    pub source: String,
    /// What its sender calls it.
    pub id: String,
    /// SHA-256 of its body.
    pub sha256: String,
}

/// Reads a log from outside. The file is that of the embedded engine.
///
/// # Errors
/// If it cannot be read.
pub async fn read(storage: &Storage, file: &Path) -> anyhow::Result<Log> {
    match storage {
        Storage::Sqlite => sqlite::read(file).await,
        Storage::Postgres { url } => postgres::read(url).await,
        Storage::Kafka { url, broker, prefix } => {
            // First: what comes into the topic meanwhile may come into the log, too.
            let topic = kafka::read(broker, &format!("{prefix}.deliveries"), url).await?;
            Ok(Log { topic: Some(topic), ..postgres::read(url).await? })
        }
    }
}

/// One row of the engine, before anything of it is believed.
#[derive(Debug, sqlx::FromRow)]
struct Row {
    position: i64,
    source: String,
    delivery_id: String,
    received_at: i64,
    headers: String,
    content_type: Option<String>,
    verification: String,
    body_bytes: i64,
    body_hash: Vec<u8>,
    chain_hash: Vec<u8>,
    /// None if the row of the body is missing.
    body: Option<Vec<u8>>,
}

/// Rows read at once: some MB.
const PAGE_ROWS: i64 = 500;

/// The largest body any sender may send.
const BODY_BYTES_MAX: usize = 64 << 20;

/// Reads rows in order and follows the chain.
struct Reader {
    log: Log,
    chain: chain::Chain,
}

impl Reader {
    const fn new() -> Self {
        Self { log: Log { deliveries: Vec::new(), broken: None, topic: None }, chain: chain::Chain::START }
    }

    /// After which position to go on.
    fn position(&self) -> i64 {
        self.log.deliveries.last().map_or(0, |last| last.offset)
    }

    fn take(&mut self, row: Row) {
        let broken = self.chain.follow(&row).err();
        let body = unpacked(&row);
        let unreadable = body.as_ref().err().map(|error| format!("delivery {}: {error:#}", row.position));
        self.log.broken = self.log.broken.take().or(broken).or(unreadable);
        let body = body.unwrap_or_default();
        self.log.deliveries.push(Stored {
            offset: row.position,
            bytes: body.len() as u64,
            blake3: crate::body::hex(blake3::hash(&body).as_bytes()),
            sha256: Some(sha256(&body)),
            source: row.source,
            id: row.delivery_id,
        });
    }
}

/// The body of a row, which is one zstd frame.
fn unpacked(row: &Row) -> anyhow::Result<Vec<u8>> {
    let frame = row.body.as_deref().context("there is no body")?;
    let body = zstd::bulk::decompress(frame, BODY_BYTES_MAX).context("the body cannot be unpacked")?;
    ensure!(blake3::hash(&body).as_bytes().as_slice() == row.body_hash, "the body does not match its hash");
    ensure!(body.len() as u64 == row.body_bytes.unsigned_abs(), "the body has another length than the row says");
    Ok(body)
}
