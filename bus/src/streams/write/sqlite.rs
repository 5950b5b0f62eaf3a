//! The writer's statements, apart from those for events. Nothing here begins or ends a transaction: see the writer.

use std::collections::{HashMap, HashSet};
use std::iter::repeat_n;

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{AssertSqlSafe, Sqlite};

use super::PreparedDelivery;
use crate::delivery::Receipt;
use crate::faults;
use crate::ids::{DeliveryOffset, ReaderName, SourceName};
use crate::streams::chain::{self, DeliveryLink, Hash};

/// Rows per insert, largest first: a statement for many rows saves most of the way to SQLite's thread and back, and a
/// few fixed sizes keep every statement prepared.
const ROWS_PER_INSERT: [usize; 3] = [64, 8, 1];

/// Keys per look-up; a shorter list is filled up with its last key, so that there is one prepared statement.
pub(super) const KEYS_PER_LOOKUP: usize = 64;

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
    pub(super) quarantined: HashSet<i64>,
}

/// The end of a stream.
#[derive(Debug)]
pub(in crate::streams) struct Head {
    pub(in crate::streams) position: i64,
    pub(super) chain_hash: Hash,
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
        let deliveries: Option<(i64, Vec<u8>)> =
            sqlx::query_as("select position, chain_hash from deliveries order by position desc limit 1")
                .fetch_optional(&mut *connection)
                .await?;
        let events: Option<(i64, Vec<u8>)> =
            sqlx::query_as("select position, chain_hash from events order by position desc limit 1")
                .fetch_optional(&mut *connection)
                .await?;
        let kinds: Vec<String> = sqlx::query_scalar("select name from kinds").fetch_all(&mut *connection).await?;
        let quarantined: Vec<i64> =
            sqlx::query_scalar("select delivery from quarantine").fetch_all(&mut *connection).await?;
        Ok(Self {
            deliveries: Head::new(deliveries)?,
            events: Head::new(events)?,
            sources: sources(connection).await?,
            kinds: kinds.into_iter().collect(),
            quarantined: quarantined.into_iter().collect(),
        })
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

impl Head {
    fn new(row: Option<(i64, Vec<u8>)>) -> sqlx::Result<Self> {
        let Some((position, hash)) = row else { return Ok(Self { position: 0, chain_hash: chain::START }) };
        let chain_hash = hash.try_into().map_err(|_| sqlx::Error::Decode("a chain hash has 32 bytes".into()))?;
        Ok(Self { position, chain_hash })
    }
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
    let mut known = known_deliveries(connection, deliveries).await?;
    let mut receipts = Vec::with_capacity(deliveries.len());
    let mut new = Vec::with_capacity(deliveries.len());
    for delivery in deliveries {
        if let Some((position, body_hash)) = known.get(&delivery.dedupe_key) {
            let conflict = *body_hash != delivery.body_hash;
            receipts.push(Receipt { offset: Some(DeliveryOffset(*position)), duplicate: true, conflict });
            continue;
        }
        if faults::drops() {
            let offset = Some(DeliveryOffset(state.deliveries.position + 1));
            receipts.push(Receipt { offset, duplicate: false, conflict: false });
            continue;
        }
        let row = next_delivery(state, delivery);
        known.insert(delivery.dedupe_key, (row.position, delivery.body_hash));
        receipts.push(Receipt { offset: Some(DeliveryOffset(row.position)), duplicate: false, conflict: false });
        new.push(row);
    }
    insert_deliveries(connection, &new).await?;
    Ok(receipts)
}

/// A delivery with its place in the stream.
struct DeliveryRow<'a> {
    position: i64,
    source_id: i64,
    chain_hash: Hash,
    delivery: &'a PreparedDelivery,
}

fn next_delivery<'a>(state: &mut State, delivery: &'a PreparedDelivery) -> DeliveryRow<'a> {
    let position = state.deliveries.position + 1;
    let link = DeliveryLink {
        position,
        source: delivery.source.as_str(),
        delivery_id: delivery.delivery_id.as_str(),
        received_at: delivery.received_at,
        headers: &delivery.headers,
        content_type: delivery.content_type.as_deref(),
        verification: delivery.verification,
        body_bytes: delivery.body_bytes,
        body_hash: &delivery.body_hash,
    };
    let chain_hash = link.hash(&state.deliveries.chain_hash);
    state.deliveries = Head { position, chain_hash };
    let source = state.source(&delivery.source, delivery.received_at);
    source.first_at =
        if source.deliveries == 0 { delivery.received_at } else { source.first_at.min(delivery.received_at) };
    source.last_at =
        if source.deliveries == 0 { delivery.received_at } else { source.last_at.max(delivery.received_at) };
    source.deliveries += 1;
    source.body_bytes += delivery.body_bytes;
    source.changed = true;
    DeliveryRow { position, source_id: source.id, chain_hash, delivery }
}

/// Those that are stored already: where, and the hash of their body.
async fn known_deliveries(
    connection: &mut SqliteConnection,
    deliveries: &[&PreparedDelivery],
) -> sqlx::Result<HashMap<[u8; 16], (i64, Hash)>> {
    let sql = format!(
        "select dedupe_key, position, body_hash from deliveries where dedupe_key in ({})",
        repeat_n("?", KEYS_PER_LOOKUP).collect::<Vec<_>>().join(", ")
    );
    let mut known = HashMap::with_capacity(deliveries.len());
    for chunk in deliveries.chunks(KEYS_PER_LOOKUP) {
        let Some(last) = chunk.last() else { continue };
        let mut query = sqlx::query_as(AssertSqlSafe(sql.clone()));
        for delivery in chunk.iter().chain(repeat_n(last, KEYS_PER_LOOKUP - chunk.len())) {
            query = query.bind(delivery.dedupe_key.as_slice());
        }
        let rows: Vec<(Vec<u8>, i64, Vec<u8>)> = query.fetch_all(&mut *connection).await?;
        for (key, position, body_hash) in rows {
            let width =
                |_| sqlx::Error::Decode(format!("deliveries {position}: a key or hash has the wrong width").into());
            known.insert(key.try_into().map_err(width)?, (position, body_hash.try_into().map_err(width)?));
        }
    }
    Ok(known)
}

async fn insert_deliveries(connection: &mut SqliteConnection, rows: &[DeliveryRow<'_>]) -> sqlx::Result<()> {
    const INTO: &str = "insert into deliveries (position, source_id, delivery_id, dedupe_key, received_at, headers, \
                        content_type, verification, body_bytes, body_hash, chain_hash)";
    insert(connection, INTO, 11, rows, |query, row| {
        let delivery = row.delivery;
        query
            .bind(row.position)
            .bind(row.source_id)
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
    insert(connection, "insert into delivery_bodies (position, body)", 2, rows, |query, row| {
        query.bind(row.position).bind(row.delivery.frame.as_slice())
    })
    .await
}

pub(super) type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Inserts rows of so many columns with as few statements as the fixed sizes allow.
pub(super) async fn insert<'q, T>(
    connection: &mut SqliteConnection,
    into: &str,
    columns: usize,
    rows: &'q [T],
    bind: impl Fn(Statement<'q>, &'q T) -> Statement<'q>,
) -> sqlx::Result<()> {
    let tuple = format!("({})", repeat_n("?", columns).collect::<Vec<_>>().join(", "));
    let mut rest = rows;
    for size in ROWS_PER_INSERT {
        let sql = format!("{into} values {}", repeat_n(tuple.as_str(), size).collect::<Vec<_>>().join(", "));
        while let Some((chunk, after)) = rest.split_at_checked(size) {
            let statement = sqlx::query(AssertSqlSafe(sql.clone()));
            chunk.iter().fold(statement, &bind).execute(&mut *connection).await?;
            rest = after;
        }
    }
    Ok(())
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
