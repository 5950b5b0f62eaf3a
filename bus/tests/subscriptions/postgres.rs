//! A PostgreSQL database for one case, in the server that `DEVHOSE_TEST_POSTGRES` names.

use bus::storage::PostgresSettings;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

/// A database that nobody else uses.
pub(super) struct Database {
    server: String,
    name: String,
}

impl Database {
    pub(super) async fn make() -> Self {
        let server = std::env::vars().find_map(|(key, value)| (key == "DEVHOSE_TEST_POSTGRES").then_some(value));
        let server = server.expect(
            "DEVHOSE_TEST_POSTGRES is not set: start a server with \
             `export DEVHOSE_TEST_POSTGRES=$(tests/services/postgres start target/tmp/postgres)`",
        );
        let name = format!("subscriptions_{}", uuid::Uuid::new_v4().simple());
        let mut connection = connect(&server).await;
        sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        Self { server, name }
    }

    pub(super) fn settings(&self) -> PostgresSettings {
        let options: PgConnectOptions = self.server.parse().unwrap();
        PostgresSettings::new(options.database(&self.name).to_url_lossy().to_string())
    }

    pub(super) async fn drop(self) {
        let mut connection = connect(&self.server).await;
        let sql = format!("drop database {} with (force)", self.name);
        sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

async fn connect(server: &str) -> PgConnection {
    PgConnection::connect(server).await.expect("the server that DEVHOSE_TEST_POSTGRES names must be running")
}
