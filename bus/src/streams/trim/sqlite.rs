//! Trimming on SQLite. Nothing here begins or ends a transaction: see the writer.

use sqlx::AssertSqlSafe;
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::step;
use crate::streams::StreamError;
use crate::streams::verify::Stream;
use crate::streams::write::Head;
use crate::streams::write::sqlite::State;

/// Removes some of the oldest records of a stream; whether there are more to remove.
pub(in crate::streams) async fn trim(
    connection: &mut SqliteConnection,
    state: &mut State,
    stream: Stream,
    through: i64,
) -> sqlx::Result<bool> {
    let trimmed: Option<i64> = sqlx::query_scalar("select position from trimmed where log = ?")
        .bind(stream.name())
        .fetch_optional(&mut *connection)
        .await?;
    let head = match stream {
        Stream::Deliveries => state.deliveries.position,
        Stream::Events => state.events.position,
    };
    let Some(last) = step(trimmed.unwrap_or(0), through, head) else { return Ok(false) };
    remember(connection, stream, last).await?;
    match stream {
        Stream::Deliveries => {
            remove_deliveries(connection, last).await?;
            state.quarantined.retain(|delivery| *delivery > last);
            state.trimmed_deliveries = last;
        }
        Stream::Events => {
            remove(connection, "delete from superseded_events where position <= ?", last).await?;
            remove(connection, "delete from events where position <= ?", last).await?;
        }
    }
    Ok(last < through.min(head))
}

/// Notes where the chain goes on.
async fn remember(connection: &mut SqliteConnection, stream: Stream, last: i64) -> sqlx::Result<()> {
    let sql = format!(
        "insert into trimmed (log, position, chain_hash) select ?, position, chain_hash from {} where position = ? \
         on conflict (log) do update set position = excluded.position, chain_hash = excluded.chain_hash",
        stream.name()
    );
    let noted = sqlx::query(AssertSqlSafe(sql)).bind(stream.name()).bind(last).execute(connection).await?;
    if noted.rows_affected() == 1 {
        Ok(())
    } else {
        Err(sqlx::Error::Decode(format!("{} {last} is missing", stream.name()).into()))
    }
}

async fn remove_deliveries(connection: &mut SqliteConnection, last: i64) -> sqlx::Result<()> {
    const KEEP_KEYS: &str = "insert into trimmed_deliveries (dedupe_key, position, body_hash) \
                             select dedupe_key, position, body_hash from deliveries where position <= ?";
    remove(connection, KEEP_KEYS, last).await?;
    remove(connection, "delete from quarantine where delivery <= ?", last).await?;
    remove(connection, "delete from delivery_bodies where position <= ?", last).await?;
    remove(connection, "delete from deliveries where position <= ?", last).await
}

async fn remove(connection: &mut SqliteConnection, sql: &'static str, last: i64) -> sqlx::Result<()> {
    sqlx::query(sql).bind(last).execute(connection).await?;
    Ok(())
}

/// The last record that was removed, or the place before the first.
pub(in crate::streams) async fn trimmed(readers: &SqlitePool, stream: Stream) -> Result<Head, StreamError> {
    let row = sqlx::query_as("select position, chain_hash from trimmed where log = ?").bind(stream.name());
    Ok(Head::new(row.fetch_optional(readers).await?)?)
}
