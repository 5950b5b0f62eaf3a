//! The writer's statements for events and the quarantine. Nothing here begins or ends a transaction: see the writer.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;

use super::{Candidate, Latest, PlacedEvent, PreparedEvent, PreparedReading, Record};
use crate::ids::{EventOffset, ReaderName};
use crate::streams::text::{restored, stored};
use crate::streams::write::Head;
use crate::streams::write::postgres::{Known, texts};

/// Records readings, their quarantine and their reader's checkpoint, at that time; the offsets of the events that are
/// new.
pub(in crate::streams) async fn record(
    connection: &mut PgConnection,
    known: &mut Known,
    head: &mut Head,
    record: &Record,
    now: i64,
) -> sqlx::Result<Vec<EventOffset>> {
    let mut candidates = Vec::new();
    for reading in &record.readings {
        candidates.extend(reading.candidates(known.source(&reading.source)?));
    }
    settle(connection, known, &record.readings, now).await?;
    let rows = new_events(connection, head, &candidates, record.revise, now).await?;
    add_kinds(connection, known, &rows).await?;
    insert_events(connection, &rows).await?;
    if let (Some(reader), Some(last)) = (&record.reader, record.readings.last()) {
        advance_checkpoint(connection, reader, last.delivery).await?;
    }
    Ok(rows.iter().map(|row| EventOffset(row.position)).collect())
}

/// Quarantines deliveries that cannot be interpreted, and releases those that can, in order.
async fn settle(
    connection: &mut PgConnection,
    known: &Known,
    readings: &[PreparedReading],
    now: i64,
) -> sqlx::Result<()> {
    let mut readable = Vec::new();
    for reading in readings {
        match &reading.outcome {
            Ok(_) => readable.push(reading.delivery),
            Err(error) => {
                release(connection, &mut readable).await?;
                quarantine(connection, reading.delivery, known.source(&reading.source)?, error, now).await?;
            }
        }
    }
    release(connection, &mut readable).await
}

async fn quarantine(
    connection: &mut PgConnection,
    delivery: i64,
    source_id: i64,
    error: &str,
    now: i64,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into quarantine as q (delivery, source_id, error, attempts, since) values ($1, $2, $3, 1, $4) \
         on conflict (delivery) do update set error = excluded.error, attempts = q.attempts + 1",
    )
    .bind(delivery)
    .bind(source_id)
    .bind(stored(error))
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

async fn release(connection: &mut PgConnection, deliveries: &mut Vec<i64>) -> sqlx::Result<()> {
    if !deliveries.is_empty() {
        sqlx::query("delete from quarantine where delivery = any($1)")
            .bind(std::mem::take(deliveries))
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Gives the events that are to be recorded their places, and marks those that they replace.
async fn new_events<'a>(
    connection: &mut PgConnection,
    head: &mut Head,
    candidates: &'a [Candidate<'a>],
    revise: bool,
    now: i64,
) -> sqlx::Result<Vec<PlacedEvent<'a>>> {
    let mut known = known_events(connection, candidates).await?;
    let readings = if revise { readings_at(connection, &known).await? } else { HashMap::new() };
    let mut superseded = Vec::new();
    let mut rows = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let id = candidate.event.id.as_bytes();
        let revision = match known.get(id) {
            None => 0,
            Some(_) if !revise => continue,
            // One that this very call is about to insert counts as the same.
            Some(latest) if readings.get(&latest.position).is_none_or(|read| read.is_of(candidate.event)) => continue,
            Some(latest) => {
                superseded.push(latest.position);
                latest.revision + 1
            }
        };
        let row = head.place_event(candidate, revision, now);
        known.insert(*id, Latest { position: row.position, revision });
        rows.push(row);
    }
    supersede(connection, &superseded).await?;
    Ok(rows)
}

/// Those that are recorded already, by their latest revision.
async fn known_events(
    connection: &mut PgConnection,
    candidates: &[Candidate<'_>],
) -> sqlx::Result<HashMap<[u8; 16], Latest>> {
    if candidates.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<&[u8]> = candidates.iter().map(|candidate| candidate.event.id.as_bytes().as_slice()).collect();
    let rows: Vec<(Vec<u8>, i64, i64)> = sqlx::query_as(
        "select distinct on (id) id, position, revision from events where id = any($1) order by id, revision desc",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    let known = |(id, position, revision): (Vec<u8>, i64, i64)| {
        let width = |_| sqlx::Error::Decode(format!("events {position}: an id has 16 bytes").into());
        Ok((id.try_into().map_err(width)?, Latest { position, revision }))
    };
    rows.into_iter().map(known).collect()
}

/// What an event reads like.
#[derive(Debug, sqlx::FromRow)]
struct Read {
    position: i64,
    kind: String,
    source: String,
    subject: String,
    order_key: String,
    happened_at: i64,
    data: Option<String>,
}

impl Read {
    /// Whether it reads as this one: then there is nothing to correct.
    fn is_of(&self, event: &PreparedEvent) -> bool {
        self.kind == event.kind
            && self.source == event.source
            && self.subject == event.subject
            && self.order_key == event.order_key
            && self.happened_at == event.happened_at
            && self.data == event.data
    }
}

async fn readings_at(
    connection: &mut PgConnection,
    known: &HashMap<[u8; 16], Latest>,
) -> sqlx::Result<HashMap<i64, Read>> {
    let positions: Vec<i64> = known.values().map(|latest| latest.position).collect();
    let rows: Vec<Read> = sqlx::query_as(
        "select position, kind, source, subject, order_key, happened_at, data from events where position = any($1)",
    )
    .bind(positions)
    .fetch_all(connection)
    .await?;
    let read = |row: Read| {
        let read = Read {
            kind: restored(row.kind),
            source: restored(row.source),
            subject: restored(row.subject),
            order_key: restored(row.order_key),
            data: row.data.map(restored),
            ..row
        };
        (read.position, read)
    };
    Ok(rows.into_iter().map(read).collect())
}

async fn supersede(connection: &mut PgConnection, positions: &[i64]) -> sqlx::Result<()> {
    if !positions.is_empty() {
        sqlx::query("insert into superseded_events (position) select unnest($1::bigint[])")
            .bind(positions)
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Notes kinds that never stood in the stream.
async fn add_kinds(connection: &mut PgConnection, known: &mut Known, rows: &[PlacedEvent<'_>]) -> sqlx::Result<()> {
    let kinds = rows.iter().map(|row| row.of.event.kind.as_str());
    let new: HashSet<&str> = kinds.filter(|kind| !known.kinds.contains(*kind)).collect();
    if new.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into kinds (name) select name from unnest($1::text[]) as new (name) where not exists (select from kinds k \
         where hashtextextended(k.name, 0) = hashtextextended(new.name, 0) and k.name = new.name)",
    )
    .bind(new.iter().map(|kind| stored(kind)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    // If the transaction fails they are forgotten with everything else.
    known.kinds.extend(new.into_iter().map(str::to_owned));
    Ok(())
}

async fn insert_events(connection: &mut PgConnection, rows: &[PlacedEvent<'_>]) -> sqlx::Result<()> {
    fn column<'a, T>(rows: &'a [PlacedEvent<'_>], value: impl Fn(&'a PlacedEvent<'_>) -> T) -> Vec<T> {
        rows.iter().map(value).collect()
    }
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into events (position, id, revision, kind, source, subject, order_key, happened_at, recorded_at, \
         source_id, delivery, ordinal, repository, service, environment, outcome, data, chain_hash) \
         select * from unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::text[], $5::text[], $6::text[], \
         $7::text[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], \
         $14::text[], $15::text[], $16::text[], $17::text[], $18::bytea[])",
    )
    .bind(column(rows, |row| row.position))
    .bind(column(rows, |row| row.of.event.id.as_bytes().as_slice()))
    .bind(column(rows, |row| row.revision))
    .bind(column(rows, |row| stored(&row.of.event.kind)))
    .bind(column(rows, |row| stored(&row.of.event.source)))
    .bind(column(rows, |row| stored(&row.of.event.subject)))
    .bind(column(rows, |row| stored(&row.of.event.order_key)))
    .bind(column(rows, |row| row.of.event.happened_at))
    .bind(column(rows, |row| row.recorded_at))
    .bind(column(rows, |row| row.of.source_id))
    .bind(column(rows, |row| row.of.reading.delivery))
    .bind(column(rows, |row| row.of.ordinal))
    .bind(texts(rows.iter().map(|row| row.of.event.repository.as_deref())))
    .bind(texts(rows.iter().map(|row| row.of.event.service.as_deref())))
    .bind(texts(rows.iter().map(|row| row.of.event.environment.as_deref())))
    .bind(column(rows, |row| row.of.event.outcome))
    .bind(texts(rows.iter().map(|row| row.of.event.data.as_deref())))
    .bind(column(rows, |row| row.chain_hash.as_slice()))
    .execute(connection)
    .await?;
    Ok(())
}

/// Moves a reader's checkpoint on. It never goes back here: an old delivery that is read again moves nothing.
async fn advance_checkpoint(connection: &mut PgConnection, reader: &ReaderName, position: i64) -> sqlx::Result<()> {
    sqlx::query(
        "insert into checkpoints as c (reader, position) values ($1, $2) \
         on conflict (reader) do update set position = greatest(c.position, excluded.position)",
    )
    .bind(reader.0)
    .bind(position)
    .execute(connection)
    .await?;
    Ok(())
}
