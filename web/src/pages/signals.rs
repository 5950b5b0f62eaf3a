//! How services stand, as cells of a table: an icon, a word, an age and the event that says so.

use askama::Template;
use chrono::{DateTime, Utc};
use ledger::view::{ServiceStatus, Signal};

use crate::format;
use crate::state::{Asked, segment};
use crate::table::{Cell, Column, Table, Value};

/// One signal of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignalCell {
    /// Name of the signal: `build`.
    pub(crate) of: &'static str,
    /// Class and icon.
    pub(crate) state: &'static str,
    /// In words.
    pub(crate) word: &'static str,
    /// Since when, as `2 h`.
    pub(crate) age: String,
    /// Since when, exactly.
    pub(crate) since: String,
    /// What failed.
    pub(crate) what: String,
    /// The event that says so, or how to add the signal.
    pub(crate) href: String,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusRow {
    /// Name of the service.
    pub(crate) service: String,
    /// Its page.
    pub(crate) href: String,
    /// Worst state, for the bar at the left.
    pub(crate) state: &'static str,
    /// Build, deployment, runtime.
    pub(crate) cells: [SignalCell; 3],
}

/// Services with their signals, as part of a page.
#[derive(Debug, Template)]
#[template(path = "signals.html")]
pub(crate) struct Signals<'a> {
    /// In the order of attention.
    pub(crate) rows: &'a [StatusRow],
}

/// True if one of its signals fails or is silent.
pub(crate) fn needs_attention(status: &ServiceStatus) -> bool {
    [&status.build, &status.deployment, &status.runtime].into_iter().any(|signal| match signal {
        Signal::Failing { .. } | Signal::Silent { .. } => true,
        Signal::Passing { .. } | Signal::Running { .. } | Signal::NotConfigured => false,
    })
}

/// The row of a service.
pub(crate) fn row(status: &ServiceStatus, asked: &Asked, now: DateTime<Utc>) -> StatusRow {
    let cells = [
        cell("build", &status.build, now),
        cell("deployment", &status.deployment, now),
        cell("runtime", &status.runtime, now),
    ];
    let state = ["failing", "silent"].into_iter().find(|state| cells.iter().any(|cell| cell.state == *state));
    StatusRow {
        service: status.service.clone(),
        href: asked.to_scope(&format!("/services/{}", segment(&status.service))),
        state: state.unwrap_or("quiet"),
        cells,
    }
}

/// `2 of 12 services have a failing signal; 1 has been silent for 6 days.`
pub(crate) fn sentence(all: &[ServiceStatus], now: DateTime<Utc>) -> String {
    let signals = |status: &ServiceStatus| [status.build.clone(), status.deployment.clone(), status.runtime.clone()];
    let is_failing = |status: &&ServiceStatus| signals(status).iter().any(|s| matches!(s, Signal::Failing { .. }));
    let failing = all.iter().filter(is_failing).count() as u64;
    let silences: Vec<DateTime<Utc>> = all
        .iter()
        .filter_map(|status| {
            let since = signals(status).into_iter().filter_map(|signal| match signal {
                Signal::Silent { since, .. } => Some(since),
                Signal::Passing { .. } | Signal::Failing { .. } | Signal::Running { .. } | Signal::NotConfigured => {
                    None
                }
            });
            since.min()
        })
        .collect();
    let total = format::plural(all.len() as u64, "service", "services");
    let first = match failing {
        0 => format!("None of {total} has a failing signal"),
        1 => format!("1 of {total} has a failing signal"),
        _ => format!("{} of {total} have a failing signal", format::count(failing)),
    };
    let longest = silences.iter().min().map(|since| format::span((now - *since).num_seconds()));
    match (silences.len(), longest) {
        (1, Some(span)) => format!("{first}; 1 has been silent for {span}."),
        (count, Some(span)) => format!("{first}; {count} are silent, the longest for {span}."),
        (_, None) => format!("{first}."),
    }
}

/// The same as a table for exports.
pub(crate) fn table(all: &[ServiceStatus]) -> Table {
    let signal = |signal: &Signal| {
        let (state, since) = match signal {
            Signal::Passing { since, .. } => ("passing", Some(since)),
            Signal::Failing { since, .. } => ("failing", Some(since)),
            Signal::Running { since, .. } => ("running", Some(since)),
            Signal::Silent { since, .. } => ("silent", Some(since)),
            Signal::NotConfigured => ("not-configured", None),
        };
        let since = since.map_or(Value::Missing("–"), |since| Value::Instant(*since));
        [Cell::new(Value::Text(state.to_owned())), Cell::new(since)]
    };
    let row = |status: &ServiceStatus| {
        let name = Cell::new(Value::Text(status.service.clone()));
        let signals = [&status.build, &status.deployment, &status.runtime];
        std::iter::once(name).chain(signals.into_iter().flat_map(signal)).collect()
    };
    let columns = ["service", "build", "build_since", "deployment", "deployment_since", "runtime", "runtime_since"];
    Table {
        name: "services".to_owned(),
        definition_version: None,
        columns: columns.into_iter().map(|key| Column::new(key, key)).collect(),
        rows: all.iter().map(row).collect(),
    }
}

fn cell(of: &'static str, signal: &Signal, now: DateTime<Utc>) -> SignalCell {
    let (state, word, since, what, event) = match signal {
        Signal::Passing { since, event } => ("passing", "passing", since, String::new(), event),
        Signal::Failing { since, what, event } => ("failing", "failing", since, what.clone(), event),
        Signal::Running { since, event } => ("running", "running", since, String::new(), event),
        Signal::Silent { since, event } => ("silent", "silent for", since, String::new(), event),
        Signal::NotConfigured => {
            return SignalCell {
                of,
                state: "none",
                word: "not configured",
                age: String::new(),
                since: String::new(),
                what: String::new(),
                href: "/sources".to_owned(),
            };
        }
    };
    SignalCell {
        of,
        state,
        word,
        age: format::span((now - *since).num_seconds()),
        since: since.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        what,
        href: format!("/events/{event}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_sentence_counts_what_fails_and_what_is_silent() {
        let now = testing::now();
        let all = testing::status();
        insta::assert_snapshot!(sentence(&all, now).replace(['\u{a0}', '\u{202f}'], " "), @"2 of 5 services have a failing signal; 1 has been silent for 6 d.");
        insta::assert_snapshot!(sentence(&all[3..], now).replace(['\u{a0}', '\u{202f}'], " "), @"None of 2 services has a failing signal.");
    }
}
