//! The worker of one webhook: reads on in the log, queues what matches, and attempts what is due.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};

use super::circuit::{Allowed, Circuit};
use super::deliver;
use crate::ids::EventOffset;
use crate::lease::Epoch;
use crate::stop::stopped;
use crate::streams::StreamError;
use crate::subscriptions::events::{self, EVENTS_READ_MAX};
use crate::subscriptions::manage::webhook;
use crate::subscriptions::store::SubscriptionId;
use crate::subscriptions::store::definitions::Stored;
use crate::subscriptions::store::queue::{NewWork, Step, Work};
use crate::subscriptions::{
    Attempted, DEAD_LETTERS_MAX, Name, Outgoing, SigningKey, State, SubscriptionError, Subscriptions,
};

type Result<T> = std::result::Result<T, SubscriptionError>;

/// With so many events that wait for nothing but their turn no more is read.
const READY_MAX: usize = 1_000;

/// With so much queued no more is read, even if most of it waits behind failed deliveries: about a megabyte of rows.
const QUEUED_MAX: usize = 10_000;

/// A queue that was full is looked at again when so many attempts have ended: counting it each time would cost more than
/// they do.
const FULL_FOR: usize = READY_MAX / 8;

/// A position that moved over so many events of which none matched is noted: so many are read again after a crash.
const UNNOTED_EVENTS_MAX: i64 = 1_000;

/// A position that moved is noted after this at the latest, so that pages show it.
const UNNOTED_MAX: TimeDelta = TimeDelta::seconds(5);

/// The clock is looked at again after this at the latest: it may have been set, or the machine have slept.
const LOOK_MAX: Duration = Duration::from_secs(30);

/// What is in flight when the worker is told to stop is waited for so long; what is not answered then is sent again.
const FINISH_MAX: Duration = Duration::from_secs(10);

/// The log could not be read for an attempt: nothing is attempted for so long.
const REST: TimeDelta = TimeDelta::seconds(1);

pub(super) struct Worker {
    pub(super) subscriptions: Subscriptions,
    pub(super) epoch: Epoch,
    pub(super) id: SubscriptionId,
    pub(super) circuit: Circuit,
    pub(super) attempts_noted: usize,
    /// Attempts that are to end before the queue, which was full, is looked at again.
    pub(super) full_for: usize,
    /// Where it has read to.
    position: EventOffset,
    /// Where it is noted to have read to.
    noted: EventOffset,
    noted_at: DateTime<Utc>,
    rests_until: DateTime<Utc>,
    in_flight: JoinSet<Ended>,
    work: HashMap<Id, Work>,
}

/// How an attempt ended.
pub(super) enum Ended {
    /// It was made, under that `webhook-id`.
    Made(String, Attempted),
    /// There is nothing to deliver any more: the event was corrected since, or is not in the log any more.
    Superfluous,
    /// The event could not be read, so nothing was attempted.
    Unread(StreamError),
    /// Whoever sends broke off.
    Broken(String),
}

/// Where attempts go.
struct Target {
    name: Name,
    url: String,
    keys: Vec<SigningKey>,
    at: DateTime<Utc>,
}

impl Worker {
    pub(super) fn new(subscriptions: Subscriptions, epoch: Epoch, id: SubscriptionId) -> Self {
        Self {
            subscriptions,
            epoch,
            id,
            circuit: Circuit::default(),
            attempts_noted: 0,
            full_for: 0,
            position: EventOffset::START,
            noted: EventOffset::START,
            noted_at: DateTime::UNIX_EPOCH,
            rests_until: DateTime::UNIX_EPOCH,
            in_flight: JoinSet::new(),
            work: HashMap::new(),
        }
    }

    pub(super) const fn id(&self) -> SubscriptionId {
        self.id
    }

    /// The same worker with nothing in flight, which reads all it knows again.
    pub(super) fn anew(self) -> Self {
        Self::new(self.subscriptions, self.epoch, self.id)
    }

    /// Works until the subscription is not active any more or `stop` turns true.
    pub(super) async fn work(
        &mut self,
        changed: &mut watch::Receiver<()>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<()> {
        changed.borrow_and_update();
        let Some(mut stored) = self.load().await? else { return Ok(()) };
        self.position = stored.position.unwrap_or_default();
        (self.noted, self.noted_at) = (self.position, self.subscriptions.now());
        let mut head = self.subscriptions.streams.event_head();
        let mut looks = self.subscriptions.changed.subscribe();
        loop {
            looks.borrow_and_update();
            if changed.has_changed().unwrap_or(true) {
                changed.borrow_and_update();
                let Some(newer) = self.load().await? else { break };
                stored = newer;
            }
            // Mark the head as seen before reading, so that an event arriving meanwhile is not slept over.
            head.borrow_and_update();
            let more = self.read_on(&stored).await?;
            let now = self.subscriptions.now();
            let wake_at = self.attempt_due(&stored, now).await?;
            if *stop.borrow() {
                break;
            }
            if more && self.in_flight.is_empty() {
                continue;
            }
            let wait = if more { Duration::ZERO } else { until(wake_at, now) };
            tokio::select! {
                Some(ended) = self.in_flight.join_next_with_id() => {
                    if !self.settle_with(&stored, ended).await? {
                        break;
                    }
                }
                _ = head.changed() => {}
                _ = changed.changed() => changed.mark_changed(),
                _ = looks.changed() => {}
                () = stopped(stop) => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.finish(&stored).await
    }

    /// The subscription as it stands; none if there is nothing to do for it.
    async fn load(&mut self) -> Result<Option<Stored>> {
        let stored = self.subscriptions.store.by_id(self.id).await?.filter(|stored| stored.state == State::Active);
        if let Some(stored) = &stored
            && stored.held != self.circuit.held()
        {
            self.circuit = Circuit::new(stored.held);
        }
        Ok(stored)
    }

    /// Reads once and queues what matches; whether there is more to be read and room for it.
    async fn read_on(&mut self, stored: &Stored) -> Result<bool> {
        let subscriptions = &self.subscriptions;
        let now = subscriptions.now();
        let mut work: Vec<NewWork> = Vec::new();
        let mut more = false;
        let may_have_room = self.full_for == 0 || self.in_flight.is_empty();
        if may_have_room && subscriptions.streams.event_head().borrow().0 > self.position.0 {
            let room = subscriptions.store.room(self.id).await?;
            let full = room.queued >= QUEUED_MAX || room.ready >= READY_MAX || room.dead >= DEAD_LETTERS_MAX;
            self.full_for = if full { FULL_FOR } else { 0 };
            if !full {
                let read = subscriptions.streams.events(self.position, EVENTS_READ_MAX).await?;
                work.extend(read.iter().filter(|event| stored.spec.filter.matches(event)).map(NewWork::of));
                more = read.len() == EVENTS_READ_MAX;
                self.position = read.last().map_or(self.position, |event| event.offset);
            }
        }
        let unnoted = self.position.0 - self.noted.0;
        let late = unnoted > 0 && now - self.noted_at >= UNNOTED_MAX;
        if !work.is_empty() || unnoted >= UNNOTED_EVENTS_MAX || late {
            self.note(stored, &work, now).await?;
        }
        Ok(more)
    }

    async fn note(&mut self, stored: &Stored, work: &[NewWork], now: DateTime<Utc>) -> Result<()> {
        let step = Step { from: self.noted, to: self.position, ordered: stored.is_ordered(), at: now };
        if !self.subscriptions.store.feed(Some(self.epoch), self.id, step, work).await? {
            return Err(SubscriptionError::Store("the position was moved by somebody else".to_owned()));
        }
        (self.noted, self.noted_at) = (self.position, now);
        Ok(())
    }

    /// Begins the attempts that are due and allowed. Gives the time at which something else is to be done.
    async fn attempt_due(&mut self, stored: &Stored, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
        let note_at = if self.position > self.noted { self.noted_at + UNNOTED_MAX } else { DateTime::<Utc>::MAX_UTC };
        if now < self.rests_until {
            return Ok(note_at.min(self.rests_until));
        }
        let flying = self.in_flight.len();
        let concurrency = usize::from(webhook(stored)?.concurrency);
        let slots = match self.circuit.allowed(now, flying) {
            Allowed::Everything => concurrency.saturating_sub(flying),
            Allowed::Probe => 1,
            Allowed::NothingUntil(until) => return Ok(note_at.min(until)),
            Allowed::Nothing => 0,
        };
        if slots == 0 {
            return Ok(note_at);
        }
        // What is in flight is still due in the tables.
        let due = self.subscriptions.store.due(self.id, now, slots + flying).await?;
        let busy = |work: &Work| self.work.values().any(|other| other.id == work.id);
        let begun: Vec<Work> = due.into_iter().filter(|work| !busy(work)).take(slots).collect();
        for work in begun {
            self.begin(stored, work, now)?;
        }
        let next = self.subscriptions.store.next_due(self.id, now).await?;
        Ok(note_at.min(next.unwrap_or(DateTime::<Utc>::MAX_UTC)))
    }

    fn begin(&mut self, stored: &Stored, work: Work, now: DateTime<Utc>) -> Result<()> {
        let keys = stored.secrets.live(now)?.into_iter().map(|secret| secret.key).collect();
        let (name, url) = (stored.spec.name.clone(), webhook(stored)?.url.clone());
        let target = Target { name, url, keys, at: now };
        let (subscriptions, tried) = (self.subscriptions.clone(), work.clone());
        let task = self.in_flight.spawn(async move { attempt(&subscriptions, &tried, target).await });
        self.work.insert(task.id(), work);
        Ok(())
    }

    /// Notes an attempt that ended, and all others that have ended meanwhile; false if there is nothing more to do.
    async fn settle_with(
        &mut self,
        stored: &Stored,
        first: std::result::Result<(Id, Ended), JoinError>,
    ) -> Result<bool> {
        let mut all = Vec::new();
        let mut next = Some(first);
        while let Some(ended) = next {
            let (task, ended) = match ended {
                Ok(ended) => ended,
                Err(error) => (error.id(), Ended::Broken(error.to_string())),
            };
            all.extend(self.work.remove(&task).map(|work| (work, ended)));
            next = self.in_flight.try_join_next_with_id();
        }
        if all.iter().any(|(_, ended)| matches!(ended, Ended::Unread(_))) {
            self.rests_until = self.subscriptions.now() + REST;
        }
        self.settle(stored, all).await
    }

    /// Waits a bounded time for what is in flight, and notes it and the position.
    async fn finish(&mut self, stored: &Stored) -> Result<()> {
        let deadline = tokio::time::Instant::now() + FINISH_MAX;
        while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, self.in_flight.join_next_with_id()).await {
            self.settle_with(stored, ended).await?;
        }
        if self.position > self.noted && self.subscriptions.store.by_id(self.id).await?.is_some() {
            let now = self.subscriptions.now();
            self.note(stored, &[], now).await?;
        }
        Ok(())
    }
}

/// How long to wait for a time; never very long, because clocks are set.
fn until(time: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    // A little later rather than too early: then it would be waited for again.
    (time - now).to_std().unwrap_or_default().saturating_add(Duration::from_millis(1)).min(LOOK_MAX)
}

/// Makes one attempt. The event is read only now: what waits is held as an offset.
async fn attempt(subscriptions: &Subscriptions, work: &Work, target: Target) -> Ended {
    let read = async {
        let found = events::at(&subscriptions.streams, &[work.event]).await?;
        let Some(event) = found.first() else { return Ok(None) };
        Ok(Some((webhook_id(work, event.revision), events::body(&subscriptions.streams, event).await?)))
    };
    let (id, body) = match read.await {
        Ok(Some(read)) => read,
        Ok(None) => return Ended::Superfluous,
        Err(error) => return Ended::Unread(error),
    };
    let Target { name, url, keys, at } = target;
    let request = Outgoing { subscription: name, url, id: id.clone(), body, keys, at };
    Ended::Made(id, deliver(&subscriptions.connector, request).await)
}

/// The same over all attempts and redrives; a correction and a replay have others. No dots: they would make the signed
/// text ambiguous.
fn webhook_id(work: &Work, revision: u32) -> String {
    let mut id = format!("evt_{}", work.event_id);
    if revision > 0 {
        id.push_str(&format!("_{revision}"));
    }
    if work.replay > 0 {
        id.push_str(&format!("_r{}", work.replay));
    }
    id
}
