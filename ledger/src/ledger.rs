//! Ledger as the rest of the program sees it: a view of everything known, and how far it goes.
//!
//! One task, the projector, folds events and publishes views; everybody else only reads the latest view.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bus::ids::EventOffset;
use bus::streams::Streams;
use tokio::sync::{mpsc, watch};

use crate::catalog::Catalog;
use crate::error::LedgerError;
use crate::people::People;
use crate::projector::{Kit, Order, Projector};
use crate::rules::Rules;
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

/// Orders wait for the projector one at a time.
const ORDERS_MAX: usize = 1;

/// Facts and metrics of an installation.
#[derive(Debug)]
pub struct Ledger {
    view: watch::Receiver<Arc<View>>,
    caught_up: watch::Receiver<EventOffset>,
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) kit: Arc<Kit>,
    pub(crate) streams: Streams,
    pub(crate) directory: PathBuf,
    /// Until it runs.
    projector: Mutex<Option<Box<Projector>>>,
}

impl Ledger {
    /// Opens the facts kept in a directory and makes the first view of them. What a rebuild left unfinished is removed.
    ///
    /// # Errors
    /// If the streams or the file of facts cannot be used.
    pub async fn open(directory: &Path, streams: Streams, settings: Settings) -> Result<Self, LedgerError> {
        let Settings { catalog, people_key, rules, calendar } = settings;
        let people = People::new(people_key, &rules.bots);
        let kit = Arc::new(Kit { catalog, people, rules, calendar });
        let (orders, ordered) = mpsc::channel(ORDERS_MAX);
        let (projector, view, caught_up) =
            Projector::open(directory, streams.clone(), Arc::clone(&kit), ordered).await?;
        Ok(Self {
            view,
            caught_up,
            orders,
            kit,
            streams,
            directory: directory.to_owned(),
            projector: Mutex::new(Some(Box::new(projector))),
        })
    }

    /// Folds events as they are recorded, until `stop` turns true. Not cancel-safe: stop it through `stop`.
    ///
    /// # Errors
    /// If streams or facts cannot be used any more, or if it runs or ran already.
    pub fn run(self: Arc<Self>, stop: watch::Receiver<bool>) -> impl Future<Output = Result<(), LedgerError>> + Send {
        let projector = self.projector.lock().ok().and_then(|mut waiting| waiting.take());
        async move {
            match projector {
                Some(projector) => projector.run(stop).await,
                None => Err(LedgerError::Projector("running already")),
            }
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

    /// The last event that the latest view includes.
    #[must_use]
    pub fn caught_up_to(&self) -> EventOffset {
        *self.caught_up.borrow()
    }

    /// Waits until the latest view includes an event.
    ///
    /// # Errors
    /// If the projector has stopped before.
    pub async fn wait_for(&self, offset: EventOffset) -> Result<(), LedgerError> {
        let mut caught_up = self.caught_up.clone();
        let reached = caught_up.wait_for(|at| *at >= offset).await;
        reached.map(|_| ()).map_err(|_| LedgerError::Projector("stopped"))
    }
}
