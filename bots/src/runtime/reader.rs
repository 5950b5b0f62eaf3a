//! One bot's reader: takes what is due and what is new from the log, in order, has it decided, and commits what
//! follows together with the checkpoint.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bus::data::Data;
use bus::event::Recorded;
use bus::ids::{EventId, EventOffset};
use bus::kind::Kind;
use bus::stop::stopped;
use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::CrashPoint;
use super::decide::{Decided, Decider, Work};
use super::feed::Stretch;
use super::record::RunStatus;
use super::shared::{Core, Entry};
use crate::contract::Mode;
use crate::error::BotError;
use crate::store::commit::{Batch, Outcome};
use crate::store::runs::Standing;

/// Events handed over in one transaction.
const BATCH_EVENTS_MAX: usize = 256;

/// Runs that are due, taken at once.
const DUE_MAX: u32 = 100;

/// With so many actions of a bot to be performed, its reader waits: the tools do not keep up.
const OPEN_ACTIONS_MAX: u64 = 10_000;

/// With so many runs of a bot waiting or tried again, its reader takes nothing new.
const OPEN_RUNS_MAX: u64 = 10_000;

/// Where nothing followed from events, the checkpoint is written this often: reading them again does no harm.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);

/// After so many runs, what is beyond the limits is forgotten.
const PRUNE_AFTER_RUNS: usize = 1_000;

/// A reader that waits for its tools looks this often whether they have caught up.
const CROWDED_WAIT: Duration = Duration::from_secs(1);

/// The reader of one bot.
pub(crate) struct Reader {
    core: Arc<Core>,
    entry: Arc<Entry>,
    standing: Standing,
    parked: BTreeSet<String>,
    next_due: Option<DateTime<Utc>>,
    /// Since when the checkpoint has moved without being written.
    unsaved: Option<Instant>,
    runs_since_prune: usize,
}

/// Whether there was something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Done,
    Idle,
    Crowded,
}

impl Reader {
    pub(crate) fn new(core: Arc<Core>, entry: Arc<Entry>) -> Self {
        Self {
            core,
            entry,
            standing: Standing::default(),
            parked: BTreeSet::new(),
            next_due: None,
            unsaved: None,
            runs_since_prune: 0,
        }
    }

    /// Reads until `stop` turns true. Stop is heard between events; what is decided then is committed.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), BotError> {
        let mut head = self.core.streams.event_head();
        self.reload().await?;
        self.core.store.prune(self.entry.name()).await?;
        loop {
            if *stop.borrow() {
                return self.save_checkpoint().await;
            }
            if self.entry.reload.swap(false, Ordering::AcqRel) {
                self.reload().await?;
            }
            // Before reading: an event recorded meanwhile must wake the wait below.
            head.borrow_and_update();
            match self.step(&stop).await? {
                Step::Done => {}
                step @ (Step::Idle | Step::Crowded) => self.wait(step, &mut head, &mut stop).await?,
            }
            if self.unsaved.is_some_and(|since| since.elapsed() >= CHECKPOINT_EVERY) {
                self.save_checkpoint().await?;
            }
        }
    }

    /// Takes from the store what somebody else may have changed.
    async fn reload(&mut self) -> Result<(), BotError> {
        let name = self.entry.name();
        let stored = self.core.store.standing(name).await?.unwrap_or_default();
        let reached = (stored.checkpoint.max(self.standing.checkpoint), stored.delivery.max(self.standing.delivery));
        self.standing = Standing { checkpoint: reached.0, delivery: reached.1, ..stored };
        self.entry.set_paused(self.standing.paused.clone());
        self.entry.set_decided(self.standing.checkpoint);
        self.parked = self.core.store.parked(name).await?;
        self.next_due = self.core.store.next_due(name).await?;
        Ok(())
    }

    async fn step(&mut self, stop: &watch::Receiver<bool>) -> Result<Step, BotError> {
        if self.standing.paused.is_some() {
            return Ok(Step::Idle);
        }
        if self.next_due.is_some_and(|due| due <= self.core.now()) {
            self.take_due(stop).await?;
            return Ok(Step::Done);
        }
        if self.is_crowded().await? {
            return Ok(Step::Crowded);
        }
        match self.core.feed.after(self.standing.checkpoint).await? {
            Some(stretch) => self.take_new(&stretch, stop).await.map(|()| Step::Done),
            None => Ok(Step::Idle),
        }
    }

    async fn is_crowded(&self) -> Result<bool, BotError> {
        let (store, name) = (&self.core.store, self.entry.name());
        let live = self.entry.mode() == Mode::Live;
        Ok(live && store.open_actions(name).await? >= OPEN_ACTIONS_MAX
            || !self.parked.is_empty() && store.open_runs(name).await? >= OPEN_RUNS_MAX)
    }

    async fn take_due(&mut self, stop: &watch::Receiver<bool>) -> Result<(), BotError> {
        let runs = self.core.store.due(self.entry.name(), self.core.now(), DUE_MAX).await?;
        let ids: Vec<EventId> = runs.iter().map(|run| run.event).collect();
        let events = self.core.streams.events_by_id(ids).await?;
        let event_of = |id| events.iter().find(|event| event.event.id == id).cloned();
        let works = runs.into_iter().map(|run| Work { event: event_of(run.event), run }).collect();
        let outcomes = self.decide(works, stop).await?;
        self.commit(outcomes).await
    }

    async fn take_new(&mut self, stretch: &Stretch, stop: &watch::Receiver<bool>) -> Result<(), BotError> {
        let mut works = Vec::new();
        let mut checkpoint = self.standing.checkpoint;
        let mut delivery = self.standing.delivery;
        for event in stretch.events() {
            if works.len() >= BATCH_EVENTS_MAX {
                break;
            }
            if self.is_news(event).await? {
                works.push(Work::of(event.clone()));
            }
            checkpoint = event.offset;
            delivery = delivery.max(event.origin.delivery);
        }
        let wanted = works.len();
        let outcomes = if works.is_empty() { Vec::new() } else { self.decide(works, stop).await? };
        if outcomes.len() < wanted {
            // Not all was reached: go on after the last one that was.
            let reached = outcomes.last().map(|outcome| outcome.run.event_offset);
            checkpoint = reached.unwrap_or(self.standing.checkpoint);
            let passed = stretch.events().iter().take_while(|event| event.offset <= checkpoint);
            delivery = passed.map(|event| event.origin.delivery).fold(self.standing.delivery, Ord::max);
        }
        (self.standing.checkpoint, self.standing.delivery) = (checkpoint, delivery);
        if outcomes.is_empty() && self.standing.paused.is_none() {
            self.unsaved.get_or_insert_with(Instant::now);
            self.passed(checkpoint);
            return Ok(());
        }
        self.commit(outcomes).await
    }

    /// Whether the bot is to hear of an event. A corrected reading of an old one is no news.
    async fn is_news(&self, event: &Recorded) -> Result<bool, BotError> {
        if !self.entry.query.matches(event) || is_own(self.entry.name(), event) {
            return Ok(false);
        }
        if event.revision == 0 {
            return Ok(true);
        }
        let unheard = event.origin.delivery > self.standing.delivery;
        Ok(unheard && !self.core.store.has_run(self.entry.name(), event.event.id).await?)
    }

    async fn decide(&mut self, works: Vec<Work>, stop: &watch::Receiver<bool>) -> Result<Vec<Outcome>, BotError> {
        let parked = std::mem::take(&mut self.parked);
        let decider = Decider::new(Arc::clone(&self.core), Arc::clone(&self.entry), parked, self.standing.clone());
        let stop = stop.clone();
        let decided = spawn_blocking(move || decider.decide(works, &stop)).await?;
        let Decided { outcomes, parked, standing } = decided;
        (self.parked, self.standing) = (parked, standing);
        if outcomes.iter().any(|outcome| !outcome.actions.is_empty()) {
            self.core.crash_point(CrashPoint::AfterDecision)?;
        }
        Ok(outcomes)
    }

    async fn commit(&mut self, outcomes: Vec<Outcome>) -> Result<(), BotError> {
        let acted = outcomes.iter().any(|outcome| !outcome.actions.is_empty());
        let later = |outcome: &Outcome| {
            let waits = matches!(outcome.run.status, RunStatus::Retrying | RunStatus::Waiting);
            waits || outcome.run.id.is_some() || outcome.reminder.is_some()
        };
        let due_changed = outcomes.iter().any(later);
        self.runs_since_prune += outcomes.len();
        // Nothing is decided while it is paused. So a pause that is written with decisions is a new one; any other may
        // be over by now.
        let paused = self.standing.paused.clone().filter(|_| !outcomes.is_empty());
        let manifest = &self.entry.manifest;
        let batch = Batch {
            bot: manifest.name,
            version: manifest.version,
            mode: self.entry.mode(),
            now: self.core.now(),
            standing: Standing { paused, ..self.standing.clone() },
            outcomes,
        };
        let committed = self.core.store.commit(batch).await?;
        self.unsaved = None;
        if acted {
            self.core.crash_point(CrashPoint::AfterCommit)?;
        }
        for key in &committed.released {
            self.parked.remove(key);
        }
        if due_changed {
            self.next_due = self.core.store.next_due(manifest.name).await?;
        }
        if self.standing.paused.is_some() {
            self.entry.set_paused(self.standing.paused.clone());
        }
        self.core.lanes.touch(committed.lanes);
        self.passed(self.standing.checkpoint);
        if self.runs_since_prune >= PRUNE_AFTER_RUNS {
            self.runs_since_prune = 0;
            self.core.store.prune(self.entry.name()).await?;
        }
        Ok(())
    }

    fn passed(&self, checkpoint: EventOffset) {
        self.entry.set_decided(checkpoint);
        self.core.stepped();
    }

    async fn save_checkpoint(&mut self) -> Result<(), BotError> {
        if self.unsaved.is_some() { self.commit(Vec::new()).await } else { Ok(()) }
    }

    async fn wait(
        &self,
        step: Step,
        head: &mut watch::Receiver<EventOffset>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), BotError> {
        let is_paused = self.standing.paused.is_some();
        let patience = match (step, self.unsaved) {
            (Step::Crowded, _) => CROWDED_WAIT,
            (Step::Done | Step::Idle, Some(_)) => CHECKPOINT_EVERY,
            (Step::Done | Step::Idle, None) => Duration::MAX,
        };
        let due = self.next_due.filter(|_| !is_paused).unwrap_or(DateTime::<Utc>::MAX_UTC);
        tokio::select! {
            moved = head.changed(), if step == Step::Idle && !is_paused => {
                if moved.is_err() {
                    // The log was closed under it: nothing comes any more, and stop is near.
                    stopped(stop).await;
                }
            }
            () = self.entry.wake.notified() => {}
            () = self.core.sleep_until(due) => {}
            () = tokio::time::sleep(patience) => {}
            () = stopped(stop) => {}
        }
        Ok(())
    }
}

/// Whether an event tells of what the bot did itself. A person's answer to its message does not.
fn is_own(bot: &str, event: &Recorded) -> bool {
    let by = match &event.event.data {
        Data::Action(action) => action.bot.as_deref(),
        Data::Message(_) if event.event.kind == Kind::MessageAnswered => None,
        Data::Message(message) => message.origin.as_ref().map(|mark| mark.bot.as_str()),
        Data::Comment(comment) => comment.origin.as_ref().map(|mark| mark.bot.as_str()),
        Data::Analysis(_)
        | Data::Artifact(_)
        | Data::Branch(_)
        | Data::Build(_)
        | Data::Change(_)
        | Data::Coverage(_)
        | Data::Deployment(_)
        | Data::Environment(_)
        | Data::Incident(_)
        | Data::Node(_)
        | Data::PipelineRun(_)
        | Data::Pod(_)
        | Data::Push(_)
        | Data::Release(_)
        | Data::Repository(_)
        | Data::Review(_)
        | Data::TaskRun(_)
        | Data::Test(_)
        | Data::Ticket(_)
        | Data::Vulnerability(_)
        | Data::AsReceived
        | Data::Other(_) => None,
    };
    by == Some(bot)
}
