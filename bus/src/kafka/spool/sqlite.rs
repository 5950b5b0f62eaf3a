//! The spool's file and its statements. It is set up as the embedded log is, and refused if the engine differs.

use std::fs::File;
use std::path::Path;

use sqlx::sqlite::{SqliteConnection, SqlitePool, SqlitePoolOptions};
use sqlx::{Connection as _, query, query_as, query_scalar};

use super::Row;
use crate::streams::StreamError;
use crate::streams::sqlite as engine;
use crate::streams::write::PreparedDelivery;

const DATABASE_FILE: &str = "spool.db";
const LOCK_FILE: &str = "spool.lock";

/// The write-ahead log is copied into the file each time about so many bytes were written.
const CHECKPOINT_AFTER_BYTES: u64 = 16 << 20;

/// What opening gives.
pub(super) struct Opened {
    pub(super) files: Files,
    pub(super) reader: SqlitePool,
    /// The position of the newest row; 0 if there is none.
    pub(super) newest: i64,
    /// What its rows take.
    pub(super) bytes: u64,
}

/// The writer's connection, and the lock that keeps every other process out.
pub(super) struct Files {
    connection: SqliteConnection,
    reader: SqlitePool,
    lock: File,
    since_checkpoint: u64,
}

pub(super) async fn open(directory: &Path) -> Result<Opened, StreamError> {
    let lock = engine::lock(directory, LOCK_FILE)?;
    let path = directory.join(DATABASE_FILE);
    engine::create_private(&path)?;
    let options = engine::options(&path);
    let mut connection = engine::connect(&options).await?;
    // Not `run`: its future cannot be shown to be `Send` where it is part of a spawned task.
    sqlx::migrate!("../migrations/sqlite/spool").run_direct(None, &mut connection, false).await?;
    engine::sync_directory(directory)?;
    let reader = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options.read_only(true).pragma("query_only", "on"))
        .await?;
    let (newest, bytes) = size(&mut connection).await?;
    let files = Files { connection, reader: reader.clone(), lock, since_checkpoint: 0 };
    Ok(Opened { files, reader, newest, bytes: u64::try_from(bytes).unwrap_or_default() })
}

async fn size(connection: &mut SqliteConnection) -> sqlx::Result<(i64, i64)> {
    let row_bytes = i64::try_from(PreparedDelivery::bytes_of("", &[])).unwrap_or_default();
    query_as(
        "select coalesce(max(position), 0), \
         coalesce(sum(?1 + octet_length(headers) + octet_length(body)), 0) from spool",
    )
    .bind(row_bytes)
    .fetch_one(connection)
    .await
}

/// Rows after a position, oldest first, of about so many bytes when they are decompressed.
pub(super) async fn after(
    reader: &SqlitePool,
    position: i64,
    limit: usize,
    bytes_max: usize,
) -> Result<Vec<Row>, StreamError> {
    // The running total is that before the row, so that the first is always there.
    let rows = query_as(
        "select position, source, delivery_id, received_at, headers, content_type, verification, body_bytes, \
         body_hash, body from (select *, sum(body_bytes) over (order by position) - body_bytes as before \
         from (select * from spool where position > ?1 order by position limit ?2)) where before < ?3 order by position",
    )
    .bind(position)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .bind(i64::try_from(bytes_max).unwrap_or(i64::MAX))
    .fetch_all(reader)
    .await?;
    Ok(rows)
}

impl Files {
    /// Adds rows after the newest, and removes what is at or before a position, in one transaction; the newest then.
    pub(super) async fn commit(
        &mut self,
        newest: i64,
        rows: &[&PreparedDelivery],
        removed: Option<i64>,
    ) -> sqlx::Result<i64> {
        engine::begin(&mut self.connection).await?;
        let mut position = newest;
        for row in rows {
            position += 1;
            self.insert(position, row).await?;
        }
        if let Some(up_to) = removed {
            query("delete from spool where position <= ?").bind(up_to).execute(&mut self.connection).await?;
        }
        engine::commit(&mut self.connection).await?;
        Ok(position)
    }

    async fn insert(&mut self, position: i64, row: &PreparedDelivery) -> sqlx::Result<()> {
        query(
            "insert into spool (position, source, delivery_id, received_at, headers, content_type, verification, \
             body_bytes, body_hash, body) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(position)
        .bind(row.source.as_str())
        .bind(row.delivery_id.as_str())
        .bind(row.received_at)
        .bind(row.headers.as_str())
        .bind(row.content_type.as_deref())
        .bind(row.verification)
        .bind(row.body_bytes)
        .bind(row.body_hash.as_slice())
        .bind(row.frame.as_slice())
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// Undoes what a failed commit left; an error if the file cannot be read any more.
    pub(super) async fn roll_back(&mut self) -> sqlx::Result<()> {
        // SQLite may have rolled back by itself, so an error here says nothing; reading tells.
        drop(engine::roll_back(&mut self.connection).await);
        query_scalar::<_, i64>("select count(*) from (select 1 from spool limit 1)")
            .fetch_one(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Notes that so many bytes were written, and copies the write-ahead log when it is time.
    pub(super) async fn checkpoint_after(&mut self, bytes: u64) {
        self.since_checkpoint += bytes;
        if self.since_checkpoint < CHECKPOINT_AFTER_BYTES {
            return;
        }
        self.since_checkpoint = 0;
        if let Err(error) = engine::checkpoint(&mut self.connection).await {
            tracing::warn!(error = %error, "the spool's write-ahead log could not be checkpointed");
        }
    }

    /// Copies the write-ahead log, if the engine can be trusted, and gives the lock back.
    pub(super) async fn close(mut self, whole: bool) -> sqlx::Result<()> {
        self.reader.close().await;
        if whole {
            engine::checkpoint_all(&mut self.connection).await?;
        }
        self.connection.close().await?;
        // The next process may have it from here on.
        drop(self.lock);
        Ok(())
    }
}

/// Whether the disk is full: <https://www.sqlite.org/rescode.html#full>.
pub(super) fn is_full(error: &sqlx::Error) -> bool {
    const FULL: i32 = 13;
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| code & 0xff == FULL)
}

/// Changes the hash of the first row, as a flipped bit would.
#[cfg(test)]
pub(super) async fn damage_first(directory: &Path) {
    let options = engine::options(&directory.join(DATABASE_FILE));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let damage = "update spool set body_hash = zeroblob(32) where position = (select min(position) from spool)";
    query(damage).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
