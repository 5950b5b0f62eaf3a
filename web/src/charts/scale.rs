//! From values to pixels: linear for counts and shares, logarithmic for durations, and the ticks that suit each.

use crate::format;

/// Ticks of a duration axis. Beyond the last, points are drawn at the edge.
const DURATION_TICKS: [(f64, &str); 13] = [
    (60.0, "1 min"),
    (300.0, "5 min"),
    (900.0, "15 min"),
    (3_600.0, "1 h"),
    (14_400.0, "4 h"),
    (43_200.0, "12 h"),
    (86_400.0, "1 d"),
    (259_200.0, "3 d"),
    (604_800.0, "7 d"),
    (2_592_000.0, "30 d"),
    (7_776_000.0, "90 d"),
    (31_536_000.0, "365 d"),
    (157_680_000.0, "5 years"),
];

/// Rates start at 0 and reach at least this far, so that one failure of forty does not fill the chart.
const RATE_TOP_MIN: f64 = 0.2;

/// A value axis between two heights.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    /// Pixels from the top to the highest value.
    pub(crate) top: f64,
    /// Pixels from the top to the lowest.
    pub(crate) bottom: f64,
    logarithmic: bool,
    /// Values with a line and a label.
    pub(crate) ticks: Vec<(f64, String)>,
}

impl Scale {
    /// Counts from 0 to a round number at or above `max`.
    pub(crate) fn counts(max: f64, top: f64, bottom: f64) -> Self {
        let max = max.max(1.0);
        // About five lines: enough to read a value off, few enough to be calm.
        let step = round_step(max / 5.0).max(1.0);
        let steps = (max / step).ceil();
        let ticks = (0..=12u32)
            .map(|n| f64::from(n) * step)
            .take_while(|tick| *tick <= steps * step)
            .map(|tick| (tick, format::decimal(tick)))
            .collect();
        Self { low: 0.0, high: steps * step, top, bottom, logarithmic: false, ticks }
    }

    /// Shares from 0 to at least 20 %.
    pub(crate) fn shares(max: f64, top: f64, bottom: f64) -> Self {
        let max = max.clamp(RATE_TOP_MIN, 1.0);
        let step = if max <= 0.25 {
            0.05
        } else if max <= 0.5 {
            0.1
        } else {
            0.25
        };
        let high = ((max / step) - 1e-9).ceil() * step;
        let ticks = (0..=20u32)
            .map(|n| f64::from(n) * step)
            .take_while(|tick| *tick <= high + 1e-9)
            .map(|tick| (tick, format!("{:.0}\u{202f}%", tick * 100.0)))
            .collect();
        Self { low: 0.0, high, top, bottom, logarithmic: false, ticks }
    }

    /// Seconds, logarithmic, over the ticks that enclose the values.
    pub(crate) fn durations(values: impl Iterator<Item = f64> + Clone, top: f64, bottom: f64) -> Self {
        let min = values.clone().fold(f64::INFINITY, f64::min);
        let max = values.fold(0.0, f64::max);
        let [(first, _), .., (last, _)] = DURATION_TICKS;
        let seconds = || DURATION_TICKS.iter().map(|(tick, _)| *tick);
        // Not the last one: an axis needs two ends.
        let low = seconds().rev().skip(1).find(|tick| *tick <= min && min.is_finite()).unwrap_or(first);
        let high = seconds().find(|tick| *tick >= max && *tick > low).unwrap_or(last);
        let ticks = DURATION_TICKS
            .iter()
            .filter(|(tick, _)| (low..=high).contains(tick))
            .map(|(tick, text)| (*tick, (*text).to_owned()))
            .collect();
        Self { low, high, top, bottom, logarithmic: true, ticks }
    }

    /// Height of a value; values beyond the axis are at its edge.
    pub(crate) fn y(&self, value: f64) -> f64 {
        let value = value.clamp(self.low, self.high);
        let share = if self.logarithmic {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.bottom - share * (self.bottom - self.top)
    }

    /// True if a value lies above the axis.
    pub(crate) fn is_above(&self, value: f64) -> bool {
        value > self.high
    }
}

/// The next of 1, 2, 5, 10, 20, 50 … at or above a value.
fn round_step(value: f64) -> f64 {
    let magnitude = 10f64.powf(value.max(f64::MIN_POSITIVE).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * magnitude).find(|step| *step >= value).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(scale: &Scale) -> Vec<String> {
        scale.ticks.iter().map(|(_, text)| text.replace('\u{202f}', " ")).collect()
    }

    #[test]
    fn ticks_are_round_and_enclose_the_values() {
        assert_eq!(labels(&Scale::counts(70.0, 0.0, 100.0)), ["0", "20", "40", "60", "80"]);
        assert_eq!(labels(&Scale::counts(0.0, 0.0, 100.0)), ["0", "1"]);
        assert_eq!(labels(&Scale::counts(3.0, 0.0, 100.0)), ["0", "1", "2", "3"]);
        assert_eq!(labels(&Scale::shares(0.07, 0.0, 100.0)), ["0 %", "5 %", "10 %", "15 %", "20 %"]);
        assert_eq!(labels(&Scale::shares(1.0, 0.0, 100.0)), ["0 %", "25 %", "50 %", "75 %", "100 %"]);
        let hours = Scale::durations([5_000.0, 200_000.0].into_iter(), 0.0, 100.0);
        assert_eq!(labels(&hours), ["1 h", "4 h", "12 h", "1 d", "3 d"]);
    }

    #[test]
    fn a_duration_axis_without_values_has_ticks_still() {
        assert_eq!(labels(&Scale::durations(std::iter::empty(), 0.0, 100.0)), ["1 min", "5 min"]);
    }

    proptest! {
        #[test]
        fn more_is_never_lower(a in 0.0f64..1e9, b in 0.0f64..1e9) {
            let (less, more) = if a < b { (a, b) } else { (b, a) };
            for scale in [Scale::counts(b, 10.0, 90.0), Scale::durations([a, b].into_iter(), 10.0, 90.0)] {
                prop_assert!(scale.y(more) <= scale.y(less) + 1e-9);
                prop_assert!((10.0..=90.0).contains(&scale.y(a)));
            }
        }
    }
}
