//! Searches: from a query to the statement that walks the best index from the newest event down.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite as Database};

use super::Scale;
use super::plan::{Searched, Walk, Window, id, is_narrow, positive};
use crate::event::Recorded;
use crate::ids::{EventId, EventOffset};
use crate::query::{Condition, Key, Pattern, Query, needle, needle_in_json};
use crate::streams::read::sql_limit;
use crate::streams::read::sqlite::{event_columns, id_list};
use crate::streams::sqlite::Sqlite;
use crate::streams::trim::sqlite::trimmed;
use crate::streams::verify::Stream;
use crate::streams::{Bar, StreamError};

impl Searched for Sqlite {
    fn head(&self) -> EventOffset {
        *self.event_head().borrow()
    }

    async fn oldest(&self) -> Result<i64, StreamError> {
        Ok(trimmed(&self.readers, Stream::Events).await?.position + 1)
    }

    async fn kinds(&self) -> Result<Vec<String>, StreamError> {
        Ok(sqlx::query_scalar("select name from kinds").fetch_all(&self.readers).await?)
    }

    async fn search_window(
        &self,
        query: &Query,
        walks: &[Walk],
        window: Window,
        limit: usize,
    ) -> Result<Vec<Recorded>, StreamError> {
        let mut sql = QueryBuilder::new(concat!("select ", event_columns!(), " from ("));
        for (index, walk) in walks.iter().enumerate() {
            if index > 0 {
                // Not `union all`: one event can stand in two walks. Sorted walks are merged, not sorted again.
                sql.push(" union ");
            }
            push_walk(&mut sql, walk, window);
            push_conditions(&mut sql, query);
        }
        sql.push(" order by 1 desc limit ").push_bind(sql_limit(limit));
        sql.push(
            ") p join events e on e.position = p.position join sources s on s.id = e.source_id \
             order by e.position desc",
        );
        self.read_events(sql.build_query_as().persistent(false)).await
    }

    async fn first_position(&self, since: i64, before: i64) -> Result<Option<i64>, StreamError> {
        let first: Option<i64> = sqlx::query_scalar(
            "select min(position) from events indexed by events_by_time where happened_at >= ? and happened_at < ?",
        )
        .bind(since)
        .bind(before)
        .fetch_one(&self.readers)
        .await?;
        Ok(first)
    }
}

impl Sqlite {
    pub(in crate::streams) async fn histogram(
        &self,
        query: Query,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        bars: u32,
    ) -> Result<Vec<Bar>, StreamError> {
        let Some(scale) = Scale::new(from, to, bars) else { return Ok(Vec::new()) };
        let mut sql = QueryBuilder::new("select (e.happened_at - ");
        sql.push_bind(scale.from).push(") * ").push_bind(scale.bars).push(" / ").push_bind(scale.to - scale.from);
        sql.push(
            " as bar, count(*) as events, sum(coalesce(e.outcome in ('failure', 'error'), 0)) as failed from events e ",
        );
        // Without statistics the planner takes any equality for narrower than the time, even that of a common kind.
        if !is_narrow(&query) {
            sql.push("indexed by events_by_time ");
        }
        sql.push("where e.happened_at >= ").push_bind(scale.from).push(" and e.happened_at < ").push_bind(scale.to);
        sql.push(" and not exists (select 1 from superseded_events x where x.position = e.position)");
        push_conditions(&mut sql, &query);
        sql.push(" group by bar");
        let rows: Vec<SqliteRow> = sql.build().persistent(false).fetch_all(&self.readers).await?;
        let mut histogram = scale.bars();
        for row in rows {
            let (bar, events, failed): (i64, i64, i64) =
                (row.try_get("bar")?, row.try_get("events")?, row.try_get("failed")?);
            if let Some(bar) = usize::try_from(bar).ok().and_then(|bar| histogram.get_mut(bar)) {
                bar.failed = u64::try_from(failed).unwrap_or_default();
                bar.ok = u64::try_from(events - failed).unwrap_or_default();
            }
        }
        Ok(histogram)
    }
}

/// One arm of the search. The index is named, because without statistics the planner cannot know the best.
fn push_walk(sql: &mut QueryBuilder<Database>, walk: &Walk, window: Window) {
    sql.push("select e.position from events e ");
    match walk {
        Walk::Stream => sql.push("not indexed where 1"),
        Walk::Column { column, value } => {
            sql.push(format_args!("indexed by events_by_{column} where e.{column} = ")).push_bind(value.clone())
        }
        Walk::RepositoryWithoutService(repository) => sql
            .push("indexed by events_by_repository where e.service is null and e.repository = ")
            .push_bind(repository.clone()),
        Walk::Delivery(delivery) => sql.push("indexed by events_by_delivery where e.delivery = ").push_bind(*delivery),
        Walk::Source(name) => sql
            .push("indexed by events_by_source where e.source_id = (select id from sources where name = ")
            .push_bind(name.clone())
            .push(")"),
        Walk::Ids(ids) => sql
            .push("indexed by events_by_id where e.id in (select unhex(value, '-') from json_each(")
            .push_bind(id_list(ids))
            .push("))"),
    };
    sql.push(" and e.position >= ").push_bind(window.from).push(" and e.position < ").push_bind(window.to);
    sql.push(" and not exists (select 1 from superseded_events x where x.position = e.position)");
}

/// The whole query as conditions on `e`: what [`Query::matches`] says, in SQL.
fn push_conditions(sql: &mut QueryBuilder<Database>, query: &Query) {
    for key in Key::ALL {
        let mut terms = positive(query, *key).peekable();
        if terms.peek().is_none() {
            continue;
        }
        if *key == Key::Id {
            // There can be thousands of them, more than SQLite takes as alternatives.
            push_ids(sql, &terms.filter_map(id).collect::<Vec<_>>());
            continue;
        }
        sql.push(" and (");
        for (index, condition) in terms.enumerate() {
            sql.push(if index > 0 { " or " } else { "" });
            push_condition(sql, condition);
        }
        sql.push(")");
    }
    for term in query.terms().iter().filter(|term| term.negated) {
        // A column without a value makes a comparison unknown; an event without it is not excluded.
        sql.push(" and not coalesce(");
        push_condition(sql, &term.condition);
        sql.push(", 0)");
    }
}

fn push_ids(sql: &mut QueryBuilder<Database>, ids: &[EventId]) {
    sql.push(" and e.id in (select unhex(value, '-') from json_each(").push_bind(id_list(ids)).push("))");
}

fn push_condition(sql: &mut QueryBuilder<Database>, condition: &Condition) {
    match condition {
        Condition::Type(pattern) => push_pattern(sql, "e.kind", pattern),
        Condition::Source(pattern) => {
            sql.push("e.source_id in (select id from sources where ");
            push_pattern(sql, "name", pattern);
            sql.push(")");
        }
        Condition::Repository(pattern) => push_pattern(sql, "e.repository", pattern),
        Condition::Service { pattern, repositories } => {
            sql.push("(");
            push_pattern(sql, "e.service", pattern);
            let list = serde_json::Value::from(repositories.clone()).to_string();
            sql.push(" or (e.service is null and e.repository in (select value from json_each(").push_bind(list);
            sql.push("))))");
        }
        Condition::Environment(pattern) => push_pattern(sql, "e.environment", pattern),
        Condition::Outcome(term) => {
            let names: Vec<_> = term.outcomes().iter().map(|outcome| format!("'{}'", outcome.name())).collect();
            sql.push(format_args!("e.outcome in ({})", names.join(", ")));
        }
        Condition::Subject(pattern) => push_pattern(sql, "e.subject", pattern),
        Condition::Id(id) => {
            sql.push("e.id = ").push_bind(id.as_bytes().to_vec());
        }
        Condition::Delivery(delivery) => {
            sql.push("e.delivery = ").push_bind(delivery.0);
        }
        Condition::Since(moment) => {
            sql.push("e.happened_at >= ").push_bind(moment.at().timestamp_micros());
        }
        Condition::Before(moment) => {
            sql.push("e.happened_at < ").push_bind(moment.at().timestamp_micros());
        }
        Condition::Text(text) => {
            // SQLite's `lower` changes ASCII letters only, as the query's own comparison does.
            sql.push("(instr(lower(e.subject), ").push_bind(needle(text));
            sql.push(") > 0 or coalesce(instr(lower(e.data), ").push_bind(needle_in_json(text));
            sql.push("), 0) > 0)");
        }
    }
}

/// A prefix becomes a range: texts are compared by code point, as `starts_with` would.
fn push_pattern(sql: &mut QueryBuilder<Database>, column: &str, pattern: &Pattern) {
    match pattern {
        Pattern::Is(whole) => {
            sql.push(column).push(" = ").push_bind(whole.clone());
        }
        Pattern::Begins(prefix) => {
            sql.push("(").push(column).push(" >= ").push_bind(prefix.clone());
            if let Some(end) = Pattern::end_of_prefix(prefix) {
                sql.push(" and ").push(column).push(" < ").push_bind(end);
            }
            sql.push(")");
        }
    }
}
