//! What a bot is: a manifest and a function.

use std::time::Duration;

use bus::event::Recorded;
use bus::query::Query;

use crate::action::Action;

/// Whether actions are performed or only recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Recorded, not performed: how every bot begins.
    #[default]
    DryRun,
    /// Performed.
    Live,
}

/// What a bot is and asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Name in URLs and in the audit: `killed-pods`.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub description: &'static str,
    /// Which events it hears.
    pub subscription: Query,
    /// Actions it may return for one event; more is an error of the bot.
    pub actions_per_event_max: usize,
}

/// What a bot decides about an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Do this, in this order; nothing if empty.
    Act(Vec<Action>),
    /// Hand the event in again later: something that the bot needs is not there yet.
    Retry {
        /// How much later, at least.
        after: Duration,
        /// Why, for the run's page.
        reason: String,
    },
    /// The event can never be handled; it goes to the dead letters.
    Reject {
        /// Why, for the run's page.
        reason: String,
    },
}

/// A bot. It does no I/O of its own, asks no clock and draws no random numbers: the same event and the same answers to
/// its lookups give the same decision.
pub trait Bot: Send + Sync {
    /// What it is and asks for.
    fn manifest(&self) -> Manifest;

    /// Decides about an event. Handed in at least once, in order per key.
    fn handle(&self, event: &Recorded, lookups: &dyn Lookups) -> Decision;
}

/// What a bot may ask. A replay answers from what was recorded with the original run.
pub trait Lookups: Send + Sync {
    /// A value of the bot's own state.
    fn state(&self, key: &str) -> Option<String>;

    /// A file of a repository at its default branch; none if there is no such file.
    fn file(&self, repository: &str, path: &str) -> Option<String>;

    /// The team that owns a service; none if the catalog does not know it.
    fn owner(&self, service: &str) -> Option<String>;
}
