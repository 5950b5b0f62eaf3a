//! How each destination stands: when it may be called next, and how often it failed.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::shared::back_off;
use crate::store::Lane;

/// After so many failures in a row a destination is left alone for a while: it is down, and calling it does harm.
const FAILURES_MAX: u32 = 5;

/// How long it is left alone the first time, and at most. One call then tries whether it is back.
const OPEN_FOR: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(300)];

/// Destinations remembered although nothing holds them back: beyond that they are forgotten.
const REMEMBERED_MAX: usize = 1_000;

/// How all destinations stand.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    states: Mutex<HashMap<Lane, State>>,
    touched: Mutex<BTreeSet<Lane>>,
    /// For the performer: lanes were touched.
    pub(crate) wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    not_before: Option<DateTime<Utc>>,
    /// By its pace. Not by the clock, which a test may hold still.
    paced_until: Option<Instant>,
    failures: u32,
    wake: Arc<Notify>,
}

impl Lanes {
    /// There is something new to do in these lanes.
    pub(crate) fn touch(&self, lanes: impl IntoIterator<Item = Lane>) {
        let lanes: Vec<Lane> = lanes.into_iter().collect();
        if lanes.is_empty() {
            return;
        }
        let states = self.states();
        for state in lanes.iter().filter_map(|lane| states.get(lane)) {
            state.wake.notify_one();
        }
        drop(states);
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).extend(lanes);
        self.wake.notify_one();
    }

    /// Lanes touched since they were taken last.
    pub(crate) fn take_touched(&self) -> BTreeSet<Lane> {
        std::mem::take(&mut self.touched.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells that a lane was touched.
    pub(crate) fn wake_of(&self, lane: &Lane) -> Arc<Notify> {
        Arc::clone(&self.states().entry(lane.clone()).or_default().wake)
    }

    /// When the destination may be called.
    pub(crate) fn not_before(&self, lane: &Lane) -> Option<DateTime<Utc>> {
        self.states().get(lane)?.not_before
    }

    /// How long its pace still holds a destination back.
    pub(crate) fn pace_left(&self, lane: &Lane) -> Option<Duration> {
        let until = self.states().get(lane)?.paced_until?;
        Some(until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    /// The destination is called: again after its pace at the earliest.
    pub(crate) fn called(&self, lane: &Lane, pace_millis: u64) {
        let until = Instant::now().checked_add(Duration::from_millis(pace_millis));
        self.states().entry(lane.clone()).or_default().paced_until = until;
    }

    /// The destination answered: it is up.
    pub(crate) fn answered(&self, lane: &Lane) {
        self.states().entry(lane.clone()).or_default().failures = 0;
    }

    /// The destination asked to be left alone for so long.
    pub(crate) fn asked_to_wait(&self, lane: &Lane, until: DateTime<Utc>) {
        self.states().entry(lane.clone()).or_default().hold_until(Some(until));
    }

    /// The destination could not be reached, or could not do its work.
    pub(crate) fn failed(&self, lane: &Lane, now: DateTime<Utc>) {
        let mut states = self.states();
        let state = states.entry(lane.clone()).or_default();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES_MAX {
            let wait = back_off(state.failures - FAILURES_MAX + 1, OPEN_FOR, &lane.destination);
            if state.failures == FAILURES_MAX {
                tracing::warn!(destination = %lane.destination, failures = state.failures,
                    "a destination fails again and again and is left alone for a while");
            }
            state.hold_until(now.checked_add_signed(wait));
        }
    }

    /// Nothing is left to be done there.
    pub(crate) fn left(&self, now: DateTime<Utc>) {
        let mut states = self.states();
        if states.len() > REMEMBERED_MAX {
            let instant = Instant::now();
            states.retain(|_, state| {
                let held = state.not_before.is_some_and(|at| at > now);
                let paced = state.paced_until.is_some_and(|at| at > instant);
                held || paced || state.failures > 0 || Arc::strong_count(&state.wake) > 1
            });
        }
    }

    fn states(&self) -> MutexGuard<'_, HashMap<Lane, State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn hold_until(&mut self, at: Option<DateTime<Utc>>) {
        self.not_before = self.not_before.max(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(destination: &str) -> Lane {
        Lane { client: "chat".to_owned(), destination: destination.to_owned() }
    }

    #[test]
    fn a_pace_holds_back_the_destination_that_was_called_and_no_other() {
        let lanes = Lanes::default();
        lanes.called(&lane("#a"), 60_000);
        assert!(lanes.pace_left(&lane("#a")).is_some_and(|left| left > Duration::from_secs(50)));
        assert_eq!(lanes.pace_left(&lane("#b")), None);
        lanes.called(&lane("#b"), 0);
        assert_eq!(lanes.pace_left(&lane("#b")), None);
    }

    #[test]
    fn an_answer_closes_the_circuit_again() {
        let (lanes, now) = (Lanes::default(), DateTime::UNIX_EPOCH);
        for _ in 1..FAILURES_MAX {
            lanes.failed(&lane("#a"), now);
        }
        assert_eq!(lanes.not_before(&lane("#a")), None);
        lanes.answered(&lane("#a"));
        for _ in 1..FAILURES_MAX {
            lanes.failed(&lane("#a"), now);
        }
        assert_eq!(lanes.not_before(&lane("#a")), None);
        lanes.failed(&lane("#a"), now);
        assert!(lanes.not_before(&lane("#a")) > Some(now));
    }
}
