//! The tables of the PostgreSQL engine, in the schema `devhose`.

use anyhow::Context as _;
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::{Log, PAGE_ROWS, Reader, Row};

/// Reads a log.
///
/// # Errors
/// If the database cannot be read.
pub async fn read(url: &str) -> anyhow::Result<Log> {
    let mut connection = PgConnection::connect(url).await.context("the database cannot be reached")?;
    let mut reader = Reader::new();
    loop {
        let rows: Vec<Row> = sqlx::query_as(
            "select d.position, s.name as source, d.delivery_id, d.received_at, d.headers, d.content_type,
                 d.verification, d.body_bytes, d.body_hash, d.chain_hash, b.body
             from devhose.deliveries d join devhose.sources s on s.id = d.source_id
             left join devhose.delivery_bodies b on b.position = d.position
             where d.position > $1 order by d.position limit $2",
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
