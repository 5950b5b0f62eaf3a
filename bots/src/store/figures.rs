//! What pages and commands read: figures of bots, runs, actions, dead letters.

use std::collections::BTreeMap;

use bus::ids::{EventId, EventOffset};
use chrono::{DateTime, Utc};

use super::Store;
use crate::error::BotError;
use crate::lookups::Asked;
use crate::runtime::record::{DeadLetter, Outcomes, RunId, RunRecord, RunSummary, Toil};

mod postgres;
mod rows;
mod sqlite;

/// Figures of one bot.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Figures {
    pub(crate) day: Outcomes,
    pub(crate) performed: BTreeMap<String, u64>,
    pub(crate) toil: Toil,
    pub(crate) dead_letters: u64,
    pub(crate) open_actions: u64,
    /// Runs that are tried again, waiting, or among the dead letters of events that came.
    pub(crate) open_runs: u64,
    /// When the first of these was recorded.
    pub(crate) oldest_open: Option<DateTime<Utc>>,
    pub(crate) called: bool,
}

/// The record that a replay answers from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Original {
    pub(crate) run: RunId,
    pub(crate) round: u32,
    pub(crate) note: Option<String>,
    pub(crate) began_at: DateTime<Utc>,
    pub(crate) asked: Vec<Asked>,
}

/// Which runs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which<'a> {
    /// Of a bot, newest first, before one if it is given.
    Of { bot: &'a str, before: Option<RunId>, limit: usize },
    /// Of an event, oldest first.
    Event(EventId),
    /// That one.
    One(RunId),
}

impl Store {
    /// The figures of a bot.
    pub(crate) async fn figures(&self, bot: &str, now: DateTime<Utc>) -> Result<Figures, BotError> {
        ask!(self, engine => engine.figures(bot, now).await)
    }

    /// Runs with their actions.
    pub(crate) async fn runs(&self, which: Which<'_>) -> Result<Vec<RunSummary>, BotError> {
        ask!(self, engine => engine.runs(which).await)
    }

    /// Everything known of a run.
    pub(crate) async fn run_record(&self, id: RunId) -> Result<Option<RunRecord>, BotError> {
        ask!(self, engine => engine.run_record(id).await)
    }

    /// The runs of a bot for an event that came to a decision, in order of rounds.
    pub(crate) async fn originals(&self, bot: &str, event: EventId) -> Result<Vec<Original>, BotError> {
        ask!(self, engine => engine.originals(bot, event).await)
    }

    /// What was given up, newest first.
    pub(crate) async fn dead_letters(&self, bot: Option<&str>, limit: usize) -> Result<Vec<DeadLetter>, BotError> {
        ask!(self, engine => engine.dead_letters(bot, limit).await)
    }

    /// Whether runs because of events up to an offset are tried again or waiting.
    pub(crate) async fn is_deciding(&self, bot: &str, upto: EventOffset) -> Result<bool, BotError> {
        ask!(self, engine => engine.is_deciding(bot, upto).await)
    }
}
