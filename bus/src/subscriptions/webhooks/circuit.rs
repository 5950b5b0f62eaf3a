//! The circuit breaker of an endpoint: one that keeps failing is left alone for a while, then asked with one request.

use chrono::{DateTime, TimeDelta, Utc};

use crate::subscriptions::store::definitions::Held;

/// So many failures in a row, and the endpoint is left alone.
const FAILURES_MAX: u32 = 5;

/// How long it is left alone the first time.
const OPEN_MIN: TimeDelta = TimeDelta::seconds(5);

/// How long it is left alone at most; each time is twice as long as the one before.
const OPEN_MAX: TimeDelta = TimeDelta::minutes(5);

/// How an endpoint does.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Circuit {
    held: Held,
    failures_in_row: u32,
}

/// What may be attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowed {
    /// As much as is due.
    Everything,
    /// One request, which shows whether the endpoint is back.
    Probe,
    /// Nothing before that time.
    NothingUntil(DateTime<Utc>),
    /// Nothing before what is in flight has ended.
    Nothing,
}

impl Circuit {
    /// As it was noted.
    pub(super) const fn new(held: Held) -> Self {
        Self { held, failures_in_row: 0 }
    }

    /// As it is to be noted.
    pub(super) const fn held(&self) -> Held {
        self.held
    }

    /// What may be attempted beside what is in flight.
    pub(super) fn allowed(&self, now: DateTime<Utc>, in_flight: usize) -> Allowed {
        match self.held.until {
            None => Allowed::Everything,
            Some(until) if now < until => Allowed::NothingUntil(until),
            Some(_) if in_flight == 0 => Allowed::Probe,
            Some(_) => Allowed::Nothing,
        }
    }

    /// The endpoint took an event.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The endpoint failed, and asks to be left alone for `wait` if it says so.
    pub(super) fn failed(&mut self, now: DateTime<Utc>, wait: Option<TimeDelta>) {
        self.failures_in_row = self.failures_in_row.saturating_add(1);
        let probed = self.held.until.is_some_and(|until| until <= now);
        let opens = self.held.until.is_none() && self.failures_in_row >= FAILURES_MAX;
        if probed || opens {
            let longer = TimeDelta::milliseconds(self.held.millis.saturating_mul(2));
            let open = longer.clamp(OPEN_MIN, OPEN_MAX);
            self.held = Held { until: Some(now + open), millis: open.num_milliseconds() };
        }
        if let Some(wait) = wait.filter(|wait| *wait > TimeDelta::zero()) {
            self.held.until = self.held.until.max(Some(now + wait));
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 3, 14, 0, 0, 0).unwrap() + TimeDelta::seconds(second)
    }

    #[test]
    fn it_opens_after_five_failures_in_a_row_and_lets_one_probe_through() {
        let mut circuit = Circuit::default();
        for _ in 0..4 {
            circuit.failed(at(0), None);
        }
        circuit.succeeded();
        for _ in 0..4 {
            circuit.failed(at(0), None);
            assert_eq!(circuit.allowed(at(0), 3), Allowed::Everything);
        }
        circuit.failed(at(0), None);
        assert_eq!(circuit.allowed(at(4), 0), Allowed::NothingUntil(at(5)));
        circuit.failed(at(4), None);
        assert_eq!(circuit.allowed(at(4), 0), Allowed::NothingUntil(at(5)), "what was in flight changes nothing");
        assert_eq!(circuit.allowed(at(5), 1), Allowed::Nothing);
        assert_eq!(circuit.allowed(at(5), 0), Allowed::Probe);
        circuit.succeeded();
        assert_eq!(circuit.allowed(at(5), 0), Allowed::Everything);
    }

    #[test]
    fn every_failed_probe_doubles_the_pause_up_to_five_minutes() {
        let mut circuit = Circuit::default();
        (0..5).for_each(|_| circuit.failed(at(0), None));
        let mut now = at(5);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            circuit = Circuit::new(circuit.held());
            circuit.failed(now, None);
            let Allowed::NothingUntil(until) = circuit.allowed(now, 0) else { panic!("it is closed") };
            pauses.push((until - now).num_seconds());
            now = until;
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 300, 300, 300], "over restarts too");
    }

    #[test]
    fn an_endpoint_that_asks_to_be_left_alone_is() {
        let mut circuit = Circuit::default();
        circuit.failed(at(0), Some(TimeDelta::seconds(90)));
        assert_eq!(circuit.allowed(at(89), 0), Allowed::NothingUntil(at(90)));
        assert_eq!(circuit.allowed(at(90), 0), Allowed::Probe);
        circuit.failed(at(90), Some(TimeDelta::zero()));
        assert_eq!(circuit.allowed(at(90), 0), Allowed::NothingUntil(at(95)));
    }
}
