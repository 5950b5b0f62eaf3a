//! The tables of the embedded engine. The program may be running over them.

use std::path::Path;

use anyhow::Context as _;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::{Log, PAGE_ROWS, Reader, Row};

/// Reads a log.
///
/// # Errors
/// If the file cannot be read.
pub async fn read(file: &Path) -> anyhow::Result<Log> {
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let opened = SqliteConnection::connect_with(&options).await;
    let mut connection = opened.with_context(|| format!("{} cannot be opened", file.display()))?;
    let mut reader = Reader::new();
    loop {
        let rows: Vec<Row> = sqlx::query_as(
            "select d.position, s.name as source, d.delivery_id, d.received_at, d.headers, d.content_type,
                 d.verification, d.body_bytes, d.body_hash, d.chain_hash, b.body
             from deliveries d join sources s on s.id = d.source_id
             left join delivery_bodies b on b.position = d.position
             where d.position > ? order by d.position limit ?",
        )
        .bind(reader.position())
        .bind(PAGE_ROWS)
        .fetch_all(&mut connection)
        .await?;
        if rows.is_empty() {
            connection.close().await?;
            return Ok(reader.log);
        }
        rows.into_iter().for_each(|row| reader.take(row));
    }
}
