//! What subscriptions leave behind: the delivery log, dead letters, plans of replays, and the secrets in use.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Attempted, Name, SigningKey};
use crate::ids::{EventId, EventOffset};

macro_rules! row_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}
row_id!(
    /// Names an entry of the delivery log. Never given twice; newer ones are higher.
    AttemptId
);
row_id!(
    /// Names a dead letter. Never given twice; newer ones are higher.
    DeadLetterId
);

/// The delivery log holds at most so many attempts of a subscription: older ones are forgotten.
pub const ATTEMPTS_KEPT_MAX: usize = 10_000;

/// A subscription has at most so many dead letters. With so many no more events are taken from the log for it, so that
/// none is lost, until some are redriven.
pub const DEAD_LETTERS_MAX: usize = 100_000;

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// Names it.
    pub id: AttemptId,
    /// Whose it is.
    pub subscription: Name,
    /// Where the event stands in the log.
    pub event: EventOffset,
    /// The event.
    pub event_id: EventId,
    /// `webhook-id` as sent.
    pub webhook_id: String,
    /// 1 for the first attempt to deliver the event.
    pub number: u32,
    /// Whether it was asked for by a replay.
    pub replay: bool,
    /// What followed from it.
    pub verdict: Verdict,
    /// When it is tried again, where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<DateTime<Utc>>,
    /// Request, answer and timings.
    #[serde(flatten)]
    pub seen: Attempted,
}

/// What followed from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The endpoint took the event.
    Delivered,
    /// It is tried again.
    Retried,
    /// It was the last: the event went to the dead letters.
    Dead,
    /// The endpoint said that it is gone: the subscription was disabled, the event waits.
    Gone,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 4] = [Self::Delivered, Self::Retried, Self::Dead, Self::Gone];

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retried => "retried",
            Self::Dead => "dead",
            Self::Gone => "gone",
        }
    }
}

/// An event whose delivery was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// Names it.
    pub id: DeadLetterId,
    /// Where the event stands in the log.
    pub event: EventOffset,
    /// The event.
    pub event_id: EventId,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was given up.
    pub at: DateTime<Utc>,
    /// Why, in words.
    pub because: String,
    /// Whether its delivery was asked for by a replay.
    pub replay: bool,
}

/// Which dead letters are meant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// All of a subscription.
    All,
    /// These.
    These(Vec<DeadLetterId>),
}

/// A replay queues at most so many events.
pub const REPLAY_EVENTS_MAX: usize = 100_000;

/// The events that a replay would deliver again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayPlan {
    /// In the order of the log.
    pub events: Vec<EventOffset>,
}

impl ReplayPlan {
    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.events.len()
    }
}

/// A secret in use. Its text is for the owner of the subscription alone.
#[derive(Clone, PartialEq, Eq)]
pub struct LiveSecret {
    /// What signs.
    pub key: SigningKey,
    /// `whsec_…` or `whsk_…`.
    pub text: String,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// Until when it signs; none for the newest.
    pub until: Option<DateTime<Utc>>,
}

// Secrets are not for logs.
impl fmt::Debug for LiveSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSecret").field("key", &self.key).field("until", &self.until).finish_non_exhaustive()
    }
}
