//! Spans of time as they stand in an address: relative to now (`52w`), or between two days.

use std::ops::RangeInclusive;

use chrono::{DateTime, Days, Months, NaiveDate, Utc};
use ledger::window::{Calendar, Grain, Window};

use crate::format;

/// Days that an address may name: no tool of the field is older, and no figure lies in the far future.
pub(crate) const DAYS: RangeInclusive<NaiveDate> = first_day()..=last_day();

const fn first_day() -> NaiveDate {
    match NaiveDate::from_ymd_opt(1970, 1, 1) {
        Some(day) => day,
        None => NaiveDate::MIN,
    }
}

const fn last_day() -> NaiveDate {
    match NaiveDate::from_ymd_opt(2200, 1, 1) {
        Some(day) => day,
        None => NaiveDate::MAX,
    }
}

/// Most steps of a relative range: ten years of days.
const STEPS_MAX: u32 = 3_660;

/// Step of a relative range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// `d`
    Day,
    /// `w`
    Week,
    /// `m`
    Month,
    /// `y`
    Year,
}

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// The last complete steps and the current one.
    Last {
        /// How many complete ones.
        steps: u32,
        /// Of which length.
        step: Step,
    },
    /// `[from, to)`.
    Between {
        /// First day.
        from: NaiveDate,
        /// The day after the last.
        to: NaiveDate,
    },
}

impl Default for Range {
    fn default() -> Self {
        Self::Last { steps: 52, step: Step::Week }
    }
}

impl Range {
    /// Reads `52w`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (step, name) = [(Step::Day, 'd'), (Step::Week, 'w'), (Step::Month, 'm'), (Step::Year, 'y')]
            .into_iter()
            .find(|(_, name)| text.ends_with(*name))?;
        let steps = text.strip_suffix(name)?;
        let digits = steps.bytes().all(|b| b.is_ascii_digit());
        let steps = steps.parse().ok().filter(|steps| digits && (1..=STEPS_MAX).contains(steps))?;
        Some(Self::Last { steps, step })
    }

    /// True if it moves with the clock.
    pub(crate) fn is_relative(self) -> bool {
        matches!(self, Self::Last { .. })
    }

    /// First day, and the day after the last: whole buckets, the current one included if it is relative.
    pub(crate) fn days(self, grain: Grain, calendar: Calendar, now: DateTime<Utc>) -> (NaiveDate, NaiveDate) {
        match self {
            Self::Between { from, to } => (from, to),
            Self::Last { steps, step } => {
                let today = calendar.day_of(now);
                let unit = match step {
                    Step::Day => Grain::Day,
                    Step::Week => Grain::Week,
                    Step::Month | Step::Year => Grain::Month,
                };
                let current = calendar.bucket_start(today, unit);
                let back = match step {
                    Step::Day => current.checked_sub_days(Days::new(u64::from(steps))),
                    Step::Week => current.checked_sub_days(Days::new(7 * u64::from(steps))),
                    Step::Month => current.checked_sub_months(Months::new(steps)),
                    Step::Year => current.checked_sub_months(Months::new(12 * steps)),
                };
                let from = back.filter(|day| DAYS.contains(day)).unwrap_or(*DAYS.start());
                let to = calendar.next_start(calendar.bucket_start(today, grain), grain);
                (calendar.bucket_start(from, grain), to)
            }
        }
    }

    /// For the line under a title: `52 complete weeks + current`, or the days.
    pub(crate) fn words(self, window: &Window) -> String {
        match self {
            Self::Last { steps, step } => {
                let name = match (step, steps) {
                    (Step::Day, 1) => "day",
                    (Step::Day, _) => "days",
                    (Step::Week, 1) => "week",
                    (Step::Week, _) => "weeks",
                    (Step::Month, 1) => "month",
                    (Step::Month, _) => "months",
                    (Step::Year, 1) => "year",
                    (Step::Year, _) => "years",
                };
                format!("{steps} complete {name} + current")
            }
            Self::Between { from, to } => {
                let last = to.pred_opt().unwrap_or(to);
                let edges = window.buckets();
                let whole = edges.first().is_some_and(|b| window.calendar.day_of(b.from) == from)
                    && edges.last().is_some_and(|b| window.calendar.day_of(b.to) == to);
                let note = if whole { "" } else { ", the first and last period stick out" };
                format!("{} – {}{note}", format::day(from), format::day(last))
            }
        }
    }

    /// As it stands in an address.
    pub(crate) fn words_in_address(self) -> String {
        match self {
            Self::Last { steps, step } => {
                let name = match step {
                    Step::Day => 'd',
                    Step::Week => 'w',
                    Step::Month => 'm',
                    Step::Year => 'y',
                };
                format!("{steps}{name}")
            }
            Self::Between { from, to } => format!("{from} to {to}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_numbers_with_a_step_are_ranges() {
        for bad in ["", "w", "52", "52 w", "-3w", "+3w", "0w", "99999d", "52wk", "५w"] {
            assert_eq!(Range::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn weeks_in_steps_of_days_begin_with_whole_weeks() {
        let now = "2026-11-25T09:16:00Z".parse().unwrap();
        let (from, to) = Range::default().days(Grain::Day, Calendar::default(), now);
        assert_eq!((from.to_string().as_str(), to.to_string().as_str()), ("2025-11-24", "2026-11-26"));
        let (from, to) = Range::parse("12m").unwrap().days(Grain::Month, Calendar::default(), now);
        assert_eq!((from.to_string().as_str(), to.to_string().as_str()), ("2025-11-01", "2026-12-01"));
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_again(steps in 1u32..=STEPS_MAX, step in 0usize..4) {
            let step = [Step::Day, Step::Week, Step::Month, Step::Year][step];
            let range = Range::Last { steps, step };
            prop_assert_eq!(Range::parse(&range.words_in_address()), Some(range));
        }
    }
}
