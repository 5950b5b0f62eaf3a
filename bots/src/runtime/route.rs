//! Where an action goes, and by what name later actions find what it became. Pure, but for the catalog.

use bus::key::bounded;

use super::Outside;
use super::shared::Entry;
use crate::action::{Action, Audience};
use crate::store::Lane;
use crate::store::runs::Place;

/// The setting that names the channel of last resort.
const DEFAULT_CHANNEL: &str = "default_channel";

/// Where an action goes, or what to configure so that it goes somewhere.
pub(crate) fn place(outside: &Outside, entry: &Entry, action: &Action) -> Result<Place, String> {
    let channel = match action {
        Action::PostMessage { audience, .. } => Some(channel(outside, entry, audience)?),
        Action::Comment { .. }
        | Action::RequestReviewers { .. }
        | Action::AddLabels { .. }
        | Action::SaveState { .. }
        | Action::Remind { .. } => None,
    };
    let resolved = addressed(action, channel.as_deref());
    let found = outside.clients.iter().find_map(|client| Some((client.name(), client.destination(&resolved)?)));
    let (client, destination) = found.ok_or_else(|| match (&channel, action.repository()) {
        (Some(channel), _) => format!("no tool is configured that posts to {channel}"),
        (None, Some(repository)) => format!("no tool is configured that does {} in {repository}", action.name()),
        (None, None) => format!("no tool is configured that does {}", action.name()),
    })?;
    let destination = bounded(&destination.name).into_owned();
    Ok(Place { lane: Lane { client: client.to_owned(), destination }, channel })
}

/// The action with its audience as the channel that was found for it.
pub(crate) fn addressed(action: &Action, channel: Option<&str>) -> Action {
    let mut addressed = action.clone();
    if let (Action::PostMessage { audience, .. }, Some(channel)) = (&mut addressed, channel) {
        *audience = Audience::Channel(channel.to_owned());
    }
    addressed
}

fn channel(outside: &Outside, entry: &Entry, audience: &Audience) -> Result<String, String> {
    let team = match audience {
        Audience::Channel(channel) => return Ok(channel.clone()),
        Audience::Team(team) => team,
    };
    let fallback = || Some(entry.settings.values.get(DEFAULT_CHANNEL)?.as_str()?.to_owned());
    outside.owners.channel(team).or_else(fallback).ok_or_else(|| {
        let bot = entry.name();
        format!(
            "team {team:?} has no channel: name one in the catalog, or set {DEFAULT_CHANNEL} in the settings of bot {bot}"
        )
    })
}

/// The message or comment that an action is, so that later ones update it; none for what stands for itself.
pub(crate) fn message_of(action: &Action) -> Option<String> {
    match action {
        Action::PostMessage { group, .. } => group.as_deref().map(group_name),
        Action::Comment { repository, number, topic, .. } => {
            Some(bounded(&format!("comment/{repository}#{number}/{topic}")).into_owned())
        }
        Action::RequestReviewers { .. }
        | Action::AddLabels { .. }
        | Action::SaveState { .. }
        | Action::Remind { .. } => None,
    }
}

/// The message in whose thread an action is posted.
pub(crate) fn thread_of(action: &Action) -> Option<String> {
    match action {
        Action::PostMessage { in_thread_of, .. } => in_thread_of.as_deref().map(group_name),
        Action::Comment { .. }
        | Action::RequestReviewers { .. }
        | Action::AddLabels { .. }
        | Action::SaveState { .. }
        | Action::Remind { .. } => None,
    }
}

fn group_name(group: &str) -> String {
    bounded(&format!("message/{group}")).into_owned()
}
