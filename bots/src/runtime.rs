//! The runtime of bots: hands events to them, keeps what they decided, and has it performed.
//!
//! One reader for each bot takes events from the log, in order, and commits what follows from them together with its
//! checkpoint: the record of the run, the bot's state, actions, reminders. The performer works the recorded actions off,
//! one lane for each destination. The announcer tells the bus what was performed. Whatever is half done when the program
//! ends is picked up at the next start; nothing that was performed is repeated where its tool can be asked.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bus::ids::{EventId, EventOffset};
use bus::lease::Lease;
use bus::query::Query;
use bus::stop::stopped;
use bus::storage::Tables;
use bus::streams::Streams;
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::clients::Client;
use crate::contract::{Bot, Mode};
use crate::error::BotError;
use crate::lookups::{OwnedThing, Owner};
use crate::store::Store;
use crate::store::figures::Which;
use crate::trial::Trial;
use feed::Feed;
use lanes::Lanes;
use reader::Reader;
use record::{BotStatus, DeadLetter, RedrivePlan, Replayed, RunId, RunRecord, RunSummary};
use shared::{Core, Entry};

mod admit;
mod announce;
mod asked;
mod attempt;
mod by_hand;
mod control;
mod decide;
mod feed;
mod lanes;
mod performer;
mod reader;
pub mod record;
mod replay;
mod route;
mod shared;
mod status;
mod world;

/// The lease of the process that runs bots.
pub const LEASE: &str = crate::store::LEASE;
/// While the disk is full, everybody begins again this often.
const FULL_WAIT: Duration = Duration::from_secs(1);

/// What the installation sets.
#[derive(Clone)]
pub struct Settings {
    /// By the bot's name; a bot that is not named runs dry and has no values.
    pub bots: BTreeMap<String, BotSettings>,
    /// The time.
    pub clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// For tests: where the process aborts.
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
#[derive(Debug, Clone)]
pub struct Bots {
    core: Arc<Core>,
}

impl Bots {
    /// Opens, or creates, the runs kept in some tables. A bot that was not there before begins at the head.
    ///
    /// # Errors
    /// If the store cannot be used, or a subscription cannot be read.
    pub async fn open(
        tables: &Tables,
        streams: Streams,
        bots: &[&'static dyn Bot],
        settings: Settings,
        outside: Outside,
    ) -> Result<Self, BotError> {
        let store = Store::open(tables).await?;
        let now = (settings.clock)();
        let head = *streams.event_head().borrow();
        let deliveries = *streams.delivery_head().borrow();
        let mut entries = Vec::with_capacity(bots.len());
        for bot in bots {
            let manifest = bot.manifest();
            let query = Query::parse(manifest.subscription, now)
                .map_err(|source| BotError::Subscription { bot: manifest.name.to_owned(), source })?;
            let standing = store.enrol(manifest.name, head, deliveries).await?;
            let values = settings.bots.get(manifest.name).cloned().unwrap_or_default();
            entries.push(Arc::new(Entry::new(*bot, query, values, &standing)));
        }
        let core = Core {
            feed: Feed::new(streams.clone()),
            streams,
            store,
            entries,
            settings,
            outside,
            lanes: Lanes::default(),
            to_announce: Notify::new(),
            steps: watch::Sender::new(0),
            running: AtomicBool::new(false),
        };
        Ok(Self { core: Arc::new(core) })
    }

    /// Hands events to bots and has their actions performed, until `stop` turns true. Not cancel-safe: stop it through
    /// `stop`. It may be run again afterwards, after an error too: it then goes on from what is stored.
    ///
    /// # Errors
    /// [`BotError::LeaseLost`] once another process holds the lease [`LEASE`]; otherwise if the store or the streams
    /// cannot be used any more, or if it runs already.
    pub async fn run(&self, lease: Lease, mut stop: watch::Receiver<bool>) -> Result<(), BotError> {
        loop {
            match self.run_until_full(&lease, stop.clone()).await {
                // Everybody begins again at what is stored, as after a crash.
                Err(error) if error.is_full() => {
                    tracing::warn!(%error, "bots wait for room on the disk");
                    tokio::select! {
                        () = tokio::time::sleep(FULL_WAIT) => {}
                        () = stopped(&mut stop) => return Ok(()),
                    }
                }
                ended => return ended,
            }
        }
    }

    async fn run_until_full(&self, lease: &Lease, stop: watch::Receiver<bool>) -> Result<(), BotError> {
        let core = &self.core;
        let Some(turn) = Turn::take(&core.running) else {
            return Err(BotError::Setup("it runs already".to_owned()));
        };
        core.store.hold(lease.epoch());
        let mut tasks: JoinSet<Result<(), BotError>> = JoinSet::new();
        for entry in &core.entries {
            let reader = Reader::new(Arc::clone(core), Arc::clone(entry));
            tasks.spawn(reader.run(stop.clone()));
        }
        tasks.spawn(performer::run(Arc::clone(core), stop.clone()));
        tasks.spawn(by_hand::run(Arc::clone(core), stop.clone()));
        tasks.spawn(announce::run(Arc::clone(core), stop));
        let mut outcome = Ok(());
        loop {
            outcome = tokio::select! {
                ended = tasks.join_next() => match ended {
                    Some(ended) => ended.map_err(BotError::from).and_then(|result| result),
                    None => break,
                },
                () = lease.lost() => Err(BotError::LeaseLost),
            };
            if outcome.is_err() {
                tasks.shutdown().await;
                break;
            }
        }
        drop(turn);
        outcome
    }

    /// Closes the store. Call it when nothing runs any more; what is not closed is recovered at the next start.
    pub async fn close(&self) {
        self.core.store.close().await;
    }

    /// How every bot stands; those that need attention first.
    ///
    /// # Errors
    /// If the store or the streams cannot be read.
    pub async fn list(&self) -> Result<Vec<BotStatus>, BotError> {
        let mut list = Vec::with_capacity(self.core.entries.len());
        for entry in &self.core.entries {
            list.push(status::of(&self.core, entry).await?);
        }
        list.sort_by_key(BotStatus::attention);
        Ok(list)
    }

    /// How one bot stands; none if there is no such bot.
    ///
    /// # Errors
    /// If the store or the streams cannot be read.
    pub async fn bot(&self, name: &str) -> Result<Option<BotStatus>, BotError> {
        match self.core.entry(name) {
            Ok(entry) => status::of(&self.core, entry).await.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Runs of a bot, newest first, before one if it is given.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn runs(&self, bot: &str, before: Option<RunId>, limit: usize) -> Result<Vec<RunSummary>, BotError> {
        self.core.store.runs(Which::Of { bot, before, limit }).await
    }

    /// Everything known of a run; none if it is not kept any more.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn run_record(&self, id: RunId) -> Result<Option<RunRecord>, BotError> {
        self.core.store.run_record(id).await
    }

    /// The runs of all bots for an event, oldest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn runs_of_event(&self, event: EventId) -> Result<Vec<RunSummary>, BotError> {
        self.core.store.runs(Which::Event(event)).await
    }

    /// What was given up, newest first; of one bot, if one is named.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn dead_letters(&self, bot: Option<&str>, limit: usize) -> Result<Vec<DeadLetter>, BotError> {
        self.core.store.dead_letters(bot, limit).await
    }

    /// What a redrive of a bot's dead letters, or of those of these runs, would do.
    ///
    /// # Errors
    /// If there is no such bot, or the store cannot be read.
    pub async fn redrive_plan(&self, bot: &str, ids: Option<&[RunId]>) -> Result<RedrivePlan, BotError> {
        control::redrive_plan(&self.core, bot, ids).await
    }

    /// Has a bot's dead letters, or those of these runs, tried again. Returns how many.
    ///
    /// # Errors
    /// If there is no such bot, or the store cannot be written.
    pub async fn redrive(&self, bot: &str, ids: Option<&[RunId]>) -> Result<u64, BotError> {
        control::redrive(&self.core, bot, ids).await
    }

    /// Hands a bot no more events and performs none of its actions until it is resumed.
    ///
    /// # Errors
    /// If there is no such bot, or the store cannot be written.
    pub async fn pause(&self, bot: &str) -> Result<(), BotError> {
        control::pause(&self.core, bot).await
    }

    /// Lets a paused bot go on where it was.
    ///
    /// # Errors
    /// If there is no such bot, or the store cannot be written.
    pub async fn resume(&self, bot: &str) -> Result<(), BotError> {
        control::resume(&self.core, bot).await
    }

    /// Looks at the clock again, after somebody set it: for tests.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn wake(&self) -> Result<(), BotError> {
        control::wake(&self.core).await
    }

    /// What a bot would make of an event now. Nothing is recorded or performed. None if there is no such event.
    ///
    /// # Errors
    /// If there is no such bot, or the streams or the store cannot be read.
    pub async fn test(&self, bot: &str, event: EventId) -> Result<Option<Trial>, BotError> {
        let entry = Arc::clone(self.core.entry(bot)?);
        replay::test(Arc::clone(&self.core), entry, event).await
    }

    /// What a bot makes of the events that happened in a range of time, oldest first: with the answers of the original
    /// runs where they are recorded, live ones otherwise; [`Trial::answered_by`] says which. Nothing is recorded or
    /// performed; state that the trials save is seen by later ones without a record.
    ///
    /// # Errors
    /// If there is no such bot, or the streams or the store cannot be read.
    pub async fn replay(
        &self,
        bot: &str,
        events: Range<DateTime<Utc>>,
        on_trial: impl FnMut(Trial) + Send,
    ) -> Result<Replayed, BotError> {
        let entry = Arc::clone(self.core.entry(bot)?);
        replay::replay(Arc::clone(&self.core), entry, events, on_trial).await
    }

    /// Waits until every event up to there is decided by every bot that is not paused, and every action performed or
    /// given up and told to the bus. Reminders that are not due yet are not waited for. Without [`Bots::run`] it waits
    /// for ever.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn wait_until_idle(&self, upto: EventOffset) -> Result<(), BotError> {
        control::wait_until_idle(&self.core, upto).await
    }
}

/// Held while the runtime runs, so that it runs once.
struct Turn<'a>(&'a AtomicBool);

impl<'a> Turn<'a> {
    fn take(running: &'a AtomicBool) -> Option<Self> {
        (!running.swap(true, Ordering::AcqRel)).then_some(Self(running))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
