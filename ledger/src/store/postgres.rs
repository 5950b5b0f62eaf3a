//! Facts in PostgreSQL: one schema for each generation, and one that says which is live.

use bus::ids::EventOffset;
use bus::lease::Epoch;
use bus::storage::PostgresSettings;
use bus::streams::StreamError;
use chrono::{DateTime, Utc};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Postgres, Transaction};

use super::{Batch, Position, Row, Table, read_data_through, states};
use crate::error::LedgerError;
use crate::ledger::LEASE;

static LIVE: Migrator = sqlx::migrate!("../migrations/postgres/ledgers");
static FACTS: Migrator = sqlx::migrate!("../migrations/postgres/ledger");

/// The schema of what concerns all generations.
const SCHEMA: &str = "devhose_ledger";

/// A generation's schema is this with its number.
const PREFIX: &str = "devhose_ledger_";

/// Copying the facts of years takes minutes at most.
const COPY_WITHIN: &str = "set local statement_timeout = '600s'";

/// The database. Clones share connections.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    settings: PostgresSettings,
    pool: PgPool,
}

impl Database {
    pub(super) async fn open(settings: &PostgresSettings) -> Result<Self, LedgerError> {
        let pool = bus::postgres::open(settings, SCHEMA, &LIVE).await?;
        Ok(Self { settings: settings.clone(), pool })
    }

    pub(super) async fn live(&self) -> Result<Option<u64>, LedgerError> {
        let number: Option<i64> = sqlx::query_scalar("select generation from live").fetch_optional(&self.pool).await?;
        Ok(number.map(i64::unsigned_abs))
    }

    pub(super) async fn make_live(&self, generation: u64, holder: Epoch) -> Result<(), LedgerError> {
        let mut transaction = self.begin(holder).await?;
        sqlx::query(
            "insert into live (only_row, generation) values (1, $1)
             on conflict (only_row) do update set generation = excluded.generation",
        )
        .bind(number(generation)?)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// None if nothing was ever saved.
    pub(super) async fn snapshot(&self, generation: u64) -> Result<Option<Reading>, LedgerError> {
        let mut transaction = self.pool.begin_with("begin isolation level repeatable read read only").await?;
        let live: Option<i64> =
            sqlx::query_scalar("select generation from live").fetch_optional(&mut *transaction).await?;
        if live.is_none() {
            return Ok(None);
        }
        Ok(Some(Reading { transaction, schema: schema_of(generation) }))
    }

    /// On a connection of its own: what is copied there is gone with it.
    pub(super) async fn copy(&self, generation: u64) -> Result<Copy, LedgerError> {
        let mut connection = PgConnection::connect_with(&bus::postgres::options(&self.settings, SCHEMA)?).await?;
        let schema = schema_of(generation);
        let mut transaction = connection.begin_with("begin isolation level repeatable read").await?;
        sqlx::query(COPY_WITHIN).execute(&mut *transaction).await?;
        for table in ["position"].into_iter().chain(Table::ALL.into_iter().map(Table::name)) {
            let copy = format!("create temporary table {table} as table {schema}.{table}");
            sqlx::query(AssertSqlSafe(copy)).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        for table in Table::ALL.map(Table::name) {
            let index = format!("create index on pg_temp.{table} (key)");
            sqlx::query(AssertSqlSafe(index)).execute(&mut connection).await?;
        }
        Ok(Copy { connection })
    }

    pub(super) async fn writer(&self, generation: u64, holder: Epoch) -> Result<Writer, LedgerError> {
        let schema = schema_of(generation);
        // Its connections are made as they are needed, and none is.
        drop(bus::postgres::open(&self.settings, &schema, &FACTS).await?);
        Ok(Writer { database: self.clone(), generation, schema, holder })
    }

    pub(super) async fn remove(&self, generation: u64, holder: Epoch) -> Result<(), LedgerError> {
        let mut transaction = self.begin(holder).await?;
        drop_schema(&mut transaction, &schema_of(generation)).await?;
        Ok(transaction.commit().await?)
    }

    pub(super) async fn take_over(&self, live: u64, holder: Epoch) -> Result<(), LedgerError> {
        let mut transaction = self.begin(holder).await?;
        sqlx::query("insert into live (only_row, generation) values (1, $1) on conflict (only_row) do nothing")
            .bind(number(live)?)
            .execute(&mut *transaction)
            .await?;
        let schemas: Vec<String> =
            sqlx::query_scalar("select nspname::text from pg_namespace where starts_with(nspname::text, $1)")
                .bind(PREFIX)
                .fetch_all(&mut *transaction)
                .await?;
        transaction.commit().await?;
        let kept = schema_of(live);
        for schema in schemas.iter().filter(|schema| **schema != kept && is_generation(schema)) {
            let mut transaction = self.begin(holder).await?;
            match drop_schema(&mut transaction, schema).await {
                Ok(()) => transaction.commit().await?,
                // Somebody reads it at this moment, perhaps. It goes with the next change.
                Err(error) => tracing::warn!(%error, schema, "facts that are not live could not be removed yet"),
            }
        }
        Ok(())
    }

    /// Begins what only the holder of the lease may do, and may go on doing until it is committed.
    async fn begin(&self, holder: Epoch) -> Result<Transaction<'static, Postgres>, LedgerError> {
        let mut transaction = self.pool.begin().await?;
        match bus::postgres::fence(&mut transaction, LEASE, holder).await {
            Ok(()) => Ok(transaction),
            Err(StreamError::Fenced(_)) => Err(LedgerError::LeaseLost),
            Err(error) => Err(error.into()),
        }
    }
}

/// Where a generation is written.
#[derive(Debug)]
pub(crate) struct Writer {
    database: Database,
    generation: u64,
    schema: String,
    holder: Epoch,
}

impl Writer {
    pub(super) async fn position(&self) -> Result<Position, LedgerError> {
        let mut connection = self.database.pool.acquire().await?;
        position(&mut connection, &self.schema).await
    }

    pub(super) async fn save(&self, batch: &Batch) -> Result<(), LedgerError> {
        let Batch { rows, position, data_through } = batch;
        let schema = &self.schema;
        let mut transaction = self.database.begin(self.holder).await?;
        let version: i64 = sqlx::query_scalar(AssertSqlSafe(format!(
            "insert into {schema}.position as here
                 (only_row, checkpoint, revised_through, fingerprint, data_through, version)
             values (1, $1, $2, $3, $4, 1)
             on conflict (only_row) do update set
                 checkpoint = excluded.checkpoint, revised_through = excluded.revised_through,
                 fingerprint = excluded.fingerprint, data_through = excluded.data_through, version = here.version + 1
             returning version"
        )))
        .bind(position.checkpoint.0)
        .bind(position.revised_through.0)
        .bind(position.fingerprint.as_str())
        .bind(data_through.map(|at| at.to_rfc3339()))
        .fetch_one(&mut *transaction)
        .await?;
        for (table, json) in rows {
            let states = states(*table, json)?;
            let (keys, states): (Vec<&str>, Vec<&str>) =
                states.iter().map(|(key, state)| (key.as_str(), state.get())).unzip();
            let table = table.name();
            sqlx::query(AssertSqlSafe(format!(
                "insert into {schema}.{table} (key, state, version)
                 select key, state, $3 from unnest($1::text[], $2::text[]) as rows (key, state)
                 on conflict (key) do update set state = excluded.state, version = excluded.version"
            )))
            .bind(keys)
            .bind(states)
            .bind(version)
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    pub(super) async fn remove(self) -> Result<(), LedgerError> {
        self.database.remove(self.generation, self.holder).await
    }
}

/// A transaction that sees one moment.
#[derive(Debug)]
pub(crate) struct Reading {
    transaction: Transaction<'static, Postgres>,
    schema: String,
}

impl Reading {
    pub(super) async fn position(&mut self) -> Result<Position, LedgerError> {
        position(&mut self.transaction, &self.schema).await
    }

    pub(super) async fn data_through(&mut self) -> Result<Option<DateTime<Utc>>, LedgerError> {
        data_through(&mut self.transaction, &self.schema).await
    }

    pub(super) async fn rows(&mut self, table: Table, after: &str, limit: u32) -> Result<Vec<Row>, LedgerError> {
        rows(&mut self.transaction, (&self.schema, table), after, limit).await
    }

    pub(super) async fn close(self) -> Result<(), LedgerError> {
        Ok(self.transaction.rollback().await?)
    }
}

/// A copy in temporary tables of a connection.
#[derive(Debug)]
pub(crate) struct Copy {
    connection: PgConnection,
}

impl Copy {
    pub(super) async fn position(&mut self) -> Result<Position, LedgerError> {
        position(&mut self.connection, "pg_temp").await
    }

    pub(super) async fn data_through(&mut self) -> Result<Option<DateTime<Utc>>, LedgerError> {
        data_through(&mut self.connection, "pg_temp").await
    }

    pub(super) async fn rows(&mut self, table: Table, after: &str, limit: u32) -> Result<Vec<Row>, LedgerError> {
        rows(&mut self.connection, ("pg_temp", table), after, limit).await
    }

    pub(super) async fn close(self) -> Result<(), LedgerError> {
        Ok(self.connection.close().await?)
    }
}

async fn position(connection: &mut PgConnection, schema: &str) -> Result<Position, LedgerError> {
    let select = format!("select checkpoint, revised_through, fingerprint from {schema}.position");
    let row: Option<(i64, i64, String)> = sqlx::query_as(AssertSqlSafe(select)).fetch_optional(connection).await?;
    Ok(row.map_or_else(Position::default, |(checkpoint, revised_through, fingerprint)| Position {
        checkpoint: EventOffset(checkpoint),
        revised_through: EventOffset(revised_through),
        fingerprint,
    }))
}

async fn data_through(connection: &mut PgConnection, schema: &str) -> Result<Option<DateTime<Utc>>, LedgerError> {
    let select = format!("select data_through from {schema}.position");
    let text: Option<Option<String>> = sqlx::query_scalar(AssertSqlSafe(select)).fetch_optional(connection).await?;
    read_data_through(text.flatten())
}

async fn rows(
    connection: &mut PgConnection,
    (schema, table): (&str, Table),
    after: &str,
    limit: u32,
) -> Result<Vec<Row>, LedgerError> {
    let table = table.name();
    let select = format!("select key, state from {schema}.{table} where key > $1 order by key limit $2");
    let rows: Vec<(String, String)> =
        sqlx::query_as(AssertSqlSafe(select)).bind(after).bind(i64::from(limit)).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(key, state)| Row { key, state }).collect())
}

fn schema_of(generation: u64) -> String {
    format!("{PREFIX}{generation}")
}

fn is_generation(schema: &str) -> bool {
    schema.strip_prefix(PREFIX).is_some_and(|number| number.parse::<u64>().is_ok())
}

fn number(generation: u64) -> Result<i64, LedgerError> {
    i64::try_from(generation).map_err(|_| LedgerError::Generation { name: "live", value: generation.to_string() })
}

async fn drop_schema(connection: &mut PgConnection, schema: &str) -> Result<(), LedgerError> {
    sqlx::query(AssertSqlSafe(format!("drop schema if exists {schema} cascade"))).execute(connection).await?;
    Ok(())
}
