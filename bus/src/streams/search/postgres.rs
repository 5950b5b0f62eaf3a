//! Searches: from a query to the statement that walks the best index from the newest event down.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{Postgres as Database, QueryBuilder, Row};

use super::Scale;
use super::plan::{Searched, Walk, Window, id, positive};
use crate::event::Recorded;
use crate::ids::{EventId, EventOffset};
use crate::postgres::patiently;
use crate::query::{Condition, Key, Pattern, Query, needle, needle_in_json};
use crate::streams::postgres::Postgres;
use crate::streams::read::postgres::{event_columns, id_list};
use crate::streams::read::sql_limit;
use crate::streams::text::{restored, stored};
use crate::streams::trim::postgres::trimmed;
use crate::streams::verify::Stream;
use crate::streams::{Bar, StreamError};

impl Searched for Postgres {
    fn head(&self) -> EventOffset {
        *self.event_head().borrow()
    }

    async fn oldest(&self) -> Result<i64, StreamError> {
        Ok(patiently(|| trimmed(&self.readers, Stream::Events)).await?.position + 1)
    }

    async fn kinds(&self) -> Result<Vec<String>, StreamError> {
        let kinds: Vec<String> =
            patiently(|| async { Ok(sqlx::query_scalar("select name from kinds").fetch_all(&self.readers).await?) })
                .await?;
        Ok(kinds.into_iter().map(restored).collect())
    }

    async fn search_window(
        &self,
        query: &Query,
        walks: &[Walk],
        window: Window,
        limit: usize,
    ) -> Result<Vec<Recorded>, StreamError> {
        patiently(|| async {
            let mut sql = QueryBuilder::new(concat!("select ", event_columns!(), " from ("));
            for (index, walk) in walks.iter().enumerate() {
                // Not `union all`: one event can stand in two walks.
                sql.push(if index > 0 { " union " } else { "" }).push("select position from (");
                push_walk(&mut sql, walk, window);
                push_conditions(&mut sql, query);
                // Every arm stops by itself: the newest of all are among the newest of each.
                sql.push(" order by e.position desc limit ").push_bind(sql_limit(limit)).push(") walk");
            }
            sql.push(" order by 1 desc limit ").push_bind(sql_limit(limit));
            sql.push(
                ") p join events e on e.position = p.position join sources s on s.id = e.source_id \
                 order by e.position desc",
            );
            self.read_events(sql.build_query_as().persistent(false)).await
        })
        .await
    }

    async fn first_position(&self, since: i64, before: i64) -> Result<Option<i64>, StreamError> {
        // Materialized, or the planner may look for the smallest position from the beginning of the log.
        const SQL: &str = "with hits as materialized \
                           (select position from events where happened_at >= $1 and happened_at < $2) \
                           select min(position) from hits";
        patiently(|| async { Ok(sqlx::query_scalar(SQL).bind(since).bind(before).fetch_one(&self.readers).await?) })
            .await
    }
}

impl Postgres {
    pub(in crate::streams) async fn histogram(
        &self,
        query: Query,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        bars: u32,
    ) -> Result<Vec<Bar>, StreamError> {
        let Some(scale) = Scale::new(from, to, bars) else { return Ok(Vec::new()) };
        let rows: Vec<PgRow> = patiently(|| async {
            let mut sql = count_bars(scale, &query);
            Ok(sql.build().persistent(false).fetch_all(&self.readers).await?)
        })
        .await?;
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

fn count_bars(scale: Scale, query: &Query) -> QueryBuilder<Database> {
    let width = scale.to - scale.from;
    let mut sql = QueryBuilder::new("select ");
    if width.checked_mul(scale.bars).is_some() {
        sql.push("(e.happened_at - ").push_bind(scale.from).push(") * ").push_bind(scale.bars);
        sql.push(" / ").push_bind(width);
    } else {
        // The product would not fit into 64 bits.
        sql.push("div((e.happened_at - ").push_bind(scale.from).push(")::numeric * ").push_bind(scale.bars);
        sql.push(", ").push_bind(width).push(")::bigint");
    }
    sql.push(
        " as bar, count(*) as events, count(*) filter (where e.outcome in ('failure', 'error')) as failed \
         from events e where e.happened_at >= ",
    );
    sql.push_bind(scale.from).push(" and e.happened_at < ").push_bind(scale.to);
    sql.push(" and not exists (select from superseded_events x where x.position = e.position)");
    push_conditions(&mut sql, query);
    sql.push(" group by bar");
    sql
}

/// One arm of the search.
fn push_walk(sql: &mut QueryBuilder<Database>, walk: &Walk, window: Window) {
    sql.push("select e.position from events e where ");
    match walk {
        Walk::Stream => sql.push("true"),
        Walk::Column { column, value } => push_name(sql, column, value),
        Walk::RepositoryWithoutService(repository) => {
            push_name(sql, "repository", repository).push(" and e.service is null")
        }
        Walk::Delivery(delivery) => sql.push("e.delivery = ").push_bind(*delivery),
        Walk::Source(name) => {
            sql.push("e.source_id = (select id from sources where name = ").push_bind(name.clone()).push(")")
        }
        Walk::Ids(ids) => sql.push("e.id = any(").push_bind(id_list(ids)).push(")"),
    };
    sql.push(" and e.position >= ").push_bind(window.from).push(" and e.position < ").push_bind(window.to);
    // The planner cannot tell by itself that corrections of other events need not be looked at.
    sql.push(" and not exists (select from superseded_events x where x.position = e.position and x.position >= ");
    sql.push_bind(window.from).push(" and x.position < ").push_bind(window.to).push(")");
}

/// A name by the index over its hash.
fn push_name<'s>(sql: &'s mut QueryBuilder<Database>, column: &str, name: &str) -> &'s mut QueryBuilder<Database> {
    let name = stored(name).into_owned();
    sql.push(format_args!("hashtextextended(e.{column}, 0) = hashtextextended(")).push_bind(name.clone());
    sql.push(format_args!("::text collate \"C\", 0) and e.{column} = ")).push_bind(name)
}

/// The whole query as conditions on `e`: what [`Query::matches`] says, in SQL.
fn push_conditions(sql: &mut QueryBuilder<Database>, query: &Query) {
    for key in Key::ALL {
        let mut terms = positive(query, *key).peekable();
        if terms.peek().is_none() {
            continue;
        }
        if *key == Key::Id {
            // There can be thousands of them: one list instead of as many alternatives.
            let ids: Vec<EventId> = terms.filter_map(id).collect();
            sql.push(" and e.id = any(").push_bind(id_list(&ids)).push(")");
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
        sql.push(", false)");
    }
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
            let list: Vec<String> = repositories.iter().map(|name| stored(name).into_owned()).collect();
            sql.push(" or (e.service is null and e.repository = any(").push_bind(list).push(")))");
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
            // In the collation of the columns `lower` changes ASCII letters only, as the query's own comparison does.
            sql.push("(strpos(lower(e.subject), ").push_bind(stored(&needle(text)).into_owned());
            sql.push(") > 0 or coalesce(strpos(lower(e.data), ");
            sql.push_bind(stored(&needle_in_json(text)).into_owned());
            sql.push("), 0) > 0)");
        }
    }
}

/// A prefix becomes a range: texts are compared by code point, as `starts_with` would.
fn push_pattern(sql: &mut QueryBuilder<Database>, column: &str, pattern: &Pattern) {
    match pattern {
        Pattern::Is(whole) => {
            sql.push(column).push(" = ").push_bind(stored(whole).into_owned());
        }
        Pattern::Begins(prefix) => {
            sql.push("(").push(column).push(" >= ").push_bind(stored(prefix).into_owned());
            if let Some(end) = Pattern::end_of_prefix(prefix) {
                sql.push(" and ").push(column).push(" < ").push_bind(stored(&end).into_owned());
            }
            sql.push(")");
        }
    }
}
