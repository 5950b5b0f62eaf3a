//! Trimming on PostgreSQL. A step is a transaction of its own, beside those that append.

use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, PgConnection};

use super::step;
use crate::streams::StreamError;
use crate::streams::verify::Stream;
use crate::streams::write::Head;

/// Removes some of the oldest records of a stream; whether there are more to remove.
pub(in crate::streams) async fn trim(pool: &PgPool, stream: Stream, through: i64) -> Result<bool, StreamError> {
    let mut transaction = pool.begin().await?;
    // Two processes that trim at once go one after the other.
    sqlx::query("lock table trimmed in exclusive mode").execute(&mut *transaction).await?;
    let (trimmed, head): (i64, i64) = sqlx::query_as(
        "select coalesce((select position from trimmed where log = $1), 0), position from log_heads where log = $1",
    )
    .bind(stream.name())
    .fetch_one(&mut *transaction)
    .await?;
    let Some(last) = step(trimmed, through, head) else { return Ok(false) };
    remember(&mut transaction, stream, last).await?;
    let statements: &[&str] = match stream {
        Stream::Deliveries => &[
            "insert into trimmed_deliveries (dedupe_key, position, body_hash) \
             select dedupe_key, position, body_hash from deliveries where position <= $1",
            "delete from quarantine where delivery <= $1",
            "delete from delivery_bodies where position <= $1",
            "delete from deliveries where position <= $1",
        ],
        Stream::Events => {
            &["delete from superseded_events where position <= $1", "delete from events where position <= $1"]
        }
    };
    for statement in statements {
        sqlx::query(*statement).bind(last).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(last < through.min(head))
}

/// Notes where the chain goes on.
async fn remember(connection: &mut PgConnection, stream: Stream, last: i64) -> Result<(), StreamError> {
    let sql = format!(
        "insert into trimmed (log, position, chain_hash) select $1, position, chain_hash from {} where position = $2 \
         on conflict (log) do update set position = excluded.position, chain_hash = excluded.chain_hash",
        stream.name()
    );
    let noted = sqlx::query(AssertSqlSafe(sql)).bind(stream.name()).bind(last).execute(connection).await?;
    if noted.rows_affected() == 1 {
        Ok(())
    } else {
        Err(sqlx::Error::Decode(format!("{} {last} is missing", stream.name()).into()).into())
    }
}

/// The last record that was removed, or the place before the first.
pub(in crate::streams) async fn trimmed(readers: &PgPool, stream: Stream) -> Result<Head, StreamError> {
    let row = sqlx::query_as("select position, chain_hash from trimmed where log = $1").bind(stream.name());
    Ok(Head::new(row.fetch_optional(readers).await?)?)
}
