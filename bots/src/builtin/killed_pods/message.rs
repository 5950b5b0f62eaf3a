//! The message of an incident, as it is told now: what died, why, since when, what changed, what to do, and the rest.

use chrono::{DateTime, Utc};

use super::cause::Cause;
use super::facts::{NOW, REPLICAS, RESTARTS, now};
use super::incident::{CaseFile, Incident, Stage};
use super::subject::Subject;
use super::words::{count, moment, moment_after, span};
use crate::action::Action;
use crate::message::{Block, Button, Message, Press, Span};

/// The button of whoever takes it on.
pub(super) const ACKNOWLEDGE: &str = "killed-pods/acknowledge";
/// The button of whoever wants to hear nothing of it for an hour.
pub(super) const SNOOZE: &str = "killed-pods/snooze";

/// Posts the message of an incident, or brings it up to date.
pub(super) fn post(file: &CaseFile, incident: &Incident, now: DateTime<Utc>) -> Action {
    let group = file.group(incident.number);
    let message = message(incident, &group, now);
    Action::PostMessage { audience: incident.audience.clone(), message, group: Some(group), in_thread_of: None }
}

/// Says more in the thread of an incident's message.
pub(super) fn reply(file: &CaseFile, incident: &Incident, message: Message) -> Action {
    let thread = Some(file.group(incident.number));
    Action::PostMessage { audience: incident.audience.clone(), message, group: None, in_thread_of: thread }
}

/// The message of an incident whose node is in trouble: one line that leads to what is told of the node.
pub(super) fn of_node(file: &CaseFile, incident: &Incident, node: &str, told: Vec<Span>) -> Action {
    let mut line = vec![Span::plain(format!("{}. It is part of the incident of node {node}", incident.heading))];
    line.extend(told);
    let summary = format!("{} (node {node})", incident.heading);
    let message = Message { summary, blocks: vec![Block::Text(line)] };
    let group = Some(file.group(incident.number));
    Action::PostMessage { audience: incident.audience.clone(), message, group, in_thread_of: None }
}

/// The message of an incident.
fn message(incident: &Incident, group: &str, now: DateTime<Utc>) -> Message {
    let heading = match incident.stage {
        Stage::Resolved { .. } => format!("✅ {}", incident.heading),
        Stage::Settling | Stage::Posted | Stage::InDigest | Stage::OfNode => incident.heading.clone(),
    };
    let mut blocks =
        vec![Block::Heading(heading.clone()), Block::Text(incident.why.clone()), Block::Text(since(incident, now))];
    blocks.extend(incident.below.iter().cloned());
    if incident.is_open() {
        blocks.push(Block::Buttons(buttons(incident, group)));
    } else if let Some(report) = &incident.report {
        blocks.push(Block::Buttons(vec![open(report)]));
    }
    let summary = if incident.kills > 1 { format!("{heading} ({})", seen(incident)) } else { heading };
    Message { summary, blocks }
}

/// Since when, how often, and what was done about it.
fn since(incident: &Incident, now: DateTime<Utc>) -> Vec<Span> {
    let first = incident.first;
    let mut spans = vec![Span::bold(format!("Since {}", moment(first))), Span::plain(format!(": {}.", seen(incident)))];
    if incident.looping {
        spans.push(Span::plain(" The cluster waits ever longer before it starts it again."));
    }
    if let Some(pressed) = &incident.acknowledged {
        spans.push(Span::plain(" Acknowledged by "));
        spans.push(Span::Person(pressed.by.clone()));
        spans.push(Span::plain(format!(" at {}.", moment_after(pressed.at, first))));
    }
    if let Some(pressed) = incident.snoozed.as_ref().filter(|snoozed| snoozed.at > now) {
        spans.push(Span::plain(" Snoozed by "));
        spans.push(Span::Person(pressed.by.clone()));
        spans.push(Span::plain(format!(" until {}.", moment_after(pressed.at, first))));
    }
    if let Stage::Resolved { at, because } = &incident.stage {
        let after = span(*at - first);
        spans.push(Span::bold(format!(" Resolved at {}", moment_after(*at, first))));
        spans.push(Span::plain(format!(", after {after}: {because}.")));
    }
    spans
}

/// How often it was seen.
fn seen(incident: &Incident) -> String {
    let kills = kills(incident);
    if incident.kills < 2 {
        return kills;
    }
    let pods = if incident.pods.len() > 1 { format!(" in {} pods", incident.pods.len()) } else { String::new() };
    format!("{kills}{pods}, last {}", moment_after(incident.last, incident.first))
}

/// How many, of what it is called.
pub(super) fn kills(incident: &Incident) -> String {
    let cause = Cause::named(&incident.cause);
    let thing = if incident.cause.starts_with("evicted") || incident.cause.starts_with("preempted") {
        "eviction"
    } else if cause == Some(Cause::Image) || cause == Some(Cause::StartError) {
        "failed start"
    } else {
        "kill"
    };
    count(incident.kills, thing)
}

fn buttons(incident: &Incident, group: &str) -> Vec<Button> {
    let answer = |label: &str, button: &str| Button {
        label: label.to_owned(),
        does: Press::Answer { button: button.to_owned(), value: group.to_owned() },
    };
    let mut buttons: Vec<Button> = incident.report.as_deref().map(open).into_iter().collect();
    if incident.acknowledged.is_none() {
        buttons.push(answer("Acknowledge", ACKNOWLEDGE));
    }
    buttons.push(answer("Snooze 1 h", SNOOZE));
    buttons
}

pub(super) fn open(address: &str) -> Button {
    Button { label: "Full report".to_owned(), does: Press::Open(address.to_owned()) }
}

/// Brings the facts up to date that change with every kill.
pub(super) fn refresh(incident: &mut Incident, subject: &Subject) {
    let pods = incident.pods.len();
    for block in &mut incident.below {
        let Block::Fields(fields) = block else { continue };
        for field in fields {
            if field.label == RESTARTS
                && let Some(restarts) = subject.restarts()
            {
                field.value = restarts.to_string();
            }
            if field.label == NOW
                && let Some(state) = now(subject)
            {
                field.value = state;
            }
            if field.label == REPLICAS
                && let Some((_, rest)) = field.value.split_once(" of ")
            {
                field.value = format!("{pods} of {rest}");
            }
        }
    }
}
