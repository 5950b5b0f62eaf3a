//! A week that is not over, like for like: its value so far beside what complete weeks had at the same weekday and hour.

use chrono::{DateTime, Utc};
use ledger::window::{Bucket, Calendar};

use crate::charts::recovery::median;

/// Complete weeks that are looked at.
pub(crate) const WEEKS: u32 = 8;

/// Fewer weeks than this give no median.
const WEEKS_MIN: usize = 5;

/// The median count over the complete weeks up to the same point, and over how many weeks.
pub(crate) fn median_at_same_point(
    weeks: &[Bucket],
    counted_at: &[DateTime<Utc>],
    current: &Bucket,
    calendar: Calendar,
    now: DateTime<Utc>,
) -> Option<(f64, usize)> {
    if weeks.len() < WEEKS_MIN {
        return None;
    }
    let counts = weeks.iter().map(|week| {
        let until = same_point(week, current, calendar, now);
        counted_at.iter().filter(|at| (week.from..=until).contains(at)).count() as f64
    });
    let mut counts: Vec<f64> = counts.collect();
    counts.sort_by(f64::total_cmp);
    median(&counts).map(|median| (median, counts.len()))
}

/// The instant of a week at which the clocks on the wall show the weekday and time of now.
fn same_point(week: &Bucket, current: &Bucket, calendar: Calendar, now: DateTime<Utc>) -> DateTime<Utc> {
    let local = |at: DateTime<Utc>| at.with_timezone(&calendar.zone).naive_local();
    let elapsed = local(now) - local(current.from);
    let there =
        local(week.from).checked_add_signed(elapsed).and_then(|at| at.and_local_timezone(calendar.zone).latest());
    // Where the clock skips that hour, the elapsed time is near enough.
    there.map_or_else(|| week.from + (now - current.from), |at| at.with_timezone(&Utc)).min(week.to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Tz;
    use ledger::window::{Grain, Window};

    #[test]
    fn events_after_the_same_weekday_and_hour_are_not_counted() {
        let calendar = Calendar { zone: Tz::Europe__Berlin, ..Calendar::default() };
        // A Wednesday, 10:00 in Berlin, five weeks after the clock was set back.
        let now: DateTime<Utc> = "2026-11-25T09:00:00Z".parse().unwrap();
        let mut weeks = Window::latest(WEEKS, Grain::Week, calendar, now).buckets();
        let current = weeks.pop().unwrap();
        // In summer time 10:00 in Berlin is 08:00 UTC: the first lies before that, the second after it.
        let october = ["2026-10-21T07:59:00Z", "2026-10-21T08:01:00Z"];
        let winter = ["2026-11-18T08:59:00Z", "2026-11-18T09:01:00Z", "2026-11-16T00:00:00Z"];
        let at: Vec<DateTime<Utc>> = october.iter().chain(&winter).map(|at| at.parse().unwrap()).collect();
        let of = |week: &Bucket| {
            let until = same_point(week, &current, calendar, now);
            at.iter().filter(|at| (week.from..=until).contains(at)).count()
        };
        assert_eq!(weeks.iter().map(of).collect::<Vec<_>>(), [0, 0, 0, 1, 0, 0, 0, 2]);
        assert_eq!(median_at_same_point(&weeks, &at, &current, calendar, now), Some((0.0, 8)));
    }

    #[test]
    fn four_weeks_give_no_median() {
        let now: DateTime<Utc> = "2026-11-25T09:00:00Z".parse().unwrap();
        let mut weeks = Window::latest(4, Grain::Week, Calendar::default(), now).buckets();
        let current = weeks.pop().unwrap();
        assert_eq!(median_at_same_point(&weeks, &[now], &current, Calendar::default(), now), None);
    }
}
