//! What is written when a bot has decided about a batch of events.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::runs::{Run, Standing};
use super::{Lane, Store};
use crate::contract::Mode;
use crate::error::BotError;
use crate::runtime::record::{ActionStatus, AskedRecord};

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
