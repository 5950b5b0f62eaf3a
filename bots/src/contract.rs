//! What a bot is: a manifest and a function.

use std::time::Duration;

use bus::event::Recorded;
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::lookups::{Lookups, Unavailable};

/// Whether actions are performed or only recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Recorded, not performed: how every bot begins.
    #[default]
    DryRun,
    /// Performed.
    Live,
}

impl Mode {
    /// The stored and shown name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DryRun => "dry-run",
            Self::Live => "live",
        }
    }
}

/// What a bot is and asks for: data, so that it can be shown before the bot ever runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// Name in URLs, in configuration and in the audit: `killed-pods`. Lower-case letters, digits and `-`.
    pub name: &'static str,
    /// Raised with every change after which the bot may decide otherwise; stands with every run.
    pub version: u32,
    /// What it does, in one sentence.
    pub description: &'static str,
    /// Which events it hears, in the explorer's language: `type:pod.killed`. A test reads every one.
    pub subscription: &'static str,
    /// Outward actions it may return for one event; more is an error of the bot.
    pub actions_per_event_max: usize,
    /// Minutes that a person would have needed for each action that it performs.
    pub toil_minutes: u32,
    /// How often an event is tried before it goes to the dead letters.
    pub attempts_max: u32,
}

impl Manifest {
    /// The usual limits, for a bot of that name, description and subscription.
    #[must_use]
    pub const fn new(name: &'static str, description: &'static str, subscription: &'static str) -> Self {
        Self {
            name,
            version: 1,
            description,
            subscription,
            actions_per_event_max: 10,
            toil_minutes: 1,
            attempts_max: 8,
        }
    }
}

/// What a bot decides about an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Do this, in this order; nothing if empty.
    Act {
        /// What.
        actions: Vec<Action>,
        /// Why, or why nothing, in a sentence for the run's page.
        because: String,
    },
    /// Hand the event in again later: something that the bot needs is not there yet.
    Retry {
        /// How much later, at least; none leaves it to the back-off.
        after: Option<Duration>,
        /// Why, for the run's page.
        reason: String,
    },
    /// The event can never be handled; it goes to the dead letters.
    Reject {
        /// Why, for the run's page.
        reason: String,
    },
}

impl Decision {
    /// Do this.
    pub fn act(actions: Vec<Action>, because: impl Into<String>) -> Self {
        Self::Act { actions, because: because.into() }
    }

    /// Nothing is to be done.
    pub fn nothing(because: impl Into<String>) -> Self {
        Self::Act { actions: Vec::new(), because: because.into() }
    }

    /// Something that the bot needs cannot be had: again later if it may be there then, and nothing otherwise.
    #[must_use]
    pub fn without(needed: Unavailable) -> Self {
        let Unavailable { reason, transient } = needed;
        if transient {
            return Self::Retry { after: None, reason };
        }
        Self::nothing(format!("what is needed cannot be had: {reason}"))
    }
}

/// A bot. It does no I/O of its own, asks no clock and draws no random numbers: the same event and the same answers to
/// its lookups give the same decision. So a crash, a retry, a replay and a dry run are all safe.
pub trait Bot: Send + Sync {
    /// What it is and asks for.
    fn manifest(&self) -> Manifest;

    /// Decides about an event. Handed in at least once, in order per key. May take its time: it runs on a thread where
    /// lookups may block.
    fn handle(&self, event: &Recorded, lookups: &Lookups<'_>) -> Decision;
}
