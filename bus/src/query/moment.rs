//! The times in a query: a point in time, or so long before now. It asks no clock: now is handed in.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, SecondsFormat, SubsecRound, TimeDelta, Utc};

/// A time as written, and the point in time that it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    ago: Option<(u32, Unit)>,
    at: DateTime<Utc>,
}

/// The units of a time before now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `s`
    Second,
    /// `m`
    Minute,
    /// `h`
    Hour,
    /// `d`
    Day,
    /// `w`
    Week,
}

impl Unit {
    const ALL: [Self; 5] = [Self::Second, Self::Minute, Self::Hour, Self::Day, Self::Week];

    const fn letter(self) -> char {
        match self {
            Self::Second => 's',
            Self::Minute => 'm',
            Self::Hour => 'h',
            Self::Day => 'd',
            Self::Week => 'w',
        }
    }

    const fn seconds(self) -> i64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
            Self::Week => 604_800,
        }
    }
}

impl Moment {
    /// That point in time; stored times have microseconds, so it has no more.
    #[must_use]
    pub fn at_time(at: DateTime<Utc>) -> Self {
        Self { ago: None, at: at.trunc_subsecs(6) }
    }

    /// So long before `now`; none if that is before the year 1.
    #[must_use]
    pub fn ago(amount: u32, unit: Unit, now: DateTime<Utc>) -> Option<Self> {
        let span = TimeDelta::try_seconds(i64::from(amount).checked_mul(unit.seconds())?)?;
        let at = now.checked_sub_signed(span).filter(in_range)?.trunc_subsecs(6);
        Some(Self { ago: Some((amount, unit)), at })
    }

    /// Whether it is counted back from now, so that it means another time tomorrow.
    #[must_use]
    pub const fn is_relative(&self) -> bool {
        self.ago.is_some()
    }

    /// The point in time it means.
    #[must_use]
    pub const fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// Reads `30m`, `2h`, `3d`, `52w`, RFC 3339, a date (its start in UTC), or milliseconds since 1970.
    pub(super) fn parse(text: &str, now: DateTime<Utc>) -> Option<Self> {
        if let Ok(milliseconds) = text.parse::<i64>() {
            return DateTime::from_timestamp_millis(milliseconds).filter(in_range).map(Self::at_time);
        }
        for unit in Unit::ALL {
            if let Some(amount) = text.strip_suffix(unit.letter()).filter(|t| t.bytes().all(|b| b.is_ascii_digit())) {
                return Self::ago(amount.parse().ok()?, unit, now);
            }
        }
        let date = || Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN).and_utc());
        let time = || Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc());
        time().or_else(date).filter(in_range).map(Self::at_time)
    }
}

/// Only years of four digits print in a way that reads back.
fn in_range(at: &DateTime<Utc>) -> bool {
    (1..=9999).contains(&at.year())
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ago {
            Some((amount, unit)) => write!(f, "{amount}{}", unit.letter()),
            None => f.write_str(&self.at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        }
    }
}
