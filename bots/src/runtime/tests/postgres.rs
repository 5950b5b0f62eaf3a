//! PostgreSQL under test: a database for each installation, its leases, and a server that ends sessions.

use bus::lease::{Epoch, Lease};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::{oneshot, watch};

/// Names the server in which tests make their databases.
const SERVER: &str = "DEVHOSE_TEST_POSTGRES";

/// Makes a database, and returns its address.
pub(super) async fn create() -> String {
    let server = server();
    let name = format!("bots_{:016x}{:08x}", rand(), std::process::id());
    execute(&server, &format!("create database {name} encoding 'UTF8' template template0")).await;
    let (address, _) = server.rsplit_once('/').unwrap();
    let url = format!("{address}/{name}");
    execute(&url, "create schema devhose create table epochs (name text primary key, epoch bigint not null)").await;
    url
}

pub(super) async fn remove(url: &str) {
    let (_, name) = url.rsplit_once('/').unwrap();
    execute(&server(), &format!("drop database {name} with (force)")).await;
}

fn server() -> String {
    let server = std::env::var_os(SERVER).and_then(|server| server.into_string().ok());
    server.unwrap_or_else(|| {
        panic!("a PostgreSQL server is needed: export {SERVER}=$(tests/services/postgres start target/tmp/postgres)")
    })
}

fn rand() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

/// A lease that is held, and what tells its holder that it is lost. Whoever held it before is fenced off.
pub(super) async fn take_lease(url: &str) -> (Lease, watch::Sender<bool>) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let epoch = sqlx::query_scalar(
        "insert into devhose.epochs as e (name, epoch) values ('bots', 1)
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
pub(super) async fn end_sessions(url: &str) {
    execute(
        url,
        "select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()",
    )
    .await;
}

async fn execute(url: &str, statement: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
