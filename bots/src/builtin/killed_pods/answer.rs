//! Somebody pressed a button of a message.

use std::time::Duration;

use bus::data::work::Message;
use bus::event::Recorded;
use chrono::TimeDelta;

use super::incident::{CaseFile, Pressed};
use super::message::{ACKNOWLEDGE, SNOOZE, post};
use super::storm::{self, Storm};
use crate::action::Action;
use crate::contract::Decision;
use crate::lookups::Lookups;

/// How long nothing is heard of an incident that somebody snoozed.
const SNOOZED: TimeDelta = TimeDelta::hours(1);

/// Decides about an answer to a message.
pub(super) fn answered(event: &Recorded, answer: &Message, lookups: &Lookups<'_>) -> Decision {
    let button = answer.button.as_deref().unwrap_or_default();
    if ![ACKNOWLEDGE, SNOOZE].contains(&button) {
        return Decision::nothing("the button is not one of this bot");
    }
    let Some(value) = answer.value.as_deref() else { return Decision::nothing("the button stands for nothing") };
    let pressed = Pressed {
        by: answer.author.as_ref().map(|author| author.handle.clone()).unwrap_or_default(),
        at: if button == SNOOZE { event.event.time + SNOOZED } else { event.event.time },
    };
    let actions = match storm::read_group(value) {
        Some(place) => on_storm(place, button, pressed, lookups),
        None => on_incident(value, button, pressed, lookups),
    };
    match actions {
        Some(actions) => Decision::act(actions, format!("{button} of {value}")),
        None => Decision::nothing(format!("{value} is over")),
    }
}

fn on_incident(group: &str, button: &str, pressed: Pressed, lookups: &Lookups<'_>) -> Option<Vec<Action>> {
    let (key, number) = group.rsplit_once('#')?;
    let number = number.parse().ok()?;
    let mut file = CaseFile::read(key.to_owned(), lookups);
    let incident = file.numbered(number).filter(|incident| incident.is_open())?;
    let is_reminder = lookups.reminder().is_some();
    if !is_reminder {
        press(button, pressed, (&mut incident.acknowledged, &mut incident.snoozed));
    }
    let incident = incident.clone();
    let mut actions = vec![post(&file, &incident, lookups.now()), file.save()];
    actions.extend(snooze_over(button, is_reminder));
    Some(actions)
}

fn on_storm(
    (cluster, node): (&str, &str),
    button: &str,
    pressed: Pressed,
    lookups: &Lookups<'_>,
) -> Option<Vec<Action>> {
    let mut storm = Storm::of(cluster, node, lookups)?;
    if lookups.reminder().is_none() {
        press(button, pressed, (&mut storm.acknowledged, &mut storm.snoozed));
    }
    Some(storm::post_again(&storm, (cluster, node), lookups))
}

/// Whoever acknowledged first has it; the last to snooze decides until when.
fn press(button: &str, pressed: Pressed, (acknowledged, snoozed): (&mut Option<Pressed>, &mut Option<Pressed>)) {
    if button == SNOOZE {
        *snoozed = Some(pressed);
    } else {
        acknowledged.get_or_insert(pressed);
    }
}

/// When the snooze is over, the message is brought up to date.
fn snooze_over(button: &str, is_reminder: bool) -> Option<Action> {
    let after = SNOOZED.to_std().unwrap_or(Duration::ZERO);
    (button == SNOOZE && !is_reminder).then(|| Action::Remind { after, note: "the snooze is over".to_owned() })
}
