//! The runtime of bots: hands events to them, keeps what they decided, and has it performed.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bus::ids::{EventId, EventOffset};
use bus::streams::Streams;
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::watch;

use crate::clients::Client;
use crate::contract::{Bot, Mode};
use crate::error::BotError;
use crate::lookups::{OwnedThing, Owner};
use crate::trial::Trial;
use record::{BotStatus, DeadLetter, RedrivePlan, Replayed, RunId, RunRecord, RunSummary};

pub mod record;

/// What the installation sets.
#[derive(Clone)]
pub struct Settings {
    /// By the bot's name; a bot that is not named runs dry and has no values.
    pub bots: BTreeMap<String, BotSettings>,
    /// The time.
    pub clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// For tests: where to stop dead.
    pub crash_at: Option<CrashPoint>,
}

/// What the installation sets for one bot.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BotSettings {
    /// Whether its actions are performed.
    pub mode: Mode,
    /// What [`crate::lookups::Lookups::setting`] answers. The runtime itself reads `default_channel`.
    pub values: serde_json::Map<String, Value>,
}

/// A step between an event and its performed action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashPoint {
    /// Decided, and nothing of it recorded.
    AfterDecision,
    /// Recorded, and nothing of it begun.
    AfterCommit,
    /// Noted as begun, and the tool not called yet.
    AfterAttempting,
    /// The tool has done it, and nothing of that noted.
    AfterCall,
    /// Noted as performed, and the bus not told.
    AfterPerformed,
}

impl CrashPoint {
    /// Every one, in order.
    pub const ALL: [Self; 5] =
        [Self::AfterDecision, Self::AfterCommit, Self::AfterAttempting, Self::AfterCall, Self::AfterPerformed];

    /// Its name for the environment: `after-decision`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AfterDecision => "after-decision",
            Self::AfterCommit => "after-commit",
            Self::AfterAttempting => "after-attempting",
            Self::AfterCall => "after-call",
            Self::AfterPerformed => "after-performed",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|point| point.name() == name)
    }
}

/// Who owns what, and where teams talk: the catalog as bots need it.
pub trait Owners: Send + Sync {
    /// Who owns a thing; an [`Owner`] without a team if nobody is known to.
    fn owner(&self, thing: &OwnedThing) -> Owner;

    /// The channel of a team.
    fn channel(&self, team: &str) -> Option<String>;
}

/// What stands around the runtime.
#[derive(Clone)]
pub struct Outside {
    /// The tools. The first that performs an action, or answers a question, does.
    pub clients: Vec<Arc<dyn Client>>,
    /// The catalog.
    pub owners: Arc<dyn Owners>,
}

/// The bots of an installation. Clones are the same runtime.
#[derive(Clone)]
pub struct Bots {
    _nothing: (),
}

impl fmt::Debug for Bots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bots").finish_non_exhaustive()
    }
}

impl Bots {
    /// Opens, or creates, the runs kept in a directory. A bot that was not there before begins at the head.
    ///
    /// # Errors
    /// If the store cannot be used, or a subscription cannot be read.
    pub async fn open(
        _directory: &Path,
        _streams: Streams,
        _bots: &[&'static dyn Bot],
        _settings: Settings,
        _outside: Outside,
    ) -> Result<Self, BotError> {
        Ok(Self { _nothing: () })
    }

    /// Hands events to bots and has their actions performed, until `stop` turns true. Not cancel-safe: stop it through
    /// `stop`.
    ///
    /// # Errors
    /// If the store or the streams cannot be used any more.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) -> Result<(), BotError> {
        bus::stop::stopped(&mut stop).await;
        Ok(())
    }

    /// How every bot stands; those that need attention first.
    ///
    /// # Errors
    /// If the store or the streams cannot be read.
    pub async fn list(&self) -> Result<Vec<BotStatus>, BotError> {
        Ok(Vec::new())
    }

    /// How one bot stands; none if there is no such bot.
    ///
    /// # Errors
    /// If the store or the streams cannot be read.
    pub async fn bot(&self, _name: &str) -> Result<Option<BotStatus>, BotError> {
        Ok(None)
    }

    /// Runs of a bot, newest first, before one if it is given.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn runs(&self, _bot: &str, _before: Option<RunId>, _limit: usize) -> Result<Vec<RunSummary>, BotError> {
        Ok(Vec::new())
    }

    /// Everything known of a run; none if it is not kept any more.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn run_record(&self, _id: RunId) -> Result<Option<RunRecord>, BotError> {
        Ok(None)
    }

    /// The runs of all bots for an event, oldest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn runs_of_event(&self, _event: EventId) -> Result<Vec<RunSummary>, BotError> {
        Ok(Vec::new())
    }

    /// What was given up, newest first; of one bot, if one is named.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn dead_letters(&self, _bot: Option<&str>, _limit: usize) -> Result<Vec<DeadLetter>, BotError> {
        Ok(Vec::new())
    }

    /// What a redrive of a bot's dead letters, or of those of these runs, would do.
    ///
    /// # Errors
    /// If there is no such bot, or the store cannot be read.
    pub async fn redrive_plan(&self, _bot: &str, _ids: Option<&[RunId]>) -> Result<RedrivePlan, BotError> {
        Ok(RedrivePlan { runs: 0, actions: 0, about_seconds: 0 })
    }

    /// Has a bot's dead letters, or those of these runs, tried again. Returns how many.
    ///
    /// # Errors
    /// If there is no such bot, or the store cannot be written.
    pub async fn redrive(&self, _bot: &str, _ids: Option<&[RunId]>) -> Result<u64, BotError> {
        Ok(0)
    }

    /// Hands a bot no more events and performs none of its actions until it is resumed.
    ///
    /// # Errors
    /// If there is no such bot, or the store cannot be written.
    pub async fn pause(&self, _bot: &str) -> Result<(), BotError> {
        Ok(())
    }

    /// Lets a paused bot go on where it was.
    ///
    /// # Errors
    /// If there is no such bot, or the store cannot be written.
    pub async fn resume(&self, _bot: &str) -> Result<(), BotError> {
        Ok(())
    }

    /// What a bot would make of an event now. Nothing is recorded or performed. None if there is no such event.
    ///
    /// # Errors
    /// If there is no such bot, or the streams or the store cannot be read.
    pub async fn test(&self, _bot: &str, _event: EventId) -> Result<Option<Trial>, BotError> {
        Ok(None)
    }

    /// What a bot makes of the events that happened in a range of time, oldest first: with the answers of the original
    /// runs where they are recorded, live ones otherwise; [`Trial::answered_by`] says which. Nothing is recorded or
    /// performed; state that the trials save is seen by later ones without a record.
    ///
    /// # Errors
    /// If there is no such bot, or the streams or the store cannot be read.
    pub async fn replay(
        &self,
        _bot: &str,
        _events: Range<DateTime<Utc>>,
        _on_trial: impl FnMut(Trial) + Send,
    ) -> Result<Replayed, BotError> {
        Ok(Replayed::default())
    }

    /// Waits until every event up to there is decided by every bot that is not paused, and every action performed or
    /// given up and told to the bus. Reminders that are not due yet are not waited for.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn wait_until_idle(&self, _upto: EventOffset) -> Result<(), BotError> {
        Ok(())
    }
}
