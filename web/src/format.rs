//! How values read on a page: durations humanised, counts grouped, rates in percent, days in words.
//!
//! Exports never go through here: they carry raw numbers.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use ledger::report::Unit;

/// Between a number and its unit, and between thousands: a line never breaks there.
const NARROW: char = '\u{202f}';

const MINUTE: f64 = 60.0;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;

/// A whole number with its thousands apart: `1 240`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(NARROW);
        }
        grouped.push(digit);
    }
    grouped
}

/// Seconds in the two units that matter: `45 s`, `3 min 12 s`, `47 min`, `3 h 20 min`, `2 d 4 h`, `120 d`.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 0.0 {
        return format!("−{}", duration(-seconds));
    }
    let parts = |big: f64, big_name: &str, small: f64, small_name: &str| {
        let total = (seconds / small).round();
        let per = (big / small).round();
        let (whole, rest) = ((total / per).floor(), total % per);
        if rest == 0.0 {
            format!("{whole}{NARROW}{big_name}")
        } else {
            format!("{whole}{NARROW}{big_name} {rest}{NARROW}{small_name}")
        }
    };
    if seconds.round() < MINUTE {
        format!("{}{NARROW}s", seconds.round())
    } else if seconds.round() < 10.0 * MINUTE {
        parts(MINUTE, "min", 1.0, "s")
    } else if (seconds / MINUTE).round() < 60.0 {
        format!("{}{NARROW}min", (seconds / MINUTE).round())
    } else if (seconds / MINUTE).round() < 48.0 * 60.0 {
        parts(HOUR, "h", MINUTE, "min")
    } else if (seconds / HOUR).round() < 100.0 * 24.0 {
        parts(DAY, "d", HOUR, "h")
    } else {
        format!("{}{NARROW}d", (seconds / DAY).round())
    }
}

/// How long ago in one unit: `just now`, `12 min ago`, `5 h ago`, `6 d ago`.
pub(crate) fn ago(then: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match (now - then).num_seconds() {
        ..60 => "just now".to_owned(),
        seconds => format!("{} ago", span(seconds)),
    }
}

/// How long in one unit: `12 min`, `5 h`, `6 d`.
pub(crate) fn span(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{}{NARROW}s", seconds.max(0)),
        60..3_600 => format!("{}{NARROW}min", seconds / 60),
        3_600..172_800 => format!("{}{NARROW}h", seconds / 3_600),
        _ => format!("{}{NARROW}d", seconds / 86_400),
    }
}

/// Seconds in the one unit that matters most, rounded: `2 h`, `4 d`.
pub(crate) fn briefly(seconds: f64) -> String {
    let (size, name) = [(DAY, "d"), (HOUR, "h"), (MINUTE, "min")]
        .into_iter()
        .find(|(size, _)| seconds >= 2.0 * size)
        .unwrap_or((1.0, "s"));
    format!("{}{NARROW}{name}", (seconds / size).round())
}

/// A share in percent: `7.1 %`, `12 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let tenths = (percent * 10.0).round() / 10.0;
    if tenths == 0.0 || tenths >= 10.0 {
        format!("{}{NARROW}%", percent.round())
    } else {
        format!("{tenths:.1}{NARROW}%")
    }
}

/// A number with at most one decimal: `61`, `24.5`.
pub(crate) fn decimal(value: f64) -> String {
    let tenths = (value * 10.0).round() / 10.0;
    if tenths.fract() == 0.0 { format!("{tenths:.0}") } else { format!("{tenths:.1}") }
}

/// A value in its unit.
pub(crate) fn value(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Count | Unit::Lines => decimal(value),
        Unit::Seconds => duration(value),
        Unit::Ratio => percent(value),
    }
}

/// A unit as part of an axis title.
pub(crate) fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "count",
        Unit::Seconds => "duration, log scale",
        Unit::Ratio => "share",
        Unit::Lines => "lines",
    }
}

/// A day: `25 Nov 2026`.
pub(crate) fn day(day: NaiveDate) -> String {
    day.format("%-d %b %Y").to_string()
}

/// An instant to the minute on the organisation's clock: `25 Nov 2026 09:16`.
pub(crate) fn minute(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%-d %b %Y %H:%M").to_string()
}

/// `1 service`, `2 services`.
pub(crate) fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{}{}{}", count(number), '\u{a0}', if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        text.replace([NARROW, '\u{a0}'], " ")
    }

    #[test]
    fn durations_read_in_the_two_units_that_matter() {
        let cases = [
            (0.0, "0 s"),
            (59.4, "59 s"),
            (59.6, "1 min"),
            (192.0, "3 min 12 s"),
            (2_820.0, "47 min"),
            (3_599.0, "1 h"),
            (12_000.0, "3 h 20 min"),
            (172_799.0, "2 d"),
            (187_200.0, "2 d 4 h"),
            (10_368_000.0, "120 d"),
            (-90.0, "−1 min 30 s"),
        ];
        for (seconds, text) in cases {
            assert_eq!(plain(&duration(seconds)), text, "{seconds}");
        }
    }

    #[test]
    fn counts_and_shares_read_as_in_print() {
        assert_eq!(plain(&count(1_240)), "1 240");
        assert_eq!(plain(&count(1_234_567)), "1 234 567");
        assert_eq!(plain(&percent(0.071)), "7.1 %");
        assert_eq!(plain(&percent(0.0)), "0 %");
        assert_eq!(plain(&percent(0.0996)), "10 %");
        assert_eq!(plain(&plural(1, "service", "services")), "1 service");
        assert_eq!(plain(&briefly(7_000.0)), "117 min");
        assert_eq!(plain(&briefly(300_000.0)), "3 d");
        assert_eq!(decimal(24.5), "24.5");
        assert_eq!(decimal(61.04), "61");
    }

    #[test]
    fn ages_are_told_in_one_unit() {
        let now: DateTime<Utc> = "2026-11-25T09:16:00Z".parse().unwrap();
        let then = |text: &str| plain(&ago(text.parse().unwrap(), now));
        assert_eq!(then("2026-11-25T09:15:30Z"), "just now");
        assert_eq!(then("2026-11-25T07:00:00Z"), "2 h ago");
        assert_eq!(then("2026-11-19T09:16:00Z"), "6 d ago");
    }
}
