//! The writer's statements, apart from those for events. Nothing here begins or ends a transaction: see the writer.

use std::collections::{HashMap, HashSet};
use std::iter::repeat_n;

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{AssertSqlSafe, Sqlite};

use super::{Head, KnownDeliveries, PlacedDelivery, PreparedDelivery};
use crate::delivery::Receipt;
use crate::ids::{ReaderName, SourceName};

/// Rows of one statement at most. Each statement goes to SQLite's thread and back, and waits there and here behind
/// whatever else the cores do: under load that is what a commit takes longest.
pub(super) const STATEMENT_ROWS_MAX: usize = 256;

/// A statement for some rows has room for the next power of two of them, so that few statements are kept prepared. What is
/// not bound is null.
pub(super) fn room(rows: usize) -> usize {
    rows.next_power_of_two()
}

/// What the writer knows without asking: the ends of both streams and the small tables. It is loaded again after a
/// transaction that failed.
#[derive(Debug)]
pub(in crate::streams) struct State {
    pub(in crate::streams) deliveries: Head,
    pub(in crate::streams) events: Head,
    sources: HashMap<SourceName, SourceState>,
    /// Names of all kinds that stand in the stream.
    pub(super) kinds: HashSet<String>,
    /// Deliveries in quarantine.
    pub(in crate::streams) quarantined: HashSet<i64>,
    /// How far deliveries were removed; 0 if none was.
    pub(in crate::streams) trimmed_deliveries: i64,
}

#[derive(Debug)]
pub(super) struct SourceState {
    pub(super) id: i64,
    deliveries: i64,
    body_bytes: i64,
    first_at: i64,
    last_at: i64,
    changed: bool,
}

impl State {
    pub(in crate::streams) async fn load(connection: &mut SqliteConnection) -> sqlx::Result<Self> {
        let kinds: Vec<String> = sqlx::query_scalar("select name from kinds").fetch_all(&mut *connection).await?;
        let quarantined: Vec<i64> =
            sqlx::query_scalar("select delivery from quarantine").fetch_all(&mut *connection).await?;
        let trimmed: Option<i64> = sqlx::query_scalar("select position from trimmed where log = 'deliveries'")
            .fetch_optional(&mut *connection)
            .await?;
        Ok(Self {
            deliveries: head(connection, "deliveries").await?,
            events: head(connection, "events").await?,
            trimmed_deliveries: trimmed.unwrap_or(0),
            sources: sources(connection).await?,
            kinds: kinds.into_iter().collect(),
            quarantined: quarantined.into_iter().collect(),
        })
    }

    /// Counts a new delivery for its source, and returns the source's id.
    fn count(&mut self, delivery: &PreparedDelivery) -> i64 {
        let at = delivery.received_at;
        let source = self.source(&delivery.source, at);
        source.first_at = if source.deliveries == 0 { at } else { source.first_at.min(at) };
        source.last_at = if source.deliveries == 0 { at } else { source.last_at.max(at) };
        source.deliveries += 1;
        source.body_bytes += delivery.body_bytes;
        source.changed = true;
        source.id
    }

    /// The source's row; a new one is written with the figures at the end of the transaction.
    pub(super) fn source(&mut self, name: &SourceName, now: i64) -> &mut SourceState {
        let id = i64::try_from(self.sources.len()).unwrap_or(i64::MAX).saturating_add(1);
        self.sources.entry(name.clone()).or_insert(SourceState {
            id,
            deliveries: 0,
            body_bytes: 0,
            first_at: now,
            last_at: now,
            changed: true,
        })
    }
}

/// The last record of a stream; after every one was removed, the last that was.
async fn head(connection: &mut SqliteConnection, stream: &'static str) -> sqlx::Result<Head> {
    let last = format!(
        "select position, chain_hash from (select position, chain_hash from {stream} order by position desc limit 1) \
         union all select position, chain_hash from trimmed where log = ? order by position desc limit 1"
    );
    Head::new(sqlx::query_as(AssertSqlSafe(last)).bind(stream).fetch_optional(connection).await?)
}

async fn sources(connection: &mut SqliteConnection) -> sqlx::Result<HashMap<SourceName, SourceState>> {
    type Row = (i64, String, i64, i64, i64, i64);
    let rows: Vec<Row> = sqlx::query_as("select id, name, deliveries, body_bytes, first_at, last_at from sources")
        .fetch_all(connection)
        .await?;
    let state = |(id, name, deliveries, body_bytes, first_at, last_at): Row| {
        let name = name.parse().map_err(|e| sqlx::Error::Decode(Box::new(e)))?;
        Ok((name, SourceState { id, deliveries, body_bytes, first_at, last_at, changed: false }))
    };
    rows.into_iter().map(state).collect()
}

/// Appends the deliveries that are new; a receipt for each, in order.
pub(in crate::streams) async fn append(
    connection: &mut SqliteConnection,
    state: &mut State,
    deliveries: &[&PreparedDelivery],
) -> sqlx::Result<Vec<Receipt>> {
    let mut known = HashMap::with_capacity(deliveries.len());
    known_deliveries(connection, "deliveries", deliveries, &mut known).await?;
    if state.trimmed_deliveries > 0 {
        known_deliveries(connection, "trimmed_deliveries", deliveries, &mut known).await?;
    }
    let (receipts, placed) = state.deliveries.place(deliveries, known);
    let rows: Vec<_> = placed.iter().map(|placed| (state.count(placed.delivery), placed)).collect();
    insert_deliveries(connection, &rows).await?;
    Ok(receipts)
}

/// Finds those that are in a table already.
async fn known_deliveries(
    connection: &mut SqliteConnection,
    table: &'static str,
    deliveries: &[&PreparedDelivery],
    known: &mut KnownDeliveries,
) -> sqlx::Result<()> {
    for chunk in deliveries.chunks(STATEMENT_ROWS_MAX) {
        let keys = placeholders(room(chunk.len()));
        let sql = format!("select dedupe_key, position, body_hash from {table} where dedupe_key in ({keys})");
        let mut query = sqlx::query_as(AssertSqlSafe(sql));
        for delivery in chunk {
            query = query.bind(delivery.dedupe_key.as_slice());
        }
        let rows: Vec<(Vec<u8>, i64, Vec<u8>)> = query.fetch_all(&mut *connection).await?;
        for (key, position, body_hash) in rows {
            let width =
                |_| sqlx::Error::Decode(format!("{table} {position}: a key or hash has the wrong width").into());
            known.insert(key.try_into().map_err(width)?, (position, body_hash.try_into().map_err(width)?));
        }
    }
    Ok(())
}

/// Writes deliveries, each with the id of its source.
async fn insert_deliveries(connection: &mut SqliteConnection, rows: &[(i64, &PlacedDelivery<'_>)]) -> sqlx::Result<()> {
    const INTO: &str = "insert into deliveries (position, source_id, delivery_id, dedupe_key, received_at, headers, \
                        content_type, verification, body_bytes, body_hash, chain_hash)";
    insert(connection, INTO, 11, rows, |query, (source_id, row)| {
        let delivery = row.delivery;
        query
            .bind(row.position)
            .bind(source_id)
            .bind(delivery.delivery_id.as_str())
            .bind(delivery.dedupe_key.as_slice())
            .bind(delivery.received_at)
            .bind(delivery.headers.as_str())
            .bind(delivery.content_type.as_deref())
            .bind(delivery.verification)
            .bind(delivery.body_bytes)
            .bind(delivery.body_hash.as_slice())
            .bind(row.chain_hash.as_slice())
    })
    .await?;
    insert(connection, "insert into delivery_bodies (position, body)", 2, rows, |query, (_, row)| {
        query.bind(row.position).bind(row.delivery.frame.as_slice())
    })
    .await
}

pub(super) type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Inserts rows of so many columns, of which the first is never null, with as few statements as can be.
pub(super) async fn insert<'q, T>(
    connection: &mut SqliteConnection,
    into: &str,
    columns: usize,
    rows: &'q [T],
    bind: impl Fn(Statement<'q>, &'q T) -> Statement<'q>,
) -> sqlx::Result<()> {
    let tuple = format!("({})", placeholders(columns));
    for chunk in rows.chunks(STATEMENT_ROWS_MAX) {
        let tuples = repeat_n(tuple.as_str(), room(chunk.len())).collect::<Vec<_>>().join(", ");
        let sql = format!("{into} select * from (values {tuples}) where column1 is not null");
        let statement = sqlx::query(AssertSqlSafe(sql));
        chunk.iter().fold(statement, &bind).execute(&mut *connection).await?;
    }
    Ok(())
}

/// So many question marks.
pub(super) fn placeholders(count: usize) -> String {
    repeat_n("?", count).collect::<Vec<_>>().join(", ")
}

pub(in crate::streams) async fn save_checkpoint(
    connection: &mut SqliteConnection,
    reader: &ReaderName,
    position: i64,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into checkpoints (reader, position) values (?, ?) \
         on conflict (reader) do update set position = excluded.position",
    )
    .bind(reader.0)
    .bind(position)
    .execute(connection)
    .await?;
    Ok(())
}

pub(in crate::streams) async fn save_setting(
    connection: &mut SqliteConnection,
    name: &str,
    value: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into settings (name, value) values (?, ?) on conflict (name) do update set value = excluded.value",
    )
    .bind(name)
    .bind(value)
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes the running figures of the sources that changed in this transaction.
pub(in crate::streams) async fn save_sources(connection: &mut SqliteConnection, state: &mut State) -> sqlx::Result<()> {
    for (name, source) in state.sources.iter_mut().filter(|(_, source)| source.changed) {
        sqlx::query(
            "insert into sources (id, name, deliveries, body_bytes, first_at, last_at) values (?, ?, ?, ?, ?, ?) \
             on conflict (id) do update set deliveries = excluded.deliveries, body_bytes = excluded.body_bytes, \
             first_at = excluded.first_at, last_at = excluded.last_at",
        )
        .bind(source.id)
        .bind(name.as_str())
        .bind(source.deliveries)
        .bind(source.body_bytes)
        .bind(source.first_at)
        .bind(source.last_at)
        .execute(&mut *connection)
        .await?;
        source.changed = false;
    }
    Ok(())
}
