//! PostgreSQL under test: a database for each test, and what somebody does to the facts behind Ledger's back.

use bus::lease::{Epoch, Lease};
use bus::storage::{PostgresSettings, Storage};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::{oneshot, watch};

/// Names the server in which tests make their databases.
const SERVER: &str = "DEVHOSE_TEST_POSTGRES";

/// A database of its own.
pub(crate) struct Database {
    server: String,
    name: String,
    pub(crate) url: String,
}

impl Database {
    pub(crate) async fn new() -> Self {
        let server = std::env::var_os(SERVER).map(|server| server.into_string().unwrap());
        let server = server.unwrap_or_else(|| {
            panic!("{SERVER} names no PostgreSQL server: set it to what `tests/services/postgres start DIR` prints")
        });
        let name = format!("ledger_{}", uuid::Uuid::new_v4().simple());
        execute(&server, &format!("create database {name} encoding 'UTF8' template template0")).await;
        let (address, _) = server.rsplit_once('/').unwrap();
        let url = format!("{address}/{name}");
        Self { server, name, url }
    }

    pub(crate) fn storage(&self) -> Storage {
        Storage::Postgres(PostgresSettings::new(&self.url))
    }

    pub(crate) async fn drop(self) {
        execute(&self.server, &format!("drop database {} with (force)", self.name)).await;
    }
}

/// A lease that is held, and what tells its holder that it is lost. Whoever held it before is fenced off.
pub(crate) async fn take_lease(url: &str) -> (Lease, watch::Sender<bool>) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let epoch = sqlx::query_scalar(
        "insert into devhose.epochs as e (name, epoch) values ('ledger', 1)
         on conflict (name) do update set epoch = e.epoch + 1 returning epoch",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    let (lost, is_lost) = watch::channel(false);
    let (release, _) = oneshot::channel();
    (Lease::kept(Epoch(epoch), is_lost, release), lost)
}

/// Ends every other session of the database, as a server that restarts does.
pub(crate) async fn end_sessions(url: &str) {
    execute(
        url,
        "select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()",
    )
    .await;
}

/// Moves the end of one deployment, as a slip of the hand would.
pub(crate) async fn alter_a_deployment(url: &str, key: &str) {
    execute(
        url,
        &format!(
            "update devhose_ledger_1.deployment_facts set state = replace(state, 'success', 'failure') where key = '{key}'"
        ),
    )
    .await;
}

/// What a reader of the stable schema sees of the deployments.
pub(crate) async fn deployments(url: &str) -> Vec<(String, String, String, String)> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let rows =
        sqlx::query_as("select key, environment, finished_at, outcome from devhose_ledger_1.deployments order by key");
    rows.fetch_all(&mut connection).await.unwrap()
}

/// The names of all columns that other programs may read.
pub(crate) async fn columns(url: &str) -> Vec<String> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let names = sqlx::query_scalar(
        "select table_name || '.' || column_name from information_schema.columns
         where table_schema = 'devhose_ledger_1' order by 1",
    );
    names.fetch_all(&mut connection).await.unwrap()
}

/// The numbers of the generations that there are.
pub(crate) async fn generations(url: &str) -> Vec<u32> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let names: Vec<String> = sqlx::query_scalar(
        "select substr(nspname::text, 16) from pg_namespace where nspname::text like 'devhose\\_ledger\\__%' order by 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    names.into_iter().map(|number| number.parse().unwrap()).collect()
}

/// What a rebuild that was cut short leaves.
pub(crate) async fn leave_half_a_generation(url: &str) {
    execute(url, "create schema devhose_ledger_2 create table change_facts (half bigint)").await;
}

async fn execute(url: &str, statement: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
