//! What attempts lead to, noted in one transaction.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::worker::{Ended, Worker};
use crate::subscriptions::outcome::{self, Outcome};
use crate::subscriptions::store::definitions::Stored;
use crate::subscriptions::store::history::NewAttempt;
use crate::subscriptions::store::queue::{Fate, Settlement, Settlements, Work};
use crate::subscriptions::{ATTEMPTS_KEPT_MAX, Attempted, SubscriptionError, Timings};

/// The delivery log is shortened each time so many attempts were noted.
const TRIM_EVERY: usize = 100;

/// What was attempted is noted again and again for so many seconds before it is given up, which means that it is sent
/// again: a database that is started anew is back by then.
const NOTE_TRIES_MAX: u32 = 60;

const NOTE_AGAIN: Duration = Duration::from_secs(1);

/// Why a subscription is disabled.
const GONE: &str = "the endpoint answered 410 Gone";

impl Worker {
    /// Notes what attempts came to; false if there is nothing more to do for the subscription.
    pub(super) async fn settle(
        &mut self,
        stored: &Stored,
        ended: Vec<(Work, Ended)>,
    ) -> Result<bool, SubscriptionError> {
        let now = self.subscriptions.now();
        let before = self.circuit.held();
        let mut settlements = Settlements { at: now, all: Vec::new(), held: None, disable: None };
        for (work, ended) in ended {
            let (id, seen) = match ended {
                Ended::Made(id, seen) => (id, seen),
                Ended::Broken(why) => (String::new(), broken(why, now)),
                Ended::Superfluous => {
                    settlements.all.push(Settlement { work, fate: Fate::Done, attempt: None });
                    continue;
                }
                Ended::Unread(error) => {
                    tracing::warn!(?error, subscription.name = %stored.spec.name, "an event cannot be read to be sent");
                    continue;
                }
            };
            let outcome = Outcome::of(&seen, now);
            self.hear(&outcome, now);
            if outcome == Outcome::Gone {
                settlements.disable = Some(GONE.to_owned());
            }
            let (fate, verdict) = outcome::fate(&outcome, &work, &stored.spec.retry, now);
            let next_at = if let Fate::Again(at) = &fate { Some(*at) } else { None };
            let attempt = NewAttempt { webhook_id: id, verdict, next_at, seen };
            settlements.all.push(Settlement { work, fate, attempt: Some(attempt) });
        }
        settlements.held = Some(self.circuit.held()).filter(|held| *held != before);
        if settlements.all.is_empty() {
            return Ok(true);
        }
        let there = self.note_attempts(&settlements).await?;
        self.trim(settlements.all.len()).await?;
        if settlements.disable.is_some() {
            tracing::warn!(subscription.name = %stored.spec.name, "a subscription was disabled: {GONE}");
        }
        Ok(there && settlements.disable.is_none())
    }

    fn hear(&mut self, outcome: &Outcome, now: DateTime<Utc>) {
        match outcome {
            Outcome::Delivered => self.circuit.succeeded(),
            Outcome::Failed(_, wait) => self.circuit.failed(now, *wait),
            Outcome::Gone => {}
        }
    }

    async fn note_attempts(&self, settlements: &Settlements) -> Result<bool, SubscriptionError> {
        let mut tries = 0;
        loop {
            match self.subscriptions.store.settle(self.epoch, self.id, settlements).await {
                Ok(there) => return Ok(there),
                Err(error @ SubscriptionError::Store(_)) if tries < NOTE_TRIES_MAX => {
                    tries += 1;
                    tracing::warn!(?error, subscription.id = self.id.0, "attempts cannot be noted yet");
                    tokio::time::sleep(NOTE_AGAIN).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn trim(&mut self, noted: usize) -> Result<(), SubscriptionError> {
        self.attempts_noted += noted;
        self.full_for = self.full_for.saturating_sub(noted);
        if self.attempts_noted < TRIM_EVERY {
            return Ok(());
        }
        self.attempts_noted = 0;
        let kept = i64::try_from(ATTEMPTS_KEPT_MAX).unwrap_or(i64::MAX);
        self.subscriptions.store.trim_attempts(self.id, kept).await
    }
}

fn broken(why: String, at: DateTime<Utc>) -> Attempted {
    Attempted { at, request_headers: Vec::new(), response: None, error: Some(why), timings: Timings::default() }
}
