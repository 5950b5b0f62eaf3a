//! Events as the cluster keeps them, in the shape of `v1` or of `events.k8s.io/v1`.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::json::{NOTHING, number, quote, text, time};

/// An event about a pod, a node or what owns them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    event: &'a Value,
    /// Why, in one word: `Killing`.
    pub(super) reason: &'a str,
    /// What, in a sentence.
    pub(super) message: &'a str,
    /// When it was seen first.
    pub(super) first: Option<DateTime<Utc>>,
    /// When it was seen last.
    pub(super) last: Option<DateTime<Utc>>,
    /// How often.
    pub(super) count: i64,
}

impl<'a> Seen<'a> {
    /// Reads an event, also one that is still wrapped as a watch gives it.
    pub(super) fn of(value: &'a Value) -> Self {
        let event = if value.get("reason").is_none() { value.get("object").unwrap_or(value) } else { value };
        let firsts = ["/firstTimestamp", "/deprecatedFirstTimestamp", "/eventTime", "/metadata/creationTimestamp"];
        let lasts = ["/series/lastObservedTime", "/lastTimestamp", "/deprecatedLastTimestamp"];
        let first = firsts.iter().find_map(|pointer| time(event, pointer));
        let last = lasts.iter().filter_map(|pointer| time(event, pointer)).max();
        let counts = ["/series/count", "/count", "/deprecatedCount"];
        Self {
            event,
            reason: text(event, "/reason").unwrap_or_default(),
            message: text(event, "/message").or_else(|| text(event, "/note")).unwrap_or_default(),
            first: first.or(last),
            last: last.or(first),
            count: counts.iter().filter_map(|pointer| number(event, pointer)).max().unwrap_or(1),
        }
    }

    /// What it is about.
    fn object(&self) -> &'a Value {
        self.event.get("involvedObject").or_else(|| self.event.get("regarding")).unwrap_or(NOTHING)
    }

    /// The kind of what it is about.
    pub(super) fn kind(&self) -> Option<&'a str> {
        text(self.object(), "/kind")
    }

    /// The name of what it is about.
    pub(super) fn name(&self) -> Option<&'a str> {
        text(self.object(), "/name")
    }

    /// The uid of what it is about.
    pub(super) fn uid(&self) -> Option<&'a str> {
        text(self.object(), "/uid")
    }

    /// The container that it is about: `spec.containers{app}`.
    pub(super) fn container(&self) -> Option<&'a str> {
        text(self.object(), "/fieldPath")?.split_once('{')?.1.strip_suffix('}')
    }

    /// Whether it is about that container, or does not say about which.
    pub(super) fn concerns(&self, container: Option<&str>) -> bool {
        self.container().is_none_or(|found| container.is_none_or(|wanted| wanted == found))
    }

    /// An annotation.
    pub(super) fn annotation(&self, name: &str) -> Option<&'a str> {
        self.event.get("metadata")?.get("annotations")?.get(name)?.as_str()
    }

    /// Whether it was seen first or last between these times. One without any time is taken for one that was.
    pub(super) fn is_between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> bool {
        let within = |time: DateTime<Utc>| time >= from && time <= to;
        match (self.first, self.last) {
            (Some(first), Some(last)) => within(first) || within(last),
            (Some(time), None) | (None, Some(time)) => within(time),
            (None, None) => true,
        }
    }

    /// Whether it was seen so near to a time, or again and again around it.
    pub(super) fn is_near(&self, time: DateTime<Utc>, seconds: i64) -> bool {
        let (from, to) = around(time, seconds, seconds);
        self.is_between(from, to)
    }

    /// Whether it was seen between these times, or repeatedly before and after.
    pub(super) fn recurs_between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> bool {
        let spans = self.first.is_some_and(|first| first <= to) && self.last.is_some_and(|last| last >= from);
        self.is_between(from, to) || (self.count > 1 && spans)
    }

    /// As evidence.
    pub(super) fn evidence(&self) -> String {
        let times = if self.count > 1 { format!(" (×{})", self.count) } else { String::new() };
        format!("event {}{times}: {}", self.reason, quote(self.message))
    }
}

/// So many seconds before a time and after it. A time at the end of the calendar stays where it is.
pub(super) fn around(time: DateTime<Utc>, before: i64, after: i64) -> (DateTime<Utc>, DateTime<Utc>) {
    let shifted =
        |seconds: i64| TimeDelta::try_seconds(seconds).and_then(|delta| time.checked_add_signed(delta)).unwrap_or(time);
    (shifted(before.saturating_neg()), shifted(after))
}
