//! One run of a bot's function with nothing around it: what the runtime, a test, a replay and a file all do alike.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bus::event::Recorded;
use chrono::{DateTime, Utc};

use crate::contract::{Bot, Decision};
use crate::lookups::{Asked, Lookups, Reminder, World};
use crate::runtime::record::RunId;

mod document;

/// What a bot made of an event, and what it asked for it. Nothing of it was performed.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The bot.
    pub bot: &'static str,
    /// The bot's version.
    pub version: u32,
    /// The event.
    pub event: Recorded,
    /// Set if it was handed in again because the bot had asked to be reminded.
    pub reminder: Option<Reminder>,
    /// When the run began, as the bot saw it.
    pub now: DateTime<Utc>,
    /// What it decided; the words of the panic if it did not come to a decision.
    pub decision: Result<Decision, String>,
    /// What it asked, in order, with the answers.
    pub asked: Vec<Asked>,
    /// Where the answers came from.
    pub answered_by: AnsweredBy,
}

/// Where the answers to a bot's questions came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnsweredBy {
    /// The tools and stores, now.
    Live,
    /// A file, or whatever else the caller handed in.
    Given,
    /// The record of the original run.
    Record {
        /// Which run.
        run: RunId,
        /// Questions that the original run did not ask: there was no answer to them.
        unrecorded: usize,
    },
}

/// Hands an event to a bot. A panic of the bot is an outcome like any other.
pub fn attempt(
    bot: &dyn Bot,
    event: &Recorded,
    world: &dyn World,
    now: DateTime<Utc>,
    reminder: Option<Reminder>,
) -> Trial {
    let (decision, asked) = decide(bot, event, world, now, reminder.clone());
    let manifest = bot.manifest();
    Trial {
        bot: manifest.name,
        version: manifest.version,
        event: event.clone(),
        reminder,
        now,
        decision,
        asked,
        answered_by: AnsweredBy::Given,
    }
}

/// As [`attempt`], with the bare outcome: what the bot decided, or the words of its panic, and what it asked.
pub(crate) fn decide(
    bot: &dyn Bot,
    event: &Recorded,
    world: &dyn World,
    now: DateTime<Utc>,
    reminder: Option<Reminder>,
) -> (Result<Decision, String>, Vec<Asked>) {
    let lookups = Lookups::new(world, now, reminder);
    // A bot keeps nothing between runs, so a panic leaves nothing half done behind.
    let decision =
        catch_unwind(AssertUnwindSafe(|| bot.handle(event, &lookups))).map_err(|panic| words(panic.as_ref()));
    (decision, lookups.into_asked())
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("without words"))
}
