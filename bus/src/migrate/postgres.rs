//! A schema of PostgreSQL as one end of a copy.

use futures_util::StreamExt as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Postgres, Row as _, Transaction, ValueRef as _};

use super::{Cell, Column, Kind, Rows, Set};
use crate::streams::{StreamError, text};

/// A statement takes at most so many values.
const VALUES_MAX: usize = 60_000;

pub(super) struct End {
    pool: PgPool,
    set: Set,
    /// Begun with the first row that is written.
    writing: Option<Transaction<'static, Postgres>>,
}

impl End {
    pub(super) async fn open(options: PgConnectOptions, set: Set) -> Result<Self, StreamError> {
        // A whole table is one statement.
        let options = options.options([("statement_timeout", "0"), ("idle_in_transaction_session_timeout", "0")]);
        Ok(Self { pool: PgPoolOptions::new().max_connections(2).connect_with(options).await?, set, writing: None })
    }

    pub(super) async fn columns(&self, table: &str) -> Result<Vec<Column>, StreamError> {
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "select column_name::text, data_type::text, is_identity::text from information_schema.columns
             where table_schema = $1 and table_name = $2",
        )
        .bind(self.set.schema)
        .bind(table)
        .fetch_all(&self.pool)
        .await?;
        let column = |(name, declared, identity): (String, String, String)| {
            let kind = match declared.as_str() {
                "bigint" | "integer" | "smallint" => Kind::Integer,
                "boolean" => Kind::Boolean,
                "double precision" | "real" => Kind::Real,
                "bytea" => Kind::Bytes,
                _ => Kind::Text,
            };
            Column { name, kind, identity: identity == "YES" }
        };
        Ok(rows.into_iter().map(column).collect())
    }

    pub(super) async fn has_rows(&self, table: &str) -> Result<bool, StreamError> {
        let sql = format!("select exists (select 1 from {table})");
        Ok(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.pool).await?)
    }

    pub(super) fn rows<'a>(&'a self, table: &str, columns: &'a [Column]) -> Rows<'a> {
        // By a cast every number is a bigint and every text a text, whatever the column is declared as.
        let read_as = |column: &Column| match column.kind {
            Kind::Integer => format!("{}::bigint", column.name),
            Kind::Boolean => format!("{}::int::bigint", column.name),
            Kind::Real => format!("{}::double precision", column.name),
            Kind::Text => format!("{}::text", column.name),
            Kind::Bytes => column.name.clone(),
        };
        let sql = format!("select {} from {table}", columns.iter().map(read_as).collect::<Vec<_>>().join(", "));
        let exact = self.set.exact;
        let read = move |row: PgRow| {
            let cells = columns.iter().enumerate();
            cells.map(|(index, column)| cell(&row, index, column.kind).map(|cell| read_back(cell, exact))).collect()
        };
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
        let exact = self.set.exact;
        let Some(transaction) = &mut self.writing else { return Err(StreamError::Stopped) };
        let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
        for chunk in rows.chunks(VALUES_MAX / columns.len().max(1)) {
            let tuples: Vec<String> = (0..chunk.len()).map(|row| tuple(row, columns.len())).collect();
            let (names, tuples) = (names.join(", "), tuples.join(", "));
            let sql = format!("insert into {table} ({names}) overriding system value values {tuples}");
            let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
            for row in chunk {
                for (cell, column) in row.iter().cloned().zip(columns) {
                    query = match (column.kind, cell) {
                        (Kind::Integer, Cell::Integer(number)) => query.bind(number),
                        (Kind::Boolean, Cell::Integer(number)) => query.bind(number != 0),
                        (Kind::Real, Cell::Real(number)) => query.bind(number),
                        (Kind::Text, Cell::Text(text)) => query.bind(written(&text, exact)),
                        (Kind::Bytes, Cell::Bytes(bytes)) => query.bind(bytes),
                        (Kind::Integer, Cell::Null) => query.bind(None::<i64>),
                        (Kind::Boolean, Cell::Null) => query.bind(None::<bool>),
                        (Kind::Real, Cell::Null) => query.bind(None::<f64>),
                        (Kind::Text, Cell::Null) => query.bind(None::<String>),
                        (Kind::Bytes, Cell::Null) => query.bind(None::<Vec<u8>>),
                        (kind, cell) => {
                            let name = &column.name;
                            return Err(StreamError::Setup(format!("{table}.{name} takes {kind:?}, not {cell:?}")));
                        }
                    };
                }
            }
            query.execute(&mut **transaction).await?;
        }
        Ok(())
    }

    /// Numbers that the engine gives go on after the copied ones.
    pub(super) async fn finish(&mut self, table: &str, columns: &[Column]) -> Result<(), StreamError> {
        let Some(transaction) = &mut self.writing else { return Ok(()) };
        for Column { name, .. } in columns.iter().filter(|column| column.identity) {
            let schema = self.set.schema;
            let sql = format!(
                "select setval(pg_get_serial_sequence('{schema}.{table}', '{name}'), \
                 greatest((select coalesce(max({name}), 0) from {table}), 1))"
            );
            sqlx::query(AssertSqlSafe(sql)).execute(&mut **transaction).await?;
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

/// The head of a log is its last record, or where it was trimmed if nothing is left.
pub(super) async fn settle_heads(options: PgConnectOptions) -> Result<(), StreamError> {
    let mut connection = PgConnection::connect_with(&options).await?;
    for log in ["deliveries", "events"] {
        let sql = format!(
            "update log_heads set position = last.position, chain_hash = last.chain_hash from (
                 select position, chain_hash from {log}
                 union all select position, chain_hash from trimmed where log = '{log}'
                 order by position desc limit 1
             ) last where log = '{log}'"
        );
        sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await?;
    }
    Ok(connection.close().await?)
}

/// A text as the server can store it.
fn written(text: &str, exact: bool) -> String {
    if exact { text::stored(text).into_owned() } else { text.replace('\0', "\u{fffd}") }
}

/// A text as it was before it was written.
fn read_back(cell: Cell, exact: bool) -> Cell {
    match cell {
        Cell::Text(text) if exact => Cell::Text(text::restored(text)),
        Cell::Null | Cell::Integer(_) | Cell::Real(_) | Cell::Text(_) | Cell::Bytes(_) => cell,
    }
}

fn tuple(row: usize, columns: usize) -> String {
    let places: Vec<String> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
    format!("({})", places.join(", "))
}

fn cell(row: &PgRow, index: usize, kind: Kind) -> Result<Cell, StreamError> {
    if row.try_get_raw(index)?.is_null() {
        return Ok(Cell::Null);
    }
    Ok(match kind {
        Kind::Integer | Kind::Boolean => Cell::Integer(row.try_get(index)?),
        Kind::Real => Cell::Real(row.try_get(index)?),
        Kind::Text => Cell::Text(row.try_get(index)?),
        Kind::Bytes => Cell::Bytes(row.try_get(index)?),
    })
}
