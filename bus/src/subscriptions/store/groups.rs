//! Groups of consumers that pull: who lives, who has which partitions, what is handed out.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::ids::EventOffset;
use crate::subscriptions::RetryPolicy;

mod sqlite;

/// A group has at most so many consumers: with more than there are partitions the others have nothing to do.
pub(in crate::subscriptions) const CONSUMERS_MAX: usize = 1_000;

/// A consumer that asks for something at a time.
#[derive(Debug, Clone)]
pub(in crate::subscriptions) struct Asking {
    pub(in crate::subscriptions) consumer: String,
    pub(in crate::subscriptions) at: DateTime<Utc>,
    /// How long what it is handed is its own.
    pub(in crate::subscriptions) lease: Duration,
    pub(in crate::subscriptions) retry: RetryPolicy,
    /// Whether only the partitions of its share are handed to it.
    pub(in crate::subscriptions) ordered: bool,
}

impl Asking {
    pub(in crate::subscriptions) fn leased_until(&self) -> DateTime<Utc> {
        self.at + self.lease
    }
}

/// What a consumer does with what it was handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::subscriptions) enum Answer {
    /// It is done with.
    Acknowledged,
    /// It is to be handed out later.
    Released,
}

/// What was handed out under a token.
#[derive(Debug, Clone)]
pub(in crate::subscriptions) struct Handed {
    pub(in crate::subscriptions) serial: i64,
    pub(in crate::subscriptions) events: Vec<EventOffset>,
}
