//! Decides about a batch of events, one after the other, on a thread where lookups may block. What follows is returned,
//! to be recorded together; until then a later event of the batch sees what an earlier one saved through an overlay.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::event::Recorded;
use bus::key::bounded;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::admit::{Admitted, Circumstances, Known, LOOP_WITHIN, admit};
use super::asked;
use super::record::{Attempt, Failure, Paused, RunStatus};
use super::shared::{Core, Entry, Overlay, back_off};
use super::world::LiveWorld;
use crate::contract::Decision;
use crate::lookups::{Asked, Reminder};
use crate::store::commit::Outcome;
use crate::store::runs::{Place, Run, Standing};
use crate::trial;

/// A batch is closed after this, so that what was decided first is done soon.
const BATCH_TIME_MAX: Duration = Duration::from_millis(100);

/// A failed run is tried again after this, then after twice as long and so on up to the second.
const RETRY_WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(300)];

/// A bot that fails so often in a row is paused: it is broken, and trying on only fills the dead letters.
pub(crate) const FAILURES_IN_ROW_MAX: u32 = 20;

/// Attempts kept in the record of a run or an action: the latest.
pub(crate) const ATTEMPTS_KEPT: usize = 20;

/// An event that is to be handed to a bot.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) run: Run,
    /// None if the log does not have it any more.
    pub(crate) event: Option<Recorded>,
}

impl Work {
    /// An event that came.
    pub(crate) fn of(event: Recorded) -> Self {
        let run = Run {
            id: None,
            event: event.event.id,
            event_offset: event.offset,
            round: 0,
            key: bounded(&event.event.key.0).into_owned(),
            kind: event.event.kind.name().to_owned(),
            subject: event.event.subject.clone(),
            status: RunStatus::Retrying,
            because: String::new(),
            tries: 0,
            by_hand: false,
            attempts: Vec::new(),
            note: None,
            began_at: None,
            millis: 0,
            due_at: None,
        };
        Self { run, event: Some(event) }
    }
}

/// What a bot made of a batch.
#[derive(Debug)]
pub(crate) struct Decided {
    /// One for each of the first works; the others were not reached.
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) parked: BTreeSet<String>,
    pub(crate) standing: Standing,
}

/// A batch while it is decided.
pub(crate) struct Decider {
    core: Arc<Core>,
    entry: Arc<Entry>,
    handle: Handle,
    state: RefCell<Overlay>,
    places: HashMap<String, Place>,
    /// New outward actions of the batch: on which key, because of an event of when.
    fresh: Vec<(String, DateTime<Utc>)>,
    parked: BTreeSet<String>,
    standing: Standing,
}

impl Decider {
    /// A decider for one batch. `parked` are the keys on which runs wait.
    pub(crate) fn new(core: Arc<Core>, entry: Arc<Entry>, parked: BTreeSet<String>, standing: Standing) -> Self {
        Self {
            core,
            entry,
            handle: Handle::current(),
            state: RefCell::default(),
            places: HashMap::new(),
            fresh: Vec::new(),
            parked,
            standing,
        }
    }

    /// Decides until all is decided, time is up, the bot is to be paused, or `stop` turns true. Blocks.
    pub(crate) fn decide(mut self, works: Vec<Work>, stop: &watch::Receiver<bool>) -> Decided {
        let began = Instant::now();
        let mut outcomes = Vec::with_capacity(works.len());
        for work in works {
            if *stop.borrow() || self.standing.paused.is_some() || began.elapsed() > BATCH_TIME_MAX {
                break;
            }
            outcomes.push(self.one(work));
        }
        Decided { outcomes, parked: self.parked, standing: self.standing }
    }

    fn one(&mut self, Work { run, event }: Work) -> Outcome {
        let has_turn = run.id.is_some() && run.status == RunStatus::Retrying;
        if self.parked.contains(&run.key) && !has_turn {
            let because = "waits for an earlier run of the same key".to_owned();
            return bare(Run { status: RunStatus::Waiting, because, due_at: None, ..run });
        }
        let now = self.core.now();
        let Some(event) = event else {
            let attempt = Attempt { at: now, outcome: "rejected".to_owned(), reason: None, millis: 0 };
            return bare(self.dead(run, attempt, "the log does not have the event any more".to_owned()));
        };
        let began = Instant::now();
        let reminder = run.note.clone().map(|note| Reminder { note, round: run.round });
        let world =
            LiveWorld { core: &self.core, entry: &self.entry, event: &event, state: &self.state, handle: &self.handle };
        let (decision, asked) = trial::decide(self.entry.bot, &event, &world, now, reminder);
        let millis = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
        let run = Run { tries: run.tries + 1, began_at: Some(now), millis, due_at: None, ..run };
        let (run, admitted) = self.conclude(run, &event, decision);
        self.outcome(run, asked, admitted)
    }

    fn conclude(&mut self, run: Run, event: &Recorded, decision: Result<Decision, String>) -> (Run, Admitted) {
        let now = run.began_at.unwrap_or_default();
        let attempt = |outcome: &str, reason: Option<&String>| Attempt {
            at: now,
            outcome: outcome.to_owned(),
            reason: reason.cloned(),
            millis: run.millis,
        };
        match decision {
            Ok(Decision::Act { actions, because }) => {
                let (core, entry) = (Arc::clone(&self.core), Arc::clone(&self.entry));
                let (round, by_hand) = (run.round, run.by_hand);
                let around = Circumstances { core: &core, entry: &entry, event, round, by_hand, now };
                match admit(around, actions, self) {
                    Ok(admitted) => {
                        let attempt = attempt("done", None);
                        self.standing.failures_in_row = 0;
                        (ended(run, RunStatus::Done, because, attempt), admitted)
                    }
                    Err(reason) => {
                        let attempt = attempt("failed", Some(&reason));
                        (self.dead(run, attempt, reason), Admitted::default())
                    }
                }
            }
            Ok(Decision::Retry { after, reason }) => {
                let attempt = attempt("retry", Some(&reason));
                let after = after.and_then(|after| TimeDelta::from_std(after).ok());
                (self.again(run, attempt, reason, after), Admitted::default())
            }
            Ok(Decision::Reject { reason }) => {
                let attempt = attempt("rejected", Some(&reason));
                (self.dead(run, attempt, reason), Admitted::default())
            }
            Err(reason) => {
                let attempt = attempt("failed", Some(&reason));
                if run.tries >= self.entry.manifest.attempts_max {
                    return (self.dead(run, attempt, reason), Admitted::default());
                }
                self.note_failure(&run, &reason);
                (self.again(run, attempt, reason, None), Admitted::default())
            }
        }
    }

    /// The run is tried again later, and its key waits for it.
    fn again(&mut self, mut run: Run, attempt: Attempt, reason: String, after: Option<TimeDelta>) -> Run {
        if run.tries >= self.entry.manifest.attempts_max {
            let reason = format!("given up after {} attempts: {reason}", run.tries);
            return self.dead(run, attempt, reason);
        }
        let wait = back_off(run.tries, RETRY_WAITS, &run.key).max(after.unwrap_or_default());
        run.due_at = attempt.at.checked_add_signed(wait);
        self.parked.insert(run.key.clone());
        ended(run, RunStatus::Retrying, reason, attempt)
    }

    fn dead(&mut self, run: Run, attempt: Attempt, reason: String) -> Run {
        tracing::warn!(bot = self.entry.name(), event.id = %run.event, tries = run.tries, "a run of a bot was given up");
        self.note_failure(&run, &reason);
        ended(run, RunStatus::Dead, reason, attempt)
    }

    /// What was redriven by hand may fail as often as it likes.
    fn note_failure(&mut self, run: &Run, reason: &str) {
        let at = self.core.now();
        self.standing.last_failure = Some(Failure { at, reason: reason.to_owned() });
        if run.by_hand {
            return;
        }
        self.standing.failures_in_row = self.standing.failures_in_row.saturating_add(1);
        if self.standing.failures_in_row >= FAILURES_IN_ROW_MAX && self.standing.paused.is_none() {
            let because = format!("failed {FAILURES_IN_ROW_MAX} times in a row, last with: {reason}");
            tracing::warn!(bot = self.entry.name(), because, "a bot is paused");
            self.standing.paused = Some(Paused { since: at, because });
        }
    }

    fn outcome(&mut self, run: Run, asked: Vec<Asked>, admitted: Admitted) -> Outcome {
        let Admitted { actions, state, reminder } = admitted;
        for (key, value) in &state {
            self.state.get_mut().put(key.clone(), value.clone());
        }
        for action in &actions {
            if let (Some(message), Some(lane)) = (&action.message, &action.lane) {
                let place = Place { lane: lane.clone(), channel: action.channel.clone() };
                self.places.insert(message.clone(), place);
            }
            if action.is_new {
                self.fresh.push((run.key.clone(), action.event_time));
            }
        }
        Outcome { run, asked: asked::record(asked), state, actions, reminder }
    }
}

impl Known for Decider {
    fn place_of(&self, message: &str) -> Option<Place> {
        if let Some(place) = self.places.get(message) {
            return Some(place.clone());
        }
        let place = self.core.store.place_of(self.entry.name(), message, self.entry.mode());
        // Unreadable, the message is posted anew: the commit that follows will say what is wrong with the store.
        self.handle.block_on(place).ok().flatten()
    }

    fn new_actions(&self, event: &Recorded) -> usize {
        let (key, until) = (bounded(&event.event.key.0), event.event.time);
        let since = until - LOOP_WITHIN;
        let here = self.fresh.iter().filter(|(on, at)| *on == key && *at > since && *at <= until).count();
        let recorded = self.core.store.new_actions(self.entry.name(), &key, [since, until]);
        here + usize::try_from(self.handle.block_on(recorded).unwrap_or(0)).unwrap_or(usize::MAX)
    }
}

fn bare(run: Run) -> Outcome {
    Outcome { run, asked: Vec::new(), state: Vec::new(), actions: Vec::new(), reminder: None }
}

fn ended(mut run: Run, status: RunStatus, because: String, attempt: Attempt) -> Run {
    keep(&mut run.attempts, attempt);
    Run { status, because, ..run }
}

/// Adds an attempt to a record, which keeps the latest.
pub(crate) fn keep(attempts: &mut Vec<Attempt>, attempt: Attempt) {
    attempts.push(attempt);
    let over = attempts.len().saturating_sub(ATTEMPTS_KEPT);
    attempts.drain(..over);
}
