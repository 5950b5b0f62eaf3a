//! What a bot goes on from: where it stands, its open runs, its state.

use std::collections::BTreeSet;

use bus::ids::{DeliveryOffset, EventId, EventOffset};
use chrono::{DateTime, Utc};

use super::{Lane, Store};
use crate::contract::Mode;
use crate::error::BotError;
use crate::runtime::record::{Attempt, Failure, Paused, RunId, RunStatus};

mod postgres;
mod rows;
mod sqlite;

/// Where a bot stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Standing {
    /// Every event up to here is decided, or waits behind one that is tried again.
    pub(crate) checkpoint: EventOffset,
    /// The newest delivery whose events came by.
    pub(crate) delivery: DeliveryOffset,
    /// Attempts that failed since the last one that did not.
    pub(crate) failures_in_row: u32,
    /// The last attempt that failed.
    pub(crate) last_failure: Option<Failure>,
    /// Set while it is paused.
    pub(crate) paused: Option<Paused>,
}

/// A run as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    /// None if it is not recorded yet.
    pub(crate) id: Option<RunId>,
    pub(crate) event: EventId,
    pub(crate) event_offset: EventOffset,
    pub(crate) round: u32,
    pub(crate) key: String,
    pub(crate) kind: String,
    pub(crate) subject: String,
    pub(crate) status: RunStatus,
    pub(crate) because: String,
    pub(crate) tries: u32,
    pub(crate) by_hand: bool,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) note: Option<String>,
    pub(crate) began_at: Option<DateTime<Utc>>,
    pub(crate) millis: u32,
    pub(crate) due_at: Option<DateTime<Utc>>,
}

/// Where a message or a comment of a bot is, or is going to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) lane: Lane,
    pub(crate) channel: Option<String>,
}

impl Store {
    /// Where a bot stands; a bot that was not there before stands at `head`.
    pub(crate) async fn enrol(
        &self,
        bot: &str,
        head: EventOffset,
        deliveries: DeliveryOffset,
    ) -> Result<Standing, BotError> {
        ask!(self, engine => engine.enrol(bot, head, deliveries).await)
    }

    /// Where a bot stands; none if it was never enrolled.
    pub(crate) async fn standing(&self, bot: &str) -> Result<Option<Standing>, BotError> {
        ask!(self, engine => engine.standing(bot).await)
    }

    /// Pauses a bot, or lets it go on and forgets its failures.
    pub(crate) async fn set_paused(&self, bot: &str, paused: Option<&Paused>) -> Result<(), BotError> {
        ask!(self, engine => engine.set_paused(bot, paused).await)
    }

    /// Keys on which a run is tried again or waits.
    pub(crate) async fn parked(&self, bot: &str) -> Result<BTreeSet<String>, BotError> {
        ask!(self, engine => engine.parked(bot).await)
    }

    /// Runs that are tried again or waiting.
    pub(crate) async fn open_runs(&self, bot: &str) -> Result<u64, BotError> {
        ask!(self, engine => engine.open_runs(bot).await)
    }

    /// Runs that are due, the longest due first.
    pub(crate) async fn due(&self, bot: &str, now: DateTime<Utc>, limit: u32) -> Result<Vec<Run>, BotError> {
        ask!(self, engine => engine.due(bot, now, limit).await)
    }

    /// When the next run is due.
    pub(crate) async fn next_due(&self, bot: &str) -> Result<Option<DateTime<Utc>>, BotError> {
        ask!(self, engine => engine.next_due(bot).await)
    }

    /// Whether the event was handed to the bot when it came.
    pub(crate) async fn has_run(&self, bot: &str, event: EventId) -> Result<bool, BotError> {
        ask!(self, engine => engine.has_run(bot, event).await)
    }

    /// A value of a bot's state.
    pub(crate) async fn state(&self, bot: &str, key: &str) -> Result<Option<String>, BotError> {
        ask!(self, engine => engine.state(bot, key).await)
    }

    /// Where a message is, as bots of that mode see it.
    pub(crate) async fn place_of(&self, bot: &str, message: &str, mode: Mode) -> Result<Option<Place>, BotError> {
        ask!(self, engine => engine.place_of(bot, message, mode).await)
    }

    /// New outward actions on a key because of events that happened in a span of time.
    pub(crate) async fn new_actions(
        &self,
        bot: &str,
        key: &str,
        [since, until]: [DateTime<Utc>; 2],
    ) -> Result<u64, BotError> {
        ask!(self, engine => engine.new_actions(bot, key, [since, until]).await)
    }
}
