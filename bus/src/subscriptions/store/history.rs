//! The delivery log, and dead letters.

use chrono::{DateTime, Utc};

use crate::subscriptions::{Attempted, Verdict};

mod sqlite;

/// One attempt that was made, to be kept with what was tried.
#[derive(Debug, Clone)]
pub(in crate::subscriptions) struct NewAttempt {
    pub(in crate::subscriptions) webhook_id: String,
    pub(in crate::subscriptions) verdict: Verdict,
    pub(in crate::subscriptions) next_at: Option<DateTime<Utc>>,
    pub(in crate::subscriptions) seen: Attempted,
}
