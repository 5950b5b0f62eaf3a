//! The requests that were not taken lately, with the reason: what an operator looks at when a sender says "401".

use std::collections::VecDeque;
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use serde::Serialize;

/// So many are remembered: enough to see a pattern, bounded whatever the internet sends.
pub const REJECTED_MAX: usize = 256;

/// A request that was not taken. It holds nothing of its body, its secrets or its sender's address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// When.
    pub at: DateTime<Utc>,
    /// The source it asked for; it need not exist.
    pub source: String,
    /// The status code that was answered.
    pub status: u16,
    /// Why.
    pub reason: String,
}

/// The last [`REJECTED_MAX`] of them.
#[derive(Debug, Default)]
pub(super) struct RejectedRing(Mutex<VecDeque<Rejected>>);

impl RejectedRing {
    pub(super) fn push(&self, rejected: Rejected) {
        // A poisoned lock only means that another push panicked; the ring is still a ring.
        let mut ring = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if ring.len() == REJECTED_MAX {
            ring.pop_front();
        }
        ring.push_back(rejected);
    }

    pub(super) fn newest_first(&self) -> Vec<Rejected> {
        let ring = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        ring.iter().rev().cloned().collect()
    }
}
