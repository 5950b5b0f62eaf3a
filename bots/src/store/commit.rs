//! What is written when a bot has decided about a batch of events.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::runs::{Run, Standing};
use super::{Lane, Store};
use crate::contract::Mode;
use crate::error::BotError;
use crate::runtime::record::{ActionStatus, AskedRecord, RunStatus};

pub(in crate::store) mod postgres;
pub(in crate::store) mod sqlite;

/// An action to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewAction {
    pub(crate) ordinal: u32,
    pub(crate) name: &'static str,
    /// As JSON.
    pub(crate) action: String,
    pub(crate) repository: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) event_time: DateTime<Utc>,
    pub(crate) is_new: bool,
    pub(crate) lane: Option<Lane>,
    pub(crate) channel: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) thread: Option<String>,
    pub(crate) status: ActionStatus,
    pub(crate) reason: Option<String>,
}

/// When the bot is to be reminded, and what it noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewReminder {
    pub(crate) due_at: DateTime<Utc>,
    pub(crate) note: String,
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) run: Run,
    pub(crate) asked: Vec<AskedRecord>,
    pub(crate) state: Vec<(String, Option<String>)>,
    pub(crate) actions: Vec<NewAction>,
    pub(crate) reminder: Option<NewReminder>,
}

/// What is written in one transaction.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) bot: &'static str,
    pub(crate) version: u32,
    pub(crate) mode: Mode,
    pub(crate) now: DateTime<Utc>,
    /// Where the bot stands afterwards; a pause by hand meanwhile is kept.
    pub(crate) standing: Standing,
    pub(crate) outcomes: Vec<Outcome>,
}

/// What a commit brought about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Committed {
    /// Keys on which nothing waits any more.
    pub(crate) released: Vec<String>,
    /// Where there is something to be performed now.
    pub(crate) lanes: BTreeSet<Lane>,
}

impl Store {
    /// Writes what bots decided, in one transaction: after a crash either all of it is there or nothing.
    pub(crate) async fn commit(&self, batch: Batch) -> Result<Committed, BotError> {
        ask!(self, engine => engine.commit(batch).await)
    }
}

/// Keys of runs that others may have waited for.
fn ended_keys(outcomes: &[Outcome]) -> BTreeSet<&str> {
    let ended = |outcome: &&Outcome| {
        outcome.run.id.is_some() && matches!(outcome.run.status, RunStatus::Done | RunStatus::Dead)
    };
    outcomes.iter().filter(ended).map(|outcome| outcome.run.key.as_str()).collect()
}

/// Whether nothing but a new run is to be written.
fn is_plain(outcome: &Outcome) -> bool {
    let Outcome { run, asked, state, actions, reminder } = outcome;
    run.id.is_none() && asked.is_empty() && state.is_empty() && actions.is_empty() && reminder.is_none()
}

impl Run {
    /// The run in which the bot is reminded of the event.
    fn reminded(&self, reminder: &NewReminder) -> Self {
        Self {
            id: None,
            round: self.round + 1,
            status: RunStatus::Scheduled,
            because: format!("asked to be reminded: {}", reminder.note),
            tries: 0,
            by_hand: false,
            attempts: Vec::new(),
            note: Some(reminder.note.clone()),
            began_at: None,
            millis: 0,
            due_at: Some(reminder.due_at),
            ..self.clone()
        }
    }
}

/// How many runs ended well, and how many did not.
fn figures(outcomes: &[Outcome]) -> BTreeMap<&'static str, i64> {
    let mut figures: BTreeMap<&str, i64> = BTreeMap::new();
    for outcome in outcomes {
        match outcome.run.status {
            RunStatus::Done => *figures.entry("run/ok").or_default() += 1,
            RunStatus::Dead => *figures.entry("run/failed").or_default() += 1,
            RunStatus::Waiting | RunStatus::Retrying | RunStatus::Scheduled => {}
        }
    }
    figures
}
