//! When the invented organisation works: office hours, weekends, holidays, growth.
//!
//! Its clocks show UTC, so that the same seed gives the same weeks everywhere.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc, Weekday};

use super::random::{Random, whole};

/// The office opens at this hour, UTC.
const OPENS_HOUR: i64 = 8;
/// The office closes at this hour, UTC.
const CLOSES_HOUR: i64 = 18;

/// How much work a day sees, where 1 is an ordinary working day.
pub(super) fn weight(day: NaiveDate) -> f64 {
    let week = match day.weekday() {
        Weekday::Sat | Weekday::Sun => 0.03,
        Weekday::Mon => 0.95,
        Weekday::Tue | Weekday::Wed | Weekday::Thu => 1.1,
        Weekday::Fri => 0.8,
    };
    let season = match (day.month(), day.day()) {
        (12, 24..=31) | (1, 1) => 0.07,
        (12, 20..=23) | (1, 2..=5) => 0.5,
        (5, 1) => 0.1,
        (8, _) => 0.6,
        _ => 1.0,
    };
    week * season
}

/// How far time runs between two steps of the same work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// As in an office: people work in working hours, machines at any hour.
    Office,
    /// As on a stage: hours become seconds, so that somebody who watches sees something.
    Stage,
}

/// Seconds on the stage that an hour of people's work takes.
const STAGE_SECONDS_PER_HOUR: f64 = 16.0;
/// Seconds on the stage that a minute of a machine's work takes.
const STAGE_SECONDS_PER_MINUTE: f64 = 2.0;

impl Pace {
    /// When people are done who have so many hours of working time before them.
    pub(super) fn work(self, from: DateTime<Utc>, hours: f64) -> DateTime<Utc> {
        match self {
            Self::Office => after_work(from, seconds(hours * 3_600.0)),
            Self::Stage => from + seconds(1.0 + hours * STAGE_SECONDS_PER_HOUR),
        }
    }

    /// When a machine is done that runs for so many minutes.
    pub(super) fn run(self, from: DateTime<Utc>, minutes: f64) -> DateTime<Utc> {
        from + match self {
            Self::Office => seconds(minutes * 60.0),
            Self::Stage => seconds(1.0 + minutes * STAGE_SECONDS_PER_MINUTE),
        }
    }
}

/// A moment of a day at which somebody begins something: mostly late morning and early afternoon.
pub(super) fn moment(day: NaiveDate, random: &mut Random) -> DateTime<Utc> {
    let hours = random.between(0.0, 5.2) + random.between(0.0, 4.8);
    opening(day) + seconds(hours * 3_600.0)
}

/// So many whole seconds.
pub(super) fn seconds(count: f64) -> TimeDelta {
    TimeDelta::seconds(whole(count).try_into().unwrap_or(i64::MAX / 2_000))
}

fn after_work(from: DateTime<Utc>, mut left: TimeDelta) -> DateTime<Utc> {
    let mut at = from;
    loop {
        let day = at.date_naive();
        let closing = opening(day) + TimeDelta::hours(CLOSES_HOUR - OPENS_HOUR);
        // Who works on a weekend goes on then; whoever is waited for does not begin before Monday.
        if is_working_day(day) && at < closing {
            at = at.max(opening(day));
            if at + left <= closing {
                return at + left;
            }
            left -= closing - at;
        }
        let Some(next) = day.checked_add_days(Days::new(1)) else { return at };
        at = opening(next);
    }
}

fn opening(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(chrono::NaiveTime::MIN).and_utc() + TimeDelta::hours(OPENS_HOUR)
}

fn is_working_day(day: NaiveDate) -> bool {
    weight(day) > 0.2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn work_stops_in_the_evening_and_goes_on_in_the_morning() {
        let check = |from, hours, until| assert_eq!(Pace::Office.work(at(from), hours), at(until));
        check("2026-03-03T10:00:00Z", 2.0, "2026-03-03T12:00:00Z");
        check("2026-03-03T17:00:00Z", 2.0, "2026-03-04T09:00:00Z");
        check("2026-03-06T17:30:00Z", 1.0, "2026-03-09T08:30:00Z");
        check("2026-12-23T17:00:00Z", 2.0, "2027-01-04T09:00:00Z");
    }

    #[test]
    fn machines_do_not_wait_for_the_morning() {
        assert_eq!(Pace::Office.run(at("2026-03-06T17:59:00Z"), 12.0), at("2026-03-06T18:11:00Z"));
    }

    #[test]
    fn on_the_stage_hours_are_seconds() {
        let from = at("2026-03-07T03:00:00Z");
        assert_eq!(Pace::Stage.work(from, 2.0), from + TimeDelta::seconds(33));
        assert_eq!(Pace::Stage.run(from, 10.0), from + TimeDelta::seconds(21));
    }

    #[test]
    fn holidays_are_quiet() {
        let on = |text: &str| weight(text.parse().unwrap());
        assert!(on("2026-12-28") < 0.2 * on("2026-11-30"));
        assert!(on("2026-08-11") < 0.7 * on("2026-09-08"));
        assert!(on("2026-09-12") < 0.1);
    }
}
