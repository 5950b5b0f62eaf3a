//! The topic of deliveries, as somebody else's client reads it: `kcat`.
//!
//! A record is a `CloudEvent` in the binary mode of the Kafka binding: its value is the exact body, the headers
//! `ce_source` and `ce_id` say which delivery it is, its key is the source. A body that is larger than a message is kept
//! in the table `devhose_kafka.bodies` as one zstd frame; then there is no value, and `ce_dataref` is `blake3:` and its
//! hash.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::{BODY_BYTES_MAX, Carried, Record};
use crate::body::sha256;

/// What a record says that has its body elsewhere.
const REFERENCE: &str = "blake3:";

/// A record as `kcat` prints it.
#[derive(Debug, Deserialize)]
struct Printed {
    partition: i32,
    offset: i64,
    /// Names and values in turn.
    #[serde(default)]
    headers: Vec<Option<String>>,
    key: Option<String>,
    payload: Option<Bytes>,
}

/// A string whose bytes need not be UTF-8: a body is whatever was sent.
#[derive(Debug)]
struct Bytes(Vec<u8>);

/// A record whose body may still be elsewhere.
struct Found {
    partition: i32,
    offset: i64,
    content: Result<(Carried, Option<String>), String>,
}

/// Reads every record of a topic; the database is where large bodies are.
///
/// # Errors
/// If the broker, the topic or the database cannot be read.
pub async fn read(broker: &str, topic: &str, url: &str) -> anyhow::Result<Vec<Record>> {
    let (broker, topic) = (broker.to_owned(), topic.to_owned());
    let mut found = tokio::task::spawn_blocking(move || consume(&broker, &topic)).await??;
    found.sort_by_key(|record| (record.partition, record.offset));
    let mut connection = PgConnection::connect(url).await.context("the database cannot be reached")?;
    let mut records = Vec::with_capacity(found.len());
    for Found { partition, offset, content } in found {
        let content = match content {
            Ok((carried, Some(hash))) => match kept(&mut connection, &hash).await? {
                Ok(body) => Ok(Carried { sha256: sha256(&body), ..carried }),
                Err(error) => Err(format!("{} refers to the body {hash}: {error:#}", carried.id)),
            },
            Ok((carried, None)) => Ok(carried),
            Err(why) => Err(why),
        };
        records.push(Record { partition, offset, content });
    }
    connection.close().await?;
    Ok(records)
}

/// From the beginning to the end as it is now.
fn consume(broker: &str, topic: &str) -> anyhow::Result<Vec<Found>> {
    let mut command = Command::new("kcat");
    command.args(["-C", "-b", broker, "-t", topic, "-o", "beginning", "-e", "-q", "-J"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut kcat = command.spawn().context("kcat cannot be run: install the Debian package kcat")?;
    let stdout = kcat.stdout.take().context("no standard output")?;
    let mut stderr = kcat.stderr.take().context("no standard error")?;
    // Beside the records, so that neither waits for the other to be read.
    let said = std::thread::spawn(move || {
        let mut said = String::new();
        stderr.read_to_string(&mut said).map(|_| said)
    });
    let mut found = Vec::new();
    for line in BufReader::new(stdout).split(b'\n') {
        let printed: Printed = serde_json::from_slice(&line?).with_context(|| format!("a record of {topic}"))?;
        found.push(Found { partition: printed.partition, offset: printed.offset, content: carried(printed) });
    }
    let ended = kcat.wait()?;
    let said = said.join().ok().and_then(Result::ok).unwrap_or_default();
    ensure!(ended.success(), "kcat cannot read {topic} at {broker}: {}", said.trim());
    Ok(found)
}

/// The delivery that a record is, and the hash of its body if that is elsewhere.
fn carried(printed: Printed) -> Result<(Carried, Option<String>), String> {
    let header = |name: &str| {
        let pairs = printed.headers.chunks_exact(2);
        let mut values = pairs.filter_map(|pair| match pair {
            [Some(found), Some(value)] if found == name => Some(value.clone()),
            _ => None,
        });
        values.next()
    };
    let needed = |name: &str| header(name).ok_or_else(|| format!("it has no header {name}"));
    let (source, id) = (needed("ce_source")?, needed("ce_id")?);
    if needed("ce_specversion")? != "1.0" {
        return Err(format!("{id} is of another version of CloudEvents"));
    }
    if printed.key.as_deref() != Some(&source) {
        return Err(format!("{id} has the key {:?}, and not its source", printed.key));
    }
    let carried = |body: &[u8]| Carried { source, id: id.clone(), sha256: sha256(body) };
    match (printed.payload, header("ce_dataref")) {
        (Some(Bytes(body)), None) => Ok((carried(&body), None)),
        (None, Some(reference)) => {
            let hash = reference.strip_prefix(REFERENCE).ok_or_else(|| format!("{id} refers to {reference:?}"))?;
            Ok((carried(&[]), Some(hash.to_owned())))
        }
        (Some(_), Some(_)) => Err(format!("{id} has its body with it and elsewhere")),
        (None, None) => Err(format!("{id} has no body, neither with it nor elsewhere")),
    }
}

/// A body that is kept under its hash, or what is wrong with it.
async fn kept(connection: &mut PgConnection, hash: &str) -> anyhow::Result<anyhow::Result<Vec<u8>>> {
    let frame: Option<Vec<u8>> =
        sqlx::query_scalar("select body from devhose_kafka.bodies where encode(hash, 'hex') = $1")
            .bind(hash)
            .fetch_optional(connection)
            .await?;
    let unpacked = frame.context("it is not there");
    Ok(unpacked.and_then(|frame| zstd::bulk::decompress(&frame, BODY_BYTES_MAX).context("it cannot be unpacked")))
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(Raw)
    }
}

struct Raw;

impl Visitor<'_> for Raw {
    type Value = Bytes;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes(bytes.to_owned()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Bytes, E> {
        Ok(Bytes(text.as_bytes().to_owned()))
    }
}
