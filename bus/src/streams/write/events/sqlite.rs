//! The writer's statements for events and the quarantine. Nothing here begins or ends a transaction: see the writer.

use std::collections::HashMap;

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::{Candidate, Latest, PlacedEvent, PreparedEvent, PreparedReading, Record};
use crate::ids::{EventOffset, ReaderName};
use crate::streams::write::sqlite::{STATEMENT_ROWS_MAX, State, insert, placeholders, room};

/// Records readings, their quarantine and their reader's checkpoint; the offsets of the events that are new.
pub(in crate::streams) async fn record(
    connection: &mut SqliteConnection,
    state: &mut State,
    record: &Record,
    now: i64,
) -> sqlx::Result<Vec<EventOffset>> {
    let mut candidates = Vec::new();
    for reading in &record.readings {
        let source_id = state.source(&reading.source, now).id;
        settle(connection, state, reading, source_id, now).await?;
        candidates.extend(reading.candidates(source_id));
    }
    let rows = new_events(connection, state, &candidates, record.revise, now).await?;
    insert_events(connection, &rows).await?;
    if let (Some(reader), Some(last)) = (&record.reader, record.readings.last()) {
        advance_checkpoint(connection, reader, last.delivery).await?;
    }
    Ok(rows.iter().map(|row| EventOffset(row.position)).collect())
}

/// Quarantines a delivery that cannot be interpreted, and releases one that can.
async fn settle(
    connection: &mut SqliteConnection,
    state: &mut State,
    reading: &PreparedReading,
    source_id: i64,
    now: i64,
) -> sqlx::Result<()> {
    if let Err(error) = &reading.outcome {
        state.quarantined.insert(reading.delivery);
        sqlx::query(
            "insert into quarantine (delivery, source_id, error, attempts, since) values (?, ?, ?, 1, ?) \
             on conflict (delivery) do update set error = excluded.error, attempts = attempts + 1",
        )
        .bind(reading.delivery)
        .bind(source_id)
        .bind(error.as_str())
        .bind(now)
        .execute(connection)
        .await?;
    } else if state.quarantined.remove(&reading.delivery) {
        sqlx::query("delete from quarantine where delivery = ?").bind(reading.delivery).execute(connection).await?;
    }
    Ok(())
}

/// Gives the events that are to be recorded their places, and marks those that they replace.
async fn new_events<'a>(
    connection: &mut SqliteConnection,
    state: &mut State,
    candidates: &'a [Candidate<'a>],
    revise: bool,
    now: i64,
) -> sqlx::Result<Vec<PlacedEvent<'a>>> {
    let mut known = known_events(connection, candidates).await?;
    let mut rows = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let id = candidate.event.id.as_bytes();
        let revision = match known.get(id) {
            None => 0,
            Some(_) if !revise => continue,
            Some(latest) if says_the_same(connection, latest.position, candidate.event).await? => continue,
            Some(latest) => {
                supersede(connection, latest.position).await?;
                latest.revision + 1
            }
        };
        if state.kinds.insert(candidate.event.kind.clone()) {
            add_kind(connection, &candidate.event.kind).await?;
        }
        let row = state.events.place_event(candidate, revision, now);
        known.insert(*id, Latest { position: row.position, revision });
        rows.push(row);
    }
    Ok(rows)
}

/// Those that are recorded already, by their latest revision.
async fn known_events(
    connection: &mut SqliteConnection,
    candidates: &[Candidate<'_>],
) -> sqlx::Result<HashMap<[u8; 16], Latest>> {
    let mut known = HashMap::with_capacity(candidates.len());
    for chunk in candidates.chunks(STATEMENT_ROWS_MAX) {
        let ids = placeholders(room(chunk.len()));
        let sql = format!("select id, position, revision from events where id in ({ids}) order by position");
        let mut query = sqlx::query_as(AssertSqlSafe(sql));
        for candidate in chunk {
            query = query.bind(candidate.event.id.as_bytes().as_slice());
        }
        let rows: Vec<(Vec<u8>, i64, i64)> = query.fetch_all(&mut *connection).await?;
        for (id, position, revision) in rows {
            let width = |_| sqlx::Error::Decode(format!("events {position}: an id has 16 bytes").into());
            // Later positions come later: the last revision stays.
            known.insert(id.try_into().map_err(width)?, Latest { position, revision });
        }
    }
    Ok(known)
}

/// Whether the event at that position reads as this one: then there is nothing to correct. One that this very
/// transaction is about to insert counts as the same.
async fn says_the_same(connection: &mut SqliteConnection, position: i64, event: &PreparedEvent) -> sqlx::Result<bool> {
    let same: Option<bool> = sqlx::query_scalar(
        "select kind = ? and source = ? and subject = ? and order_key = ? and happened_at = ? and data is ? \
         from events where position = ?",
    )
    .bind(event.kind.as_str())
    .bind(event.source.as_str())
    .bind(event.subject.as_str())
    .bind(event.order_key.as_str())
    .bind(event.happened_at)
    .bind(event.data.as_deref())
    .bind(position)
    .fetch_optional(connection)
    .await?;
    Ok(same.unwrap_or(true))
}

async fn supersede(connection: &mut SqliteConnection, position: i64) -> sqlx::Result<()> {
    sqlx::query("insert into superseded_events (position) values (?)").bind(position).execute(connection).await?;
    Ok(())
}

async fn add_kind(connection: &mut SqliteConnection, name: &str) -> sqlx::Result<()> {
    sqlx::query("insert into kinds (name) values (?)").bind(name).execute(connection).await?;
    Ok(())
}

async fn insert_events(connection: &mut SqliteConnection, rows: &[PlacedEvent<'_>]) -> sqlx::Result<()> {
    const INTO: &str = "insert into events (position, id, revision, kind, source, subject, order_key, happened_at, \
                        recorded_at, source_id, delivery, ordinal, repository, service, environment, outcome, data, \
                        chain_hash)";
    insert(connection, INTO, 18, rows, |query, row| {
        let event = row.of.event;
        query
            .bind(row.position)
            .bind(event.id.as_bytes().as_slice())
            .bind(row.revision)
            .bind(event.kind.as_str())
            .bind(event.source.as_str())
            .bind(event.subject.as_str())
            .bind(event.order_key.as_str())
            .bind(event.happened_at)
            .bind(row.recorded_at)
            .bind(row.of.source_id)
            .bind(row.of.reading.delivery)
            .bind(row.of.ordinal)
            .bind(event.repository.as_deref())
            .bind(event.service.as_deref())
            .bind(event.environment.as_deref())
            .bind(event.outcome)
            .bind(event.data.as_deref())
            .bind(row.chain_hash.as_slice())
    })
    .await
}

/// Moves a reader's checkpoint on. It never goes back here: an old delivery that is read again moves nothing.
async fn advance_checkpoint(connection: &mut SqliteConnection, reader: &ReaderName, position: i64) -> sqlx::Result<()> {
    sqlx::query(
        "insert into checkpoints (reader, position) values (?, ?) \
         on conflict (reader) do update set position = max(position, excluded.position)",
    )
    .bind(reader.0)
    .bind(position)
    .execute(connection)
    .await?;
    Ok(())
}
