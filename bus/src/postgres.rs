//! PostgreSQL, as every part of the program uses it: one schema each, settings that durability depends on checked.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::storage::PostgresSettings;
use crate::streams::StreamError;

/// Asking for a connection fails after this: the server is away, or too small for what is asked of it.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Settings of every session, whatever the server's defaults. A process that stands still inside a transaction holds
/// up everybody else, so the server ends it.
const SESSION: [(&str, &str); 4] = [
    ("synchronous_commit", "on"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("lock_timeout", "10s"),
    ("statement_timeout", "60s"),
];

/// How to connect so that unqualified names mean those of a schema.
///
/// # Errors
/// If the address cannot be read.
pub fn options(settings: &PostgresSettings, schema: &str) -> Result<PgConnectOptions, StreamError> {
    let options = PgConnectOptions::from_str(&settings.url).map_err(|error| {
        StreamError::Setup(format!("the address of the PostgreSQL database cannot be read: {error}"))
    })?;
    Ok(options.application_name("devhose").options([("search_path", schema)]).options(SESSION))
}

/// Makes a schema if it is not there, brings it up to date, and opens connections to it. Processes that start at the
/// same time wait for each other.
///
/// # Errors
/// If the server cannot be reached, would lose what it acknowledged, or a migration fails.
pub async fn open(settings: &PostgresSettings, schema: &str, migrations: &Migrator) -> Result<PgPool, StreamError> {
    let options = options(settings, schema)?;
    let mut connection = PgConnection::connect_with(&options).await?;
    check(&mut connection).await?;
    // `create schema if not exists` fails when two do it at once, so one after the other.
    sqlx::query("select pg_advisory_lock(hashtext('devhose.schemas'))").execute(&mut connection).await?;
    sqlx::query(AssertSqlSafe(format!("create schema if not exists {schema}"))).execute(&mut connection).await?;
    sqlx::query("select pg_advisory_unlock(hashtext('devhose.schemas'))").execute(&mut connection).await?;
    // Not `run`: its future cannot be shown to be `Send` where it is part of a spawned task.
    migrations.run_direct(None, &mut connection, false).await?;
    connection.close().await?;
    let pool = PgPoolOptions::new().max_connections(settings.connections_max).acquire_timeout(ACQUIRE_TIMEOUT);
    Ok(pool.connect_lazy_with(options))
}

/// Refuses a server that acknowledges what it may lose.
async fn check(connection: &mut PgConnection) -> Result<(), StreamError> {
    for setting in ["fsync", "full_page_writes"] {
        let value: String =
            sqlx::query_scalar(AssertSqlSafe(format!("show {setting}"))).fetch_one(&mut *connection).await?;
        if value != "on" {
            return Err(StreamError::Setup(format!(
                "the PostgreSQL server runs with {setting} = {value}: it would lose what was acknowledged. Set it to on"
            )));
        }
    }
    Ok(())
}
