//! How long a watch waits before it tries again: longer each time, and never in step with others.

use std::time::Duration;

/// The first wait: a connection that only broke is back by then.
const FIRST: Duration = Duration::from_millis(500);

/// No wait is longer: after an hour away a cluster should be watched again within a minute.
const LONGEST: Duration = Duration::from_secs(60);

/// Between attempts that a person has to make possible.
const REFUSED: Duration = Duration::from_secs(30);

/// The server ends a watch after this at least, so that the permission is asked for again.
const WATCH_SECONDS: u64 = 240;

/// So many seconds more at most, so that not all watches begin again at once.
const WATCH_SECONDS_MORE: u64 = 60;

/// Waits of one watch.
#[derive(Debug)]
pub(super) struct Pace {
    failures: u32,
    random: u64,
}

impl Pace {
    /// From a seed that differs between watches and between starts of the program.
    pub(super) fn new(seed: u64) -> Self {
        Self { failures: 0, random: seed | 1 }
    }

    /// All is well: the next wait is a first one.
    pub(super) fn well(&mut self) {
        self.failures = 0;
    }

    /// Attempts that failed one after the other.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// The wait after a failure, between a half and the whole of what the number of failures asks for.
    pub(super) fn wait(&mut self) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.part_of(whole)
    }

    /// The wait after a refusal: asking often changes nothing and fills the server's records.
    pub(super) fn wait_refused(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.part_of(REFUSED)
    }

    /// How many seconds the next watch should last.
    pub(super) fn watch_seconds(&mut self) -> u64 {
        WATCH_SECONDS + self.next() % WATCH_SECONDS_MORE
    }

    fn part_of(&mut self, whole: Duration) -> Duration {
        let half = whole / 2;
        let more = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1);
        half + Duration::from_millis(self.next() % more)
    }

    /// Marsaglia's xorshift: enough to keep watches apart.
    fn next(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_minute_and_begin_again_when_all_is_well() {
        let mut pace = Pace::new(7);
        let waits: Vec<Duration> = (0..12).map(|_| pace.wait()).collect();
        assert!(waits[0] < FIRST && waits[0] >= FIRST / 2, "{waits:?}");
        assert!(waits[11] < LONGEST && waits[11] >= LONGEST / 2, "{waits:?}");
        assert_eq!(pace.failures(), 12);
        pace.well();
        assert!(pace.wait() < FIRST);
    }

    #[test]
    fn two_watches_do_not_keep_step() {
        let waits = |seed| (0..4).scan(Pace::new(seed), |pace, _| Some(pace.wait())).collect::<Vec<_>>();
        assert_ne!(waits(1), waits(2));
    }
}
