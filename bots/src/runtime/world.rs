//! The live world: answers what a bot asks from the log, the store, the configuration, the catalog and the tools.
//!
//! Used on threads that may block: every answer is waited for, and no tool is waited for longer than a limit.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use bus::data::Data;
use bus::event::Recorded;
use bus::ids::{DeliveryOffset, EventOffset};
use bus::query::{Condition, Moment, Query, Term};
use bus::streams::{SEARCH_EVENTS_MAX, Search};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tokio::runtime::Handle;

use super::shared::{Core, Entry, Overlay};
use crate::lookups::{Happened, Question, Told, Unavailable, World};

/// A tool has this long to answer one question.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A question for events looks through the log for at most this long.
const SEARCH_FOR: Duration = Duration::from_secs(5);

type Answer = Result<Value, Unavailable>;

/// The world as it is now, for one event of one bot.
pub(crate) struct LiveWorld<'a> {
    pub(crate) core: &'a Core,
    pub(crate) entry: &'a Entry,
    pub(crate) event: &'a Recorded,
    pub(crate) state: &'a RefCell<Overlay>,
    pub(crate) handle: &'a Handle,
}

impl World for LiveWorld<'_> {
    fn answer(&self, question: &Question) -> Told {
        let began = Instant::now();
        let (answer, calls) = match question {
            Question::Delivery => (self.handle.block_on(self.delivery(self.event.origin.delivery)), 0),
            Question::State { key } => (self.state_value(key), 0),
            Question::Setting { name } => (Ok(self.entry.settings.values.get(name).cloned().unwrap_or(Value::Null)), 0),
            Question::Owner(thing) => (as_json(&self.core.outside.owners.owner(thing)), 0),
            Question::Events { query, before, since, limit } => {
                (self.handle.block_on(self.events(query, [*since, *before], *limit)), 0)
            }
            Question::File { .. }
            | Question::ChangedFiles { .. }
            | Question::Change { .. }
            | Question::OpenReviews { .. }
            | Question::Object(_)
            | Question::Objects(_)
            | Question::Logs(_) => self.ask_tools(question),
        };
        Told { answer, calls, millis: u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX) }
    }
}

impl LiveWorld<'_> {
    fn state_value(&self, key: &str) -> Answer {
        if let Some(known) = self.state.borrow().get(key) {
            return Ok(known.map_or(Value::Null, Value::String));
        }
        let read = self.handle.block_on(self.core.store.state(self.entry.name(), key));
        let value = read.map_err(|error| Unavailable::for_now(format!("the bot's state cannot be read: {error}")))?;
        // Nobody else writes it, so it need not be read again for the next event.
        self.state.borrow_mut().put(key.to_owned(), value.clone());
        Ok(value.map_or(Value::Null, Value::String))
    }

    async fn delivery(&self, offset: DeliveryOffset) -> Answer {
        let failed = |error| Unavailable::for_now(format!("delivery {offset} cannot be read: {error}"));
        let delivery = self.core.streams.delivery(offset).await.map_err(failed)?;
        let delivery = delivery.ok_or_else(|| Unavailable::for_good(format!("delivery {offset} is not kept")))?;
        serde_json::from_slice(&delivery.content.body)
            .map_err(|error| Unavailable::for_good(format!("delivery {offset} is no JSON: {error}")))
    }

    async fn events(&self, text: &str, [since, before]: [DateTime<Utc>; 2], limit: usize) -> Answer {
        let query = Query::parse(text, before)
            .map_err(|error| Unavailable::for_good(format!("the query {text:?} cannot be read: {error}")))?
            .and(Term { negated: false, condition: Condition::Since(Moment::at_time(since)) })
            .and(Term { negated: false, condition: Condition::Before(Moment::at_time(before)) });
        let limit = limit.min(SEARCH_EVENTS_MAX);
        let began = Instant::now();
        let mut found = Vec::new();
        let mut next: Option<EventOffset> = None;
        while found.len() < limit {
            let search = Search { query: query.clone(), before: next, limit: limit - found.len() };
            let page = self.core.streams.search(search).await;
            let page = page.map_err(|error| Unavailable::for_now(format!("the log cannot be searched: {error}")))?;
            // The query may name times of its own, which would be joined to these by "or".
            let in_time = |event: &Recorded| (since..before).contains(&event.event.time);
            found.extend(page.events.into_iter().filter(in_time));
            next = page.next;
            if next.is_none() {
                break;
            }
            if began.elapsed() > SEARCH_FOR {
                return Err(Unavailable::for_now(format!("the log was searched for {SEARCH_FOR:?} without an end")));
            }
        }
        let mut happened = Vec::with_capacity(found.len());
        for event in found {
            happened.push(self.happened(event).await?);
        }
        as_json(&happened)
    }

    async fn happened(&self, recorded: Recorded) -> Result<Happened, Unavailable> {
        let data = if recorded.event.data == Data::AsReceived {
            self.delivery(recorded.origin.delivery).await?
        } else {
            recorded.event.data.to_value().map_err(|error| Unavailable::for_good(error.to_string()))?
        };
        let event = recorded.event;
        Ok(Happened { id: event.id, kind: event.kind, time: event.time, subject: event.subject, data })
    }

    fn ask_tools(&self, question: &Question) -> (Answer, u32) {
        let Some(answer) = self.core.outside.clients.iter().find_map(|client| client.answer(question)) else {
            return (Err(Unavailable::for_good("no tool is configured that answers this")), 0);
        };
        match self.handle.block_on(async { tokio::time::timeout(ANSWER_WITHIN, answer).await }) {
            Ok(told) => (told.answer, told.calls),
            Err(_) => (Err(Unavailable::for_now(format!("no answer within {} s", ANSWER_WITHIN.as_secs()))), 1),
        }
    }
}

fn as_json(value: &impl Serialize) -> Answer {
    serde_json::to_value(value).map_err(|error| Unavailable::for_good(format!("it cannot be written: {error}")))
}
