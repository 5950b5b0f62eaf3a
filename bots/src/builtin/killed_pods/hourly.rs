//! How many incidents a team is told of in an hour, one message each; the rest of the hour stands in one digest.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::words::count;
use crate::action::{Action, Audience};
use crate::lookups::Lookups;
use crate::message::{Block, Message, Span};

/// Messages of an hour, unless `team_messages_per_hour` says otherwise: more are not read one by one.
const MESSAGES_MAX: usize = 12;
/// Incidents that a digest names.
const NAMED_MAX: usize = 30;

/// What a team was told in an hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Hour {
    /// Hours since 1970.
    hour: i64,
    posted: usize,
    held: usize,
    named: Vec<String>,
}

/// Whether an incident gets a message of its own, and what is to be done for that.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Room {
    /// It does.
    Own(Action),
    /// It stands in the digest.
    InDigest(Vec<Action>),
}

/// Takes room for an incident of a team.
pub(super) fn room(team: &str, audience: &Audience, heading: &str, lookups: &Lookups<'_>) -> Room {
    let now = lookups.now();
    let key = format!("hour/{team}");
    let stored: Option<Hour> = lookups.state(key.as_str()).and_then(|text| serde_json::from_str(&text).ok());
    let number = now.timestamp().div_euclid(3600);
    let mut hour = stored.filter(|hour| hour.hour == number).unwrap_or(Hour { hour: number, ..Hour::default() });
    let most = lookups.setting::<usize>("team_messages_per_hour").unwrap_or(MESSAGES_MAX);
    let is_full = hour.posted >= most;
    if is_full {
        hour.held += 1;
        if hour.named.len() < NAMED_MAX {
            hour.named.push(heading.to_owned());
        }
    } else {
        hour.posted += 1;
    }
    let save = Action::SaveState { key, value: serde_json::to_string(&hour).ok() };
    if is_full { Room::InDigest(vec![digest(team, audience, &hour, now), save]) } else { Room::Own(save) }
}

fn digest(team: &str, audience: &Audience, hour: &Hour, now: DateTime<Utc>) -> Action {
    let summary = format!("{} in this hour", count(hour.held, "more incident"));
    let from = now.format("%H:00 UTC");
    let why = format!("Since {from} there were {} incidents with a message each; these came on top.", hour.posted);
    let mut items: Vec<Vec<Span>> = hour.named.iter().map(|heading| vec![Span::plain(heading.clone())]).collect();
    if hour.held > hour.named.len() {
        items.push(vec![Span::plain(format!("and {} more", hour.held - hour.named.len()))]);
    }
    let blocks = vec![Block::Heading(summary.clone()), Block::Text(vec![Span::plain(why)]), Block::List(items)];
    Action::PostMessage {
        audience: audience.clone(),
        message: Message { summary, blocks },
        group: Some(format!("hour/{team}/{}", hour.hour)),
        in_thread_of: None,
    }
}
