//! The killed pods of one service: counted by reason, and each of them as evidence.

use askama::Template;
use bus::data::Data;
use bus::data::runtime::Pod;
use bus::event::Recorded;

use super::slots;
use super::timeline::{Timeline, is_kill, reason};
use crate::explorer::row;
use crate::format;
use crate::request::Request;
use crate::table::{Cell, Column, Shown, Table, Value};

/// Killed pods that are listed; the explorer has the others.
const LISTED_MAX: usize = 30;

/// The killed pods as part of the page.
#[derive(Debug, Template)]
#[template(path = "pages/kills.html")]
pub(super) struct Kills {
    sentence: String,
    pub(super) reasons: Table,
    pub(super) listed: Table,
    /// The explorer with all of them.
    all: Option<String>,
    watched: bool,
}

impl Kills {
    fn by_reason(&self) -> Shown<'_> {
        Shown { table: &self.reasons, caption: "Killed pods by reason" }
    }

    fn evidence(&self) -> Shown<'_> {
        Shown { table: &self.listed, caption: "Killed pods" }
    }
}

/// The killed pods of a timeline.
pub(super) fn of(request: &Request, timeline: &Timeline) -> Kills {
    let pods = &timeline.pods;
    let killed = slots::tally(pods.iter().filter(|pod| is_kill(pod)).filter_map(reason));
    let kills = pods.iter().filter(|pod| is_kill(pod)).count();
    let mut sentence = match killed.as_slice() {
        [] => format!("No pod of this service was killed in the last {}", timeline.span),
        killed => {
            let count = format::plural(kills as u64, "kill", "kills");
            format!("{count} in the last {}: {}", timeline.span, slots::listed(killed))
        }
    };
    if pods.len() > kills {
        let loops = format::plural((pods.len() - kills) as u64, "time", "times");
        sentence.push_str(&format!("; {loops} a container was found that does not come up"));
    }
    sentence.push('.');
    let tally = slots::tally(pods.iter().filter_map(reason));
    Kills {
        sentence,
        reasons: reasons(pods, &tally, &timeline.pods_query),
        listed: listed(request, pods),
        all: (pods.len() > LISTED_MAX).then(|| row::address(&timeline.pods_query)),
        watched: timeline.watched,
    }
}

fn pod(recorded: &Recorded) -> Option<&Pod> {
    if let Data::Pod(pod) = &recorded.event.data { Some(pod) } else { None }
}

fn reasons(kills: &[Recorded], tally: &[(String, u64)], query: &str) -> Table {
    let row = |(name, count): &(String, u64)| {
        let of_reason: Vec<&Recorded> = kills.iter().filter(|kill| reason(kill).as_ref() == Some(name)).collect();
        let distinct = |part: fn(&Pod) -> Option<String>| {
            slots::tally(of_reason.iter().filter_map(|kill| part(pod(kill)?))).len() as u64
        };
        let quoted = format!("{query} text:\"{}\"", name.replace(['"', '\\'], ""));
        let newest = of_reason.first().map(|kill| kill.event.time);
        vec![
            Cell::linked(Value::Text(name.clone()), row::address(&quoted)),
            Cell::new(Value::Count(*count)),
            Cell::new(Value::Count(distinct(|pod| pod.uid.clone().or_else(|| pod.pod.clone())))),
            Cell::new(Value::Count(distinct(|pod| pod.node.clone()))),
            Cell::new(newest.map_or(Value::Missing("–"), Value::Instant)),
        ]
    };
    Table {
        name: "killed-pods-by-reason".to_owned(),
        definition_version: None,
        columns: vec![
            Column::new("reason", "Reason"),
            Column::new("times", "Times"),
            Column::new("pods", "Pods"),
            Column::new("nodes", "Nodes"),
            Column::new("latest_at", "Latest (UTC)"),
        ],
        rows: tally.iter().map(row).collect(),
    }
}

fn listed(request: &Request, kills: &[Recorded]) -> Table {
    let zone = request.asked.ask.window.calendar.zone;
    let text = |value: Option<String>| value.map_or(Value::Missing("–"), Value::Text);
    let row = |recorded: &Recorded| {
        let pod = pod(recorded)?;
        let at = recorded.event.time;
        let seen = if pod.synthetic { ", found later" } else { "" };
        let when = Value::Named {
            name: Value::Instant(at).raw(),
            words: format!("{}, {}{seen}", format::minute(at, zone), format::ago(at, request.now)),
        };
        let happened = recorded.event.kind.name().trim_start_matches("pod.").replace("crashlooping", "crash-looping");
        Some(vec![
            Cell::linked(when, format!("/events/{}", recorded.event.id)),
            Cell::new(Value::Text(happened)),
            Cell::new(text(pod.reason.clone())),
            Cell::new(text(pod.exit_code.map(|code| code.to_string()))),
            Cell::new(text(pod.pod.clone())),
            Cell::new(text(pod.container.clone())),
            Cell::new(text(pod.node.clone())),
            Cell::new(pod.restarts.map_or(Value::Missing("–"), |restarts| Value::Count(restarts.into()))),
            Cell::new(text(pod.environment.clone())),
        ])
    };
    Table {
        name: "killed-pods".to_owned(),
        definition_version: None,
        columns: vec![
            Column::new("killed_at", "When"),
            Column::new("happened", "What happened"),
            Column::new("reason", "Reason"),
            Column::new("exit_code", "Exit code"),
            Column::new("pod", "Pod"),
            Column::new("container", "Container"),
            Column::new("node", "Node"),
            Column::new("restarts", "Restarts"),
            Column::export_only("environment"),
        ],
        rows: kills.iter().take(LISTED_MAX).filter_map(row).collect(),
    }
}
