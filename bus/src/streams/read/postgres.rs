//! The readers' statements, apart from searches. While the server is away they wait for it.

use sqlx::FromRow;
use sqlx::postgres::{PgArguments, Postgres as Database};
use sqlx::query::QueryAs;

use super::{DeliveryRow, EventRow, LinkColumns, QuarantineRow, READ_BYTES_MAX, SourceRow, sql_limit, whole};
use crate::delivery::Delivery;
use crate::event::Recorded;
use crate::ids::{DeliveryId, DeliveryOffset, EventId, EventOffset, ReaderName, SourceName};
use crate::postgres::patiently;
use crate::streams::body::off_thread;
use crate::streams::chain;
use crate::streams::postgres::Postgres;
use crate::streams::search::{GAP_DAYS, GAP_DELIVERIES_MAX, gap_p99_seconds};
use crate::streams::text::{restored, stored};
use crate::streams::trim::postgres::trimmed;
use crate::streams::verify::{Chained, Links, Stream, VERIFY_ROWS};
use crate::streams::write::Head;
use crate::streams::{Quarantined, SourceFigures, StreamError};

macro_rules! delivery_columns {
    () => {
        "d.position, s.name as source, d.delivery_id, d.received_at, d.headers, d.content_type, d.verification, \
         d.body_bytes, d.body_hash, d.chain_hash, b.body"
    };
}

/// The deliveries that a condition leaves, in an order, up to a number (`$1`) and so many bytes of bodies (`$2`): a
/// read whose rows are not all taken would be sent to its end nevertheless.
macro_rules! bounded_deliveries {
    ($condition:literal, $order:literal) => {
        concat!(
            "select ",
            delivery_columns!(),
            " from (select *, sum(body_bytes) over (order by position ",
            $order,
            ") - body_bytes as bytes_before from (select * from deliveries where ",
            $condition,
            " order by position ",
            $order,
            " limit $1) one) d join delivery_bodies b on b.position = d.position join sources s on s.id = d.source_id \
             where d.bytes_before < $2 order by d.position ",
            $order
        )
    };
}

macro_rules! event_columns {
    () => {
        "e.position, e.id, e.revision, e.kind, e.source, e.subject, e.order_key, e.happened_at, e.recorded_at, \
         s.name as origin_source, e.delivery, e.ordinal, e.data"
    };
}

pub(in crate::streams) use event_columns;

type DeliveryQuery<'q> = QueryAs<'q, Database, DeliveryRow, PgArguments>;
pub(in crate::streams) type EventQuery<'q> = QueryAs<'q, Database, EventRow, PgArguments>;

impl Postgres {
    pub(in crate::streams) async fn deliveries(
        &self,
        after: DeliveryOffset,
        limit: usize,
    ) -> Result<Vec<Delivery>, StreamError> {
        const SQL: &str = bounded_deliveries!("position > $3", "asc");
        patiently(|| self.read_deliveries(bounded(SQL, limit).bind(after.0))).await
    }

    pub(in crate::streams) async fn deliveries_of(
        &self,
        source: &SourceName,
        before: Option<DeliveryOffset>,
        limit: usize,
    ) -> Result<Vec<Delivery>, StreamError> {
        const SQL: &str =
            bounded_deliveries!("source_id = (select id from sources where name = $3) and position < $4", "desc");
        let before = before.map_or(i64::MAX, |offset| offset.0);
        patiently(|| self.read_deliveries(bounded(SQL, limit).bind(source.as_str()).bind(before))).await
    }

    async fn read_deliveries(&self, query: DeliveryQuery<'_>) -> Result<Vec<Delivery>, StreamError> {
        let rows = query.fetch_all(&self.readers).await?;
        let bytes = usize::try_from(rows.iter().map(|row| row.body_bytes).sum::<i64>()).unwrap_or(usize::MAX);
        off_thread(bytes, || rows.into_iter().map(|row| row.restored().into_delivery()).collect()).await?
    }

    /// One delivery is read to be looked at, so its body is checked against its hash; `verify` checks all.
    pub(in crate::streams) async fn delivery(&self, offset: DeliveryOffset) -> Result<Option<Delivery>, StreamError> {
        const SQL: &str = bounded_deliveries!("position = $3", "asc");
        let mut found = patiently(|| self.read_deliveries(bounded(SQL, 1).bind(offset.0))).await?;
        found.pop().map(whole).transpose()
    }

    pub(in crate::streams) async fn delivery_by_id(
        &self,
        source: &SourceName,
        id: &DeliveryId,
    ) -> Result<Option<DeliveryOffset>, StreamError> {
        let key = chain::dedupe_key(source.as_str(), id.as_str());
        patiently(|| async {
            let position = sqlx::query_scalar("select position from deliveries where dedupe_key = $1");
            Ok(position.bind(key.as_slice()).fetch_optional(&self.readers).await?.map(DeliveryOffset))
        })
        .await
    }

    pub(in crate::streams) async fn events(
        &self,
        after: EventOffset,
        limit: usize,
    ) -> Result<Vec<Recorded>, StreamError> {
        // The planner cannot tell by itself that corrections of earlier events need not be looked at.
        const SQL: &str = concat!(
            "select ",
            event_columns!(),
            " from events e join sources s on s.id = e.source_id where e.position > $1 and not exists \
             (select from superseded_events x where x.position = e.position and x.position > $1) \
             order by e.position limit $2"
        );
        patiently(|| self.read_events(sqlx::query_as(SQL).bind(after.0).bind(sql_limit(limit)))).await
    }

    pub(in crate::streams) async fn event(&self, id: EventId) -> Result<Option<Recorded>, StreamError> {
        Ok(self.events_by_id(vec![id]).await?.pop())
    }

    pub(in crate::streams) async fn events_by_id(&self, ids: Vec<EventId>) -> Result<Vec<Recorded>, StreamError> {
        const SQL: &str = concat!(
            "select ",
            event_columns!(),
            " from unnest($1::bytea[]) with ordinality as asked (id, number) join events e on e.id = asked.id \
             join sources s on s.id = e.source_id \
             where not exists (select from superseded_events x where x.position = e.position) order by asked.number"
        );
        patiently(|| self.read_events(sqlx::query_as(SQL).bind(id_list(&ids)))).await
    }

    pub(in crate::streams) async fn events_of(&self, delivery: DeliveryOffset) -> Result<Vec<Recorded>, StreamError> {
        const SQL: &str = concat!(
            "select ",
            event_columns!(),
            " from events e join sources s on s.id = e.source_id where e.delivery = $1 and not exists \
             (select from superseded_events x where x.position = e.position) order by e.ordinal"
        );
        patiently(|| self.read_events(sqlx::query_as(SQL).bind(delivery.0))).await
    }

    pub(in crate::streams) async fn read_events(&self, query: EventQuery<'_>) -> Result<Vec<Recorded>, StreamError> {
        let rows = query.fetch_all(&self.readers).await?;
        let bytes = rows.iter().map(|row| row.data.as_ref().map_or(0, String::len)).sum();
        off_thread(bytes, || rows.into_iter().map(|row| row.restored().into_recorded()).collect()).await?
    }

    pub(in crate::streams) async fn quarantined(&self, limit: usize) -> Result<Vec<Quarantined>, StreamError> {
        const SQL: &str = "select q.delivery, s.name as source, q.error, q.attempts, q.since from quarantine q \
                           join sources s on s.id = q.source_id order by q.delivery limit $1";
        let rows: Vec<QuarantineRow> =
            patiently(|| async { Ok(sqlx::query_as(SQL).bind(sql_limit(limit)).fetch_all(&self.readers).await?) })
                .await?;
        rows.into_iter().map(|row| row.restored().into_quarantined()).collect()
    }

    pub(in crate::streams) async fn sources(&self) -> Result<Vec<SourceFigures>, StreamError> {
        const SQL: &str = "select s.id, s.name, s.deliveries, s.body_bytes, s.first_at, s.last_at, \
                           (select count(*) from quarantine q where q.source_id = s.id) as quarantined \
                           from sources s where s.deliveries > 0 order by s.name";
        let rows: Vec<SourceRow> =
            patiently(|| async { Ok(sqlx::query_as(SQL).fetch_all(&self.readers).await?) }).await?;
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
        const SQL: &str = "select received_at from (select received_at from deliveries where source_id = $1 \
                           order by position desc limit $2) latest where received_at >= $3";
        patiently(|| async {
            let arrivals = sqlx::query_scalar(SQL)
                .bind(source.id)
                .bind(GAP_DELIVERIES_MAX)
                .bind(source.last_at - GAP_DAYS * DAY_MICROS);
            Ok(arrivals.fetch_all(&self.readers).await?)
        })
        .await
    }

    pub(in crate::streams) async fn checkpoint(&self, reader: ReaderName) -> Result<i64, StreamError> {
        patiently(|| async {
            let position = sqlx::query_scalar("select position from checkpoints where reader = $1").bind(reader.0);
            Ok(position.fetch_optional(&self.readers).await?.unwrap_or(0))
        })
        .await
    }

    pub(in crate::streams) async fn setting(&self, name: &str) -> Result<Option<String>, StreamError> {
        let value: Option<String> = patiently(|| async {
            let value = sqlx::query_scalar("select value from settings where name = $1").bind(stored(name));
            Ok(value.fetch_optional(&self.readers).await?)
        })
        .await?;
        Ok(value.map(restored))
    }

    async fn delivery_links(&self, after: i64) -> Result<Vec<DeliveryRow>, StreamError> {
        const SQL: &str = bounded_deliveries!("position > $3", "asc");
        let limit = usize::try_from(VERIFY_ROWS).unwrap_or_default();
        let rows = bounded(SQL, limit).bind(after).fetch_all(&self.readers).await?;
        Ok(rows.into_iter().map(DeliveryRow::restored).collect())
    }

    async fn event_links(&self, after: i64) -> Result<Vec<(EventRow, LinkColumns)>, StreamError> {
        const SQL: &str = concat!(
            "select ",
            event_columns!(),
            ", e.repository, e.service, e.environment, e.outcome, e.chain_hash from events e \
             join sources s on s.id = e.source_id where e.position > $1 order by e.position limit $2"
        );
        let rows = sqlx::query(SQL).bind(after).bind(VERIFY_ROWS).fetch_all(&self.readers).await?;
        let pair = |row| Ok((EventRow::from_row(row)?.restored(), LinkColumns::from_row(row)?.restored()));
        Ok(rows.iter().map(pair).collect::<sqlx::Result<_>>()?)
    }
}

impl Chained for Postgres {
    async fn links(&self, stream: Stream, after: i64) -> Result<Links, StreamError> {
        Ok(match stream {
            Stream::Deliveries => Links::Deliveries(patiently(|| self.delivery_links(after)).await?),
            Stream::Events => Links::Events(patiently(|| self.event_links(after)).await?),
        })
    }

    async fn trimmed(&self, stream: Stream) -> Result<Head, StreamError> {
        patiently(|| trimmed(&self.readers, stream)).await
    }
}

/// A read of deliveries with its bounds.
fn bounded<'q>(sql: &'static str, limit: usize) -> DeliveryQuery<'q> {
    sqlx::query_as(sql).bind(sql_limit(limit)).bind(READ_BYTES_MAX)
}

/// Ids as a list of bytes.
pub(in crate::streams) fn id_list(ids: &[EventId]) -> Vec<Vec<u8>> {
    ids.iter().map(|id| id.as_bytes().to_vec()).collect()
}

// Names of sources and outcomes are ours, and hold no character that cannot be stored.

impl DeliveryRow {
    fn restored(self) -> Self {
        Self {
            delivery_id: restored(self.delivery_id),
            headers: restored(self.headers),
            content_type: self.content_type.map(restored),
            ..self
        }
    }
}

impl EventRow {
    fn restored(self) -> Self {
        Self {
            kind: restored(self.kind),
            source: restored(self.source),
            subject: restored(self.subject),
            order_key: restored(self.order_key),
            data: self.data.map(restored),
            ..self
        }
    }
}

impl LinkColumns {
    fn restored(self) -> Self {
        Self {
            repository: self.repository.map(restored),
            service: self.service.map(restored),
            environment: self.environment.map(restored),
            ..self
        }
    }
}

impl QuarantineRow {
    fn restored(self) -> Self {
        Self { error: restored(self.error), ..self }
    }
}
