//! What Kafka needs of the database: bodies that do not fit into messages, and how far the indexer has come.

use std::collections::HashMap;

use sqlx::{PgConnection, PgPool, query, query_as, query_scalar};

use crate::storage::PostgresSettings;
use crate::streams::StreamError;
use crate::streams::body::{Effort, compress, decompress, off_thread};

/// The schema; statements that run on the log's own connection name it.
const SCHEMA: &str = "devhose_kafka";

/// The tables.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    pool: PgPool,
}

/// How far a partition is taken into the log, if it was `expected` before: a process that does not know what another
/// has taken meanwhile must not append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advance {
    /// Which topic.
    pub(crate) topic: String,
    /// Which partition of it.
    pub(crate) partition: i32,
    /// The offset that was to be read next; none before the first.
    pub(crate) expected: Option<i64>,
    /// The offset that is to be read next from now on.
    pub(crate) next: i64,
}

impl Tables {
    pub(super) async fn open(settings: &PostgresSettings) -> Result<Self, StreamError> {
        let migrations = sqlx::migrate!("../migrations/postgres/kafka");
        Ok(Self { pool: crate::postgres::open(settings, SCHEMA, &migrations).await? })
    }

    /// Keeps a body for as long as messages may refer to it. Durable when this returns.
    pub(super) async fn save_body(&self, hash: blake3::Hash, body: Vec<u8>) -> Result<(), StreamError> {
        let body_bytes = body.len();
        let frame = off_thread(body_bytes, move || compress(&body, Effort::Usual))
            .await?
            .map_err(|source| file(hash, source))?;
        query(
            "insert into bodies (hash, body_bytes, body, referenced_at) values ($1, $2, $3, now()) \
             on conflict (hash) do update set referenced_at = excluded.referenced_at",
        )
        .bind(hash.as_bytes().as_slice())
        .bind(i64::try_from(body_bytes).unwrap_or(i64::MAX))
        .bind(frame)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    pub(super) async fn body(&self, hash: blake3::Hash) -> Result<Option<Vec<u8>>, StreamError> {
        let row: Option<(i64, Vec<u8>)> = query_as("select body_bytes, body from bodies where hash = $1")
            .bind(hash.as_bytes().as_slice())
            .fetch_optional(&self.pool)
            .await?;
        let Some((body_bytes, frame)) = row else { return Ok(None) };
        let body_bytes = usize::try_from(body_bytes).unwrap_or(0);
        let body = off_thread(body_bytes, move || decompress(&frame, body_bytes)).await?;
        body.map(Some).map_err(|source| file(hash, source))
    }

    /// Forgets bodies that nothing refers to any more: so long ago was the last reference.
    pub(super) async fn prune_bodies(&self, hours: u32) -> Result<u64, StreamError> {
        let pruned = query("delete from bodies where referenced_at < now() - make_interval(hours => $1)")
            .bind(i32::try_from(hours).unwrap_or(i32::MAX))
            .execute(&self.pool)
            .await?;
        Ok(pruned.rows_affected())
    }

    /// The offset that is to be read next, by partition.
    pub(super) async fn positions(&self, topic: &str) -> Result<HashMap<i32, i64>, StreamError> {
        let rows: Vec<(i32, i64)> = query_as("select \"partition\", next from positions where topic = $1")
            .bind(topic)
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().collect())
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

fn file(hash: blake3::Hash, source: std::io::Error) -> StreamError {
    StreamError::File { path: format!("the body blake3:{}", hash.to_hex()), source }
}

/// Moves positions within a transaction of the log. False, and nothing is moved, if one of them is not where it was
/// expected.
pub(crate) async fn advance(connection: &mut PgConnection, advances: &[Advance]) -> sqlx::Result<bool> {
    for advance in advances {
        let found: Option<i64> =
            query_scalar("select next from devhose_kafka.positions where topic = $1 and \"partition\" = $2 for update")
                .bind(&advance.topic)
                .bind(advance.partition)
                .fetch_optional(&mut *connection)
                .await?;
        if found != advance.expected {
            return Ok(false);
        }
    }
    for advance in advances {
        let moved = query(
            "insert into devhose_kafka.positions (topic, \"partition\", next) values ($1, $2, $3) \
             on conflict (topic, \"partition\") do update set next = excluded.next where positions.next = $4",
        )
        .bind(&advance.topic)
        .bind(advance.partition)
        .bind(advance.next)
        .bind(advance.expected)
        .execute(&mut *connection)
        .await?;
        // Two processes may begin with a new partition at once: the second finds no row to lock, and then this one.
        if moved.rows_affected() == 0 {
            return Err(sqlx::Error::Protocol("another process has begun with this partition".to_owned()));
        }
    }
    Ok(true)
}
