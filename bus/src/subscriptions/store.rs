//! The tables of subscriptions, whatever engine keeps them.
//!
//! Both engines understand the same statements, so each statement stands once, in the file `sqlite.rs` of its area;
//! `store/postgres.rs` has what PostgreSQL needs beside them: locks, and the fence of the lease.

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, FromRow, SqlSafeStr, SqlStr};

use super::SubscriptionError;
use crate::lease::Epoch;
use crate::migrate::Set;
use crate::storage::Tables;

pub(super) mod definitions;
pub(super) mod groups;
pub(super) mod history;
mod postgres;
pub(super) mod queue;
mod sqlite;

type Result<T> = std::result::Result<T, SubscriptionError>;

/// Names a subscription in the tables: one that is deleted and made again under its name is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SubscriptionId(pub(super) i64);

/// The tables. Clones share connections.
#[derive(Debug, Clone)]
pub(super) enum Store {
    Sqlite(sqlite::Sqlite),
    Postgres(sqlx::PgPool),
}

/// What is done whole or not at all. Dropped before it is committed, it never was.
#[derive(Debug)]
pub(super) enum Transaction {
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

/// A value in a statement.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Number(Option<i64>),
    Text(Option<String>),
    Bytes(Vec<u8>),
}

/// A row that both engines can give.
pub(super) trait Row: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}
impl<T> Row for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

/// The values of a statement, in order.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$(crate::subscriptions::store::Value::from($value)),*] };
}
use values;

/// What subscriptions keep, for moving it from one engine to another.
pub const TABLES: Set = Set {
    file: sqlite::DATABASE_FILE,
    schema: postgres::SCHEMA,
    tables: &["subscriptions", "work", "attempts", "dead_letters", "consumers", "partitions"],
    apart: &[],
    exact: false,
};

/// Makes the tables of subscriptions where they are not there yet.
///
/// # Errors
/// If they cannot be made or brought up to date.
pub async fn prepare(tables: &Tables) -> Result<()> {
    Store::open(tables).await?.close().await;
    Ok(())
}

impl Store {
    pub(super) async fn open(tables: &Tables) -> Result<Self> {
        match tables {
            Tables::Sqlite(directory) => Ok(Self::Sqlite(sqlite::Sqlite::open(directory).await?)),
            Tables::Postgres(settings) => Ok(Self::Postgres(postgres::open(settings).await?)),
        }
    }

    /// Whether other processes may change the tables too.
    pub(super) const fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    pub(super) async fn begin(&self) -> Result<Transaction> {
        Ok(match self {
            Self::Sqlite(sqlite) => Transaction::Sqlite(sqlite.begin().await?),
            Self::Postgres(pool) => Transaction::Postgres(pool.begin().await?),
        })
    }

    /// Begins a change of a subscription, of which there is one at a time: on a shared engine its row is locked.
    async fn begin_on(&self, id: SubscriptionId) -> Result<Transaction> {
        let mut transaction = self.begin().await?;
        if let Transaction::Postgres(transaction) = &mut transaction {
            postgres::lock(transaction, id).await?;
        }
        Ok(transaction)
    }

    /// As [`Self::begin_on`], only for whoever holds the lease in that epoch.
    async fn begin_as(&self, epoch: Epoch, id: SubscriptionId) -> Result<Transaction> {
        let mut transaction = self.begin_on(id).await?;
        if let Transaction::Postgres(transaction) = &mut transaction {
            postgres::fence(transaction, epoch).await?;
        }
        Ok(transaction)
    }

    /// Reads what is committed.
    async fn rows<T: Row>(&self, sql: &'static str, values: Vec<Value>) -> Result<Vec<T>> {
        Ok(match self {
            Self::Sqlite(sqlite) => {
                sqlx::query_as_with(sql, sqlite_arguments(values)?).fetch_all(sqlite.readers()).await?
            }
            Self::Postgres(pool) => sqlx::query_as_with(sql, postgres_arguments(values)?).fetch_all(pool).await?,
        })
    }

    async fn row<T: Row>(&self, sql: &'static str, values: Vec<Value>) -> Result<Option<T>> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(sqlite) => sqlite.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Transaction {
    pub(super) async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await?,
            Self::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }

    /// Does a statement; says how many rows it touched.
    async fn execute(&mut self, sql: &'static str, values: Vec<Value>) -> Result<u64> {
        self.execute_text(sql.into_sql_str(), values, true).await
    }

    /// As [`Self::execute`], for a statement that was put together; `persistent` if it comes again.
    async fn execute_text(&mut self, sql: SqlStr, values: Vec<Value>, persistent: bool) -> Result<u64> {
        Ok(match self {
            Self::Sqlite(transaction) => {
                let query: Query<'_, sqlx::Sqlite, SqliteArguments> =
                    sqlx::query_with(sql, sqlite_arguments(values)?).persistent(persistent);
                query.execute(&mut **transaction).await?.rows_affected()
            }
            Self::Postgres(transaction) => {
                let query: Query<'_, sqlx::Postgres, PgArguments> =
                    sqlx::query_with(sql, postgres_arguments(values)?).persistent(persistent);
                query.execute(&mut **transaction).await?.rows_affected()
            }
        })
    }

    async fn rows<T: Row>(&mut self, sql: &'static str, values: Vec<Value>) -> Result<Vec<T>> {
        Ok(match self {
            Self::Sqlite(transaction) => {
                sqlx::query_as_with(sql, sqlite_arguments(values)?).fetch_all(&mut **transaction).await?
            }
            Self::Postgres(transaction) => {
                sqlx::query_as_with(sql, postgres_arguments(values)?).fetch_all(&mut **transaction).await?
            }
        })
    }

    async fn row<T: Row>(&mut self, sql: &'static str, values: Vec<Value>) -> Result<Option<T>> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }
}

fn sqlite_arguments(values: Vec<Value>) -> Result<SqliteArguments> {
    use sqlx::Arguments as _;
    let mut arguments = SqliteArguments::default();
    for value in values {
        match value {
            Value::Number(number) => arguments.add(number),
            Value::Text(text) => arguments.add(text),
            Value::Bytes(bytes) => arguments.add(bytes),
        }
        .map_err(|error| SubscriptionError::Store(error.to_string()))?;
    }
    Ok(arguments)
}

fn postgres_arguments(values: Vec<Value>) -> Result<PgArguments> {
    use sqlx::Arguments as _;
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Number(number) => arguments.add(number),
            Value::Text(text) => arguments.add(text),
            Value::Bytes(bytes) => arguments.add(bytes),
        }
        .map_err(|error| SubscriptionError::Store(error.to_string()))?;
    }
    Ok(arguments)
}

/// A statement of the program's own that was put together, with nothing in it that came from outside.
fn assembled(sql: String) -> SqlStr {
    AssertSqlSafe(sql).into_sql_str()
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

impl From<SubscriptionId> for Value {
    fn from(id: SubscriptionId) -> Self {
        Self::Number(Some(id.0))
    }
}

impl From<DateTime<Utc>> for Value {
    fn from(time: DateTime<Utc>) -> Self {
        Self::Number(Some(time.timestamp_micros()))
    }
}

impl From<Option<DateTime<Utc>>> for Value {
    fn from(time: Option<DateTime<Utc>>) -> Self {
        Self::Number(time.map(|time| time.timestamp_micros()))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        // PostgreSQL has no zero in a text; only words for people can have one.
        Self::Text(Some(text.replace('\0', "\u{fffd}")))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::Text(None), Self::from)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl From<sqlx::Error> for SubscriptionError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.to_string())
    }
}

/// Names what cannot be read in a row.
fn corrupt(table: &'static str, row: i64, column: &'static str, why: impl std::fmt::Display) -> SubscriptionError {
    SubscriptionError::Store(format!("{table} {row}: column {column} cannot be read: {why}"))
}

fn time(table: &'static str, row: i64, column: &'static str, micros: i64) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
        .ok_or_else(|| corrupt(table, row, column, format_args!("{micros} is no time")))
}
