//! How a search goes about it, whatever the engine: which stretches of which indexes hold every event that can match,
//! and in which windows of the stream they are looked through, newest first.

use tokio::time::Instant;

use super::{SEARCH_TIME_MAX, WINDOW_MAX, WINDOW_MIN};
use crate::event::Recorded;
use crate::ids::{EventId, EventOffset};
use crate::query::{Condition, Key, Pattern, Query};
use crate::streams::{Page, SEARCH_EVENTS_MAX, Search, StreamError};

/// A search walks at most this many stretches of an index at once; SQLite stops at 500.
const WALKS_MAX: usize = 100;

/// One stretch of an index, in the order of positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::streams) enum Walk {
    /// The whole stream.
    Stream,
    /// The index over a column, at one value.
    Column { column: &'static str, value: String },
    /// The events of a repository that name no service.
    RepositoryWithoutService(String),
    /// The events of a delivery.
    Delivery(i64),
    /// The events of a source, by its name.
    Source(String),
    /// These very events.
    Ids(Vec<EventId>),
}

/// Positions from `from` to before `to`.
#[derive(Debug, Clone, Copy)]
pub(in crate::streams) struct Window {
    pub(super) from: i64,
    pub(super) to: i64,
}

/// What an engine is asked for while it is searched.
pub(in crate::streams) trait Searched {
    /// The newest event.
    fn head(&self) -> EventOffset;

    /// The position of the oldest event that was not removed.
    async fn oldest(&self) -> Result<i64, StreamError>;

    /// Every kind that ever stood in the stream.
    async fn kinds(&self) -> Result<Vec<String>, StreamError>;

    /// The latest readings that match, newest first, of those that stand in the window and on one of the walks.
    async fn search_window(
        &self,
        query: &Query,
        walks: &[Walk],
        window: Window,
        limit: usize,
    ) -> Result<Vec<Recorded>, StreamError>;

    /// The first position of an event that happened from `since` to before `before`; none if no event did.
    async fn first_position(&self, since: i64, before: i64) -> Result<Option<i64>, StreamError>;
}

/// Searches events, newest first.
pub(in crate::streams) async fn search(engine: &impl Searched, search: Search) -> Result<Page, StreamError> {
    let limit = search.limit.clamp(1, SEARCH_EVENTS_MAX);
    let started = Instant::now();
    let head = engine.head().0;
    let walks = walks(&search.query, &engine.kinds().await?);
    if walks.is_empty() {
        return Ok(Page { events: Vec::new(), next: None });
    }
    let mut end = search.before.map_or(i64::MAX, |offset| offset.0).min(head + 1);
    // Where only very few events can be meant, there is nothing to look through.
    let few = walks.iter().all(|walk| matches!(walk, Walk::Ids(_) | Walk::Delivery(_)));
    let mut width = if few { head + 1 } else { WINDOW_MIN };
    let mut first = engine.oldest().await?;
    let mut events = Vec::new();
    while end > first {
        let window = Window { from: (end - width).max(first), to: end };
        events.extend(engine.search_window(&search.query, &walks, window, limit - events.len()).await?);
        if events.len() >= limit {
            let next = events.last().map(|event: &Recorded| event.offset).filter(|offset| offset.0 > first);
            return Ok(Page { events, next });
        }
        if width == WINDOW_MIN {
            // The page is not filled at once: see how far back it can make sense to look.
            first = first_position(engine, &search.query).await?.max(first);
        }
        (end, width) = (window.from, (width * 2).min(WINDOW_MAX));
        if started.elapsed() > SEARCH_TIME_MAX {
            break;
        }
    }
    Ok(Page { events, next: (end > first).then_some(EventOffset(end)) })
}

/// The first position at which an event can stand that happened when the query says.
async fn first_position(engine: &impl Searched, query: &Query) -> Result<i64, StreamError> {
    let since = positive(query, Key::Since).filter_map(micros).min();
    let before = positive(query, Key::Before).filter_map(micros).max();
    let Some(since) = since else { return Ok(1) };
    let first = engine.first_position(since, before.unwrap_or(i64::MAX)).await?;
    // None: no event at all happened then.
    Ok(first.unwrap_or(i64::MAX))
}

/// The narrowest way to every event that can match, without counting anything: the terms of one key become stretches of
/// that key's index. Empty if no event can match.
fn walks(query: &Query, kinds: &[String]) -> Vec<Walk> {
    const NARROWEST_FIRST: [Key; 7] =
        [Key::Id, Key::Delivery, Key::Service, Key::Repository, Key::Environment, Key::Type, Key::Source];
    for key in NARROWEST_FIRST {
        if positive(query, key).next().is_none() {
            continue;
        }
        if key == Key::Id {
            return vec![Walk::Ids(positive(query, key).filter_map(id).collect())];
        }
        let walks: Option<Vec<_>> = positive(query, key).map(|condition| walks_of(condition, kinds)).collect();
        if let Some(walks) = walks.map(|walks| walks.concat()).filter(|walks| walks.len() <= WALKS_MAX) {
            return walks;
        }
    }
    vec![Walk::Stream]
}

/// Whether the query's own terms are likely to leave fewer events than any range of time.
pub(super) fn is_narrow(query: &Query) -> bool {
    [Key::Id, Key::Delivery, Key::Service, Key::Repository].into_iter().any(|key| {
        let mut terms = positive(query, key).peekable();
        terms.peek().is_some() && terms.all(|condition| walks_of(condition, &[]).is_some())
    })
}

/// The conditions of one key of which any must hold.
pub(super) fn positive(query: &Query, key: Key) -> impl Iterator<Item = &Condition> {
    let terms = query.terms().iter().filter(move |term| !term.negated && term.condition.key() == key);
    terms.map(|term| &term.condition)
}

fn micros(condition: &Condition) -> Option<i64> {
    if let Condition::Since(moment) | Condition::Before(moment) = condition {
        Some(moment.at().timestamp_micros())
    } else {
        None
    }
}

/// The event that an `id:` term names.
pub(super) fn id(condition: &Condition) -> Option<EventId> {
    if let Condition::Id(id) = condition { Some(*id) } else { None }
}

/// The stretches that hold every event of a condition; none if no index is ordered so.
fn walks_of(condition: &Condition, kinds: &[String]) -> Option<Vec<Walk>> {
    let column = |column, value: &str| Walk::Column { column, value: value.to_owned() };
    Some(match condition {
        Condition::Type(pattern) => {
            let matching = kinds.iter().filter(|kind| pattern.matches(kind));
            matching.map(|kind| column("kind", kind)).collect()
        }
        Condition::Service { pattern: Pattern::Is(name), repositories } => {
            let own = column("service", name);
            let others = repositories.iter().cloned().map(Walk::RepositoryWithoutService);
            std::iter::once(own).chain(others).collect()
        }
        Condition::Repository(Pattern::Is(name)) => vec![column("repository", name)],
        Condition::Environment(Pattern::Is(name)) => vec![column("environment", name)],
        Condition::Source(Pattern::Is(name)) => vec![Walk::Source(name.clone())],
        Condition::Delivery(delivery) => vec![Walk::Delivery(delivery.0)],
        Condition::Id(id) => vec![Walk::Ids(vec![*id])],
        Condition::Service { .. }
        | Condition::Repository(_)
        | Condition::Environment(_)
        | Condition::Outcome(_)
        | Condition::Source(_)
        | Condition::Subject(_)
        | Condition::Since(_)
        | Condition::Before(_)
        | Condition::Text(_) => return None,
    })
}
