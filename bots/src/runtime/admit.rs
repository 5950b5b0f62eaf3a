//! From a bot's decision to what is recorded of it: limits, places, and the guard against loops.

use bus::event::Recorded;
use chrono::{DateTime, TimeDelta, Utc};

use super::record::ActionStatus;
use super::route;
use super::shared::{Core, Entry};
use crate::action::Action;
use crate::contract::Mode;
use crate::store::commit::{NewAction, NewReminder};
use crate::store::runs::Place;

/// More new outward actions than this of one bot on one key because of events within [`LOOP_WITHIN`] are a loop: a bot
/// that hears what it does itself does hundreds; a burst of updates of dependencies in one repository takes some dozens.
pub(crate) const LOOP_ACTIONS_MAX: usize = 100;

/// See [`LOOP_ACTIONS_MAX`].
pub(crate) const LOOP_WITHIN: TimeDelta = TimeDelta::minutes(10);

/// Actions of one decision beside those that tools perform: state and reminders.
const INWARD_ACTIONS_MAX: usize = 200;

/// One action as JSON: several times what any tool takes.
const ACTION_BYTES_MAX: usize = 256 << 10;

/// A key of a bot's state.
const STATE_KEY_BYTES_MAX: usize = 512;

/// A value of a bot's state.
const STATE_VALUE_BYTES_MAX: usize = 64 << 10;

/// Reminders of one event: a bot that asks for more never ends.
const ROUNDS_MAX: u32 = 1_000;

/// A reminder comes at the earliest after this, so that a bot that asks for it at once does not go round and round.
const REMIND_AFTER_MIN: TimeDelta = TimeDelta::seconds(1);

/// And at the latest after this.
const REMIND_AFTER_MAX: TimeDelta = TimeDelta::days(366);

/// What is recorded of a decision.
#[derive(Debug, Default)]
pub(crate) struct Admitted {
    pub(crate) actions: Vec<NewAction>,
    pub(crate) state: Vec<(String, Option<String>)>,
    pub(crate) reminder: Option<NewReminder>,
}

/// What has been admitted already, and is not in the store yet.
pub(crate) trait Known {
    /// Where the bot's message of that name is, or is going to be.
    fn place_of(&self, message: &str) -> Option<Place>;

    /// New outward actions on the event's key because of events that happened not long before.
    fn new_actions(&self, event: &Recorded) -> usize;
}

/// The circumstances of a decision.
#[derive(Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    pub(crate) core: &'a Core,
    pub(crate) entry: &'a Entry,
    pub(crate) event: &'a Recorded,
    pub(crate) round: u32,
    /// Somebody has looked at it.
    pub(crate) by_hand: bool,
    pub(crate) now: DateTime<Utc>,
}

/// What is recorded of these actions; in words, what is wrong with them.
pub(crate) fn admit(around: Circumstances<'_>, actions: Vec<Action>, known: &impl Known) -> Result<Admitted, String> {
    let most = around.entry.manifest.actions_per_event_max;
    let outward = actions.iter().filter(|action| action.is_outward()).count();
    if outward > most {
        return Err(format!("{outward} actions for one event, of which at most {most} are allowed"));
    }
    if actions.len() - outward > INWARD_ACTIONS_MAX {
        return Err(format!("more than {INWARD_ACTIONS_MAX} values of state and reminders for one event"));
    }
    let mut admitted = Admitted::default();
    for (ordinal, action) in (0..).zip(actions) {
        let mut new = describe(around, ordinal, &action)?;
        if action.is_outward() {
            direct(around, &action, &mut new, known, &admitted);
        }
        admitted.actions.push(new);
        match action {
            Action::SaveState { key, value } => admitted.state.push(checked(key, value)?),
            Action::Remind { after, note } => admitted.reminder = Some(reminder(around, after, note)?),
            Action::PostMessage { .. }
            | Action::Comment { .. }
            | Action::RequestReviewers { .. }
            | Action::AddLabels { .. } => {}
        }
    }
    let new = admitted.actions.iter().filter(|action| action.is_new).count();
    if new > 0 && !around.by_hand && known.new_actions(around.event) + new > LOOP_ACTIONS_MAX {
        let (key, minutes) = (&around.event.event.key, LOOP_WITHIN.num_minutes());
        return Err(format!(
            "more than {LOOP_ACTIONS_MAX} actions on {key} within {minutes} minutes: it seems to hear what it does itself"
        ));
    }
    Ok(admitted)
}

fn describe(around: Circumstances<'_>, ordinal: u32, action: &Action) -> Result<NewAction, String> {
    let json = serde_json::to_string(action).map_err(|error| format!("an action cannot be written: {error}"))?;
    if json.len() > ACTION_BYTES_MAX {
        return Err(format!(
            "action {ordinal} has {} bytes, of which at most {ACTION_BYTES_MAX} are allowed",
            json.len()
        ));
    }
    let event = &around.event.event;
    Ok(NewAction {
        ordinal,
        name: action.name(),
        action: json,
        repository: action.repository().or_else(|| event.data.repository()).map(str::to_owned),
        service: event.data.service().map(str::to_owned),
        event_time: event.time,
        is_new: false,
        lane: None,
        channel: None,
        message: route::message_of(action),
        thread: route::thread_of(action),
        // Of the runtime's own affairs: done in the same transaction.
        status: ActionStatus::Performed,
        reason: None,
    })
}

/// An update goes where its message is, and an answer where the message that it answers is: so they keep their order.
fn direct(around: Circumstances<'_>, action: &Action, new: &mut NewAction, known: &impl Known, admitted: &Admitted) {
    let place_of = |message: &String| {
        let before = admitted.actions.iter().rev().find(|earlier| earlier.message.as_ref() == Some(message));
        let here =
            before.and_then(|earlier| Some(Place { lane: earlier.lane.clone()?, channel: earlier.channel.clone() }));
        here.or_else(|| known.place_of(message))
    };
    let own = new.message.as_ref().and_then(place_of);
    new.is_new = own.is_none();
    let place = match own.or_else(|| new.thread.as_ref().and_then(place_of)) {
        Some(place) => Ok(place),
        None => route::place(&around.core.outside, around.entry, action),
    };
    let live = match around.entry.mode() {
        Mode::Live => true,
        Mode::DryRun => false,
    };
    match place {
        Ok(place) => (new.lane, new.channel) = (Some(place.lane), place.channel),
        Err(reason) => new.reason = Some(reason),
    }
    new.status = match (live, &new.lane) {
        (false, _) => ActionStatus::Recorded,
        (true, Some(_)) => ActionStatus::Pending,
        (true, None) => ActionStatus::Failed,
    };
}

fn checked(key: String, value: Option<String>) -> Result<(String, Option<String>), String> {
    if key.is_empty() || key.len() > STATE_KEY_BYTES_MAX {
        return Err(format!("a key of its state has {} bytes; 1 to {STATE_KEY_BYTES_MAX} are allowed", key.len()));
    }
    let bytes = value.as_ref().map_or(0, String::len);
    if bytes > STATE_VALUE_BYTES_MAX {
        return Err(format!(
            "its state {key:?} has {bytes} bytes, of which at most {STATE_VALUE_BYTES_MAX} are allowed"
        ));
    }
    Ok((key, value))
}

fn reminder(around: Circumstances<'_>, after: std::time::Duration, note: String) -> Result<NewReminder, String> {
    if around.round >= ROUNDS_MAX {
        return Err(format!("asked to be reminded of one event more than {ROUNDS_MAX} times"));
    }
    let after = TimeDelta::from_std(after).unwrap_or(REMIND_AFTER_MAX).clamp(REMIND_AFTER_MIN, REMIND_AFTER_MAX);
    Ok(NewReminder { due_at: around.now + after, note })
}
