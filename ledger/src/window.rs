//! Windows and buckets: days, ISO weeks and months on the organisation's own calendar.
//!
//! Edges are computed on the calendar, so a week across a change of the clock has 167 or 169 hours.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeZone, Utc, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// A window holds at most this many buckets: ten years of days.
pub const BUCKETS_MAX: usize = 3_660;

/// The width of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grain {
    /// A calendar day.
    Day,
    /// A week, from the organisation's first day of the week.
    Week,
    /// A calendar month.
    Month,
}

/// The organisation's calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    /// IANA time zone in which days begin.
    pub zone: Tz,
    /// First day of the week.
    pub week_start: Weekday,
}

impl Default for Calendar {
    fn default() -> Self {
        Self { zone: Tz::UTC, week_start: Weekday::Mon }
    }
}

/// What is asked for: `[from, to)` in whole days of the calendar, cut into buckets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// First day.
    pub from: NaiveDate,
    /// The day after the last.
    pub to: NaiveDate,
    /// Width of a bucket.
    pub grain: Grain,
    /// Whose days and weeks.
    pub calendar: Calendar,
    /// The instant that counts as now: the bucket holding it is incomplete.
    pub now: DateTime<Utc>,
}

/// One bucket, `[from, to)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// Name: `2026-11-21`, `2026-W47` or `2026-11`.
    pub label: String,
    /// First instant.
    pub from: DateTime<Utc>,
    /// First instant after it.
    pub to: DateTime<Utc>,
    /// False only for the bucket that holds now.
    pub complete: bool,
}

impl Calendar {
    /// The first instant of a day. Where the clock skips midnight, the first instant after the gap.
    #[must_use]
    pub fn day_start(&self, day: NaiveDate) -> DateTime<Utc> {
        let midnight = day.and_time(NaiveTime::MIN);
        (0..=24 * 4)
            .find_map(|quarter| {
                let local = midnight.checked_add_signed(chrono::Duration::minutes(15 * quarter))?;
                self.zone.from_local_datetime(&local).earliest()
            })
            .map_or_else(|| midnight.and_utc(), |at| at.with_timezone(&Utc))
    }

    /// The day of an instant.
    #[must_use]
    pub fn day_of(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.zone).date_naive()
    }

    /// The first day of the bucket that a day lies in.
    #[must_use]
    pub fn bucket_start(&self, day: NaiveDate, grain: Grain) -> NaiveDate {
        match grain {
            Grain::Day => day,
            Grain::Week => day.week(self.week_start).checked_first_day().unwrap_or(day),
            Grain::Month => day.with_day(1).unwrap_or(day),
        }
    }

    /// The first day of the bucket after the one that begins at `start`.
    #[must_use]
    pub fn next_start(&self, start: NaiveDate, grain: Grain) -> NaiveDate {
        match grain {
            Grain::Day => start.checked_add_days(Days::new(1)),
            Grain::Week => start.checked_add_days(Days::new(7)),
            Grain::Month => start.checked_add_months(Months::new(1)),
        }
        .unwrap_or(NaiveDate::MAX)
    }
}

impl Window {
    /// The last `complete` whole buckets before the one that holds now, and that one.
    #[must_use]
    pub fn latest(complete: u32, grain: Grain, calendar: Calendar, now: DateTime<Utc>) -> Self {
        let current = calendar.bucket_start(calendar.day_of(now), grain);
        let from = match grain {
            Grain::Day => current.checked_sub_days(Days::new(u64::from(complete))),
            Grain::Week => current.checked_sub_days(Days::new(7 * u64::from(complete))),
            Grain::Month => current.checked_sub_months(Months::new(complete)),
        }
        .unwrap_or(current);
        Self { from, to: calendar.next_start(current, grain), grain, calendar, now }
    }

    /// The buckets, oldest first, at most [`BUCKETS_MAX`]. They cover the window; the first and the last may stick out.
    #[must_use]
    pub fn buckets(&self) -> Vec<Bucket> {
        let mut buckets = Vec::new();
        let mut start = self.calendar.bucket_start(self.from, self.grain);
        while start < self.to && buckets.len() < BUCKETS_MAX {
            let next = self.calendar.next_start(start, self.grain);
            let (from, to) = (self.calendar.day_start(start), self.calendar.day_start(next));
            buckets.push(Bucket { label: self.label(start), from, to, complete: !(from <= self.now && self.now < to) });
            start = next;
        }
        buckets
    }

    fn label(&self, start: NaiveDate) -> String {
        match self.grain {
            Grain::Day => start.format("%Y-%m-%d").to_string(),
            // The ISO week of the Thursday-like middle: right for Monday starts, and unique for any other.
            Grain::Week => {
                let middle = start.checked_add_days(Days::new(3)).unwrap_or(start).iso_week();
                format!("{}-W{:02}", middle.year(), middle.week())
            }
            Grain::Month => start.format("%Y-%m").to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: &str, to: &str, grain: Grain, zone: Tz) -> Vec<Bucket> {
        let calendar = Calendar { zone, week_start: Weekday::Mon };
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        Window { from: from.parse().unwrap(), to: to.parse().unwrap(), grain, calendar, now }.buckets()
    }

    #[test]
    fn a_week_across_a_change_of_the_clock_has_an_hour_more_or_less() {
        let hours = |from, to| {
            let buckets = window(from, to, Grain::Week, Tz::Europe__Berlin);
            (buckets[0].to - buckets[0].from).num_hours()
        };
        assert_eq!(hours("2026-03-23", "2026-03-30"), 167);
        assert_eq!(hours("2026-10-19", "2026-10-26"), 169);
    }

    #[test]
    fn week_53_and_the_year_edge_have_their_iso_names() {
        let labels: Vec<_> =
            window("2026-12-21", "2027-01-11", Grain::Week, Tz::UTC).into_iter().map(|b| b.label).collect();
        assert_eq!(labels, ["2026-W52", "2026-W53", "2027-W01"]);
    }

    #[test]
    fn only_the_bucket_that_holds_now_is_incomplete() {
        let buckets = window("2026-11-09", "2026-11-30", Grain::Week, Tz::UTC);
        assert_eq!(buckets.iter().map(|b| b.complete).collect::<Vec<_>>(), [true, false, true]);
    }

    #[test]
    fn a_day_whose_midnight_is_skipped_begins_after_the_gap() {
        let calendar = Calendar { zone: Tz::America__Santiago, week_start: Weekday::Mon };
        let start = calendar.day_start("2026-09-06".parse().unwrap());
        assert_eq!(start.to_rfc3339(), "2026-09-06T04:00:00+00:00");
    }
}
