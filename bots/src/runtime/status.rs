//! How bots stand: figures from the store, and how far they are behind the log.

use bus::ids::EventOffset;
use serde_json::{Map, Value};

use super::Bots;
use super::record::{BotStatus, Lag, State};
use super::shared::{Core, Entry};
use crate::error::BotError;
use crate::store::figures::{Figures, Which};

/// Events behind a bot that are looked through to count those that it subscribes to.
const LAG_EVENTS_MAX: usize = 2_000;

/// Runs shown with a bot.
const LAST_RUNS: usize = 20;

impl Bots {
    /// What the installation sets for a bot; none if there is no such bot.
    #[must_use]
    pub fn values(&self, bot: &str) -> Option<&Map<String, Value>> {
        self.core.entry(bot).ok().map(|entry| &entry.settings.values)
    }
}

/// How one bot stands.
pub(crate) async fn of(core: &Core, entry: &Entry) -> Result<BotStatus, BotError> {
    let name = entry.name();
    let now = core.now();
    let standing = core.store.standing(name).await?.unwrap_or_default();
    let figures = core.store.figures(name, now).await?;
    let last_runs = core.store.runs(Which::Of { bot: name, before: None, limit: LAST_RUNS }).await?;
    let checkpoint = entry.decided().max(standing.checkpoint);
    Ok(BotStatus {
        manifest: entry.manifest,
        mode: entry.mode(),
        // Another process may have paused it.
        paused: standing.paused,
        state: state(&figures, standing.failures_in_row),
        last_failure: standing.last_failure,
        checkpoint,
        lag: lag(core, entry, checkpoint, &figures).await?,
        day: figures.day,
        dead_letters: figures.dead_letters,
        open_actions: figures.open_actions,
        performed: figures.performed,
        toil: figures.toil,
        last_runs,
    })
}

const fn state(figures: &Figures, failures_in_row: u32) -> State {
    match (figures.called, failures_in_row) {
        (false, _) => State::NeverCalled,
        (true, 0) => State::Active,
        (true, _) => State::Failing,
    }
}

/// Undecided are the runs that wait, and what the bot subscribes to among the events that it has not come to.
async fn lag(core: &Core, entry: &Entry, checkpoint: EventOffset, figures: &Figures) -> Result<Lag, BotError> {
    let mut lag = Lag { events: figures.open_runs, at_least: false, oldest: figures.oldest_open };
    let head = *core.streams.event_head().borrow();
    if checkpoint >= head {
        return Ok(lag);
    }
    let behind = core.streams.events(checkpoint, LAG_EVENTS_MAX).await?;
    lag.at_least = behind.last().is_some_and(|last| last.offset < head);
    for event in behind.iter().filter(|event| entry.query.matches(event)) {
        lag.events += 1;
        lag.oldest = Some(lag.oldest.map_or(event.recorded_at, |oldest| oldest.min(event.recorded_at)));
    }
    Ok(lag)
}
