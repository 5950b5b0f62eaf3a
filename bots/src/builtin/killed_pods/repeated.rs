//! One more kill of a failure that is known: it is counted, and said where that helps.

use chrono::{DateTime, TimeDelta, Utc};

use super::collect::{Log, log_only};
use super::incident::{CaseFile, Incident, Stage};
use super::logs;
use super::message::{kills, post, refresh, reply};
use super::opening::tell;
use super::subject::Subject;
use super::words::moment;
use crate::action::Action;
use crate::contract::Decision;
use crate::lookups::Lookups;
use crate::message::{Block, Message, Span};

/// What had to settle is told by then.
const SETTLED_WITHIN: TimeDelta = TimeDelta::minutes(2);

/// One kill more of an incident.
pub(super) fn once_more(subject: &Subject, mut file: CaseFile, number: u64, lookups: &Lookups<'_>) -> Decision {
    let now = lookups.now();
    let Some(incident) = file.numbered(number) else { return Decision::nothing("the incident is over") };
    let hour = |at: DateTime<Utc>| at.timestamp().div_euclid(3600);
    let untold = match incident.stage {
        // Its reminder never came.
        Stage::Settling => subject.at - incident.first > SETTLED_WITHIN,
        // There may be room for it now.
        Stage::InDigest => hour(incident.last) != hour(now),
        Stage::Posted | Stage::OfNode | Stage::Resolved { .. } => false,
    };
    incident.count(subject);
    refresh(incident, subject);
    if untold {
        return tell(file, number, Vec::new(), lookups);
    }
    if incident.stage == Stage::OfNode {
        // The node's incident is over, or this would be a part of it: this failure goes on by itself.
        incident.stage = Stage::Posted;
    }
    let incident = incident.clone();
    let because = format!("{} for the {} time", incident.heading, ordinal(incident.kills));
    let mut actions = Vec::new();
    if incident.is_told(now) {
        actions.push(post(&file, &incident, now));
        if is_milestone(incident.kills) && incident.acknowledged.is_none() {
            actions.push(reply(&file, &incident, milestone(&incident, subject, lookups)));
        }
    }
    actions.push(file.save());
    Decision::act(actions, because)
}

/// A kill that was counted is told once more: as part of a crash loop, which the message then says.
pub(super) fn told_again(subject: &Subject, mut file: CaseFile, number: u64, lookups: &Lookups<'_>) -> Decision {
    let now = lookups.now();
    let Some(incident) = file.numbered(number) else { return Decision::nothing("the incident is over") };
    if incident.looping || !subject.looping {
        return Decision::nothing("this kill is counted already");
    }
    incident.looping = true;
    refresh(incident, subject);
    let incident = incident.clone();
    let mut actions: Vec<Action> = Vec::new();
    if incident.is_told(now) {
        actions.push(post(&file, &incident, now));
    }
    actions.push(file.save());
    Decision::act(actions, "the kill is counted already; it is a crash loop now")
}

/// Kills after which the thread hears of it: 3, 10, 30, 100 and so on, ever more rarely.
fn is_milestone(kills: usize) -> bool {
    let mut rest = kills;
    while rest >= 10 && rest.is_multiple_of(10) {
        rest /= 10;
    }
    rest == 3 || (rest == 1 && kills > 1)
}

/// What is said in the thread.
fn milestone(incident: &Incident, subject: &Subject, lookups: &Lookups<'_>) -> Message {
    let kills = kills(incident);
    let line = format!("{kills} since {}, the last at {}.", moment(incident.first), moment(incident.last));
    let mut blocks = vec![Block::Text(vec![Span::bold(line.clone())])];
    blocks.push(match log_only(subject, lookups) {
        Log::Text(log) | Log::Next(log) => Block::Code(logs::excerpt(&log)),
        Log::Gone => Block::Context(vec![Span::plain("The cluster has no log of the last one.")]),
        Log::Unavailable(reason) => Block::Context(vec![Span::plain(format!("No log of the last one: {reason}"))]),
    });
    Message { summary: line, blocks }
}

fn ordinal(number: usize) -> String {
    let suffix = match (number % 10, number % 100) {
        (1, tens) if tens != 11 => "st",
        (2, tens) if tens != 12 => "nd",
        (3, tens) if tens != 13 => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_hears_ever_more_rarely() {
        let told: Vec<usize> = (1..=1000).filter(|kills| is_milestone(*kills)).collect();
        assert_eq!(told, [3, 10, 30, 100, 300, 1000]);
        assert_eq!([1, 2, 3, 11, 21, 112].map(ordinal), ["1st", "2nd", "3rd", "11th", "21st", "112th"]);
    }
}
