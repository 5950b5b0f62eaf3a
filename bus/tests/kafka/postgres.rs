//! Databases for tests.

use std::str::FromStr;

use bus::storage::PostgresSettings;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

fn server() -> String {
    let address = std::env::var_os("DEVHOSE_TEST_POSTGRES").and_then(|address| address.into_string().ok());
    address.expect(
        "a PostgreSQL server is needed: export DEVHOSE_TEST_POSTGRES=$(tests/services/postgres start target/tmp/postgres)",
    )
}

pub(super) async fn create() -> PostgresSettings {
    let name = format!("kafka_{}", uuid::Uuid::new_v4().simple());
    let options = PgConnectOptions::from_str(&server()).unwrap();
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    let sql = format!("create database {name} encoding 'UTF8' template template0");
    sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    PostgresSettings::new(options.database(&name).to_url_lossy())
}

pub(super) async fn remove(settings: PostgresSettings) {
    let options = PgConnectOptions::from_str(&settings.url).unwrap();
    let sql = format!("drop database {} with (force)", options.get_database().unwrap());
    let mut connection = PgConnection::connect(&server()).await.unwrap();
    sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Does something to the database behind the program's back; how many rows it touched.
pub(super) async fn execute(settings: &PostgresSettings, sql: &'static str) -> u64 {
    let mut connection = PgConnection::connect(&settings.url).await.unwrap();
    let touched = sqlx::query(sql).execute(&mut connection).await.unwrap().rows_affected();
    connection.close().await.unwrap();
    touched
}

/// Says that nothing was taken into the log yet, as another process that took over might see it.
pub(super) async fn forget_places(settings: &PostgresSettings) {
    assert!(execute(settings, "update devhose_kafka.positions set next = 0").await > 0);
}

/// Says that more was taken into the log than there is, as after a topic was made anew.
pub(super) async fn run_ahead(settings: &PostgresSettings) {
    assert!(execute(settings, "update devhose_kafka.positions set next = 1000").await > 0);
}

/// Loses the bodies that messages refer to.
pub(super) async fn lose_bodies(settings: &PostgresSettings) {
    assert!(execute(settings, "delete from devhose_kafka.bodies").await > 0);
}
