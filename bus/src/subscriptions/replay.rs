//! Looking at the past: which events a filter would have let through, and delivering some of them once more.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use super::manage::webhook;
use super::store::queue::NewWork;
use super::{
    DRY_RUN_EVENTS_MAX, DryRun, Filter, Name, REPLAY_EVENTS_MAX, ReplayPlan, SubscriptionError, Subscriptions, events,
};
use crate::event::Recorded;
use crate::ids::EventOffset;
use crate::query::{Condition, Moment, Query, Term};
use crate::streams::{SEARCH_EVENTS_MAX, Search};

type Result<T> = std::result::Result<T, SubscriptionError>;

/// A dry run shows at most so many events.
const SAMPLE_MAX: usize = 20;

/// Events that are queued in one transaction.
const QUEUED_AT_ONCE: usize = 1_000;

impl Subscriptions {
    /// Which of the newest `last` events (at most [`DRY_RUN_EVENTS_MAX`]) a filter would let through.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub async fn would_match(&self, filter: &Filter, last: usize) -> Result<DryRun> {
        let head = *self.streams.event_head().borrow();
        let last = i64::try_from(last.min(DRY_RUN_EVENTS_MAX)).unwrap_or_default();
        let first = EventOffset((head.0 - last).max(0));
        let looked_at = (head.0 - first.0).unsigned_abs();
        match filter.as_query() {
            Some(query) => self.found(query, first, looked_at).await,
            None => self.looked_through(filter, first, looked_at).await,
        }
    }

    /// By a search, which need not look at every event.
    async fn found(&self, query: &Query, first: EventOffset, looked_at: u64) -> Result<DryRun> {
        let mut run = DryRun { looked_at, matched: 0, sample: Vec::new() };
        let mut search = Search { query: query.clone(), before: None, limit: SEARCH_EVENTS_MAX };
        loop {
            let page = self.streams.search(search.clone()).await?;
            let newer = page.events.into_iter().filter(|event| event.offset > first);
            for event in newer {
                run.matched += 1;
                if run.sample.len() < SAMPLE_MAX {
                    run.sample.push(event);
                }
            }
            search.before = page.next.filter(|next| *next > first);
            if search.before.is_none() {
                return Ok(run);
            }
        }
    }

    async fn looked_through(&self, filter: &Filter, first: EventOffset, looked_at: u64) -> Result<DryRun> {
        let mut sample = VecDeque::new();
        let mut matched = 0;
        let mut after = first;
        loop {
            let read = self.streams.events(after, events::EVENTS_READ_MAX).await?;
            let Some(end) = read.last().map(|event| event.offset) else { break };
            after = end;
            for event in read.into_iter().filter(|event| filter.matches(event)) {
                matched += 1;
                sample.truncate(SAMPLE_MAX - 1);
                sample.push_front(event);
            }
        }
        Ok(DryRun { looked_at, matched, sample: sample.into() })
    }

    /// The events that a filter lets through and that happened from `from` to before `to`.
    ///
    /// # Errors
    /// If there are more than [`REPLAY_EVENTS_MAX`], or the log cannot be read.
    pub async fn replay_plan(&self, filter: &Filter, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<ReplayPlan> {
        let within = |event: &Recorded| event.event.time >= from && event.event.time < to && filter.matches(event);
        let term = |condition| Term { negated: false, condition };
        // A query with times of its own would have them beside these, not within them.
        let narrowed = filter.as_query().filter(|query| !has_times(query)).cloned().unwrap_or_default();
        let query = narrowed
            .and(term(Condition::Since(Moment::at_time(from))))
            .and(term(Condition::Before(Moment::at_time(to))));
        let mut search = Search { query, before: None, limit: SEARCH_EVENTS_MAX };
        let mut events = Vec::new();
        loop {
            let page = self.streams.search(search.clone()).await?;
            events.extend(page.events.iter().filter(|event| within(event)).map(|event| event.offset));
            if events.len() > REPLAY_EVENTS_MAX {
                return Err(SubscriptionError::Invalid(format!(
                    "more than {REPLAY_EVENTS_MAX} events are meant: choose a shorter time or a narrower filter"
                )));
            }
            search.before = page.next;
            if search.before.is_none() {
                break;
            }
        }
        events.reverse();
        Ok(ReplayPlan { events })
    }

    /// Queues the events of a plan once more for a webhook, whatever its own filter says, marked as replays; says how
    /// many.
    ///
    /// # Errors
    /// If there is none of that name, or it is no webhook.
    pub async fn replay(&self, name: &Name, plan: ReplayPlan) -> Result<u64> {
        let stored = self.store.by_name(name).await?;
        webhook(&stored)?;
        if plan.count() > REPLAY_EVENTS_MAX {
            return Err(SubscriptionError::Invalid(format!("a replay has at most {REPLAY_EVENTS_MAX} events")));
        }
        let (this, id, step) = (self.clone(), stored.id, self.step(&stored));
        self.whole(async move {
            let mut queued = 0;
            for part in plan.events.chunks(QUEUED_AT_ONCE) {
                let read = events::at(&this.streams, part).await?;
                let work: Vec<NewWork> = read.iter().map(NewWork::of).collect();
                this.store.replay(id, step, &work).await?;
                queued += u64::try_from(work.len()).unwrap_or_default();
            }
            Ok(queued)
        })
        .await
    }
}

fn has_times(query: &Query) -> bool {
    query.terms().iter().any(|term| matches!(term.condition, Condition::Since(_) | Condition::Before(_)))
}
