//! The handle that everybody holds: what can be done with subscriptions.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::records::{Attempt, AttemptId, DeadLetter, LiveSecret, ReplayPlan, Which};
use super::{Attempted, Change, Connector, DryRun, Filter, Name, Pulled, Spec, Subscription, SubscriptionError, Token};
use crate::ids::EventOffset;
use crate::storage::Tables;
use crate::streams::Streams;

/// Tells the time; a test hands in its own.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

type Result<T> = std::result::Result<T, SubscriptionError>;

/// The subscriptions of an installation. Clones share everything.
#[derive(Clone)]
pub struct Subscriptions {
    streams: Streams,
    connector: Connector,
    clock: Clock,
}

impl fmt::Debug for Subscriptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriptions").finish_non_exhaustive()
    }
}

fn later<T>() -> Result<T> {
    Err(SubscriptionError::Store("not built yet".to_owned()))
}

impl Subscriptions {
    /// Opens, or creates, the tables of subscriptions. Webhooks are sent by `connector`, at the time of `clock`.
    ///
    /// # Errors
    /// If the tables cannot be opened or brought up to date.
    pub async fn open(tables: &Tables, streams: Streams, connector: Connector, clock: Clock) -> Result<Self> {
        Ok(Self { streams, connector, clock })
    }

    /// Makes a subscription. Those of webhooks have secrets from now on: see [`Self::secrets`].
    ///
    /// # Errors
    /// If something about it is not possible, or the name is taken.
    pub async fn create(&self, spec: Spec) -> Result<Subscription> {
        later()
    }

    /// Changes a subscription; what the change does not name stays.
    ///
    /// # Errors
    /// If there is none of that name, or the change does not go with its transport.
    pub async fn update(&self, name: &Name, change: Change) -> Result<Subscription> {
        later()
    }

    /// Deletes a subscription with all that waits for it, its delivery log and its dead letters.
    ///
    /// # Errors
    /// If there is none of that name.
    pub async fn delete(&self, name: &Name) -> Result<()> {
        later()
    }

    /// Every subscription, by name.
    ///
    /// # Errors
    /// See [`SubscriptionError`].
    pub async fn list(&self) -> Result<Vec<Subscription>> {
        later()
    }

    /// One subscription.
    ///
    /// # Errors
    /// If there is none of that name.
    pub async fn get(&self, name: &Name) -> Result<Subscription> {
        later()
    }

    /// Delivers no more until it is resumed; its position stays.
    ///
    /// # Errors
    /// If there is none of that name.
    pub async fn pause(&self, name: &Name) -> Result<Subscription> {
        later()
    }

    /// Delivers again, from where it stands: what was paused, what its endpoint's 410 disabled, and what is held back
    /// because the endpoint failed.
    ///
    /// # Errors
    /// If there is none of that name.
    pub async fn resume(&self, name: &Name) -> Result<Subscription> {
        later()
    }

    /// Which of the newest `last` events (at most [`super::DRY_RUN_EVENTS_MAX`]) a filter would let through.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub async fn would_match(&self, filter: &Filter, last: usize) -> Result<DryRun> {
        later()
    }

    /// The secrets that attempts are signed with now, newest first: `v1` before `v1a` where there are both.
    ///
    /// # Errors
    /// If there is none of that name, or it is no webhook.
    pub async fn secrets(&self, name: &Name) -> Result<Vec<LiveSecret>> {
        later()
    }

    /// Makes a new secret and gives its text, `whsec_…`, or `whsk_…` where only `v1a` is signed with. The one before
    /// signs beside it for 24 hours more.
    ///
    /// # Errors
    /// If there is none of that name, or it is no webhook.
    pub async fn rotate_secret(&self, name: &Name) -> Result<String> {
        later()
    }

    /// Sends one made-up event to the endpoint, signed, and says what became of it. It is not tried again.
    ///
    /// # Errors
    /// If there is none of that name, or it is no webhook.
    pub async fn test(&self, name: &Name) -> Result<Attempted> {
        later()
    }

    /// The delivery log, newest first, before an attempt if one is given; at most `limit`.
    ///
    /// # Errors
    /// If there is none of that name.
    pub async fn attempts(&self, name: &Name, before: Option<AttemptId>, limit: usize) -> Result<Vec<Attempt>> {
        later()
    }

    /// One attempt of any subscription, unless it is forgotten.
    ///
    /// # Errors
    /// If the tables cannot be read.
    pub async fn attempt(&self, id: AttemptId) -> Result<Option<Attempt>> {
        later()
    }

    /// Dead letters, newest first, at most `limit`.
    ///
    /// # Errors
    /// If there is none of that name.
    pub async fn dead_letters(&self, name: &Name, limit: usize) -> Result<Vec<DeadLetter>> {
        later()
    }

    /// Queues dead letters anew, as if they had never been tried; says how many. Their `webhook-id` stays the same.
    ///
    /// # Errors
    /// If there is none of that name.
    pub async fn redrive(&self, name: &Name, which: Which) -> Result<u64> {
        later()
    }

    /// The events that a filter lets through and that happened from `from` to before `to`.
    ///
    /// # Errors
    /// If there are more than [`super::REPLAY_EVENTS_MAX`], or the log cannot be read.
    pub async fn replay_plan(&self, filter: &Filter, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<ReplayPlan> {
        later()
    }

    /// Queues the events of a plan once more for a webhook, whatever its own filter says, marked as replays; says how
    /// many.
    ///
    /// # Errors
    /// If there is none of that name, or it is no webhook.
    pub async fn replay(&self, name: &Name, plan: ReplayPlan) -> Result<u64> {
        later()
    }

    /// Hands a consumer of a pull subscription at most `max` events (at most [`super::PULL_EVENTS_MAX`]) of the keys
    /// that are its share, waiting up to `wait` (at most [`super::PULL_WAIT_MAX`]) for the first.
    ///
    /// # Errors
    /// If there is none of that name, it is no pull subscription, or it is paused.
    pub async fn pull(&self, name: &Name, consumer: &str, max: usize, wait: std::time::Duration) -> Result<Pulled> {
        later()
    }

    /// Says that events are done with. What is left of the same token is leased for as long again.
    ///
    /// # Errors
    /// [`SubscriptionError::Fenced`] if one of them is not held under the token any more; those that are, are
    /// acknowledged all the same.
    pub async fn acknowledge(&self, name: &Name, consumer: &str, token: &Token, events: &[EventOffset]) -> Result<()> {
        later()
    }

    /// Gives events back to be handed out later, after the delay of their retry policy; their keys wait so long.
    ///
    /// # Errors
    /// As [`Self::acknowledge`].
    pub async fn release(&self, name: &Name, consumer: &str, token: &Token, events: &[EventOffset]) -> Result<()> {
        later()
    }

    /// Has everything that waits look at the log and at the clock anew: for a clock that was set by hand.
    pub fn look_again(&self) {}

    /// Delivers webhooks until `stop` turns true, on whichever process holds the lease `subscriptions`.
    ///
    /// # Errors
    /// If the lease cannot be asked for.
    pub async fn run(&self, stop: watch::Receiver<bool>) -> Result<()> {
        later()
    }

    /// Closes the tables once nobody uses them any more.
    pub async fn close(&self) {}
}
