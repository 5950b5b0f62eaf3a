//! What follows from an attempt, or from an event that is given back: pure, and the schedule of retries.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::store::groups::Asking;
use super::store::queue::{Fate, Work};
use super::{Attempted, RetryPolicy, Verdict};

/// An endpoint that asks to be left alone for longer is asked again after this.
const RETRY_AFTER_MAX: TimeDelta = TimeDelta::hours(1);

/// What is known when an attempt has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 2xx.
    Delivered,
    /// 410: the endpoint is no more.
    Gone,
    /// Anything else: why, in words, and how long the endpoint asks to be left alone, if it does.
    Failed(String, Option<TimeDelta>),
}

impl Outcome {
    /// What an attempt came to. `now` is when its answer was there.
    pub(super) fn of(seen: &Attempted, now: DateTime<Utc>) -> Self {
        let Some(response) = &seen.response else {
            return Self::Failed(seen.error.clone().unwrap_or_else(|| "there was no answer".to_owned()), None);
        };
        match response.status {
            200..=299 => Self::Delivered,
            410 => Self::Gone,
            status @ (429 | 502 | 503 | 504) => {
                let header = response.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
                let wait = header.and_then(|(_, value)| retry_after(value, now));
                Self::Failed(format!("the endpoint answered {status}"), wait)
            }
            status => Self::Failed(format!("the endpoint answered {status}"), None),
        }
    }
}

/// What becomes of something after an attempt, in tables and in the delivery log. It was tried `work.attempts` times
/// before.
pub(super) fn fate(outcome: &Outcome, work: &Work, retry: &RetryPolicy, now: DateTime<Utc>) -> (Fate, Verdict) {
    match outcome {
        Outcome::Delivered => (Fate::Done, Verdict::Delivered),
        Outcome::Gone => (Fate::Again(now), Verdict::Gone),
        Outcome::Failed(why, _) if is_last(retry, work.attempts) => (Fate::Dead(why.clone()), Verdict::Dead),
        Outcome::Failed(_, wait) => {
            let delay = delay(retry, work, work.attempts).max(wait.unwrap_or_default());
            (Fate::Again(now + delay), Verdict::Retried)
        }
    }
}

/// What becomes of something that a consumer gives back. The attempt is counted in `work.attempts` already.
pub(super) fn after_release(work: &Work, asking: &Asking) -> Fate {
    let before = work.attempts.saturating_sub(1);
    if is_last(&asking.retry, before) {
        return Fate::Dead(format!("it was given back {} times or not acknowledged", work.attempts));
    }
    Fate::Again(asking.at + delay(&asking.retry, work, before))
}

/// Whether there is no attempt after the one that follows `before` others.
pub(super) fn is_last(retry: &RetryPolicy, before: u32) -> bool {
    usize::try_from(before).is_ok_and(|before| before >= retry.delays_seconds.len())
}

/// How long after the attempt that followed `before` others the next is made: the policy's delay, a fifth more or less,
/// so that what failed together does not come back together. The same work always has the same jitter.
fn delay(retry: &RetryPolicy, work: &Work, before: u32) -> TimeDelta {
    let seconds = usize::try_from(before).ok().and_then(|before| retry.delays_seconds.get(before)).copied();
    let millis = i64::from(seconds.unwrap_or_default()) * 1_000;
    let hash = blake3::hash(format!("{} {} {before}", work.id.0, work.event_id).as_bytes());
    let [first, second, ..] = *hash.as_bytes();
    // From -0.2 to 0.2 in steps of 1/65,535.
    let jitter = i64::from(u16::from_le_bytes([first, second])) * 2 - i64::from(u16::MAX);
    TimeDelta::milliseconds(millis + millis * jitter / (5 * i64::from(u16::MAX)))
}

/// How long a `Retry-After` asks to wait, in whole seconds or until a date, at most an hour; none if it cannot be read.
fn retry_after(value: &str, now: DateTime<Utc>) -> Option<TimeDelta> {
    let value = value.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => TimeDelta::from_std(Duration::from_secs(seconds)).unwrap_or(RETRY_AFTER_MAX),
        Err(_) if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => RETRY_AFTER_MAX,
        Err(_) => DateTime::parse_from_rfc2822(value).ok()?.to_utc() - now,
    };
    Some(wait.clamp(TimeDelta::zero(), RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests;
