//! What a test does to a file of facts behind Ledger's back.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

/// Moves the end of one deployment, as a slip of the hand would.
pub(crate) async fn alter_a_deployment(file: &Path, key: &str) {
    let mut connection = open(file).await;
    let altered =
        sqlx::query("update deployment_facts set state = replace(state, 'success', 'failure') where key = ?1")
            .bind(key)
            .execute(&mut connection)
            .await
            .unwrap();
    assert_eq!(altered.rows_affected(), 1);
    connection.close().await.unwrap();
}

/// What a reader of the stable schema sees of the deployments.
pub(crate) async fn deployments(file: &Path) -> Vec<(String, String, String, String)> {
    let mut connection = open(file).await;
    let rows = sqlx::query_as("select key, environment, finished_at, outcome from deployments order by key")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    rows
}

/// The names of all columns that other programs may read.
pub(crate) async fn columns(file: &Path) -> Vec<String> {
    let mut connection = open(file).await;
    let names = sqlx::query_scalar(
        "select view.name || '.' || col.name from sqlite_schema view, pragma_table_info(view.name) col \
         where view.type in ('view', 'table') order by 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    names
}

async fn open(file: &Path) -> SqliteConnection {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file)).await.unwrap()
}

/// The numbers of the generations that there are.
pub(crate) fn generations(directory: &Path) -> Vec<u32> {
    let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let number = |name: String| name.strip_prefix("ledger-")?.strip_suffix(".db")?.parse().ok();
    let mut numbers: Vec<u32> = names.filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}

/// What a rebuild and a verification that were cut short leave.
pub(crate) fn leave_half_a_generation(directory: &Path) {
    for name in ["ledger-2.db", "ledger-verify.db"] {
        std::fs::write(directory.join(name), "half of a file").unwrap();
    }
}
