//! The writers' statements, apart from those for events. Nothing here begins or ends a transaction: see the writer.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::PgConnection;

use super::{Head, KnownDeliveries, PlacedDelivery, PreparedDelivery};
use crate::delivery::Receipt;
use crate::ids::{ReaderName, SourceName};
use crate::streams::text::stored;
use crate::streams::verify::Stream;

/// What a writer need not ask again: what once stands in these tables never changes.
#[derive(Debug, Default)]
pub(in crate::streams) struct Known {
    sources: HashMap<SourceName, i64>,
    pub(super) kinds: HashSet<String>,
}

impl Known {
    /// Makes the sources that are not there yet. Outside the transaction, so that two writers that make the same ones
    /// in another order do not wait for each other.
    pub(in crate::streams) async fn learn_sources<'a>(
        &mut self,
        connection: &mut PgConnection,
        names: impl Iterator<Item = &'a SourceName>,
    ) -> sqlx::Result<()> {
        let new: BTreeSet<&str> =
            names.filter(|name| !self.sources.contains_key(name)).map(SourceName::as_str).collect();
        if new.is_empty() {
            return Ok(());
        }
        let new: Vec<&str> = new.into_iter().collect();
        sqlx::query(
            "insert into sources (name, deliveries, body_bytes, first_at, last_at) \
             select name, 0, 0, 0, 0 from unnest($1::text[]) name on conflict (name) do nothing",
        )
        .bind(&new)
        .execute(&mut *connection)
        .await?;
        let rows: Vec<(i64, String)> = sqlx::query_as("select id, name from sources where name = any($1)")
            .bind(&new)
            .fetch_all(connection)
            .await?;
        for (id, name) in rows {
            self.sources.insert(name.parse().map_err(|e| sqlx::Error::Decode(Box::new(e)))?, id);
        }
        Ok(())
    }

    /// The id of a source that was learnt.
    pub(super) fn source(&self, name: &SourceName) -> sqlx::Result<i64> {
        let id = self.sources.get(name).copied();
        id.ok_or_else(|| sqlx::Error::Decode(format!("sources: {name} is missing").into()))
    }
}

/// The end of a log, which nobody else can move before this transaction has ended.
pub(in crate::streams) async fn lock_head(connection: &mut PgConnection, log: Stream) -> sqlx::Result<Head> {
    let row = sqlx::query_as("select position, chain_hash from log_heads where log = $1 for update").bind(log.name());
    Head::new(Some(row.fetch_one(connection).await?))
}

pub(in crate::streams) async fn save_head(connection: &mut PgConnection, log: Stream, head: Head) -> sqlx::Result<()> {
    sqlx::query("update log_heads set position = $2, chain_hash = $3 where log = $1")
        .bind(log.name())
        .bind(head.position)
        .bind(head.chain_hash.as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether a log once ended so: then the record at that position has that hash.
pub(in crate::streams) async fn is_written(
    connection: &mut PgConnection,
    log: Stream,
    end: Head,
) -> sqlx::Result<bool> {
    let written = match log {
        Stream::Deliveries => "select exists (select from deliveries where position = $1 and chain_hash = $2)",
        Stream::Events => "select exists (select from events where position = $1 and chain_hash = $2)",
    };
    sqlx::query_scalar(written).bind(end.position).bind(end.chain_hash.as_slice()).fetch_one(connection).await
}

/// Appends the deliveries that are new; a receipt for each, in order.
pub(in crate::streams) async fn append(
    connection: &mut PgConnection,
    known: &Known,
    head: &mut Head,
    deliveries: &[&PreparedDelivery],
) -> sqlx::Result<Vec<Receipt>> {
    if deliveries.is_empty() {
        return Ok(Vec::new());
    }
    let (receipts, placed) = head.place(deliveries, known_deliveries(connection, deliveries).await?);
    if !placed.is_empty() {
        let sources: Vec<i64> =
            placed.iter().map(|placed| known.source(&placed.delivery.source)).collect::<sqlx::Result<_>>()?;
        insert_deliveries(connection, &placed, &sources).await?;
        insert_bodies(connection, &placed).await?;
        count(connection, &placed, &sources).await?;
    }
    Ok(receipts)
}

/// Those that are stored already, or were before they were removed.
async fn known_deliveries(
    connection: &mut PgConnection,
    deliveries: &[&PreparedDelivery],
) -> sqlx::Result<KnownDeliveries> {
    let keys: Vec<&[u8]> = deliveries.iter().map(|delivery| delivery.dedupe_key.as_slice()).collect();
    let rows: Vec<(Vec<u8>, i64, Vec<u8>)> = sqlx::query_as(
        "select dedupe_key, position, body_hash from deliveries where dedupe_key = any($1) \
         union all select dedupe_key, position, body_hash from trimmed_deliveries where dedupe_key = any($1)",
    )
    .bind(keys)
    .fetch_all(connection)
    .await?;
    let known = |(key, position, body_hash): (Vec<u8>, i64, Vec<u8>)| {
        let width = |_| sqlx::Error::Decode(format!("deliveries {position}: a key or hash has the wrong width").into());
        Ok((key.try_into().map_err(width)?, (position, body_hash.try_into().map_err(width)?)))
    };
    rows.into_iter().map(known).collect()
}

async fn insert_deliveries(
    connection: &mut PgConnection,
    rows: &[PlacedDelivery<'_>],
    sources: &[i64],
) -> sqlx::Result<()> {
    fn column<'a, T>(rows: &'a [PlacedDelivery<'_>], value: impl Fn(&'a PlacedDelivery<'_>) -> T) -> Vec<T> {
        rows.iter().map(value).collect()
    }
    sqlx::query(
        "insert into deliveries (position, source_id, delivery_id, dedupe_key, received_at, headers, content_type, \
         verification, body_bytes, body_hash, chain_hash) select * from unnest($1::bigint[], $2::bigint[], $3::text[], \
         $4::bytea[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::bytea[], $11::bytea[])",
    )
    .bind(column(rows, |row| row.position))
    .bind(sources)
    .bind(column(rows, |row| stored(row.delivery.delivery_id.as_str())))
    .bind(column(rows, |row| row.delivery.dedupe_key.as_slice()))
    .bind(column(rows, |row| row.delivery.received_at))
    .bind(column(rows, |row| stored(&row.delivery.headers)))
    .bind(column(rows, |row| row.delivery.content_type.as_deref().map(stored)))
    .bind(column(rows, |row| row.delivery.verification))
    .bind(column(rows, |row| row.delivery.body_bytes))
    .bind(column(rows, |row| row.delivery.body_hash.as_slice()))
    .bind(column(rows, |row| row.chain_hash.as_slice()))
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_bodies(connection: &mut PgConnection, rows: &[PlacedDelivery<'_>]) -> sqlx::Result<()> {
    sqlx::query("insert into delivery_bodies (position, body) select * from unnest($1::bigint[], $2::bytea[])")
        .bind(rows.iter().map(|row| row.position).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.delivery.frame.as_slice()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Counts new deliveries for their sources.
async fn count(connection: &mut PgConnection, rows: &[PlacedDelivery<'_>], sources: &[i64]) -> sqlx::Result<()> {
    sqlx::query(
        "update sources s set deliveries = s.deliveries + new.deliveries, body_bytes = s.body_bytes + new.body_bytes, \
         first_at = case when s.deliveries = 0 then new.first_at else least(s.first_at, new.first_at) end, \
         last_at = case when s.deliveries = 0 then new.last_at else greatest(s.last_at, new.last_at) end \
         from (select id, count(*) as deliveries, sum(body_bytes)::bigint as body_bytes, min(at) as first_at, \
         max(at) as last_at from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as new (id, body_bytes, at) \
         group by id) new where s.id = new.id",
    )
    .bind(sources)
    .bind(rows.iter().map(|row| row.delivery.body_bytes).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.delivery.received_at).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Texts as they are stored.
pub(super) fn texts<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> Vec<Option<Cow<'a, str>>> {
    texts.map(|text| text.map(stored)).collect()
}

pub(in crate::streams) async fn save_checkpoint(
    connection: &mut PgConnection,
    reader: &ReaderName,
    position: i64,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into checkpoints (reader, position) values ($1, $2) \
         on conflict (reader) do update set position = excluded.position",
    )
    .bind(reader.0)
    .bind(position)
    .execute(connection)
    .await?;
    Ok(())
}

pub(in crate::streams) async fn save_setting(
    connection: &mut PgConnection,
    name: &str,
    value: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into settings (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value",
    )
    .bind(stored(name))
    .bind(stored(value))
    .execute(connection)
    .await?;
    Ok(())
}
