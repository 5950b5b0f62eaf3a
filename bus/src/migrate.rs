//! Copies tables between engines, row by row as they are: offsets, ids and hash chains stay what they were.
//!
//! The same tables have the same columns in every engine, so nothing here knows what any of them means.

use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;

use crate::storage::{PostgresSettings, Tables};
use crate::streams::StreamError;

mod postgres;
mod sqlite;

/// Tables that belong together: a file of the embedded engine, a schema of PostgreSQL.
#[derive(Debug, Clone, Copy)]
pub struct Set {
    /// The file below the data directory.
    pub file: &'static str,
    /// The schema.
    pub schema: &'static str,
    /// Their names; those that others refer to first.
    pub tables: &'static [&'static str],
    /// Columns, as `table.column`, that one engine has for itself: they are left at their defaults.
    pub apart: &'static [&'static str],
    /// Whether texts are written so that PostgreSQL gives back every character: else U+0000 is replaced there.
    pub exact: bool,
}

/// The tables of the streams.
pub const STREAMS: Set = Set {
    file: "devhose.db",
    schema: "devhose",
    tables: &[
        "sources",
        "deliveries",
        "delivery_bodies",
        "events",
        "superseded_events",
        "kinds",
        "quarantine",
        "checkpoints",
        "settings",
        "trimmed",
        "trimmed_deliveries",
    ],
    apart: &[],
    exact: true,
};

/// Sets the heads of a log that was copied, where an engine keeps them apart from the records.
///
/// # Errors
/// If the engine fails.
pub async fn settle_heads(to: &Tables) -> Result<(), StreamError> {
    match to {
        Tables::Sqlite(_) => Ok(()),
        Tables::Postgres(settings) => postgres::settle_heads(crate::postgres::options(settings, STREAMS.schema)?).await,
    }
}

/// A value of a row, whatever the engine calls its type.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// What a column takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    Boolean,
    Real,
    Text,
    Bytes,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    name: String,
    kind: Kind,
    /// Whether the engine gives it a number of its own.
    identity: bool,
}

/// One end of a copy.
enum End {
    Sqlite(sqlite::End),
    Postgres(postgres::End),
}

/// So many rows are held at once, at most, or fewer where they are large.
const ROWS_MAX: usize = 500;

/// So many bytes of rows are held at once before they are written.
const BYTES_MAX: usize = 8 << 20;

/// Copies every row of every table of a set from one place to another, whose tables must exist and be empty. Nobody may
/// write at either end meanwhile. Returns how many rows; `progress` hears it now and then.
///
/// # Errors
/// If a table is missing, has other columns or holds rows already, or an engine fails. What was copied then stays: empty
/// the target before trying again.
pub async fn copy(
    set: &Set,
    from: &Tables,
    to: &Tables,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<u64, StreamError> {
    let (from, mut to) = (End::open(set, from).await?, End::open(set, to).await?);
    let mut copied = 0;
    for table in set.tables {
        let (read, columns) = columns_of_both(set, table, &from, &to).await?;
        if to.has_rows(table).await? {
            return Err(StreamError::Setup(format!("table {table} of the target holds rows: it must be empty")));
        }
        let mut rows = from.rows(table, &read);
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next().await {
            let row: Vec<Cell> =
                row?.into_iter().zip(&columns).map(|(cell, column)| cell.fitted(column.kind)).collect();
            bytes += row.iter().map(Cell::bytes).sum::<usize>();
            batch.push(row);
            if batch.len() >= ROWS_MAX || bytes >= BYTES_MAX {
                copied += u64::try_from(batch.len()).unwrap_or(0);
                to.write(table, &columns, std::mem::take(&mut batch)).await?;
                bytes = 0;
                progress(copied);
            }
        }
        copied += u64::try_from(batch.len()).unwrap_or(0);
        to.write(table, &columns, batch).await?;
        to.finish(table, &columns).await?;
        progress(copied);
    }
    to.commit().await?;
    Ok(copied)
}

/// Columns are matched by name; one that only one end has would be lost or made up.
async fn columns_of_both(
    set: &Set,
    table: &str,
    from: &End,
    to: &End,
) -> Result<(Vec<Column>, Vec<Column>), StreamError> {
    let (mut here, mut there) = (from.columns(table).await?, to.columns(table).await?);
    for columns in [&mut here, &mut there] {
        columns.retain(|column| !set.apart.contains(&format!("{table}.{}", column.name).as_str()));
    }
    let names = |columns: &[Column]| -> Vec<String> {
        let mut names: Vec<_> = columns.iter().map(|column| column.name.clone()).collect();
        names.sort();
        names
    };
    if here.is_empty() || names(&here) != names(&there) {
        return Err(StreamError::Setup(format!(
            "table {table} has columns {:?} here and {:?} in the target: both must be of this version",
            names(&here),
            names(&there)
        )));
    }
    here.sort_by(|a, b| a.name.cmp(&b.name));
    there.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((here, there))
}

impl Cell {
    /// The same value as a column of that kind takes it: an engine whose texts cannot hold every character keeps them as
    /// bytes.
    fn fitted(self, kind: Kind) -> Self {
        match (self, kind) {
            (Self::Text(text), Kind::Bytes) => Self::Bytes(text.into_bytes()),
            (Self::Bytes(bytes), Kind::Text) => match String::from_utf8(bytes) {
                Ok(text) => Self::Text(text),
                Err(error) => Self::Bytes(error.into_bytes()),
            },
            (cell, _) => cell,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Null | Self::Integer(_) | Self::Real(_) => 8,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

type Rows<'a> = futures_util::stream::BoxStream<'a, Result<Vec<Cell>, StreamError>>;

impl End {
    async fn open(set: &Set, tables: &Tables) -> Result<Self, StreamError> {
        Ok(match tables {
            Tables::Sqlite(directory) => Self::Sqlite(sqlite::End::open(&file_of(directory, set)).await?),
            Tables::Postgres(settings) => Self::Postgres(open_postgres(settings, set).await?),
        })
    }

    async fn columns(&self, table: &str) -> Result<Vec<Column>, StreamError> {
        match self {
            Self::Sqlite(end) => end.columns(table).await,
            Self::Postgres(end) => end.columns(table).await,
        }
    }

    async fn has_rows(&self, table: &str) -> Result<bool, StreamError> {
        match self {
            Self::Sqlite(end) => end.has_rows(table).await,
            Self::Postgres(end) => end.has_rows(table).await,
        }
    }

    fn rows<'a>(&'a self, table: &str, columns: &'a [Column]) -> Rows<'a> {
        match self {
            Self::Sqlite(end) => end.rows(table, columns),
            Self::Postgres(end) => end.rows(table, columns),
        }
    }

    async fn write(&mut self, table: &str, columns: &[Column], rows: Vec<Vec<Cell>>) -> Result<(), StreamError> {
        if rows.is_empty() {
            return Ok(());
        }
        match self {
            Self::Sqlite(end) => end.write(table, columns, rows).await,
            Self::Postgres(end) => end.write(table, columns, rows).await,
        }
    }

    async fn finish(&mut self, table: &str, columns: &[Column]) -> Result<(), StreamError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(end) => end.finish(table, columns).await,
        }
    }

    async fn commit(self) -> Result<(), StreamError> {
        match self {
            Self::Sqlite(end) => end.commit().await,
            Self::Postgres(end) => end.commit().await,
        }
    }
}

fn file_of(directory: &Path, set: &Set) -> PathBuf {
    directory.join(set.file)
}

async fn open_postgres(settings: &PostgresSettings, set: &Set) -> Result<postgres::End, StreamError> {
    postgres::End::open(crate::postgres::options(settings, set.schema)?, *set).await
}
