//! The slots of a timeline: equal stretches of time that end now, so that each is whole; and counting by name.

use chrono::{DateTime, Days, Duration, Utc};
use chrono_tz::Tz;

use crate::format;

/// Equal stretches of time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slots {
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
    /// How long each is.
    pub(super) hours: i64,
    pub(super) zone: Tz,
}

impl Slots {
    /// All of them, oldest first. The last one ends just after now, so that it holds what happens now.
    pub(super) fn all(self) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        let step = Duration::hours(self.hours.max(1));
        let starts = std::iter::successors(Some(self.from), |from| Some(*from + step));
        let slots = starts.take_while(|from| *from < self.to).map(|from| (from, from + step));
        let last = |to: DateTime<Utc>| if to >= self.to { to + Duration::milliseconds(1) } else { to };
        slots.map(|(from, to)| (from, last(to))).collect()
    }

    /// `19 Nov 03:16–09:16`
    pub(super) fn words(self, from: DateTime<Utc>, to: DateTime<Utc>) -> String {
        let (start, end) = (from.with_timezone(&self.zone), to.with_timezone(&self.zone));
        let end = if start.date_naive() == end.date_naive() { end.format("%H:%M") } else { end.format("%-d %b %H:%M") };
        format!("{}–{end}", start.format("%-d %b %H:%M"))
    }

    /// Where days begin, as shares of the axis, with their names; hours where there is only one day.
    pub(super) fn days(self) -> Vec<(f64, String)> {
        let seconds = (self.to - self.from).num_seconds().max(1) as f64;
        let share = |at: DateTime<Utc>| (at - self.from).num_seconds() as f64 / seconds;
        let within = |at: &DateTime<Utc>| *at >= self.from && *at <= self.to;
        let first = self.from.with_timezone(&self.zone).date_naive();
        let midnights = (0..64).filter_map(|day| {
            let midnight = first.checked_add_days(Days::new(day))?.and_hms_opt(0, 0, 0)?;
            midnight.and_local_timezone(self.zone).earliest().map(|at| at.with_timezone(&Utc))
        });
        let midnights: Vec<DateTime<Utc>> = midnights.filter(within).collect();
        if midnights.len() > 1 {
            let name = |at: DateTime<Utc>| at.with_timezone(&self.zone).format("%a %-d %b").to_string();
            return midnights.into_iter().map(|at| (share(at), name(at))).collect();
        }
        let hours =
            (0..24).map(|hour| midnights.first().copied().unwrap_or(self.from) + Duration::hours(6 * (hour - 4)));
        let name = |at: DateTime<Utc>| at.with_timezone(&self.zone).format("%-d %b %H:%M").to_string();
        hours.filter(within).map(|at| (share(at), name(at))).collect()
    }
}

/// How often each name comes, the most frequent first.
pub(super) fn tally(names: impl IntoIterator<Item = String>) -> Vec<(String, u64)> {
    let mut tally: Vec<(String, u64)> = Vec::new();
    for name in names {
        match tally.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => tally.push((name, 1)),
        }
    }
    tally.sort_by(|left, right| (right.1, &left.0).cmp(&(left.1, &right.0)));
    tally
}

/// `OOMKilled 4, Error 2`
pub(super) fn listed(tally: &[(String, u64)]) -> String {
    tally.iter().map(|(name, count)| format!("{name} {}", format::count(*count))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> DateTime<Utc> {
        time.parse().unwrap()
    }

    #[test]
    fn slots_end_now_and_hold_what_happens_now() {
        let slots = Slots { from: at("2026-11-18T09:16:00Z"), to: at("2026-11-25T09:16:00Z"), hours: 6, zone: Tz::UTC };
        let all = slots.all();
        assert_eq!((all.len(), all[0].0), (28, slots.from));
        assert!(all[27].1 > slots.to && all[26].1 < slots.to);
        assert_eq!(slots.words(all[1].0, all[1].1), "18 Nov 15:16–21:16");
        assert_eq!(slots.words(all[2].0, all[2].1), "18 Nov 21:16–19 Nov 03:16");
    }

    #[test]
    fn ticks_are_midnights_of_the_zone_also_where_a_clock_changes() {
        let zone: Tz = "Europe/Berlin".parse().unwrap();
        let slots = Slots { from: at("2026-10-24T12:00:00Z"), to: at("2026-10-27T12:00:00Z"), hours: 6, zone };
        let days = slots.days();
        let names: Vec<&str> = days.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["Sun 25 Oct", "Mon 26 Oct", "Tue 27 Oct"]);
        let hours = |index: usize| (days[index].0 * 72.0).round();
        // The Sunday has 25 hours.
        assert_eq!((hours(0), hours(1), hours(2)), (10.0, 35.0, 59.0));
    }

    #[test]
    fn a_single_day_has_its_hours() {
        let slots = Slots { from: at("2026-11-24T09:16:00Z"), to: at("2026-11-25T09:16:00Z"), hours: 1, zone: Tz::UTC };
        let names: Vec<String> = slots.days().into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["24 Nov 12:00", "24 Nov 18:00", "25 Nov 00:00", "25 Nov 06:00"]);
    }
}
