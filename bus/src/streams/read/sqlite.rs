//! The readers' statements, apart from searches.

use futures_util::TryStreamExt;
use sqlx::query::QueryAs;
use sqlx::sqlite::SqliteArguments;
use sqlx::{FromRow, Sqlite as Database};

use super::{DeliveryRow, EventRow, LinkColumns, QuarantineRow, READ_BYTES_MAX, SourceRow, sql_limit, whole};
use crate::delivery::Delivery;
use crate::event::Recorded;
use crate::ids::{DeliveryId, DeliveryOffset, EventId, EventOffset, ReaderName, SourceName};
use crate::streams::body::off_thread;
use crate::streams::chain;
use crate::streams::search::{GAP_DAYS, GAP_DELIVERIES_MAX, gap_p99_seconds};
use crate::streams::sqlite::Sqlite;
use crate::streams::trim::sqlite::trimmed;
use crate::streams::verify::{Chained, Links, Stream, VERIFY_ROWS};
use crate::streams::write::Head;
use crate::streams::{Quarantined, SourceFigures, StreamError};

macro_rules! delivery_columns {
    () => {
        "select d.position, s.name as source, d.delivery_id, d.received_at, d.headers, d.content_type, \
         d.verification, d.body_bytes, d.body_hash, d.chain_hash, b.body from deliveries d \
         join delivery_bodies b on b.position = d.position join sources s on s.id = d.source_id "
    };
}

macro_rules! event_columns {
    () => {
        "e.position, e.id, e.revision, e.kind, e.source, e.subject, e.order_key, e.happened_at, e.recorded_at, \
         s.name as origin_source, e.delivery, e.ordinal, e.data"
    };
}

macro_rules! latest_events {
    () => {
        concat!(
            "select ",
            event_columns!(),
            " from events e join sources s on s.id = e.source_id \
             where not exists (select 1 from superseded_events x where x.position = e.position) and "
        )
    };
}
pub(in crate::streams) use event_columns;

type DeliveryQuery<'q> = QueryAs<'q, Database, DeliveryRow, SqliteArguments>;
pub(in crate::streams) type EventQuery<'q> = QueryAs<'q, Database, EventRow, SqliteArguments>;

impl Sqlite {
    pub(in crate::streams) async fn deliveries(
        &self,
        after: DeliveryOffset,
        limit: usize,
    ) -> Result<Vec<Delivery>, StreamError> {
        let sql = concat!(delivery_columns!(), "where d.position > ? order by d.position limit ?");
        self.read_deliveries(sqlx::query_as(sql).bind(after.0).bind(sql_limit(limit))).await
    }

    pub(in crate::streams) async fn deliveries_of(
        &self,
        source: &SourceName,
        before: Option<DeliveryOffset>,
        limit: usize,
    ) -> Result<Vec<Delivery>, StreamError> {
        let sql = concat!(
            delivery_columns!(),
            "where d.source_id = (select id from sources where name = ?) and d.position < ? \
             order by d.position desc limit ?"
        );
        let before = before.map_or(i64::MAX, |offset| offset.0);
        self.read_deliveries(sqlx::query_as(sql).bind(source.as_str()).bind(before).bind(sql_limit(limit))).await
    }

    async fn read_deliveries(&self, query: DeliveryQuery<'_>) -> Result<Vec<Delivery>, StreamError> {
        let mut rows = Vec::new();
        let mut bytes = 0;
        let mut stream = query.fetch(&self.readers);
        while bytes < READ_BYTES_MAX
            && let Some(row) = stream.try_next().await?
        {
            bytes += row.body_bytes;
            rows.push(row);
        }
        drop(stream);
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        off_thread(bytes, || rows.into_iter().map(DeliveryRow::into_delivery).collect()).await?
    }

    /// One delivery is read to be looked at, so its body is checked against its hash; `Streams::verify` checks all.
    pub(in crate::streams) async fn delivery(&self, offset: DeliveryOffset) -> Result<Option<Delivery>, StreamError> {
        let sql = concat!(delivery_columns!(), "where d.position = ?");
        let row: Option<DeliveryRow> = sqlx::query_as(sql).bind(offset.0).fetch_optional(&self.readers).await?;
        let Some(row) = row else { return Ok(None) };
        whole(row.into_delivery()?).map(Some)
    }

    pub(in crate::streams) async fn delivery_by_id(
        &self,
        source: &SourceName,
        id: &DeliveryId,
    ) -> Result<Option<DeliveryOffset>, StreamError> {
        let key = chain::dedupe_key(source.as_str(), id.as_str());
        let position = sqlx::query_scalar("select position from deliveries where dedupe_key = ?").bind(key.as_slice());
        Ok(position.fetch_optional(&self.readers).await?.map(DeliveryOffset))
    }

    pub(in crate::streams) async fn events(
        &self,
        after: EventOffset,
        limit: usize,
    ) -> Result<Vec<Recorded>, StreamError> {
        let sql = concat!(latest_events!(), "e.position > ? order by e.position limit ?");
        self.read_events(sqlx::query_as(sql).bind(after.0).bind(sql_limit(limit))).await
    }

    pub(in crate::streams) async fn event(&self, id: EventId) -> Result<Option<Recorded>, StreamError> {
        Ok(self.events_by_id(vec![id]).await?.pop())
    }

    pub(in crate::streams) async fn events_by_id(&self, ids: Vec<EventId>) -> Result<Vec<Recorded>, StreamError> {
        // The list goes as one JSON text, so that there is one statement for any number of ids.
        let sql = concat!(
            "select ",
            event_columns!(),
            " from json_each(?) asked join events e indexed by events_by_id on e.id = unhex(asked.value, '-') \
             join sources s on s.id = e.source_id \
             where not exists (select 1 from superseded_events x where x.position = e.position) order by asked.key"
        );
        self.read_events(sqlx::query_as(sql).bind(id_list(&ids))).await
    }

    pub(in crate::streams) async fn events_of(&self, delivery: DeliveryOffset) -> Result<Vec<Recorded>, StreamError> {
        let sql = concat!(latest_events!(), "e.delivery = ? order by e.ordinal");
        self.read_events(sqlx::query_as(sql).bind(delivery.0)).await
    }

    pub(in crate::streams) async fn read_events(&self, query: EventQuery<'_>) -> Result<Vec<Recorded>, StreamError> {
        let rows = query.fetch_all(&self.readers).await?;
        let bytes = rows.iter().map(|row| row.data.as_ref().map_or(0, String::len)).sum();
        off_thread(bytes, || rows.into_iter().map(EventRow::into_recorded).collect()).await?
    }

    pub(in crate::streams) async fn quarantined(&self, limit: usize) -> Result<Vec<Quarantined>, StreamError> {
        let rows: Vec<QuarantineRow> = sqlx::query_as(
            "select q.delivery, s.name as source, q.error, q.attempts, q.since from quarantine q \
             join sources s on s.id = q.source_id order by q.delivery limit ?",
        )
        .bind(sql_limit(limit))
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter().map(QuarantineRow::into_quarantined).collect()
    }

    pub(in crate::streams) async fn sources(&self) -> Result<Vec<SourceFigures>, StreamError> {
        let rows: Vec<SourceRow> = sqlx::query_as(
            "select s.id, s.name, s.deliveries, s.body_bytes, s.first_at, s.last_at, \
             (select count(*) from quarantine q where q.source_id = s.id) as quarantined \
             from sources s where s.deliveries > 0 order by s.name",
        )
        .fetch_all(&self.readers)
        .await?;
        let mut figures = Vec::with_capacity(rows.len());
        for row in rows {
            let gap = match self.gaps.get(row.id, row.deliveries) {
                Some(known) => known,
                None => self.gaps.put(row.id, row.deliveries, gap_p99_seconds(self.arrivals(&row).await?)),
            };
            figures.push(row.into_figures(gap)?);
        }
        Ok(figures)
    }

    /// When the latest deliveries of a source arrived, from an index that holds all of it.
    async fn arrivals(&self, source: &SourceRow) -> Result<Vec<i64>, StreamError> {
        const DAY_MICROS: i64 = 86_400_000_000;
        let arrivals = sqlx::query_scalar(
            "select received_at from (select received_at from deliveries indexed by deliveries_by_source \
             where source_id = ? order by position desc limit ?) where received_at >= ?",
        )
        .bind(source.id)
        .bind(GAP_DELIVERIES_MAX)
        .bind(source.last_at - GAP_DAYS * DAY_MICROS);
        Ok(arrivals.fetch_all(&self.readers).await?)
    }

    pub(in crate::streams) async fn checkpoint(&self, reader: ReaderName) -> Result<i64, StreamError> {
        let position = sqlx::query_scalar("select position from checkpoints where reader = ?").bind(reader.0);
        Ok(position.fetch_optional(&self.readers).await?.unwrap_or(0))
    }

    pub(in crate::streams) async fn setting(&self, name: &str) -> Result<Option<String>, StreamError> {
        let value = sqlx::query_scalar("select value from settings where name = ?").bind(name);
        Ok(value.fetch_optional(&self.readers).await?)
    }
}

impl Chained for Sqlite {
    async fn links(&self, stream: Stream, after: i64) -> Result<Links, StreamError> {
        let deliveries = concat!(delivery_columns!(), "where d.position > ? order by d.position limit ?");
        let events = concat!(
            "select ",
            event_columns!(),
            ", e.repository, e.service, e.environment, e.outcome, e.chain_hash from events e \
             join sources s on s.id = e.source_id where e.position > ? order by e.position limit ?"
        );
        Ok(match stream {
            Stream::Deliveries => {
                let query = sqlx::query_as(deliveries).bind(after).bind(VERIFY_ROWS);
                Links::Deliveries(query.fetch_all(&self.readers).await?)
            }
            Stream::Events => {
                let rows = sqlx::query(events).bind(after).bind(VERIFY_ROWS).fetch_all(&self.readers).await?;
                let pair = |row| Ok((EventRow::from_row(row)?, LinkColumns::from_row(row)?));
                Links::Events(rows.iter().map(pair).collect::<sqlx::Result<_>>()?)
            }
        })
    }

    async fn trimmed(&self, stream: Stream) -> Result<Head, StreamError> {
        trimmed(&self.readers, stream).await
    }
}

/// Ids as a JSON list.
pub(in crate::streams) fn id_list(ids: &[EventId]) -> String {
    serde_json::Value::from_iter(ids.iter().map(EventId::to_string)).to_string()
}
