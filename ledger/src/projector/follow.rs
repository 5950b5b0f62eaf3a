//! Keeps up with the log without saving anything: what every process does that does not hold the lease on the facts.

use std::time::Duration;

use bus::stop::stopped;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Fit, Generation, Next, Projector};
use crate::error::LedgerError;

/// How often it looks whether another process has made another generation the live one.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Projector {
    /// Folds without saving until `stop` turns true. Not cancel-safe.
    pub(crate) async fn follow(&mut self, mut stop: watch::Receiver<bool>) -> Result<(), LedgerError> {
        let mut head = self.streams.event_head();
        self.live.close().await?;
        if !self.live.is_whole || self.live.position.fingerprint != self.kit.fingerprint() {
            self.reload(&stop).await?;
        }
        let mut looked_at = None::<Instant>;
        // Whether the log corrects what was folded: whoever saves is about to bring the facts that follow from it.
        let mut is_corrected = false;
        while !*stop.borrow() {
            if looked_at.is_none_or(|at| at.elapsed() >= LOOK_EVERY) {
                looked_at = Some(Instant::now());
                if self.generations.live(&self.streams).await? != self.live.number {
                    self.reload(&stop).await?;
                    is_corrected = false;
                }
            }
            // Before reading: an event recorded meanwhile must wake the wait below.
            head.borrow_and_update();
            let events = if is_corrected { Vec::new() } else { self.next_events().await? };
            if events.is_empty() {
                self.publish_if_behind().await?;
                tokio::select! {
                    moved = head.changed(), if !is_corrected => {
                        if moved.is_err() {
                            return Err(LedgerError::Projector("without streams"));
                        }
                    }
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    () = stopped(&mut stop) => {}
                }
            } else if self.take(events, &stop).await? == Fit::Corrects {
                tracing::info!("events were read anew; waiting for the facts that follow from them");
                is_corrected = true;
            }
        }
        Ok(())
    }

    /// Goes on from the live generation, or from facts of its own where that one was folded by other rules.
    async fn reload(&mut self, stop: &watch::Receiver<bool>) -> Result<(), LedgerError> {
        let mut live = Generation::load(&self.generations, &self.streams, &self.kit).await?;
        if live.position.fingerprint != self.kit.fingerprint() {
            tracing::info!("facts were folded with other rules or by another version; folding them anew in memory");
            let own = Generation::in_memory(live.number, self.beginning());
            live = match self.fold_log(own, stop).await? {
                (own, Next::GoOn) => own,
                (_, Next::Stop) => return Ok(()),
            };
        }
        self.live = live;
        self.ahead = None;
        self.publish().await
    }
}
