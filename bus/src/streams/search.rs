//! What searches share whatever the engine: their limits, the bars of a histogram, the gaps between arrivals.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Bar;

pub(super) mod plan;
pub(super) mod postgres;
pub(super) mod sqlite;

/// A search looks through the stream in windows of this many positions, newest first, then ever larger ones. The
/// first is enough for most pages and small enough to be read in milliseconds without any index.
const WINDOW_MIN: i64 = 1 << 14;

/// The largest window: what can be looked through in the time of one page, so that the search can stop after it.
const WINDOW_MAX: i64 = 1 << 18;

/// A search that has not filled its page after this time hands over what it has, and where to go on.
const SEARCH_TIME_MAX: Duration = Duration::from_millis(500);

/// A histogram has at most this many bars: more than any screen has room for.
const BARS_MAX: u32 = 1_000;

/// Gaps are taken from at most this many of a source's latest deliveries.
pub(super) const GAP_DELIVERIES_MAX: i64 = 10_000;

/// Gaps are taken from this many days before the source's last delivery: four whole weeks, so weekends count.
pub(super) const GAP_DAYS: i64 = 28;

/// With fewer gaps than this, nothing can be said about what is usual.
const GAPS_MIN: usize = 10;

/// The range of a histogram, in microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) bars: i64,
}

impl Scale {
    /// None if the range is empty.
    pub(super) fn new(from: DateTime<Utc>, to: DateTime<Utc>, bars: u32) -> Option<Self> {
        let scale =
            Self { from: from.timestamp_micros(), to: to.timestamp_micros(), bars: i64::from(bars.clamp(1, BARS_MAX)) };
        (scale.from < scale.to).then_some(scale)
    }

    /// Empty bars in order. Bar `i` holds the times at which `(time - from) * bars / (to - from)`, rounded down, is `i`.
    pub(super) fn bars(self) -> Vec<Bar> {
        let start = |index: i64| {
            let micros = (i128::from(index) * i128::from(self.to - self.from) + i128::from(self.bars) - 1)
                / i128::from(self.bars);
            let micros = i64::try_from(micros).unwrap_or(i64::MAX);
            DateTime::from_timestamp_micros(self.from)
                .and_then(|from| from.checked_add_signed(TimeDelta::microseconds(micros)))
        };
        (0..self.bars).filter_map(start).map(|from| Bar { from, ok: 0, failed: 0 }).collect()
    }
}

/// The 99th percentile (nearest rank) of the gaps between arrivals, in whole seconds.
pub(super) fn gap_p99_seconds(mut arrivals_micros: Vec<i64>) -> Option<i64> {
    arrivals_micros.sort_unstable();
    let later = arrivals_micros.iter().skip(1);
    let mut gaps: Vec<i64> = arrivals_micros.iter().zip(later).map(|(earlier, later)| later - earlier).collect();
    if gaps.len() < GAPS_MIN {
        return None;
    }
    gaps.sort_unstable();
    let rank = (gaps.len() * 99).div_ceil(100);
    gaps.get(rank.saturating_sub(1)).map(|micros| micros / 1_000_000)
}

/// Gaps already computed, with the number of deliveries they were computed from.
#[derive(Debug, Clone, Default)]
pub(super) struct GapCache {
    known: Arc<Mutex<HashMap<i64, KnownGap>>>,
}

/// The number of deliveries a gap was computed from, and the gap.
type KnownGap = (i64, Option<i64>);

impl GapCache {
    /// What is known of a source, unless a hundredth more deliveries have come since.
    pub(super) fn get(&self, source: i64, deliveries: i64) -> Option<Option<i64>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&source).filter(|(at, _)| deliveries - at <= at / 100).map(|(_, gap)| *gap)
    }

    pub(super) fn put(&self, source: i64, deliveries: i64, gap: Option<i64>) -> Option<i64> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(source, (deliveries, gap));
        gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_is_the_99th_of_100() {
        let arrivals = (0..=100).map(|n: i64| n * (n + 1) / 2 * 1_000_000).collect();
        assert_eq!(gap_p99_seconds(arrivals), Some(99));
        assert_eq!(gap_p99_seconds(vec![0; 10]), None);
    }

    #[test]
    fn bars_begin_where_the_division_says() {
        let at = |micros| DateTime::from_timestamp_micros(micros).unwrap();
        let scale = Scale::new(at(10), at(20), 3).unwrap();
        let starts: Vec<i64> = scale.bars().iter().map(|bar| bar.from.timestamp_micros()).collect();
        assert_eq!(starts, [10, 14, 17]);
        for (index, start) in (0..).zip(starts) {
            assert_eq!((start - scale.from) * scale.bars / (scale.to - scale.from), index);
            assert!((start - 1 - scale.from) * scale.bars / (scale.to - scale.from) < index || index == 0);
        }
        assert!(Scale::new(at(10), at(10), 3).is_none());
    }
}
