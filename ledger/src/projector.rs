//! The one task that folds events into facts and publishes views of them.
//!
//! The law it keeps: the facts are those of the latest reading of every event up to the checkpoint. A corrected reading
//! cannot be folded over what it corrects, so facts are folded anew from the log when one comes that was not expected.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bus::event::{Event, Recorded};
use bus::ids::EventOffset;
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
use crate::store::{self, Batch, Position, Store};
use crate::view::View;
use crate::window::Calendar;

/// Events folded and stored in one transaction: enough that its fsync does not count, some 20 MB of memory.
pub(crate) const EVENTS_PER_BATCH: usize = 10_000;

/// Under load, a new view at most this often: faster than people reload a page.
const VIEW_INTERVAL: Duration = Duration::from_millis(250);

/// Under load, at most one part in this many of the time goes into views, so that catching up is not slowed by them.
const VIEW_SHARE: u32 = 5;

/// While the disk is full, what could not be stored is tried again this often.
const FULL_WAIT: Duration = Duration::from_secs(1);

/// Name of the setting that says which generation of facts is live.
const GENERATION: &str = "ledger.generation";

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

/// Facts in memory and the file that keeps them.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) number: u64,
    pub(crate) store: Store,
    /// Shared with the views made of them.
    pub(crate) facts: Arc<Facts>,
    pub(crate) position: Position,
    /// Folded, and not stored yet, with the position that it makes true.
    unsaved: Option<(Batch, Position)>,
}

impl Generation {
    /// Makes an empty one; a file that is left of an earlier attempt is removed.
    pub(crate) async fn create(directory: &Path, number: u64, position: Position) -> Result<Self, LedgerError> {
        store::remove_generation(directory, number)?;
        let store = Store::open(directory, number).await?;
        Ok(Self { number, store, facts: Arc::default(), position, unsaved: None })
    }

    async fn load(directory: &Path, number: u64) -> Result<Self, LedgerError> {
        let mut store = Store::open(directory, number).await?;
        let (position, facts) = (store.position().await?, Arc::new(store.load().await?));
        Ok(Self { number, store, facts, position, unsaved: None })
    }

    /// Folds events in, and stores the facts together with the position that they make true.
    pub(crate) async fn take(
        &mut self,
        events: Vec<Event>,
        position: Position,
        kit: &Arc<Kit>,
    ) -> Result<(), LedgerError> {
        let mut facts = std::mem::take(&mut self.facts);
        let (kit, next) = (Arc::clone(kit), position.clone());
        let folding = spawn_blocking(move || {
            let mut touched = Touched::default();
            let own = Arc::make_mut(&mut facts);
            for event in &events {
                fold(own, &mut touched, event, &kit.people);
            }
            let batch = Batch::of(own, &touched, next);
            (facts, batch)
        });
        let (facts, batch) = folding.await?;
        self.facts = facts;
        self.unsaved = Some((batch?, position));
        self.save().await
    }

    /// Stores what is folded and not stored yet. After an error it can be tried again.
    pub(crate) async fn save(&mut self) -> Result<(), LedgerError> {
        if let Some((batch, position)) = &self.unsaved {
            self.store.save(batch).await?;
            self.position = position.clone();
            self.unsaved = None;
        }
        Ok(())
    }
}

/// The generation that is live, by the settings of the streams.
pub(crate) async fn live_generation(streams: &Streams) -> Result<u64, LedgerError> {
    match streams.setting(GENERATION).await? {
        None => Ok(1),
        Some(value) => value.parse().map_err(|_| LedgerError::Generation { name: GENERATION, value }),
    }
}

/// The task.
#[derive(Debug)]
pub(crate) struct Projector {
    streams: Streams,
    directory: PathBuf,
    kit: Arc<Kit>,
    live: Generation,
    orders: mpsc::Receiver<Order>,
    view: watch::Sender<Arc<View>>,
    caught_up: watch::Sender<EventOffset>,
    /// The next events, read while the last ones are folded, and the offset after which they stand.
    ahead: Option<(EventOffset, Reading)>,
    /// When the next view may be made under load.
    next_view_at: Instant,
}

/// Events on their way from the log.
type Reading = JoinHandle<Result<Vec<Recorded>, StreamError>>;

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Stop,
}

impl Projector {
    /// Loads the live generation and makes the first view of it.
    pub(crate) async fn open(
        directory: &Path,
        streams: Streams,
        kit: Arc<Kit>,
        orders: mpsc::Receiver<Order>,
    ) -> Result<(Self, watch::Receiver<Arc<View>>, watch::Receiver<EventOffset>), LedgerError> {
        let number = live_generation(&streams).await?;
        store::remove_others(directory, number)?;
        let mut live = Generation::load(directory, number).await?;
        if live.position == Position::default() {
            live.position.fingerprint = kit.fingerprint();
        }
        let (view, views) = watch::channel(Arc::new(view_of(&live.facts, &kit).await?));
        let (caught_up, offsets) = watch::channel(live.position.checkpoint);
        let directory = directory.to_owned();
        let next_view_at = Instant::now();
        let projector = Self { streams, directory, kit, live, orders, view, caught_up, ahead: None, next_view_at };
        Ok((projector, views, offsets))
    }

    /// Folds until `stop` turns true. Not cancel-safe.
    pub(crate) async fn run(mut self: Box<Self>, mut stop: watch::Receiver<bool>) -> Result<(), LedgerError> {
        let mut head = self.streams.event_head();
        if self.live.position.fingerprint != self.kit.fingerprint() {
            tracing::info!("facts were folded with other rules or by another version; folding them anew");
            self.start_over(&stop).await?;
        }
        loop {
            if *stop.borrow() || self.obey(&mut stop).await? == Next::Stop {
                return self.live.store.close().await;
            }
            // Before reading: an event recorded meanwhile must wake the wait below.
            head.borrow_and_update();
            let events = self.next_events().await?;
            if events.is_empty() {
                self.publish_if_behind().await?;
                tokio::select! {
                    moved = head.changed() => if moved.is_err() { return Err(LedgerError::Projector("without streams")) },
                    order = self.orders.recv() => if let Some(order) = order { self.carry_out(order, &mut stop).await? },
                    _ = stop.changed() => {}
                }
            } else {
                self.take(events, &stop).await?;
            }
        }
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

    async fn take(&mut self, events: Vec<Recorded>, stop: &watch::Receiver<bool>) -> Result<(), LedgerError> {
        let position = &self.live.position;
        let unexpected = |event: &Recorded| event.revision > 0 && event.offset > position.revised_through;
        if events.iter().any(unexpected) {
            tracing::info!("events were read anew; folding the facts anew");
            return self.start_over(stop).await;
        }
        let Some(checkpoint) = events.last().map(|event| event.offset) else { return Ok(()) };
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
                () = stopped(&mut stop) => return Ok(()),
            }
        }
        saved?;
        if Instant::now() >= self.next_view_at {
            self.publish_if_behind().await?;
        }
        Ok(())
    }

    /// Folds the latest reading of every event in the log into a new generation, and makes it the live one. The old one
    /// stays in view meanwhile. If the program stops before the end, the next start begins again.
    async fn start_over(&mut self, stop: &watch::Receiver<bool>) -> Result<(), LedgerError> {
        let revised_through = *self.streams.event_head().borrow();
        let position =
            Position { checkpoint: EventOffset::START, revised_through, fingerprint: self.kit.fingerprint() };
        let mut next = Generation::create(&self.directory, self.live.number + 1, position).await?;
        while next.position.checkpoint < revised_through {
            if *stop.borrow() {
                return next.store.remove().await;
            }
            let recorded = self.streams.events(next.position.checkpoint, EVENTS_PER_BATCH).await?;
            let Some(checkpoint) = recorded.last().map(|event| event.offset) else { break };
            let ids = recorded.into_iter().map(|recorded| recorded.event.id).collect();
            let latest = self.streams.events_by_id(ids).await?;
            let events = latest.into_iter().map(|recorded| recorded.event).collect();
            next.take(events, Position { checkpoint, ..next.position.clone() }, &self.kit).await?;
        }
        self.adopt(next).await
    }

    /// Makes another generation the live one. The setting is the moment of truth: a crash before it leaves the old one
    /// live, a crash after it leaves only files to remove.
    async fn adopt(&mut self, next: Generation) -> Result<(), LedgerError> {
        self.streams.save_setting(GENERATION, next.number.to_string()).await?;
        let old = std::mem::replace(&mut self.live, next);
        old.store.remove().await?;
        self.publish().await
    }

    async fn obey(&mut self, stop: &mut watch::Receiver<bool>) -> Result<Next, LedgerError> {
        if let Ok(order) = self.orders.try_recv() {
            self.carry_out(order, stop).await?;
        }
        Ok(if *stop.borrow() { Next::Stop } else { Next::GoOn })
    }

    async fn carry_out(&mut self, order: Order, stop: &mut watch::Receiver<bool>) -> Result<(), LedgerError> {
        let Order::Hold { held, next } = order;
        if held.send(()).is_err() {
            return Ok(());
        }
        tokio::select! {
            adoption = next => match adoption {
                Ok(Adoption { generation, done }) => {
                    self.adopt(*generation).await?;
                    if done.send(()).is_err() {
                        tracing::debug!("a rebuild was adopted after whoever asked for it had gone away");
                    }
                    Ok(())
                }
                Err(_) => Ok(()),
            },
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

/// Builds a view off the asynchronous threads.
async fn view_of(facts: &Arc<Facts>, kit: &Arc<Kit>) -> Result<View, LedgerError> {
    let (facts, kit) = (Arc::clone(facts), Arc::clone(kit));
    Ok(spawn_blocking(move || View::build(&facts, &kit.catalog, &kit.rules, kit.calendar)).await?)
}
