//! Times and durations as people read them.

use chrono::{DateTime, TimeDelta, Utc};

/// A time of a day that is named: `2026-11-21 03:02 UTC`.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// A time of the same day as another that was named already; of another day, with its date.
pub(super) fn moment_after(at: DateTime<Utc>, named: DateTime<Utc>) -> String {
    if at.date_naive() == named.date_naive() { at.format("%H:%M UTC").to_string() } else { moment(at) }
}

/// How long: the two largest units that matter.
pub(super) fn span(duration: TimeDelta) -> String {
    let seconds = duration.num_seconds().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (1, 0, _) => "1 day".to_owned(),
        (days, 0, _) => format!("{days} days"),
        (1, hours, _) => format!("1 day {hours} h"),
        (days, hours, _) => format!("{days} days {hours} h"),
    }
}

/// A number of things: `1 pod`, `2 pods`.
pub(super) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        let of = |seconds| span(TimeDelta::seconds(seconds));
        assert_eq!([of(-5), of(59), of(60), of(3_600), of(3_900)], ["0 s", "59 s", "1 min", "1 h", "1 h 5 min"]);
        assert_eq!([of(86_400), of(90_000), of(400_000)], ["1 day", "1 day 1 h", "4 days 15 h"]);
    }
}
