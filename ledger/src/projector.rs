//! The one task that folds events into facts and publishes views of them.
//!
//! Any number of processes fold for themselves; the one that holds the lease on the facts saves them (`hold`), the others
//! only keep up (`follow`).
//!
//! The law it keeps: the facts are those of the latest reading of every event up to the checkpoint. A corrected reading
//! cannot be folded over what it corrects, so facts are folded anew from the log when one comes that was not expected.

use std::sync::Arc;
use std::time::Duration;

use bus::event::{Event, Recorded};
use bus::ids::EventOffset;
use bus::lease::{Epoch, Lease};
use bus::stop::stopped;
use bus::streams::{StreamError, Streams};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;

use crate::catalog::Catalog;
use crate::error::LedgerError;
use crate::facts::Facts;
use crate::fold::{FOLD_VERSION, Touched, fold};
use crate::people::People;
use crate::rules::Rules;
use crate::store::generations::Generations;
use crate::store::{Batch, Position, Store};
use crate::view::View;
use crate::window::Calendar;

mod follow;

/// Events folded and stored in one transaction: enough that its fsync does not count, some 20 MB of memory.
pub(crate) const EVENTS_PER_BATCH: usize = 10_000;

/// Under load, a new view at most this often: faster than people reload a page.
const VIEW_INTERVAL: Duration = Duration::from_millis(250);

/// Under load, at most one part in this many of the time goes into views, so that catching up is not slowed by them.
const VIEW_SHARE: u32 = 5;

/// While the disk is full, what could not be stored is tried again this often.
const FULL_WAIT: Duration = Duration::from_secs(1);

/// What folding and views need beside the facts.
#[derive(Debug)]
pub(crate) struct Kit {
    pub(crate) catalog: Catalog,
    pub(crate) people: People,
    pub(crate) rules: Rules,
    pub(crate) calendar: Calendar,
}

impl Kit {
    /// Says how events are folded: facts folded otherwise are not the same.
    pub(crate) fn fingerprint(&self) -> String {
        format!("{FOLD_VERSION}:{}", self.people.fingerprint())
    }
}

/// What a rebuild asks of the projector.
#[derive(Debug)]
pub(crate) enum Order {
    /// Stop folding, say so, and go on when told how.
    Hold {
        /// Told when nothing is folded any more.
        held: oneshot::Sender<()>,
        /// The generation to go on with; if dropped, the projector goes on as before.
        next: oneshot::Receiver<Adoption>,
    },
}

/// A generation that is to become the live one.
#[derive(Debug)]
pub(crate) struct Adoption {
    pub(crate) generation: Box<Generation>,
    /// Told when it is live and in view.
    pub(crate) done: oneshot::Sender<()>,
}

/// Facts in memory, and where they are saved.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) number: u64,
    /// None while they are only kept in memory.
    pub(crate) store: Option<Store>,
    /// Shared with the views made of them.
    pub(crate) facts: Arc<Facts>,
    pub(crate) position: Position,
    /// Whether the facts are those of the position: not while events are folded in, nor after that failed.
    is_whole: bool,
    /// Folded, and not stored yet, with the position that it makes true.
    unsaved: Option<(Option<Batch>, Position)>,
}

impl Generation {
    /// An empty one that is not saved.
    fn in_memory(number: u64, position: Position) -> Self {
        Self { number, store: None, facts: Arc::default(), position, is_whole: true, unsaved: None }
    }

    /// Makes an empty one that is saved; what is left of an earlier attempt is removed.
    pub(crate) async fn create(
        generations: &Generations,
        number: u64,
        position: Position,
        holder: Epoch,
    ) -> Result<Self, LedgerError> {
        let store = generations.create(number, holder).await?;
        Ok(Self { store: Some(store), ..Self::in_memory(number, position) })
    }

    /// The one that is live, in memory.
    async fn load(generations: &Generations, streams: &Streams, kit: &Kit) -> Result<Self, LedgerError> {
        let (number, position, facts) = generations.load_live(streams).await?;
        let position = begun(position, kit);
        Ok(Self { facts: Arc::new(facts), ..Self::in_memory(number, position) })
    }

    /// Folds events in, and stores the facts together with the position that they make true.
    pub(crate) async fn take(
        &mut self,
        events: Vec<Event>,
        position: Position,
        kit: &Arc<Kit>,
    ) -> Result<(), LedgerError> {
        self.is_whole = false;
        let mut facts = std::mem::take(&mut self.facts);
        let (kit, next) = (Arc::clone(kit), position.clone());
        let is_saved = self.store.is_some();
        let folding = spawn_blocking(move || {
            let mut touched = Touched::default();
            let own = Arc::make_mut(&mut facts);
            for event in &events {
                fold(own, &mut touched, event, &kit.people);
            }
            let batch = is_saved.then(|| Batch::of(own, &touched, next)).transpose();
            (facts, batch)
        });
        let (facts, batch) = folding.await?;
        self.facts = facts;
        self.unsaved = Some((batch?, position));
        self.save().await
    }

    /// Stores what is folded and not stored yet. After an error it can be tried again.
    async fn save(&mut self) -> Result<(), LedgerError> {
        let Some((batch, position)) = &self.unsaved else { return Ok(()) };
        if let (Some(store), Some(batch)) = (&mut self.store, batch) {
            store.save(batch).await?;
        }
        self.position = position.clone();
        self.unsaved = None;
        self.is_whole = true;
        Ok(())
    }

    /// Closes where they are saved.
    async fn close(&mut self) -> Result<(), LedgerError> {
        match self.store.take() {
            Some(store) => store.close().await,
            None => Ok(()),
        }
    }

    /// Removes what was saved of them.
    pub(crate) async fn remove(self) -> Result<(), LedgerError> {
        match self.store {
            Some(store) => store.remove().await,
            None => Ok(()),
        }
    }
}

/// Where nothing was folded yet, it is going to be folded by our rules.
fn begun(position: Position, kit: &Kit) -> Position {
    if position == Position::default() { Position { fingerprint: kit.fingerprint(), ..position } } else { position }
}

/// The task.
#[derive(Debug)]
pub(crate) struct Projector {
    streams: Streams,
    generations: Generations,
    kit: Arc<Kit>,
    live: Generation,
    view: watch::Sender<Arc<View>>,
    caught_up: watch::Sender<EventOffset>,
    /// The next events, read while the last ones are folded, and the offset after which they stand.
    ahead: Option<(EventOffset, Reading)>,
    /// When the next view may be made under load.
    next_view_at: Instant,
}

/// Events on their way from the log.
type Reading = JoinHandle<Result<Vec<Recorded>, StreamError>>;

/// Whether events can be folded over what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// They can.
    Fits,
    /// One of them corrects an event that was folded already.
    Corrects,
}

impl Projector {
    /// Loads the live generation and makes the first view of it.
    pub(crate) async fn open(
        generations: Generations,
        streams: Streams,
        kit: Arc<Kit>,
    ) -> Result<(Self, watch::Receiver<Arc<View>>, watch::Receiver<EventOffset>), LedgerError> {
        generations.tidy_files(generations.live(&streams).await?)?;
        let live = Generation::load(&generations, &streams, &kit).await?;
        let (view, views) = watch::channel(Arc::new(view_of(&live.facts, &kit).await?));
        let (caught_up, offsets) = watch::channel(live.position.checkpoint);
        let next_view_at = Instant::now();
        let projector = Self { streams, generations, kit, live, view, caught_up, ahead: None, next_view_at };
        Ok((projector, views, offsets))
    }

    /// Folds and saves until `stop` turns true or the lease is lost. Not cancel-safe.
    pub(crate) async fn hold(
        &mut self,
        lease: &Lease,
        mut orders: mpsc::Receiver<Order>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), LedgerError> {
        let mut head = self.streams.event_head();
        self.take_over(lease.epoch()).await?;
        if self.live.position.fingerprint != self.kit.fingerprint() {
            tracing::info!("facts were folded with other rules or by another version; folding them anew");
            self.start_over(lease.epoch(), &stop).await?;
        }
        loop {
            if let Ok(order) = orders.try_recv() {
                self.carry_out(order, lease, &mut stop).await?;
            }
            if *stop.borrow() {
                return self.live.close().await;
            }
            // Before reading: an event recorded meanwhile must wake the wait below.
            head.borrow_and_update();
            let events = self.next_events().await?;
            if events.is_empty() {
                self.publish_if_behind().await?;
                tokio::select! {
                    moved = head.changed() => if moved.is_err() { return Err(LedgerError::Projector("without streams")) },
                    order = orders.recv() => if let Some(order) = order { self.carry_out(order, lease, &mut stop).await? },
                    () = lease.lost() => return Err(LedgerError::LeaseLost),
                    () = stopped(&mut stop) => {}
                }
            } else if self.take(events, &stop).await? == Fit::Corrects {
                tracing::info!("events were read anew; folding the facts anew");
                self.start_over(lease.epoch(), &stop).await?;
            }
        }
    }

    /// Makes ready to save: where somebody else saved before, his facts are what is gone on from.
    async fn take_over(&mut self, holder: Epoch) -> Result<(), LedgerError> {
        let number = self.generations.live(&self.streams).await?;
        let mut store = self.generations.writer(number, holder).await?;
        self.generations.take_over(number, holder).await?;
        let stored = begun(store.position().await?, &self.kit);
        if !self.live.is_whole || self.live.number != number || self.live.position != stored {
            self.live = Generation::load(&self.generations, &self.streams, &self.kit).await?;
            self.ahead = None;
        }
        self.live.store = Some(store);
        tracing::debug!(generation = number, "this process saves the facts");
        Ok(())
    }

    /// The events after the checkpoint. While there are many, the ones after them are read meanwhile.
    async fn next_events(&mut self) -> Result<Vec<Recorded>, LedgerError> {
        let after = self.live.position.checkpoint;
        let events = match self.ahead.take().filter(|(position, _)| *position == after) {
            Some((_, reading)) => reading.await.map_err(|_| LedgerError::Projector("stopped"))??,
            None => self.streams.events(after, EVENTS_PER_BATCH).await?,
        };
        if let Some(last) = events.last().filter(|_| events.len() == EVENTS_PER_BATCH) {
            let (streams, position) = (self.streams.clone(), last.offset);
            let reading = tokio::spawn(async move { streams.events(position, EVENTS_PER_BATCH).await });
            self.ahead = Some((position, reading));
        }
        Ok(events)
    }

    /// Folds events in, if none of them corrects what was folded before.
    async fn take(&mut self, events: Vec<Recorded>, stop: &watch::Receiver<bool>) -> Result<Fit, LedgerError> {
        let position = &self.live.position;
        let unexpected = |event: &Recorded| event.revision > 0 && event.offset > position.revised_through;
        if events.iter().any(unexpected) {
            return Ok(Fit::Corrects);
        }
        let Some(checkpoint) = events.last().map(|event| event.offset) else { return Ok(Fit::Fits) };
        let position = Position { checkpoint, ..position.clone() };
        let events = events.into_iter().map(|recorded| recorded.event).collect();
        let mut saved = self.live.take(events, position, &self.kit).await;
        while let Err(error) = &saved
            && error.is_full()
        {
            tracing::warn!(%error, "facts wait for room on the disk");
            let mut stop = stop.clone();
            tokio::select! {
                () = tokio::time::sleep(FULL_WAIT) => saved = self.live.save().await,
                // The next start folds them again.
                () = stopped(&mut stop) => return Ok(Fit::Fits),
            }
        }
        saved?;
        if Instant::now() >= self.next_view_at {
            self.publish_if_behind().await?;
        }
        Ok(Fit::Fits)
    }

    /// Folds the log into a new generation, and makes it the live one. The old one stays in view meanwhile. If the
    /// program stops before the end, the next start begins again.
    async fn start_over(&mut self, holder: Epoch, stop: &watch::Receiver<bool>) -> Result<(), LedgerError> {
        let next = Generation::create(&self.generations, self.live.number + 1, self.beginning(), holder).await?;
        match self.fold_log(next, stop).await? {
            (next, Next::GoOn) => self.adopt(next, holder).await,
            (next, Next::Stop) => next.remove().await,
        }
    }

    /// The position of facts that are going to be folded from the first event, as all of them read now.
    fn beginning(&self) -> Position {
        let revised_through = *self.streams.event_head().borrow();
        Position { checkpoint: EventOffset::START, revised_through, fingerprint: self.kit.fingerprint() }
    }

    /// Folds the latest reading of every event in the log into a generation that is at its beginning.
    async fn fold_log(
        &self,
        mut next: Generation,
        stop: &watch::Receiver<bool>,
    ) -> Result<(Generation, Next), LedgerError> {
        while next.position.checkpoint < next.position.revised_through {
            if *stop.borrow() {
                return Ok((next, Next::Stop));
            }
            let recorded = self.streams.events(next.position.checkpoint, EVENTS_PER_BATCH).await?;
            let Some(checkpoint) = recorded.last().map(|event| event.offset) else { break };
            let ids = recorded.into_iter().map(|recorded| recorded.event.id).collect();
            let latest = self.streams.events_by_id(ids).await?;
            let events = latest.into_iter().map(|recorded| recorded.event).collect();
            next.take(events, Position { checkpoint, ..next.position.clone() }, &self.kit).await?;
        }
        Ok((next, Next::GoOn))
    }

    /// Makes another generation the live one. What says which one is live is the moment of truth: a crash before it
    /// is written leaves the old one live, a crash after it leaves only something to remove.
    async fn adopt(&mut self, next: Generation, holder: Epoch) -> Result<(), LedgerError> {
        self.generations.make_live(&self.streams, next.number, holder).await?;
        let old = std::mem::replace(&mut self.live, next);
        match old.remove().await {
            Ok(()) => {}
            Err(error @ LedgerError::LeaseLost) => return Err(error),
            // Somebody reads it at this moment, perhaps. It is not live any more, and goes with the next change.
            Err(error) => tracing::warn!(%error, "the facts that were live before could not be removed yet"),
        }
        self.publish().await
    }

    async fn carry_out(
        &mut self,
        order: Order,
        lease: &Lease,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), LedgerError> {
        let Order::Hold { held, next } = order;
        if held.send(()).is_err() {
            return Ok(());
        }
        tokio::select! {
            adoption = next => match adoption {
                Ok(Adoption { generation, done }) => {
                    self.adopt(*generation, lease.epoch()).await?;
                    if done.send(()).is_err() {
                        tracing::debug!("a rebuild was adopted after whoever asked for it had gone away");
                    }
                    Ok(())
                }
                Err(_) => Ok(()),
            },
            () = lease.lost() => Err(LedgerError::LeaseLost),
            () = stopped(stop) => Ok(()),
        }
    }

    async fn publish_if_behind(&mut self) -> Result<(), LedgerError> {
        if *self.caught_up.borrow() < self.live.position.checkpoint { self.publish().await } else { Ok(()) }
    }

    async fn publish(&mut self) -> Result<(), LedgerError> {
        let began = Instant::now();
        let view = view_of(&self.live.facts, &self.kit).await?;
        self.next_view_at = Instant::now() + VIEW_INTERVAL.max(began.elapsed() * (VIEW_SHARE - 1));
        // The view first: whoever waits for an offset then finds it in the view.
        self.view.send_replace(Arc::new(view));
        self.caught_up.send_replace(self.live.position.checkpoint);
        Ok(())
    }
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Stop,
}

/// Builds a view off the asynchronous threads.
async fn view_of(facts: &Arc<Facts>, kit: &Arc<Kit>) -> Result<View, LedgerError> {
    let (facts, kit) = (Arc::clone(facts), Arc::clone(kit));
    Ok(spawn_blocking(move || View::build(&facts, &kit.catalog, &kit.rules, kit.calendar)).await?)
}
