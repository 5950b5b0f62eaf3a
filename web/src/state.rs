//! The state of a page is its address: scope, environment, range, grain and time zone, parsed once at the border.
//!
//! Unknown keys are kept in every link; a bad value is an error that names it and offers a fix.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use ledger::report::{Ask, Scope};
use ledger::window::{Calendar, Grain, Window};

use crate::state::range::Range;

pub(crate) mod range;

/// Periods that one chart holds: a year of days is read, ten years are not.
pub(crate) const PERIODS_MAX: usize = 400;

/// Keys that mean something on one page only and are not carried to another.
const OF_ONE_PAGE: [&str; 8] = ["q", "page", "only", "view", "metric", "bucket", "group", "back"];

/// Keys of the scope.
const SCOPES: [&str; 3] = ["service", "team", "repo"];

/// A value in the address that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadValue {
    /// Which key.
    pub(crate) key: &'static str,
    /// What it says.
    pub(crate) value: String,
    /// What it should be.
    pub(crate) expected: String,
    /// The same address with a value that works.
    pub(crate) fix: String,
}

/// What the address asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    /// Path without suffix.
    pub(crate) path: String,
    /// All keys and values in order, unknown ones too.
    pub(crate) pairs: Vec<(String, String)>,
    /// The question for Ledger.
    pub(crate) ask: Ask,
    /// The span of time as it was asked for.
    pub(crate) range: Range,
    /// Scope that the path names, such as `("team", "payments")`.
    path_scope: Option<(&'static str, String)>,
}

impl Asked {
    /// Parses path and query.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub(crate) fn parse(
        path: &str,
        query: Option<&str>,
        calendar: Calendar,
        now: DateTime<Utc>,
    ) -> Result<Self, BadValue> {
        let pairs: Vec<(String, String)> =
            form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
        let keys = Keys { path, pairs: &pairs };
        let calendar = keys.calendar(calendar)?;
        let grain = keys.grain()?;
        let range = keys.range(calendar, now)?;
        let (from, to) = range.days(grain, calendar, now);
        let window = Window { from, to, grain, calendar, now };
        if window.buckets().len() > PERIODS_MAX {
            let expected = format!("at most {PERIODS_MAX} periods; take a wider grain or a shorter range");
            return Err(keys.bad("range", &range.words_in_address(), expected, &[("grain", "month")]));
        }
        let ask = Ask { scope: keys.scope(), environment: keys.environment()?, window };
        Ok(Self { path: path.to_owned(), pairs, ask, range, path_scope: None })
    }

    /// The same within the scope that the path names.
    pub(crate) fn within(mut self, scope: Scope) -> Self {
        self.path_scope = scope_pair(&scope);
        self.ask.scope = scope;
        self
    }

    /// The value of a key, if it is given and not empty.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        value_of(&self.pairs, key)
    }

    /// This page with other values for these keys; an empty value removes the key.
    pub(crate) fn with(&self, changes: &[(&str, &str)]) -> String {
        address(&self.path, &changed(&self.pairs, changes))
    }

    /// Another page over the same scope and time.
    pub(crate) fn to(&self, path: &str) -> String {
        address(path, &self.carried())
    }

    /// Another page over the same time, whatever its scope.
    pub(crate) fn to_scope(&self, path: &str) -> String {
        let mut pairs = self.carried();
        pairs.retain(|(key, _)| !SCOPES.contains(&key.as_str()));
        address(path, &pairs)
    }

    /// The events behind a figure: those of a bucket or of a group, or of all complete buckets.
    pub(crate) fn evidence(&self, metric: &str, of: Option<(&str, &str)>) -> String {
        let mut pairs = vec![("metric".to_owned(), metric.to_owned())];
        pairs.extend(of.map(|(kind, label)| (kind.to_owned(), label.to_owned())));
        pairs.extend(self.carried());
        address("/events", &pairs)
    }

    /// This page with its relative range made absolute.
    pub(crate) fn frozen(&self) -> Option<String> {
        let (from, to) = (self.ask.window.from.to_string(), self.ask.window.to.to_string());
        self.range.is_relative().then(|| self.with(&[("range", ""), ("from", &from), ("to", &to)]))
    }

    /// Flags of the command line that ask the same.
    pub(crate) fn flags(&self) -> String {
        let mut flags = String::new();
        for key in ["team", "service", "repo", "env", "from", "to", "range", "grain", "tz"] {
            let from_path = self.path_scope.as_ref().filter(|(scope, _)| *scope == key).map(|(_, name)| name.as_str());
            if let Some(value) = from_path.or_else(|| self.get(key)) {
                flags.push_str(&format!(" --{key} {}", shell_word(value)));
            }
        }
        if self.range == Range::default() && self.get("range").is_none() {
            flags.push_str(" --range 52w");
        }
        flags
    }

    /// Whom, on which calendar, over which time: the line under every title.
    pub(crate) fn subtitle(&self) -> String {
        let window = &self.ask.window;
        let mut parts = vec![scope_words(&self.ask.scope)];
        if self.ask.environment != "production" {
            parts.push(format!("environment {}", self.ask.environment));
        }
        let zone = window.calendar.zone.name();
        parts.push(match (window.grain, window.calendar.week_start) {
            (Grain::Day, _) => format!("days, {zone}"),
            (Grain::Week, chrono::Weekday::Mon) => format!("ISO weeks (Mon), {zone}"),
            (Grain::Week, start) => format!("weeks from {start}, {zone}"),
            (Grain::Month, _) => format!("months, {zone}"),
        });
        parts.push(self.range.words(window));
        parts.join(" · ")
    }

    fn carried(&self) -> Vec<(String, String)> {
        let mut pairs = self.pairs.clone();
        pairs.retain(|(key, value)| !OF_ONE_PAGE.contains(&key.as_str()) && !value.is_empty());
        if let Some((key, name)) = &self.path_scope {
            pairs.retain(|(key, _)| !SCOPES.contains(&key.as_str()));
            pairs.insert(0, ((*key).to_owned(), name.clone()));
        }
        pairs
    }
}

/// A scope in words.
pub(crate) fn scope_words(scope: &Scope) -> String {
    match scope {
        Scope::Company => "All teams".to_owned(),
        Scope::Team(name) => format!("Team {name}"),
        Scope::Service(name) => format!("Service {name}"),
        Scope::Repository(name) => format!("Repository {name}"),
    }
}

/// A path segment with every unsafe byte encoded.
pub(crate) fn segment(text: &str) -> String {
    const KEPT: percent_encoding::AsciiSet =
        percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    percent_encoding::utf8_percent_encode(text, &KEPT).to_string()
}

fn scope_pair(scope: &Scope) -> Option<(&'static str, String)> {
    match scope {
        Scope::Company => None,
        Scope::Team(name) => Some(("team", name.clone())),
        Scope::Service(name) => Some(("service", name.clone())),
        Scope::Repository(name) => Some(("repo", name.clone())),
    }
}

fn value_of<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    pairs.iter().rev().find(|(k, v)| k == key && !v.is_empty()).map(|(_, v)| v.as_str())
}

fn changed(pairs: &[(String, String)], changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let kept = pairs.iter().filter(|(key, _)| !changes.iter().any(|(changed, _)| changed == key)).cloned();
    let new = changes.iter().filter(|(_, value)| !value.is_empty());
    kept.chain(new.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))).collect()
}

fn address(path: &str, pairs: &[(String, String)]) -> String {
    if pairs.is_empty() {
        return path.to_owned();
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{path}?{query}")
}

fn shell_word(text: &str) -> String {
    if text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@".contains(c)) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// The keys of an address while they are read.
struct Keys<'a> {
    path: &'a str,
    pairs: &'a [(String, String)],
}

impl Keys<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        value_of(self.pairs, key)
    }

    fn bad(&self, key: &'static str, value: &str, expected: String, fix: &[(&str, &str)]) -> BadValue {
        let fix = address(self.path, &changed(self.pairs, fix));
        BadValue { key, value: value.chars().take(80).collect(), expected, fix }
    }

    fn scope(&self) -> Scope {
        // The narrowest wins: links within a team's pages carry both.
        if let Some(service) = self.get("service") {
            Scope::Service(service.to_owned())
        } else if let Some(repository) = self.get("repo") {
            Scope::Repository(repository.to_owned())
        } else {
            self.get("team").map_or(Scope::Company, |team| Scope::Team(team.to_owned()))
        }
    }

    fn environment(&self) -> Result<String, BadValue> {
        const CHARACTERS_MAX: usize = 64;
        let Some(value) = self.get("env") else { return Ok("production".to_owned()) };
        let clean = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
        if value.len() > CHARACTERS_MAX || !value.chars().all(clean) {
            let expected = "the name of an environment tier, such as production or staging".to_owned();
            return Err(self.bad("env", value, expected, &[("env", "")]));
        }
        Ok(value.to_owned())
    }

    fn grain(&self) -> Result<Grain, BadValue> {
        match self.get("grain") {
            None | Some("week") => Ok(Grain::Week),
            Some("day") => Ok(Grain::Day),
            Some("month") => Ok(Grain::Month),
            Some(other) => Err(self.bad("grain", other, "day, week or month".to_owned(), &[("grain", "week")])),
        }
    }

    fn calendar(&self, calendar: Calendar) -> Result<Calendar, BadValue> {
        let Some(value) = self.get("tz") else { return Ok(calendar) };
        if let Ok(zone) = value.parse::<Tz>() {
            return Ok(Calendar { zone, ..calendar });
        }
        let nearest = crate::nearest::nearest(value, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
        let fix = nearest.unwrap_or("UTC");
        Err(self.bad("tz", value, format!("an IANA time zone, such as {fix}"), &[("tz", fix)]))
    }

    fn range(&self, calendar: Calendar, now: DateTime<Utc>) -> Result<Range, BadValue> {
        let (from, to) = (self.day("from")?, self.day("to")?);
        if from.is_none() && to.is_none() {
            let Some(value) = self.get("range") else { return Ok(Range::default()) };
            return Range::parse(value).ok_or_else(|| {
                let expected = "a number of days, weeks, months or years, such as 90d, 52w or 12m".to_owned();
                self.bad("range", value, expected, &[("range", "52w")])
            });
        }
        let to = to.or_else(|| calendar.day_of(now).succ_opt()).unwrap_or(NaiveDate::MAX);
        let from = from.or_else(|| to.checked_sub_days(chrono::Days::new(364))).unwrap_or(to);
        if from >= to {
            let expected = format!("a day after {from}; `to` is the first day that is not included");
            return Err(self.bad("to", &to.to_string(), expected, &[("from", ""), ("to", "")]));
        }
        Ok(Range::Between { from, to })
    }

    fn day(&self, key: &'static str) -> Result<Option<NaiveDate>, BadValue> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let day = value.parse::<NaiveDate>().ok().filter(|day| range::DAYS.contains(day));
        day.map(Some).ok_or_else(|| self.bad(key, value, "a day, such as 2026-11-25".to_owned(), &[(key, "")]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(query: &str) -> Result<Asked, BadValue> {
        let now = "2026-11-25T09:16:00Z".parse().unwrap();
        Asked::parse("/metrics/x", Some(query), Calendar::default(), now)
    }

    #[test]
    fn without_any_key_the_last_52_complete_weeks_and_the_current_one_are_asked_for() {
        let asked = parse("").unwrap();
        assert_eq!(asked.ask.window.buckets().len(), 53);
        assert_eq!(asked.ask.environment, "production");
        insta::assert_snapshot!(asked.subtitle(), @"All teams · ISO weeks (Mon), UTC · 52 complete weeks + current");
    }

    #[test]
    fn unknown_keys_are_kept_in_every_link() {
        let asked = parse("team=shop&flavour=sour&range=13w").unwrap();
        insta::assert_snapshot!(asked.with(&[("grain", "day")]), @"/metrics/x?team=shop&flavour=sour&range=13w&grain=day");
        insta::assert_snapshot!(
            asked.evidence("lead-time", Some(("bucket", "2026-W47"))),
            @"/events?metric=lead-time&bucket=2026-W47&team=shop&flavour=sour&range=13w"
        );
    }

    #[test]
    fn the_scope_of_the_path_is_carried_to_other_pages_but_not_repeated_on_its_own() {
        let asked = parse("grain=month").unwrap().within(Scope::Team("a b".to_owned()));
        assert_eq!(asked.to("/metrics/y"), "/metrics/y?team=a+b&grain=month");
        assert_eq!(asked.with(&[]), "/metrics/x?grain=month");
        assert_eq!(asked.flags(), " --team 'a b' --grain month --range 52w");
    }

    #[test]
    fn freezing_makes_the_same_days_absolute() {
        let asked = parse("range=4w&team=shop").unwrap();
        let frozen = asked.frozen().unwrap();
        assert_eq!(frozen, "/metrics/x?team=shop&from=2026-10-26&to=2026-11-30");
        let again = parse(frozen.split_once('?').unwrap().1).unwrap();
        assert_eq!(again.ask, asked.ask);
        assert_eq!(again.frozen(), None);
    }

    #[test]
    fn a_bad_value_is_named_with_a_fix() {
        let cases = [
            ("range=banana", "range", "/metrics/x?range=52w"),
            ("grain=hour&team=a", "grain", "/metrics/x?team=a&grain=week"),
            ("tz=Europe/Berln", "tz", "/metrics/x?tz=Europe%2FBerlin"),
            ("from=2026-13-01", "from", "/metrics/x"),
            ("from=2026-02-01&to=2026-01-01", "to", "/metrics/x"),
            ("env=a%20b", "env", "/metrics/x"),
            ("range=3y&grain=day", "range", "/metrics/x?range=3y&grain=month"),
        ];
        for (query, key, fix) in cases {
            let bad = parse(query).unwrap_err();
            assert_eq!((bad.key, bad.fix.as_str()), (key, fix), "{query}");
            assert!(parse(bad.fix.split_once('?').map_or("", |(_, query)| query)).is_ok());
        }
    }

    #[test]
    fn days_follow_the_time_zone() {
        // 09:16 UTC on the 25th is the 25th in Berlin, and 23:16 of the 25th in Auckland is still that day.
        let asked = parse("tz=Pacific/Auckland&grain=day&range=1d").unwrap();
        assert_eq!(asked.ask.window.to.to_string(), "2026-11-26");
        assert!(asked.subtitle().contains("Pacific/Auckland"));
    }

    proptest! {
        #[test]
        fn no_query_makes_it_fail_otherwise_than_by_a_bad_value(query in ".{0,60}") {
            if let Ok(asked) = parse(&query) {
                let again = Asked::parse(
                    "/metrics/x",
                    asked.with(&[]).split_once('?').map(|(_, query)| query),
                    Calendar::default(),
                    asked.ask.window.now,
                );
                prop_assert_eq!(again, Ok(asked));
            }
        }
    }
}
