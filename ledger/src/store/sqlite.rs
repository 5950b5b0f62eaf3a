//! Facts in SQLite: one file for each generation, with one connection that writes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bus::ids::EventOffset;
use chrono::{DateTime, Utc};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection};

use super::{Batch, Position, Row, Table, read_data_through};
use crate::error::LedgerError;

/// The file that the live facts are copied to for comparison. It is named so that a start removes it like a
/// generation that was left unfinished.
const COPY: &str = "ledger-verify.db";

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/sqlite/ledger");

/// Another program that reads the file may hold it for a moment.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The directory of the files.
#[derive(Debug, Clone)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    fn path_of(&self, generation: u64) -> PathBuf {
        self.0.join(format!("ledger-{generation}.db"))
    }

    pub(super) async fn open(&self, generation: u64) -> Result<Sqlite, LedgerError> {
        Sqlite::open(&self.path_of(generation)).await
    }

    pub(super) async fn file(&self, generation: u64) -> Result<File, LedgerError> {
        Ok(File { engine: self.open(generation).await?, path: self.path_of(generation) })
    }

    pub(super) async fn copy(&self, generation: u64) -> Result<File, LedgerError> {
        let path = self.0.join(COPY);
        remove_file(&path)?;
        let mut live = self.open(generation).await?;
        live.copy_to(&path).await?;
        live.close().await?;
        Ok(File { engine: Sqlite::open(&path).await?, path })
    }

    pub(super) fn remove(&self, generation: u64) -> Result<(), LedgerError> {
        remove_file(&self.path_of(generation))
    }

    pub(super) fn remove_others(&self, live: u64) -> Result<(), LedgerError> {
        let failed = |source| LedgerError::File { path: self.0.display().to_string(), source };
        for entry in std::fs::read_dir(&self.0).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let generation = name.strip_prefix("ledger-").and_then(|rest| rest.strip_suffix(".db"));
            if generation.is_some_and(|generation| generation != live.to_string()) {
                remove_file(&entry.path())?;
            }
        }
        Ok(())
    }
}

/// A file that is removed in the end.
#[derive(Debug)]
pub(crate) struct File {
    pub(super) engine: Sqlite,
    path: PathBuf,
}

impl File {
    pub(super) async fn remove(self) -> Result<(), LedgerError> {
        self.engine.close().await?;
        remove_file(&self.path)
    }
}

/// Removes a database with what the engine keeps beside it.
fn remove_file(path: &Path) -> Result<(), LedgerError> {
    for suffix in ["-wal", "-shm", ""] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(&name) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(LedgerError::File { path: path.display().to_string(), source }),
        }
    }
    Ok(())
}

/// The engine.
#[derive(Debug)]
pub(crate) struct Sqlite {
    connection: SqliteConnection,
}

impl Sqlite {
    async fn open(path: &Path) -> Result<Self, LedgerError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .pragma("trusted_schema", "off")
            .pragma("cell_size_check", "on")
            .pragma("temp_store", "memory")
            .pragma("mmap_size", "0")
            .pragma("cache_size", "-16384")
            .pragma("journal_size_limit", "67108864");
        let mut connection = SqliteConnection::connect_with(&options).await?;
        // Not `run`: its future cannot be shown to be `Send` where it is part of a spawned task.
        MIGRATIONS.run_direct(None, &mut connection, false).await?;
        check_pragmas(&mut connection).await?;
        Ok(Self { connection })
    }

    pub(super) async fn position(&mut self) -> Result<Position, LedgerError> {
        let row: Option<(i64, i64, String)> =
            sqlx::query_as("select checkpoint, revised_through, fingerprint from position")
                .fetch_optional(&mut self.connection)
                .await?;
        Ok(row.map_or_else(Position::default, |(checkpoint, revised_through, fingerprint)| Position {
            checkpoint: EventOffset(checkpoint),
            revised_through: EventOffset(revised_through),
            fingerprint,
        }))
    }

    pub(super) async fn data_through(&mut self) -> Result<Option<DateTime<Utc>>, LedgerError> {
        let text: Option<Option<String>> =
            sqlx::query_scalar("select data_through from position").fetch_optional(&mut self.connection).await?;
        read_data_through(text.flatten())
    }

    pub(super) async fn save(&mut self, batch: &Batch) -> Result<(), LedgerError> {
        // By hand: a commit that fails for want of room ends the transaction, but not for sqlx, which would count it
        // for ever.
        sqlx::query("begin immediate").execute(&mut self.connection).await?;
        let saved = self.write(batch).await;
        if saved.is_err() {
            // The engine may have rolled back by itself.
            drop(sqlx::query("rollback").execute(&mut self.connection).await);
        }
        saved
    }

    async fn write(&mut self, batch: &Batch) -> Result<(), LedgerError> {
        let Batch { rows, position, data_through } = batch;
        let version: i64 = sqlx::query_scalar(
            "insert into position (only_row, checkpoint, revised_through, fingerprint, data_through, version)
             values (1, ?1, ?2, ?3, ?4, 1)
             on conflict (only_row) do update set
                 checkpoint = excluded.checkpoint, revised_through = excluded.revised_through,
                 fingerprint = excluded.fingerprint, data_through = excluded.data_through, version = version + 1
             returning version",
        )
        .bind(position.checkpoint.0)
        .bind(position.revised_through.0)
        .bind(&position.fingerprint)
        .bind(data_through.map(|at| at.to_rfc3339()))
        .fetch_one(&mut self.connection)
        .await?;
        for (table, json) in rows {
            sqlx::query(statements(*table).write).bind(json).bind(version).execute(&mut self.connection).await?;
        }
        sqlx::query("commit").execute(&mut self.connection).await?;
        Ok(())
    }

    pub(super) async fn rows(&mut self, table: Table, after: &str, limit: u32) -> Result<Vec<Row>, LedgerError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as(statements(table).read).bind(after).bind(limit).fetch_all(&mut self.connection).await?;
        Ok(rows.into_iter().map(|(key, state)| Row { key, state }).collect())
    }

    /// Writes a copy as it is at this moment into a file that does not exist yet. Readers and writers go on meanwhile.
    async fn copy_to(&mut self, path: &Path) -> Result<(), LedgerError> {
        sqlx::query("vacuum into ?1").bind(path.display().to_string()).execute(&mut self.connection).await?;
        Ok(())
    }

    pub(super) async fn close(self) -> Result<(), LedgerError> {
        Ok(self.connection.close().await?)
    }
}

/// A pragma that is not understood is silently ignored, so what matters for durability is read back.
async fn check_pragmas(connection: &mut SqliteConnection) -> Result<(), LedgerError> {
    let journal: String = sqlx::query_scalar("pragma journal_mode").fetch_one(&mut *connection).await?;
    let synchronous: i64 = sqlx::query_scalar("pragma synchronous").fetch_one(&mut *connection).await?;
    if (journal.as_str(), synchronous) == ("wal", 2) {
        return Ok(());
    }
    Err(LedgerError::Setup(format!(
        "journal_mode is {journal} instead of wal, or synchronous {synchronous} instead of 2"
    )))
}

struct Statements {
    /// Replaces the rows of a JSON object of state by key.
    write: &'static str,
    /// Rows after a key, in order.
    read: &'static str,
}

macro_rules! statements {
    ($table:literal) => {
        Statements {
            // The `where` tells the parser that `on` begins no join.
            write: concat!(
                "insert into ",
                $table,
                " (key, state, version) select key, value, ?2 from json_each(?1) where true
                 on conflict (key) do update set state = excluded.state, version = excluded.version"
            ),
            read: concat!("select key, state from ", $table, " where key > ?1 order by key limit ?2"),
        }
    };
}

const fn statements(table: Table) -> Statements {
    match table {
        Table::Changes => statements!("change_facts"),
        Table::Deployments => statements!("deployment_facts"),
        Table::PipelineRuns => statements!("pipeline_run_facts"),
        Table::Incidents => statements!("incident_facts"),
        Table::Measurements => statements!("measurement_facts"),
        Table::Vulnerabilities => statements!("vulnerability_facts"),
        Table::Commits => statements!("commit_facts"),
        Table::FirstSeen => statements!("first_seen_facts"),
    }
}
