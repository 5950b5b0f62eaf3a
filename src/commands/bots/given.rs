//! Tries a bot with a file alone: no server, no network, no data.

use bots::action::Action;
use bots::contract::{Bot, Decision};
use bots::given::Scene;
use bots::lookups::Reminder;
use bots::trial::{Trial, attempt};
use bus::event::Recorded;
use bus::query::Query;
use serde_json::Value;

use super::{file, trial};
use crate::context::Context;
use crate::exit::{Ended, Exit, Failure};

/// A bot that waits before it says anything is handed the event again, so often at most.
const ROUNDS_MAX: u32 = 3;

pub(super) fn run(name: &str, origin: &str, text: &str, context: &Context) -> Ended {
    let bot = bots::builtin::BOTS.iter().copied().find(|bot| bot.manifest().name == name).ok_or_else(|| {
        let known: Vec<&str> = bots::builtin::BOTS.iter().map(|bot| bot.manifest().name).collect();
        Failure::new(Exit::NotFound, format!("no bot {name:?}")).remedy(format!("one of: {}", known.join(", ")))
    })?;
    let now = (crate::app::clock()?)();
    let held = file::held(text, now)?;
    let heard = heard(bot, origin, held.events)?;
    let mut scene = Scene { delivery: None, answers: held.answers, now };
    let mut documents = Vec::new();
    for (event, body) in heard {
        scene.delivery = body;
        for trial in rounds(bot, &event, &mut scene) {
            documents.push(trial.document());
        }
    }
    trial::print(context, &documents)
}

/// The events that the bot subscribes to.
fn heard(
    bot: &dyn Bot,
    origin: &str,
    events: Vec<(Recorded, Option<Value>)>,
) -> Result<Vec<(Recorded, Option<Value>)>, Failure> {
    let subscription = bot.manifest().subscription;
    let mut kinds: Vec<String> = events.iter().map(|(recorded, _)| recorded.event.kind.to_string()).collect();
    kinds.sort();
    kinds.dedup();
    let mut heard = Vec::new();
    for (recorded, body) in events {
        if Query::parse(subscription, recorded.event.time)?.matches(&recorded) {
            heard.push((recorded, body));
        }
    }
    if heard.is_empty() {
        let found = if kinds.is_empty() { "no event at all".to_owned() } else { format!("only {}", kinds.join(", ")) };
        let name = bot.manifest().name;
        let failure = Failure::new(Exit::Usage, format!("{origin} holds {found}, and {name} hears {subscription}"));
        return Err(
            failure.remedy("take a file with one of these kinds; a pod is one if its state or lastState is terminated")
        );
    }
    Ok(heard)
}

/// The run of an event, and those that the bot asks for before it has said anything.
fn rounds(bot: &dyn Bot, event: &Recorded, scene: &mut Scene) -> Vec<Trial> {
    let mut trials = Vec::new();
    let mut reminder = None;
    scene.now = event.event.time;
    for round in 1..=ROUNDS_MAX {
        let trial = attempt(bot, event, scene, scene.now, reminder.take());
        let actions = match &trial.decision {
            Ok(Decision::Act { actions, .. }) => actions.clone(),
            Ok(Decision::Retry { .. } | Decision::Reject { .. }) | Err(_) => Vec::new(),
        };
        trials.push(trial);
        scene.keep_state(&actions);
        let again = actions.iter().find_map(|action| match action {
            Action::Remind { after, note } => Some((*after, note.clone())),
            Action::PostMessage { .. }
            | Action::Comment { .. }
            | Action::RequestReviewers { .. }
            | Action::AddLabels { .. }
            | Action::SaveState { .. } => None,
        });
        let Some((after, note)) = again.filter(|_| !actions.iter().any(Action::is_outward)) else { break };
        scene.now += after;
        reminder = Some(Reminder { note, round });
    }
    trials
}
