//! What is known of bots, their runs and their actions, for pages, commands and the API.

use std::collections::BTreeMap;
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use bus::ids::{EventId, EventOffset};
use bus::mark::Mark;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::clients::Receipt;
use crate::contract::{Manifest, Mode};
use crate::lookups::Asked;

/// Names a run. Later runs have higher numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RunId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

/// How a bot stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BotStatus {
    /// What it is.
    pub manifest: Manifest,
    /// Whether its actions are performed.
    pub mode: Mode,
    /// Set while it is paused.
    pub paused: Option<Paused>,
    /// How its last run went.
    pub state: State,
    /// The last attempt that failed, however long ago.
    pub last_failure: Option<Failure>,
    /// Every event up to here is decided, or waits behind one that is tried again.
    pub checkpoint: EventOffset,
    /// How far it is behind.
    pub lag: Lag,
    /// Runs that ended in the last 24 hours.
    pub day: Outcomes,
    /// Runs and actions that were given up and can be redriven.
    pub dead_letters: u64,
    /// Actions recorded and not yet performed.
    pub open_actions: u64,
    /// Actions performed, ever, by [`Action::name`].
    pub performed: BTreeMap<String, u64>,
    /// What it saved.
    pub toil: Toil,
    /// Its last runs, newest first.
    pub last_runs: Vec<RunSummary>,
}

impl BotStatus {
    /// Failing bots first, then paused ones, then those with dead letters, then the others; each by name.
    #[must_use]
    pub fn attention(&self) -> (u8, &'static str) {
        let rank = match self.state {
            State::Failing => 0,
            State::NeverCalled | State::Active if self.paused.is_some() => 1,
            State::NeverCalled | State::Active if self.dead_letters > 0 => 2,
            State::NeverCalled | State::Active => 3,
        };
        (rank, self.manifest.name)
    }
}

/// Since when and why a bot is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Why: by hand, or because it failed too often in a row.
    pub because: String,
}

/// How a bot's last run went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// No event has come that it subscribes to.
    NeverCalled,
    /// Its last run went well, or waits for something.
    Active,
    /// Its last attempts failed.
    Failing,
}

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

/// How far a bot is behind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Lag {
    /// Undecided events among those that it subscribes to.
    pub events: u64,
    /// Not all of the log behind it was looked through: there may be more.
    pub at_least: bool,
    /// When the oldest undecided one was recorded.
    pub oldest: Option<DateTime<Utc>>,
}

/// How runs ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Outcomes {
    /// With a decision that was recorded.
    pub ok: u64,
    /// In the dead letters.
    pub failed: u64,
}

/// Minutes that people would have needed for what was performed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Toil {
    /// In the last 7 days.
    pub week_minutes: u64,
    /// Ever.
    pub all_minutes: u64,
    /// Actions with an effect in the last 7 days: what the minutes are counted from.
    pub week_actions: u64,
    /// Actions with an effect, ever.
    pub all_actions: u64,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunStatus {
    /// Behind an earlier run of the same key that is tried again.
    Waiting,
    /// To be tried, or tried again.
    Retrying,
    /// The bot is reminded of the event later.
    Scheduled,
    /// Decided, and the decision recorded.
    Done,
    /// Given up: among the dead letters until it is redriven.
    Dead,
}

impl RunStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Retrying, Self::Scheduled, Self::Done, Self::Dead];

    /// The stored and shown name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Retrying => "retrying",
            Self::Scheduled => "scheduled",
            Self::Done => "done",
            Self::Dead => "dead",
        }
    }
}

/// How an action stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionStatus {
    /// Of a dry run: it stays as it is.
    Recorded,
    /// To be performed, or tried again.
    Pending,
    /// Handed to the tool; what became of it is not known yet.
    Attempting,
    /// Performed.
    Performed,
    /// Given up: among the dead letters until it is redriven.
    Failed,
    /// A later update of the same group came before it was sent.
    Superseded,
}

impl ActionStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Recorded, Self::Pending, Self::Attempting, Self::Performed, Self::Failed, Self::Superseded];

    /// The stored and shown name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Pending => "pending",
            Self::Attempting => "attempting",
            Self::Performed => "performed",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
        }
    }
}

/// A run in a line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSummary {
    /// Its number.
    pub id: RunId,
    /// Which bot.
    pub bot: String,
    /// The bot's version.
    pub version: u32,
    /// Whether its actions were to be performed.
    pub mode: Mode,
    /// The event.
    pub event: EventId,
    /// The event's kind.
    pub kind: String,
    /// The event's subject.
    pub subject: String,
    /// 0 when the event came; then 1, 2 … for each time the bot asked to be reminded of it.
    pub round: u32,
    /// How it stands.
    pub status: RunStatus,
    /// Why the bot did what it did; why it is tried again, or was given up.
    pub because: String,
    /// How often it was tried.
    pub tries: u32,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// When its last attempt began, as the bot saw it.
    pub began_at: Option<DateTime<Utc>>,
    /// How long its last attempt took.
    pub millis: u32,
    /// When it is tried next, or the bot is reminded.
    pub due_at: Option<DateTime<Utc>>,
    /// What it decided to do, in order.
    pub actions: Vec<ActionSummary>,
}

/// An action in a line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ActionSummary {
    /// [`Action::name`].
    pub name: String,
    /// Where it has its effect; none for the runtime's own affairs.
    pub destination: Option<String>,
    /// How it stands.
    pub status: ActionStatus,
    /// Why it was given up, or is tried again.
    pub reason: Option<String>,
    /// Where a person can see what it became.
    pub url: Option<String>,
}

/// Everything known of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRecord {
    /// The run in a line.
    pub run: RunSummary,
    /// Runs of one bot and key keep their order.
    pub key: String,
    /// What the bot noted for itself when it asked to be reminded.
    pub note: Option<String>,
    /// Its attempts, oldest first; of many, the latest.
    pub attempts: Vec<Attempt>,
    /// What the bot asked in its last attempt, with the answers.
    pub asked: Vec<AskedRecord>,
    /// What it decided to do, in order.
    pub actions: Vec<ActionRecord>,
}

/// An attempt at a run or at an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began.
    pub at: DateTime<Utc>,
    /// How it ended, in a word: `done`, `retry`, `rejected`, `failed`; `performed`, `later`, `never`, `in-doubt`,
    /// `found`, `not-found`.
    pub outcome: String,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long it took.
    pub millis: u32,
}

/// A question of a run with its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AskedRecord {
    /// Question and answer.
    pub asked: Asked,
    /// Set if the answer was too large to be recorded whole: what is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
}

/// Everything known of an action.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ActionRecord {
    /// Names it for ever.
    pub mark: Mark,
    /// What, as the bot decided it.
    pub action: Action,
    /// The client that performs it; none for the runtime's own affairs.
    pub client: Option<String>,
    /// Where it has its effect.
    pub destination: Option<String>,
    /// The channel that the audience stood for when it was recorded.
    pub channel: Option<String>,
    /// How it stands.
    pub status: ActionStatus,
    /// Why it was given up, or is tried again.
    pub reason: Option<String>,
    /// Its attempts, oldest first; of many, the latest.
    pub attempts: Vec<Attempt>,
    /// What it became.
    pub receipt: Option<Receipt>,
    /// It may have been done twice, because its tool cannot be asked whether it was.
    pub in_doubt: bool,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// When it was performed.
    pub performed_at: Option<DateTime<Utc>>,
    /// When it is tried next.
    pub due_at: Option<DateTime<Utc>>,
    /// Minutes that a person would have needed.
    pub toil_minutes: u32,
}

/// Something that was given up and can be redriven.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeadLetter {
    /// The run: what [`crate::runtime::Bots::redrive`] takes.
    pub run: RunId,
    /// Which bot.
    pub bot: String,
    /// The event.
    pub event: EventId,
    /// The event's kind.
    pub kind: String,
    /// The event's subject.
    pub subject: String,
    /// The action that was given up; none if it is the run itself.
    pub action: Option<ActionSummary>,
    /// Why.
    pub reason: String,
    /// How often it was tried.
    pub tries: u32,
    /// When it was given up.
    pub at: DateTime<Utc>,
}

/// What a redrive would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RedrivePlan {
    /// Runs that are handed to the bot again.
    pub runs: u64,
    /// Actions that are tried again.
    pub actions: u64,
    /// About how long it takes.
    pub about_seconds: u64,
}

/// What a replay went through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Events in the range that the bot subscribes to.
    pub events: u64,
    /// Trials whose answers came from the record of the original run.
    pub from_record: u64,
    /// Trials whose answers came from the tools as they are now, because there is no record.
    pub live: u64,
    /// There were more events than a replay goes through: the oldest are missing.
    pub cut: bool,
}
