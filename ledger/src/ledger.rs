//! Ledger as the rest of the program sees it: a view of everything known, and how far it goes.
//!
//! One task, the projector, folds events and publishes views; everybody else only reads the latest view. Where several
//! processes share the facts, each folds for itself and one of them saves: the one that holds the lease.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bus::ids::EventOffset;
use bus::lease::{Epoch, Lease};
use bus::storage::Tables;
use bus::streams::Streams;
use tokio::sync::{mpsc, watch};

use crate::catalog::Catalog;
use crate::error::LedgerError;
use crate::people::People;
use crate::projector::{Kit, Order, Projector};
use crate::rules::Rules;
use crate::store::generations::Generations;
use crate::view::View;
use crate::window::Calendar;

/// What the organisation sets.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Teams, services and environments.
    pub catalog: Catalog,
    /// 32 random bytes, kept for as long as people are to be counted as the same.
    pub people_key: [u8; 32],
    /// Rules of metrics.
    pub rules: Rules,
    /// Time zone and first day of the week.
    pub calendar: Calendar,
}

/// The lease of the process that saves facts.
pub const LEASE: &str = "ledger";

/// Orders wait for the projector one at a time.
const ORDERS_MAX: usize = 1;

/// Facts and metrics of an installation.
#[derive(Debug)]
pub struct Ledger {
    view: watch::Receiver<Arc<View>>,
    caught_up: watch::Receiver<EventOffset>,
    pub(crate) kit: Arc<Kit>,
    pub(crate) streams: Streams,
    pub(crate) generations: Generations,
    /// None while it runs.
    projector: Mutex<Option<Box<Projector>>>,
    role: Mutex<Role>,
}

/// What the projector does.
#[derive(Debug, Clone)]
enum Role {
    Nothing,
    Following,
    Holding(Holder),
}

/// How to reach a projector that saves.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) epoch: Epoch,
}

impl Ledger {
    /// Opens the facts kept in some tables. They are loaded once it runs or follows; until then its view [is
    /// loading](View::is_loading). Nothing is saved; but what a rebuild left unfinished in a directory is removed.
    ///
    /// # Errors
    /// If the streams or the tables cannot be used.
    pub async fn open(tables: &Tables, streams: Streams, settings: Settings) -> Result<Self, LedgerError> {
        let Settings { catalog, people_key, rules, calendar } = settings;
        let people = People::new(people_key, &rules.bots);
        let kit = Arc::new(Kit { catalog, people, rules, calendar });
        let generations = Generations::open(tables).await?;
        let opened = Projector::open(generations.clone(), streams.clone(), Arc::clone(&kit));
        let (projector, view, caught_up) = opened.await?;
        Ok(Self {
            view,
            caught_up,
            kit,
            streams,
            generations,
            projector: Mutex::new(Some(Box::new(projector))),
            role: Mutex::new(Role::Nothing),
        })
    }

    /// Folds events as they are recorded and saves the facts, until `stop` turns true. Not cancel-safe: stop it through
    /// `stop`. It may be run again afterwards, or follow, after an error too: it then goes on from what was saved.
    ///
    /// # Errors
    /// [`LedgerError::LeaseLost`] once another process holds the lease [`LEASE`]; otherwise if streams or facts cannot
    /// be used, or if it runs already.
    pub fn run(
        self: Arc<Self>,
        lease: Lease,
        stop: watch::Receiver<bool>,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send {
        let (orders, ordered) = mpsc::channel(ORDERS_MAX);
        let turn = Turn::take(self, Role::Holding(Holder { orders, epoch: lease.epoch() }));
        async move {
            let mut turn = turn?;
            turn.projector()?.hold(&lease, ordered, stop).await
        }
    }

    /// Folds events as they are recorded without saving anything, until `stop` turns true: for a process that does not
    /// hold the lease. Not cancel-safe: stop it through `stop`. It may follow again afterwards, or run, after an error
    /// too.
    ///
    /// # Errors
    /// If streams or facts cannot be read, or if it runs already.
    pub fn follow(
        self: Arc<Self>,
        stop: watch::Receiver<bool>,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send {
        let turn = Turn::take(self, Role::Following);
        async move {
            let mut turn = turn?;
            turn.projector()?.follow(stop).await
        }
    }

    /// How to reach the projector, if it saves.
    pub(crate) fn holder(&self) -> Result<Holder, LedgerError> {
        match &*locked(&self.role) {
            Role::Holding(holder) => Ok(holder.clone()),
            Role::Following => Err(LedgerError::NotTheHolder),
            Role::Nothing => Err(LedgerError::Projector("not running")),
        }
    }

    /// The latest view. It does not change; ask again for a newer one.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    /// The latest view, and every later one.
    #[must_use]
    pub fn views(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    /// Waits until the facts that were kept are in view, for as long as that takes.
    ///
    /// # Errors
    /// If the projector is gone.
    pub async fn loaded(&self) -> Result<(), LedgerError> {
        let mut views = self.view.clone();
        let loaded = views.wait_for(|view| !view.is_loading()).await;
        loaded.map(|_| ()).map_err(|_| LedgerError::Projector("stopped"))
    }

    /// The last event that the latest view includes.
    #[must_use]
    pub fn caught_up_to(&self) -> EventOffset {
        *self.caught_up.borrow()
    }

    /// Waits until the latest view includes an event, for as long as that takes.
    ///
    /// # Errors
    /// If the projector is gone.
    pub async fn wait_for(&self, offset: EventOffset) -> Result<(), LedgerError> {
        let mut caught_up = self.caught_up.clone();
        let reached = caught_up.wait_for(|at| *at >= offset).await;
        reached.map(|_| ()).map_err(|_| LedgerError::Projector("stopped"))
    }
}

/// Held while the projector runs; gives it back, however that ends.
struct Turn {
    ledger: Arc<Ledger>,
    projector: Option<Box<Projector>>,
}

impl Turn {
    fn take(ledger: Arc<Ledger>, role: Role) -> Result<Self, LedgerError> {
        let projector = locked(&ledger.projector).take().ok_or(LedgerError::Projector("running already"))?;
        *locked(&ledger.role) = role;
        Ok(Self { ledger, projector: Some(projector) })
    }

    fn projector(&mut self) -> Result<&mut Projector, LedgerError> {
        self.projector.as_deref_mut().ok_or(LedgerError::Projector("not running"))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *locked(&self.ledger.role) = Role::Nothing;
        *locked(&self.ledger.projector) = self.projector.take();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
