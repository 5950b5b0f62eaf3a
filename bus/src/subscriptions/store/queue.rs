//! What is still to be delivered, as offsets.

use chrono::{DateTime, Utc};

use super::definitions::Held;
use super::history::NewAttempt;
use crate::event::Recorded;
use crate::ids::{EventId, EventOffset};

pub(super) mod sqlite;

/// Order keys stand in so many virtual partitions, which are shared out among consumers.
pub(in crate::subscriptions) const PARTITIONS: usize = 64;

/// Names what is to be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::subscriptions) struct WorkId(pub(in crate::subscriptions) i64);

/// An order key by its hash. Two keys of the same hash would merely wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::subscriptions) struct KeyHash(pub(in crate::subscriptions) i64);

/// One event that is to be delivered to one subscription.
#[derive(Debug, Clone)]
pub(in crate::subscriptions) struct Work {
    pub(in crate::subscriptions) id: WorkId,
    pub(in crate::subscriptions) event: EventOffset,
    pub(in crate::subscriptions) event_id: EventId,
    pub(in crate::subscriptions) key: KeyHash,
    /// Attempts that were made.
    pub(in crate::subscriptions) attempts: u32,
    /// 0, or which replay asked for it.
    pub(in crate::subscriptions) replay: i64,
}

/// One event that is to be queued.
#[derive(Debug, Clone, Copy)]
pub(in crate::subscriptions) struct NewWork {
    pub(in crate::subscriptions) event: EventOffset,
    pub(in crate::subscriptions) event_id: EventId,
    pub(in crate::subscriptions) key: KeyHash,
}

/// How a reader moved on in the log.
#[derive(Debug, Clone, Copy)]
pub(in crate::subscriptions) struct Step {
    pub(in crate::subscriptions) from: EventOffset,
    pub(in crate::subscriptions) to: EventOffset,
    /// Whether events of one key wait for each other.
    pub(in crate::subscriptions) ordered: bool,
    pub(in crate::subscriptions) at: DateTime<Utc>,
}

/// How much waits, which says whether more may be read.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::subscriptions) struct Room {
    /// Everything queued.
    pub(in crate::subscriptions) queued: usize,
    /// What was not tried yet and waits for nothing else.
    pub(in crate::subscriptions) ready: usize,
    pub(in crate::subscriptions) dead: usize,
}

/// What becomes of something queued.
#[derive(Debug, Clone)]
pub(in crate::subscriptions) enum Fate {
    /// It is done with.
    Done,
    /// It was tried and is tried again.
    Again(DateTime<Utc>),
    /// It is given up.
    Dead(String),
}

/// What an attempt led to.
#[derive(Debug, Clone)]
pub(in crate::subscriptions) struct Settlement {
    pub(in crate::subscriptions) work: Work,
    pub(in crate::subscriptions) fate: Fate,
    pub(in crate::subscriptions) attempt: Option<NewAttempt>,
}

/// What some attempts led to, to be noted as one.
#[derive(Debug, Clone)]
pub(in crate::subscriptions) struct Settlements {
    pub(in crate::subscriptions) at: DateTime<Utc>,
    pub(in crate::subscriptions) all: Vec<Settlement>,
    /// How the endpoint is held from now on, if that changed.
    pub(in crate::subscriptions) held: Option<Held>,
    /// Why the subscription is disabled, if it is.
    pub(in crate::subscriptions) disable: Option<String>,
}

impl NewWork {
    pub(in crate::subscriptions) fn of(recorded: &Recorded) -> Self {
        let hash = blake3::hash(recorded.event.key.0.as_bytes());
        let mut key = [0; 8];
        key.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
        Self { event: recorded.offset, event_id: recorded.event.id, key: KeyHash(i64::from_le_bytes(key)) }
    }
}

impl KeyHash {
    /// The partition it stands in, from 0.
    const fn partition(self) -> i64 {
        self.0.rem_euclid(PARTITIONS as i64)
    }
}
