//! PostgreSQL, as every part of the program uses it: one schema each, settings that durability depends on checked.

use std::hash::{BuildHasher as _, RandomState};
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::time::Instant;

use crate::lease::Epoch;
use crate::storage::PostgresSettings;
use crate::streams::StreamError;

/// Earlier servers do not end idle sessions, by which a lease is taken from a process that stands still.
const VERSION_MIN: u32 = 140_000;

/// Asking for a connection fails after this: the server is away, or too small for what is asked of it.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// The schema of the streams, and of the epochs of leases.
pub(crate) const STREAMS_SCHEMA: &str = "devhose";

/// Settings of every session, whatever the server's defaults. A process that stands still inside a transaction holds
/// up everybody else, so the server ends it.
const SESSION: [(&str, &str); 6] = [
    ("synchronous_commit", "on"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("lock_timeout", "10s"),
    ("statement_timeout", "60s"),
    // Compiling a statement takes longer than any of ours.
    ("jit", "off"),
    // Where the limit or the position decides, a plan for any of them is a bad one.
    ("plan_cache_mode", "force_custom_plan"),
];

/// What the program asks for itself is tried again for this long: a server that was killed is back by then.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first pause before something is tried again; each is twice as long as the one before.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(2);

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
    // A migration may take as long as it takes.
    let mut connection = connect(&options.clone().options([("statement_timeout", "0")])).await?;
    // `create schema if not exists` fails when two do it at once, so one after the other.
    sqlx::query("select pg_advisory_lock(hashtext('devhose.schemas'))").execute(&mut connection).await?;
    sqlx::query(AssertSqlSafe(format!("create schema if not exists {schema}"))).execute(&mut connection).await?;
    sqlx::query("select pg_advisory_unlock(hashtext('devhose.schemas'))").execute(&mut connection).await?;
    // Not `run`: its future cannot be shown to be `Send` where it is part of a spawned task.
    let migrated = migrations.run_direct(None, &mut connection, false).await;
    if let Err(MigrateError::Execute(error)) = migrated {
        // Another process may be at it, or the server have gone away.
        return Err(StreamError::Engine(error));
    }
    migrated?;
    connection.close().await?;
    let pool = PgPoolOptions::new().max_connections(settings.connections_max).acquire_timeout(ACQUIRE_TIMEOUT);
    Ok(pool.connect_lazy_with(options))
}

/// Connects to a server that keeps what it acknowledges.
///
/// # Errors
/// If it cannot be reached, or would lose what it acknowledged.
pub(crate) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, StreamError> {
    let connecting = tokio::time::timeout(ACQUIRE_TIMEOUT, PgConnection::connect_with(options)).await;
    let mut connection = connecting.map_err(|_| sqlx::Error::PoolTimedOut)??;
    check(&mut connection).await?;
    Ok(connection)
}

/// Lets a transaction go on only if the lease of that name is still held in that epoch, and keeps it from changing
/// hands before the transaction has ended. Call it first in a transaction that only the holder may make; every database
/// of an installation whose streams were opened once can be asked.
///
/// # Errors
/// [`StreamError::Fenced`] if another process has taken over; otherwise those of the database.
pub async fn fence(transaction: &mut PgConnection, lease: &str, epoch: Epoch) -> Result<(), StreamError> {
    let held: Option<i32> = sqlx::query_scalar("select 1 from devhose.epochs where name = $1 and epoch = $2 for share")
        .bind(lease)
        .bind(epoch.0)
        .fetch_optional(transaction)
        .await?;
    held.map(drop).ok_or_else(|| StreamError::Fenced(lease.to_owned()))
}

/// Whether an error passes by itself: the server is away, restarting or full of work, or the transaction met another.
/// Whether the transaction took effect is then unknown.
#[must_use]
pub fn is_transient(error: &sqlx::Error) -> bool {
    /// Classes and codes of <https://www.postgresql.org/docs/current/errcodes-appendix.html>: connections; resources
    /// (but not a full disk); serialization, deadlock; a standby that took over the address; lock timeout; shutdown,
    /// crash, start, idle sessions; a transaction that stood still.
    const TRANSIENT: [&str; 13] = [
        "08", "53000", "53200", "53300", "40001", "40P01", "25006", "25P03", "55P03", "57P01", "57P02", "57P03",
        "57P05",
    ];
    if let sqlx::Error::Database(error) = error {
        return error.code().is_some_and(|code| TRANSIENT.iter().any(|transient| code.starts_with(transient)));
    }
    // What a broken connection says depends on where it broke.
    matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut)
}

/// Pauses between attempts, ever longer and of random length, so that processes do not come back all at once.
#[derive(Debug)]
pub struct Pauses {
    until: Instant,
    next: Duration,
}

impl Pauses {
    /// Attempts begin for so long.
    #[must_use]
    pub fn lasting(patience: Duration) -> Self {
        Self { until: Instant::now() + patience, next: PAUSE_MIN }
    }

    /// Waits before the next attempt; false if there is no time for another. Cancel-safe.
    pub async fn pause(&mut self) -> bool {
        let pause = self.next / 2 + (self.next / 2).mul_f64(random());
        if Instant::now() + pause >= self.until {
            return false;
        }
        tokio::time::sleep(pause).await;
        self.next = (self.next * 2).min(PAUSE_MAX);
        true
    }
}

impl Default for Pauses {
    /// For about a minute.
    fn default() -> Self {
        Self::lasting(PATIENCE)
    }
}

/// Asks again, for about a minute, what fails for a reason that passes. Only for what can be done twice.
///
/// # Errors
/// Whatever the last attempt failed with.
pub async fn patiently<T, F>(ask: impl Fn() -> F) -> Result<T, StreamError>
where
    F: Future<Output = Result<T, StreamError>>,
{
    let mut pauses = Pauses::default();
    loop {
        match ask().await {
            Err(StreamError::Engine(error)) if is_transient(&error) => {
                tracing::debug!(error = %error, "the database is away; trying again");
                if !pauses.pause().await {
                    return Err(StreamError::Engine(error));
                }
            }
            result => return result,
        }
    }
}

/// A number from 0 to 1.
pub(crate) fn random() -> f64 {
    // Every hasher of a new state begins elsewhere.
    f64::from(u32::try_from(RandomState::new().hash_one(()) >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

/// Refuses a server that acknowledges what it may lose, or cannot do what we need.
async fn check(connection: &mut PgConnection) -> Result<(), StreamError> {
    let version: String = sqlx::query_scalar("show server_version_num").fetch_one(&mut *connection).await?;
    if version.parse::<u32>().is_ok_and(|version| version < VERSION_MIN) {
        return Err(StreamError::Setup(format!(
            "the PostgreSQL server has version {version}, {VERSION_MIN} is needed"
        )));
    }
    for setting in ["fsync", "full_page_writes"] {
        let value: String =
            sqlx::query_scalar(AssertSqlSafe(format!("show {setting}"))).fetch_one(&mut *connection).await?;
        if value != "on" {
            return Err(StreamError::Setup(format!(
                "the PostgreSQL server runs with {setting} = {value}: it would lose what was acknowledged. Set it to on"
            )));
        }
    }
    let encoding: String = sqlx::query_scalar("show server_encoding").fetch_one(&mut *connection).await?;
    if encoding != "UTF8" {
        return Err(StreamError::Setup(format!(
            "the PostgreSQL database has the encoding {encoding}, which has not every character. Make one with \
             create database … encoding 'UTF8' template template0"
        )));
    }
    Ok(())
}
