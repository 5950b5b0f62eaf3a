//! Actions that are to be performed, and performed ones that the bus is to be told of.

use std::collections::BTreeSet;

use bus::mark::Mark;
use chrono::{DateTime, Utc};

use super::{Lane, Store};
use crate::action::Action;
use crate::clients::Receipt;
use crate::error::BotError;
use crate::runtime::record::{ActionStatus, Attempt};

mod postgres;
mod rows;
mod sqlite;

/// Names an action in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ActionId(pub(super) i64);

/// An action that is to be performed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OpenAction {
    pub(crate) id: ActionId,
    pub(crate) mark: Mark,
    /// As the bot decided it.
    pub(crate) action: Action,
    pub(crate) lane: Lane,
    pub(crate) channel: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) status: ActionStatus,
    pub(crate) reason: Option<String>,
    pub(crate) tries: u32,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) in_doubt: bool,
    /// When it was put into the queue, first or again.
    pub(crate) queued_at: DateTime<Utc>,
    pub(crate) due_at: DateTime<Utc>,
    /// What its message became when it was last performed.
    pub(crate) earlier: Option<Receipt>,
    pub(crate) thread: Thread,
}

/// Where a message is to be posted within its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Thread {
    /// At the top.
    None,
    /// In this message's thread.
    Of(Receipt),
    /// In the thread of a message that was given up.
    Lost,
}

/// What performing an action came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Performed {
    pub(crate) at: DateTime<Utc>,
    pub(crate) receipt: Receipt,
    /// Minutes that a person would have needed; none if it had no effect of its own.
    pub(crate) toil_minutes: Option<u32>,
}

/// A performed action that the bus is to be told of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Announcement {
    pub(crate) id: ActionId,
    pub(crate) mark: Mark,
    pub(crate) name: String,
    pub(crate) destination: Option<String>,
    pub(crate) repository: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) receipt: Receipt,
    pub(crate) in_doubt: bool,
    pub(crate) toil_minutes: u32,
    pub(crate) performed_at: DateTime<Utc>,
}

impl Store {
    /// Every lane in which there is something to be performed.
    pub(crate) async fn open_lanes(&self) -> Result<BTreeSet<Lane>, BotError> {
        ask!(self, engine => engine.open_lanes().await)
    }

    /// Actions of a bot that are to be performed.
    pub(crate) async fn open_actions(&self, bot: &str) -> Result<u64, BotError> {
        ask!(self, engine => engine.open_actions(bot).await)
    }

    /// The first action of a bot in a lane that does not wait for the message in whose thread it belongs.
    pub(crate) async fn first_action(&self, lane: &Lane, bot: &str) -> Result<Option<OpenAction>, BotError> {
        ask!(self, engine => engine.first_action(lane, bot).await)
    }

    /// Notes that a tool is about to be called. False if the action was superseded meanwhile.
    pub(crate) async fn begin_attempt(&self, id: ActionId) -> Result<bool, BotError> {
        ask!(self, engine => engine.begin_attempt(id).await)
    }

    /// Writes how an action stands after an attempt. One that is to be tried again gives way to a later update.
    pub(crate) async fn settle(&self, action: &OpenAction, performed: Option<&Performed>) -> Result<(), BotError> {
        ask!(self, engine => engine.settle(action, performed).await)
    }

    /// Performed actions that the bus was not told of, oldest first.
    pub(crate) async fn to_announce(&self, limit: u32) -> Result<Vec<Announcement>, BotError> {
        ask!(self, engine => engine.to_announce(limit).await)
    }

    /// Notes that the bus was told.
    pub(crate) async fn announced(&self, ids: &[ActionId]) -> Result<(), BotError> {
        ask!(self, engine => engine.announced(ids).await)
    }

    /// Performed actions that the bus was not told of.
    pub(crate) async fn unannounced(&self) -> Result<u64, BotError> {
        ask!(self, engine => engine.unannounced().await)
    }
}
