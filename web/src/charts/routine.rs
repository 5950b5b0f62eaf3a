//! Routine range of counts per period: limits of a process-behaviour chart (mean ± 2.66 × mean moving range, Wheeler,
//! *Understanding Variation*), in segments, because one range over a rising year would hide the rise.

/// Fewer complete periods than this give no range.
pub(crate) const POINTS_MIN: usize = 12;

/// So many in a row on one side of the mean are no chance: a new segment begins with the first of them.
const RUN: usize = 8;

/// 3 / d2 for moving ranges of two.
const LIMIT_FACTOR: f64 = 2.66;

/// Periods over which the process ran on one level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Segment {
    /// Index of the first period.
    pub(crate) first: usize,
    /// Index of the last.
    pub(crate) last: usize,
    /// Mean of its values.
    pub(crate) mean: f64,
    /// Lower limit, at least 0.
    pub(crate) low: f64,
    /// Upper limit.
    pub(crate) high: f64,
}

impl Segment {
    /// True if a value lies outside of the limits.
    pub(crate) fn excludes(&self, value: f64) -> bool {
        value < self.low || value > self.high
    }

    /// The range in words: `46–79`.
    pub(crate) fn words(&self) -> String {
        // Whole things: the least and the most that lie within.
        format!("{}–{}", self.low.ceil(), self.high.floor())
    }
}

/// The segments of `(index, value)` pairs of complete periods, oldest first; none if there are too few.
pub(crate) fn segments(values: &[(usize, f64)]) -> Vec<Segment> {
    let mut found = Vec::new();
    if values.len() < POINTS_MIN {
        return found;
    }
    let mut rest = values;
    while let Some(split) = next_level(rest) {
        let (level, after) = rest.split_at(split);
        found.extend(segment(level));
        rest = after;
    }
    found.extend(segment(rest));
    found
}

/// Where a run on one side of the first periods' mean begins, if there is one.
fn next_level(values: &[(usize, f64)]) -> Option<usize> {
    let baseline = values.get(..POINTS_MIN.min(values.len()))?;
    let mean = mean(baseline.iter().map(|(_, value)| *value))?;
    let mut run_start = 0;
    let mut side = 0.0;
    for (position, (_, value)) in values.iter().enumerate() {
        let now = if *value == mean { 0.0 } else { (value - mean).signum() };
        if now != side || now == 0.0 {
            (run_start, side) = (position, now);
        }
        // A run from the very first period on is this level itself, not a change of it.
        if now != 0.0 && run_start > 0 && position + 1 - run_start >= RUN {
            return Some(run_start);
        }
    }
    None
}

fn segment(values: &[(usize, f64)]) -> Option<Segment> {
    let mean_value = mean(values.iter().map(|(_, value)| *value))?;
    let ranges = values.iter().zip(values.iter().skip(1)).map(|((_, a), (_, b))| (b - a).abs());
    let spread = LIMIT_FACTOR * mean(ranges).unwrap_or(0.0);
    Some(Segment {
        first: values.first()?.0,
        last: values.last()?.0,
        mean: mean_value,
        low: (mean_value - spread).max(0.0),
        high: mean_value + spread,
    })
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[f64]) -> Vec<Segment> {
        segments(&values.iter().copied().enumerate().collect::<Vec<_>>())
    }

    #[test]
    fn eleven_points_give_no_range() {
        assert_eq!(of(&[5.0; 11]), []);
        assert_eq!(of(&[5.0; 12]).len(), 1);
    }

    #[test]
    fn the_limits_are_those_of_a_worked_example() {
        // Mean 12, moving ranges 2, 4, 2, 4 … with mean 32/11.
        let values = [10.0, 12.0, 16.0, 14.0, 10.0, 12.0, 16.0, 14.0, 10.0, 12.0, 8.0, 10.0];
        let ranges: f64 = [2.0, 4.0, 2.0, 4.0, 2.0, 4.0, 2.0, 4.0, 2.0, 4.0, 2.0].iter().sum();
        let segment = of(&values)[0];
        assert!((segment.mean - 12.0).abs() < 1e-9);
        assert!((segment.high - (12.0 + 2.66 * ranges / 11.0)).abs() < 1e-9);
        assert_eq!(segment.words(), "5–19");
    }

    #[test]
    fn a_lasting_rise_starts_a_segment_of_its_own() {
        let values: Vec<f64> = (0..40).map(|n| f64::from(n % 3) + if n < 20 { 20.0 } else { 50.0 }).collect();
        let found = of(&values);
        assert_eq!(found.iter().map(|s| (s.first, s.last)).collect::<Vec<_>>(), [(0, 19), (20, 39)]);
        assert!(found[0].high < found[1].low);
    }

    #[test]
    fn a_single_spike_stays_in_its_segment_and_outside_of_the_range() {
        let mut values: Vec<f64> = (0..30).map(|n| 20.0 + f64::from(n % 4)).collect();
        values[15] = 60.0;
        let found = of(&values);
        assert_eq!(found.len(), 1);
        assert!(found[0].excludes(60.0) && !found[0].excludes(21.0));
    }

    proptest! {
        #[test]
        fn segments_cover_all_points_in_order(values in proptest::collection::vec(0u32..100, 12..120)) {
            let found = of(&values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>());
            prop_assert_eq!(found[0].first, 0);
            prop_assert_eq!(found[found.len() - 1].last, values.len() - 1);
            for pair in found.windows(2) {
                prop_assert_eq!(pair[0].last + 1, pair[1].first);
            }
            prop_assert!(found.iter().all(|s| s.low <= s.mean && s.mean <= s.high));
        }
    }
}
