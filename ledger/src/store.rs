//! Keeps the facts of one generation, and how far they go, in one transaction each time.
//!
//! Facts live in memory while the program runs; the store is what they are loaded from at the next start, and what
//! other programs read. It knows nothing of what a fact means.

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;

use bus::ids::EventOffset;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::error::LedgerError;
use crate::facts::Facts;
use crate::fold::Touched;

pub(crate) mod generations;
mod postgres;
mod sqlite;

/// Rows written by one statement: some MB of JSON, so that neither memory nor the statement's limits are stretched.
const CHUNK_ROWS_MAX: usize = 5_000;

/// The tables of facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    Changes,
    Deployments,
    PipelineRuns,
    Incidents,
    Measurements,
    Vulnerabilities,
    Commits,
    FirstSeen,
}

impl Table {
    pub(crate) const ALL: [Self; 8] = [
        Self::Changes,
        Self::Deployments,
        Self::PipelineRuns,
        Self::Incidents,
        Self::Measurements,
        Self::Vulnerabilities,
        Self::Commits,
        Self::FirstSeen,
    ];

    /// Name of the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Changes => "change_facts",
            Self::Deployments => "deployment_facts",
            Self::PipelineRuns => "pipeline_run_facts",
            Self::Incidents => "incident_facts",
            Self::Measurements => "measurement_facts",
            Self::Vulnerabilities => "vulnerability_facts",
            Self::Commits => "commit_facts",
            Self::FirstSeen => "first_seen_facts",
        }
    }
}

/// What a generation includes, and what it was folded with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// Every event up to here is folded in.
    pub(crate) checkpoint: EventOffset,
    /// Corrected readings up to here were taken instead of what they correct.
    pub(crate) revised_through: EventOffset,
    /// Says how events were folded; with another one the same events would give other facts.
    pub(crate) fingerprint: String,
}

/// Rows to be written together with the position that they make true.
#[derive(Debug)]
pub(crate) struct Batch {
    /// JSON objects of state by key.
    rows: Vec<(Table, String)>,
    position: Position,
    data_through: Option<DateTime<Utc>>,
}

impl Batch {
    /// The rows of the touched facts.
    pub(crate) fn of(facts: &Facts, touched: &Touched, position: Position) -> Result<Self, LedgerError> {
        let mut batch = Self { rows: Vec::new(), position, data_through: facts.data_through };
        batch.add(Table::Changes, &facts.changes, &touched.changes)?;
        batch.add(Table::Deployments, &facts.deployments, &touched.deployments)?;
        batch.add(Table::PipelineRuns, &facts.pipeline_runs, &touched.pipeline_runs)?;
        batch.add(Table::Incidents, &facts.incidents, &touched.incidents)?;
        batch.add(Table::Measurements, &facts.measurements, &touched.measurements)?;
        batch.add(Table::Vulnerabilities, &facts.vulnerabilities, &touched.vulnerabilities)?;
        batch.add(Table::Commits, &facts.commits, &touched.commits)?;
        // A bare text would lose its quotes on the way through the engine.
        let seen: BTreeMap<&String, (DateTime<Utc>,)> =
            touched.first_seen.iter().filter_map(|name| Some((name, (*facts.first_seen.get(name)?,)))).collect();
        batch.push(Table::FirstSeen, &seen)?;
        Ok(batch)
    }

    fn add<K: Ord + Hash + Serialize, V: Serialize>(
        &mut self,
        table: Table,
        facts: &BTreeMap<K, V>,
        touched: &HashSet<K>,
    ) -> Result<(), LedgerError> {
        let mut keys: Vec<&K> = touched.iter().collect();
        keys.sort_unstable();
        for keys in keys.chunks(CHUNK_ROWS_MAX) {
            let rows: BTreeMap<&K, &V> = keys.iter().filter_map(|key| Some((*key, facts.get(key)?))).collect();
            self.push(table, &rows)?;
        }
        Ok(())
    }

    /// The rows as they are stored, by table and key.
    pub(crate) fn into_rows(self) -> Result<BTreeMap<Table, BTreeMap<String, String>>, LedgerError> {
        let mut tables: BTreeMap<Table, BTreeMap<String, String>> = BTreeMap::new();
        for (table, json) in self.rows {
            let texts = states(table, &json)?.into_iter().map(|(key, state)| (key, state.get().to_owned()));
            tables.entry(table).or_default().extend(texts);
        }
        Ok(tables)
    }

    fn push<K: Serialize, V: Serialize>(&mut self, table: Table, rows: &BTreeMap<K, V>) -> Result<(), LedgerError> {
        if !rows.is_empty() {
            let json = serde_json::to_string(rows);
            self.rows.push((table, json.map_err(|source| LedgerError::Unwritable { table: table.name(), source })?));
        }
        Ok(())
    }
}

/// The states in a JSON object, each as it stands there, by key.
fn states(table: Table, json: &str) -> Result<BTreeMap<String, &RawValue>, LedgerError> {
    serde_json::from_str(json).map_err(|source| LedgerError::Unwritable { table: table.name(), source })
}

/// One stored fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) state: String,
}

/// Where the holder of the lease on the facts writes one generation.
#[derive(Debug)]
pub(crate) enum Store {
    Sqlite(sqlite::File),
    Postgres(postgres::Writer),
}

impl Store {
    /// What it includes; the default for a new one.
    pub(crate) async fn position(&mut self) -> Result<Position, LedgerError> {
        match self {
            Self::Sqlite(file) => file.engine.position().await,
            Self::Postgres(writer) => writer.position().await,
        }
    }

    /// Writes rows and position in one transaction: after a crash either all of it is there or nothing.
    pub(crate) async fn save(&mut self, batch: &Batch) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(file) => file.engine.save(batch).await,
            Self::Postgres(writer) => writer.save(batch).await,
        }
    }

    /// Closes it.
    pub(crate) async fn close(self) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(file) => file.engine.close().await,
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Closes it and removes what it wrote.
    pub(crate) async fn remove(self) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(file) => file.remove().await,
            Self::Postgres(writer) => writer.remove().await,
        }
    }
}

/// The facts of one generation as they were at one moment, for reading.
#[derive(Debug)]
pub(crate) enum Snapshot {
    /// A file that nobody writes meanwhile: the one process there is reads it.
    Sqlite(sqlite::Sqlite),
    SqliteCopy(sqlite::File),
    /// A transaction: short, because it keeps the server from tidying up.
    Postgres(postgres::Reading),
    PostgresCopy(postgres::Copy),
}

/// Asks whatever a snapshot is read from the same question.
macro_rules! ask {
    ($snapshot:expr, $source:ident => $question:expr) => {
        match $snapshot {
            Snapshot::Sqlite($source) => $question,
            Snapshot::SqliteCopy(sqlite::File { engine: $source, .. }) => $question,
            Snapshot::Postgres($source) => $question,
            Snapshot::PostgresCopy($source) => $question,
        }
    };
}

impl Snapshot {
    /// What it includes; the default for a new one.
    pub(crate) async fn position(&mut self) -> Result<Position, LedgerError> {
        ask!(self, source => source.position().await)
    }

    /// All facts.
    pub(crate) async fn load(&mut self) -> Result<Facts, LedgerError> {
        let first_seen: BTreeMap<String, (DateTime<Utc>,)> = self.table(Table::FirstSeen).await?;
        Ok(Facts {
            changes: self.table(Table::Changes).await?,
            deployments: self.table(Table::Deployments).await?,
            pipeline_runs: self.table(Table::PipelineRuns).await?,
            incidents: self.table(Table::Incidents).await?,
            measurements: self.table(Table::Measurements).await?,
            vulnerabilities: self.table(Table::Vulnerabilities).await?,
            commits: self.table(Table::Commits).await?,
            first_seen: first_seen.into_iter().map(|(name, (at,))| (name, at)).collect(),
            data_through: ask!(self, source => source.data_through().await)?,
        })
    }

    /// Rows after a key, in order of keys, at most `limit`.
    pub(crate) async fn rows(&mut self, table: Table, after: &str, limit: u32) -> Result<Vec<Row>, LedgerError> {
        ask!(self, source => source.rows(table, after, limit).await)
    }

    /// Gives it back; a copy is removed.
    pub(crate) async fn close(self) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(engine) => engine.close().await,
            Self::SqliteCopy(copy) => copy.remove().await,
            Self::Postgres(reading) => reading.close().await,
            Self::PostgresCopy(copy) => copy.close().await,
        }
    }

    async fn table<K: Ord + From<String>, V: DeserializeOwned>(
        &mut self,
        table: Table,
    ) -> Result<BTreeMap<K, V>, LedgerError> {
        let mut facts = BTreeMap::new();
        let mut after = String::new();
        loop {
            let rows = self.rows(table, &after, PAGE_ROWS).await?;
            let Some(last) = rows.last() else { return Ok(facts) };
            after.clone_from(&last.key);
            for Row { key, state } in rows {
                let value = serde_json::from_str(&state).map_err(|source| LedgerError::Corrupt {
                    table: table.name(),
                    key: key.clone(),
                    column: "state",
                    source,
                })?;
                facts.insert(K::from(key), value);
            }
        }
    }
}

/// Rows read at once: some MB.
pub(crate) const PAGE_ROWS: u32 = 10_000;

/// The time of the newest event, as it is kept.
fn read_data_through(text: Option<String>) -> Result<Option<DateTime<Utc>>, LedgerError> {
    let Some(text) = text else { return Ok(None) };
    let parsed = serde_json::from_value(serde_json::Value::String(text));
    parsed.map(Some).map_err(|source| LedgerError::Corrupt {
        table: "position",
        key: "1".to_owned(),
        column: "data_through",
        source,
    })
}
