//! Second chances and limits: redriving what was given up, forgetting what is old.

use chrono::{DateTime, Utc};

use super::Store;
use super::outbox::ActionId;
use super::runs::Place;
use crate::action::Action;
use crate::error::BotError;
use crate::runtime::record::RunId;

mod postgres;
mod sqlite;

/// Finished runs kept of each bot: weeks of a busy one, some 100 MB where each asked much. Runs with something given up
/// in them are kept twice as long.
const RUNS_KEPT: i64 = 10_000;

/// Values kept of each bot's state; beyond that, the ones written longest ago are forgotten.
const STATE_KEYS_MAX: i64 = 100_000;

/// Messages and comments of each bot that can still be updated.
const MESSAGES_MAX: i64 = 20_000;

impl Store {
    /// Runs and actions among the dead letters of a bot, or among these of its runs.
    pub(crate) async fn count_dead(&self, bot: &str, ids: Option<&[RunId]>) -> Result<[u64; 2], BotError> {
        ask!(self, engine => engine.count_dead(bot, ids).await)
    }

    /// Actions given up for which no tool or no place was known.
    pub(crate) async fn unplaced(&self, bot: &str, ids: Option<&[RunId]>) -> Result<Vec<(ActionId, Action)>, BotError> {
        ask!(self, engine => engine.unplaced(bot, ids).await)
    }

    /// Puts dead letters back where they are tried again: runs in their order, actions where `placed` says or where
    /// they were to go. Returns how many.
    pub(crate) async fn redrive(
        &self,
        bot: &str,
        ids: Option<&[RunId]>,
        placed: &[(ActionId, Place)],
        now: DateTime<Utc>,
    ) -> Result<u64, BotError> {
        ask!(self, engine => engine.redrive(bot, ids, placed, now).await)
    }

    /// Forgets what is beyond the limits.
    pub(crate) async fn prune(&self, bot: &str) -> Result<(), BotError> {
        self.keep_runs(bot, RUNS_KEPT).await
    }

    /// As [`Store::prune`], with so many finished runs kept.
    pub(crate) async fn keep_runs(&self, bot: &str, kept: i64) -> Result<(), BotError> {
        ask!(self, engine => engine.prune(bot, kept).await)
    }
}
