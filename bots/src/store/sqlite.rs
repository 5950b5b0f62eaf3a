//! One SQLite file with one connection that writes and a few that read. This file opens and closes it; the statements
//! are in the engine files of the areas beside it.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite as Database, SqliteConnection, Transaction};

use crate::error::BotError;

pub(super) const DATABASE_FILE: &str = "bots.db";

/// Readers at the same time: pages, and bots that look at their state.
const READERS_MAX: u32 = 3;

/// Another program that reads the file may hold it for a moment.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A disk that takes longer than this for the commits that stand before one's own is taken for broken.
const TURN_TIMEOUT: Duration = Duration::from_secs(60);

/// Waits for other writers now and not at the first write, where waiting could not end well.
const BEGIN: &str = "begin immediate";

#[derive(Debug, Clone)]
pub(super) struct Sqlite {
    /// Has one connection: whoever holds it is the writer.
    writer: SqlitePool,
    pub(super) readers: SqlitePool,
}

impl Sqlite {
    pub(super) async fn open(directory: &Path) -> Result<Self, BotError> {
        let path = directory.join(DATABASE_FILE);
        create_private(&path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .pragma("trusted_schema", "off")
            .pragma("cell_size_check", "on")
            .pragma("temp_store", "memory")
            .pragma("mmap_size", "0")
            .pragma("journal_size_limit", "67108864");
        let pool = || {
            // A connection to a file does not go stale: no timers, no probing.
            SqlitePoolOptions::new()
                .acquire_timeout(TURN_TIMEOUT)
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
        };
        let writer = pool().max_connections(1).connect_with(options.clone()).await?;
        let mut connection = writer.acquire().await?;
        // Not `run`: its future cannot be shown to be `Send` where it is part of a spawned task.
        sqlx::migrate!("../migrations/sqlite/bots").run_direct(None, &mut *connection, false).await?;
        check_pragmas(&mut connection).await?;
        drop(connection);
        let read_only = options.read_only(true).pragma("query_only", "on");
        let readers = pool().max_connections(READERS_MAX).connect_with(read_only).await?;
        Ok(Self { writer, readers })
    }

    /// Begins what is done whole or not at all. Dropped before it is committed, it never was.
    pub(super) async fn begin(&self) -> Result<Transaction<'static, Database>, BotError> {
        match self.writer.begin_with(BEGIN).await {
            // A commit that failed for want of room ended the transaction, but not for sqlx, which counts it still:
            // only another connection can begin one.
            Err(sqlx::Error::InvalidSavePointStatement) => {
                self.writer.acquire().await?.close().await?;
                Ok(self.writer.begin_with(BEGIN).await?)
            }
            began => Ok(began?),
        }
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Makes the file before the engine does, so that nobody else may read it. The engine gives its log the same mode.
fn create_private(path: &Path) -> Result<(), BotError> {
    let made = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    made.map(drop).map_err(|error| BotError::Setup(format!("{} cannot be opened: {error}", path.display())))
}

/// A pragma that is not understood is silently ignored, so what matters for durability is read back.
async fn check_pragmas(connection: &mut SqliteConnection) -> Result<(), BotError> {
    let journal: String = sqlx::query_scalar("pragma journal_mode").fetch_one(&mut *connection).await?;
    let synchronous: i64 = sqlx::query_scalar("pragma synchronous").fetch_one(&mut *connection).await?;
    if (journal.as_str(), synchronous) == ("wal", 2) {
        return Ok(());
    }
    Err(BotError::Setup(format!("journal_mode is {journal} instead of wal, or synchronous {synchronous} instead of 2")))
}
