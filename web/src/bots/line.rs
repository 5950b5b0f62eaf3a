//! A run in a line: what happened, what the bot did about it, and what became of that.

use bots::runtime::record::{ActionStatus, ActionSummary, RunRecord, RunStatus, RunSummary};
use bus::event::Recorded;

use super::{Told, address, events_of, people, words};
use crate::api::ApiError;
use crate::redact::People;
use crate::sentence;
use crate::site::App;

/// A run in a line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunLine {
    pub(crate) bot: String,
    pub(crate) bot_href: String,
    pub(crate) href: String,
    pub(crate) event_href: String,
    /// What happened.
    pub(crate) sentence: String,
    /// When it happened.
    pub(crate) happened: String,
    pub(crate) at: String,
    pub(crate) instant: String,
    /// How it stands: a class and words.
    pub(crate) status: (&'static str, &'static str),
    /// Set if it has not come to a decision yet.
    pub(crate) undecided: bool,
    pub(crate) because: String,
    /// What was done, in order.
    pub(crate) deeds: Vec<Deed>,
}

/// An action in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deed {
    pub(crate) words: String,
    pub(crate) place: String,
    pub(crate) status: (&'static str, &'static str),
    pub(crate) reason: String,
    pub(crate) url: Option<String>,
}

impl RunLine {
    pub(super) fn of(run: &RunSummary, event: Option<&Recorded>, people: &People, told: Told) -> Self {
        let at = run.began_at.unwrap_or(run.recorded_at);
        let sentence = event.map_or_else(|| format!("{} of {}", run.kind, run.subject), |at| sentence::of(&at.event));
        // What a bot remembers for itself is no news to anybody.
        let shown = run.actions.iter().filter(|action| action.name != "save-state");
        Self {
            bot: run.bot.clone(),
            bot_href: address(&run.bot),
            href: run_address(&run.bot, run),
            event_href: format!("/events/{}", run.event),
            sentence: people.text(&sentence),
            happened: event.map(|event| told.moment(event.event.time)).unwrap_or_default(),
            at: told.moment(at),
            instant: at.to_rfc3339(),
            status: words::run(run.status),
            undecided: !matches!(run.status, RunStatus::Done),
            because: people.text(&run.because),
            deeds: shown.map(|action| Deed::of(action, people)).collect(),
        }
    }

    /// Runs as lines, each without the people of its own record.
    pub(crate) async fn all(app: &App, runs: &[RunSummary]) -> Result<Vec<Self>, ApiError> {
        let told = Told::of(app);
        let events = events_of(app, runs).await?;
        let mut lines = Vec::with_capacity(runs.len());
        for run in runs {
            let event = events.get(&run.event);
            let record = app.bots.run_record(run.id).await?;
            lines.push(Self::of(run, event, &named(record.as_ref(), event), told));
        }
        Ok(lines)
    }
}

/// Who is named in a run; without its record only what looks like a person is masked.
pub(crate) fn named(record: Option<&RunRecord>, event: Option<&Recorded>) -> People {
    record.map_or_else(People::default, |record| people::of_run(record, event))
}

/// The page of a run.
pub(super) fn run_address(bot: &str, run: &RunSummary) -> String {
    format!("{}/runs/{}", address(bot), run.id)
}

impl Deed {
    fn of(action: &ActionSummary, people: &People) -> Self {
        // The runtime's own affairs are done when they are recorded; that an update came later is said by the status.
        let own = action.destination.is_none() && action.status == ActionStatus::Performed;
        let told = action.reason.as_deref().filter(|_| action.status != ActionStatus::Superseded);
        Self {
            words: words::deed(&action.name, action.status),
            place: people.text(action.destination.as_deref().unwrap_or_default()),
            status: if own { ("", "") } else { words::action_status(action.status) },
            reason: people.text(told.unwrap_or_default()),
            url: action.url.clone().filter(|url| leads_out(url)),
        }
    }
}

/// Whether an address is one that a page may link to.
pub(super) fn leads_out(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}
