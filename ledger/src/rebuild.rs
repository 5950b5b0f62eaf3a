//! Reads every delivery anew and folds the facts anew, beside the live ones: dashboards keep answering.
//!
//! Three doors, one way of reading (`reread`): [`Ledger::rebuild`] does it, [`Ledger::plan`] says what it would
//! change, [`Ledger::verify`] says whether the live facts are what the deliveries give.

use std::sync::Arc;

use bus::delivery::Delivery;
use bus::event::Event;
use bus::ids::{DeliveryOffset, EventOffset, ReaderName};
use bus::streams::Reading;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::projector::{Adoption, Generation, Order};
use crate::store::Position;

pub mod plan;
mod reread;
pub mod verify;

use reread::{Page, Pages};

/// Corrected readings appended at once: a fraction of a second of the writer's time, so that deliveries do not wait.
const REVISIONS_PER_BATCH: usize = 500;

/// What a delivery means: a pure function of the delivery.
pub type Normalize = Arc<dyn Fn(&Delivery) -> Result<Vec<Event>, String> + Send + Sync>;

/// How deliveries are read anew.
#[derive(Clone)]
pub struct Rereading {
    /// What a delivery means.
    pub normalize: Normalize,
    /// The reader that recorded events so far: what it has not come to yet is left to it.
    pub reader: ReaderName,
}

impl std::fmt::Debug for Rereading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rereading").field("reader", &self.reader).finish_non_exhaustive()
    }
}

/// How far it has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Deliveries read.
    pub deliveries: u64,
    /// Deliveries there are.
    pub deliveries_total: u64,
    /// Events folded.
    pub events: u64,
}

/// Hears about progress, about every thousand deliveries.
pub type OnProgress<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// What a rebuild did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Rebuilt {
    /// The generation that is live now.
    pub generation: u64,
    /// Deliveries read.
    pub deliveries: u64,
    /// Events folded.
    pub events: u64,
    /// Deliveries of which at least one event reads otherwise than before.
    pub deliveries_revised: u64,
    /// Deliveries that cannot be interpreted; what they were read as before still counts.
    pub deliveries_unreadable: u64,
}

impl Ledger {
    /// Reads every delivery anew, folds the facts anew into a new generation, appends the readings that differ to the
    /// log, and makes the new generation the live one. The projector must be running, and saving. If it fails, or the
    /// program stops, the live generation stays live.
    ///
    /// # Errors
    /// [`LedgerError::NotTheHolder`] where another process saves the facts; otherwise if streams or facts cannot be
    /// used, or the projector is not running.
    pub async fn rebuild(&self, rereading: &Rereading, progress: OnProgress<'_>) -> Result<Rebuilt, LedgerError> {
        let holder = self.holder()?;
        let position = Position {
            // Before asking how far deliveries are read: every event up to here then comes from one of those.
            checkpoint: *self.streams.event_head().borrow(),
            revised_through: EventOffset::START,
            fingerprint: self.kit.fingerprint(),
        };
        let number = self.generations.live(&self.streams).await? + 1;
        let start = Position { checkpoint: EventOffset::START, ..position.clone() };
        let mut next = Generation::create(&self.generations, number, start, holder.epoch).await?;
        match self.prepare(&mut next, position, rereading, progress).await {
            Ok((rebuilt, adopt)) => {
                hand_over(next, adopt).await?;
                Ok(Rebuilt { generation: number, ..rebuilt })
            }
            Err(error) => {
                if let Err(error) = next.remove().await {
                    tracing::warn!(%error, "what was rebuilt until then could not be removed yet");
                }
                Err(error)
            }
        }
    }

    /// Folds every delivery and appends the readings that differ. The projector stands still from before the first
    /// correction until the generation is handed over: it would otherwise fold corrections over what they correct. A
    /// crash in between is mended at the next start, where the projector meets them and folds the log anew.
    async fn prepare(
        &self,
        next: &mut Generation,
        position: Position,
        rereading: &Rereading,
        progress: OnProgress<'_>,
    ) -> Result<(Rebuilt, oneshot::Sender<Adoption>), LedgerError> {
        let (rebuilt, revised) = self.fill(next, rereading, progress).await?;
        let (held, is_held) = oneshot::channel();
        let (adopt, adoption) = oneshot::channel();
        let orders = self.holder()?.orders;
        orders.send(Order::Hold { held, next: adoption }).await.map_err(|_| not_running())?;
        is_held.await.map_err(|_| not_running())?;
        for deliveries in revised.chunks(REVISIONS_PER_BATCH) {
            let readings = self.corrections(deliveries, rereading).await?;
            self.streams.revise(readings).await?;
        }
        let position = Position { revised_through: *self.streams.event_head().borrow(), ..position };
        next.take(Vec::new(), position, &self.kit).await?;
        Ok((rebuilt, adopt))
    }

    /// Folds every delivery; what was done, and which deliveries read otherwise than before.
    async fn fill(
        &self,
        next: &mut Generation,
        rereading: &Rereading,
        progress: OnProgress<'_>,
    ) -> Result<(Rebuilt, Vec<DeliveryOffset>), LedgerError> {
        let mut rebuilt = Rebuilt::default();
        let mut revised = Vec::new();
        let mut pages = Pages::open(&self.streams, rereading).await?;
        while let Some(page) = pages.next().await? {
            let Page { readings, unreadable } = page;
            rebuilt.deliveries_unreadable += unreadable;
            rebuilt.deliveries += readings.len() as u64;
            revised.extend(readings.iter().filter(|reading| reading.differs()).map(|reading| reading.delivery));
            let events: Vec<Event> = readings.into_iter().flat_map(|reading| reading.events).collect();
            rebuilt.events += events.len() as u64;
            let unfinished = next.position.clone();
            next.take(events, unfinished, &self.kit).await?;
            progress(Progress {
                deliveries: rebuilt.deliveries,
                deliveries_total: pages.deliveries_total(),
                events: rebuilt.events,
            });
        }
        rebuilt.deliveries_revised = revised.len() as u64;
        Ok((rebuilt, revised))
    }

    /// The readings of some deliveries, with a withdrawal for every event that is no more.
    async fn corrections(
        &self,
        deliveries: &[DeliveryOffset],
        rereading: &Rereading,
    ) -> Result<Vec<Reading>, LedgerError> {
        let mut readings = Vec::new();
        for offset in deliveries {
            let Some(delivery) = self.streams.delivery(*offset).await? else { continue };
            let source = delivery.content.source.clone();
            let page = reread::page(&self.streams, vec![delivery], rereading).await?;
            let events = page.readings.into_iter().flat_map(reread::Reread::correction);
            readings.push(Reading { delivery: *offset, source, outcome: Ok(events.collect()) });
        }
        Ok(readings)
    }
}

/// Makes the generation the live one; when this returns it is in view.
async fn hand_over(next: Generation, adopt: oneshot::Sender<Adoption>) -> Result<(), LedgerError> {
    let (done, is_done) = oneshot::channel();
    adopt.send(Adoption { generation: Box::new(next), done }).map_err(|_| not_running())?;
    is_done.await.map_err(|_| not_running())
}

const fn not_running() -> LedgerError {
    LedgerError::Projector("not running")
}
