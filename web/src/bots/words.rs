//! What states, actions and questions of bots are called on a page.

use bots::action::{Action, Audience};
use bots::contract::Mode;
use bots::runtime::record::{ActionStatus, BotStatus, RunStatus, State};

use crate::format;

/// How a bot stands: a class, a sign and a word, so that no colour is needed to tell them apart.
pub(super) fn state(status: &BotStatus) -> (&'static str, &'static str, &'static str) {
    match (status.paused.is_some(), status.state) {
        (true, _) => ("silent", "‖", "paused"),
        (false, State::Failing) => ("failing", "✕", "failing"),
        (false, State::NeverCalled) => ("never", "–", "never called"),
        (false, State::Active) => ("delivering", "✓", "active"),
    }
}

/// What a mode means.
pub(super) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::DryRun => "dry-run: its actions are recorded, none is performed",
        Mode::Live => "live: its actions are performed",
    }
}

/// How a run stands: a class and a word.
pub(super) fn run(status: RunStatus) -> (&'static str, &'static str) {
    match status {
        RunStatus::Waiting => ("", "waits behind an earlier run of the same key"),
        RunStatus::Retrying => ("bad", "is tried again"),
        RunStatus::Scheduled => ("", "waits to be reminded"),
        RunStatus::Done => ("", "done"),
        RunStatus::Dead => ("bad", "given up"),
    }
}

/// How an action stands.
pub(super) fn action_status(status: ActionStatus) -> (&'static str, &'static str) {
    match status {
        ActionStatus::Recorded => ("missing", "only recorded (dry-run)"),
        ActionStatus::Pending => ("", "waits to be performed"),
        ActionStatus::Attempting => ("", "is being performed"),
        ActionStatus::Performed => ("", "performed"),
        ActionStatus::Failed => ("bad", "given up"),
        ActionStatus::Superseded => ("missing", "superseded by a later update"),
    }
}

/// What was done, by its name: `posted a message`; with `only` for what is merely recorded.
pub(super) fn deed(name: &str, status: ActionStatus) -> String {
    let (done, todo) = match name {
        "post-message" => ("posted a message", "post a message"),
        "comment" => ("commented", "comment"),
        "request-reviewers" => ("asked for reviews", "ask for reviews"),
        "add-labels" => ("added labels", "add labels"),
        "save-state" => ("remembered something", "remember something"),
        "remind" => ("asked to be reminded", "ask to be reminded"),
        other => (other, other),
    };
    match status {
        ActionStatus::Performed => done.to_owned(),
        ActionStatus::Recorded => format!("would {todo}"),
        ActionStatus::Pending | ActionStatus::Attempting | ActionStatus::Failed | ActionStatus::Superseded => {
            format!("to {todo}")
        }
    }
}

/// An action in one sentence, without people: who is asked for reviews is for the forge to show.
pub(super) fn action(action: &Action, channel: Option<&str>) -> String {
    match action {
        Action::PostMessage { audience, group, in_thread_of, .. } => {
            let place = match (audience, channel) {
                (Audience::Team(team), Some(channel)) => format!("{channel}, the channel of team {team}"),
                (Audience::Team(team), None) => format!("the channel of team {team}"),
                (Audience::Channel(channel), _) => channel.clone(),
            };
            match (group, in_thread_of) {
                (_, Some(_)) => format!("Post a message in a thread of {place}"),
                (Some(_), None) => format!("Post a message in {place}, or update the one of the same group there"),
                (None, None) => format!("Post a message in {place}"),
            }
        }
        Action::Comment { repository, number, .. } => format!("Comment on {repository}#{number}"),
        Action::RequestReviewers { repository, number, reviewers, teams } => {
            let people = format::plural(reviewers.len() as u64, "person", "people");
            let teams = if teams.is_empty() { String::new() } else { format!(" and of {}", teams.join(", ")) };
            format!("Ask for a review of {repository}#{number} by {people}{teams}")
        }
        Action::AddLabels { repository, number, labels } => {
            format!("Label {repository}#{number} with {}", labels.join(", "))
        }
        Action::SaveState { key, value: Some(_) } => format!("Remember {key}"),
        Action::SaveState { key, value: None } => format!("Forget {key}"),
        Action::Remind { after, .. } => {
            format!("Be reminded of this event after {}", format::duration(after.as_secs_f64()))
        }
    }
}

/// The redrive of so much, in words: `3 runs and 1 action, about 2 min`.
pub(super) fn plan(runs: u64, actions: u64, about_seconds: u64) -> String {
    let parts = [(runs, "run", "runs"), (actions, "action", "actions")];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| format::plural(count, one, many))
        .collect();
    let long = i64::try_from(about_seconds.max(1)).map_or_else(|_| "long".to_owned(), format::span);
    format!("{}, about {long}", parts.join(" and "))
}
