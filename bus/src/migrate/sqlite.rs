//! A SQLite file as one end of a copy.

use std::path::Path;

use futures_util::StreamExt as _;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Row as _, Sqlite, Transaction, TypeInfo as _, ValueRef as _};

use super::{Cell, Column, Kind, Rows};
use crate::streams::StreamError;

/// A statement takes at most so many values.
const VALUES_MAX: usize = 30_000;

pub(super) struct End {
    pool: SqlitePool,
    /// Begun with the first row that is written.
    writing: Option<Transaction<'static, Sqlite>>,
}

impl End {
    pub(super) async fn open(path: &Path) -> Result<Self, StreamError> {
        let options = SqliteConnectOptions::new().filename(path).synchronous(SqliteSynchronous::Full);
        Ok(Self { pool: SqlitePoolOptions::new().max_connections(2).connect_with(options).await?, writing: None })
    }

    pub(super) async fn columns(&self, table: &str) -> Result<Vec<Column>, StreamError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("select name, type from pragma_table_info(?)").bind(table).fetch_all(&self.pool).await?;
        let column = |(name, declared): (String, String)| {
            let kind = match declared.to_ascii_uppercase().as_str() {
                "INTEGER" | "INT" => Kind::Integer,
                "REAL" => Kind::Real,
                "BLOB" => Kind::Bytes,
                _ => Kind::Text,
            };
            Column { name, kind, identity: false }
        };
        Ok(rows.into_iter().map(column).collect())
    }

    pub(super) async fn has_rows(&self, table: &str) -> Result<bool, StreamError> {
        let sql = format!("select exists (select 1 from {table})");
        Ok(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.pool).await?)
    }

    pub(super) fn rows<'a>(&'a self, table: &str, columns: &'a [Column]) -> Rows<'a> {
        let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
        let sql = format!("select {} from {table}", names.join(", "));
        let read = move |row: SqliteRow| (0..columns.len()).map(|index| cell(&row, index)).collect();
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch(&self.pool);
        rows.map(move |row| read(row?)).boxed()
    }

    pub(super) async fn write(
        &mut self,
        table: &str,
        columns: &[Column],
        rows: Vec<Vec<Cell>>,
    ) -> Result<(), StreamError> {
        if self.writing.is_none() {
            self.writing = Some(self.pool.begin().await?);
        }
        let Some(transaction) = &mut self.writing else { return Err(StreamError::Stopped) };
        let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
        let tuple = format!("({})", vec!["?"; columns.len()].join(", "));
        for chunk in rows.chunks(VALUES_MAX / columns.len().max(1)) {
            let tuples = vec![tuple.as_str(); chunk.len()].join(", ");
            let sql = format!("insert into {table} ({}) values {tuples}", names.join(", "));
            let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
            for cell in chunk.iter().flatten().cloned() {
                query = match cell {
                    Cell::Null => query.bind(None::<i64>),
                    Cell::Integer(number) => query.bind(number),
                    Cell::Real(number) => query.bind(number),
                    Cell::Text(text) => query.bind(text),
                    Cell::Bytes(bytes) => query.bind(bytes),
                };
            }
            query.execute(&mut **transaction).await?;
        }
        Ok(())
    }

    pub(super) async fn commit(mut self) -> Result<(), StreamError> {
        if let Some(transaction) = self.writing.take() {
            transaction.commit().await?;
        }
        self.pool.close().await;
        Ok(())
    }
}

fn cell(row: &SqliteRow, index: usize) -> Result<Cell, StreamError> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    let name = raw.type_info().name().to_owned();
    Ok(match name.as_str() {
        "INTEGER" => Cell::Integer(row.try_get_unchecked(index)?),
        "REAL" => Cell::Real(row.try_get_unchecked(index)?),
        "BLOB" => Cell::Bytes(row.try_get_unchecked(index)?),
        _ => Cell::Text(row.try_get_unchecked(index)?),
    })
}
