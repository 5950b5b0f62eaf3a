//! The streams as a case has them: where a receipt does not say the place of a delivery, it is waited for.

use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::delivery::Receipt;
use tokio::sync::watch;

use super::*;

/// A delivery has its place within this, also on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Clone)]
pub(super) struct Opened {
    streams: Streams,
    /// Carrying ends when the last of them is dropped.
    carrying: Arc<watch::Sender<bool>>,
}

impl Deref for Opened {
    type Target = Streams;

    fn deref(&self) -> &Streams {
        &self.streams
    }
}

impl Opened {
    pub(super) fn of(streams: Streams) -> Self {
        let (carrying, stop) = watch::channel(false);
        let carried = streams.clone();
        drop(tokio::spawn(async move { carried.carry(stop).await }));
        Self { streams, carrying: Arc::new(carrying) }
    }

    pub(super) async fn append(&self, delivery: NewDelivery) -> Result<Receipt, StreamError> {
        let (source, id) = (delivery.source.clone(), delivery.delivery_id.clone());
        let receipt = self.streams.append(delivery).await?;
        Ok(self.placed(receipt, &source, &id).await)
    }

    pub(super) async fn append_all(&self, deliveries: Vec<NewDelivery>) -> Result<Vec<Receipt>, StreamError> {
        let names: Vec<_> = deliveries.iter().map(|d| (d.source.clone(), d.delivery_id.clone())).collect();
        let mut receipts = self.streams.append_all(deliveries).await?;
        for (receipt, (source, id)) in receipts.iter_mut().zip(names) {
            *receipt = self.placed(*receipt, &source, &id).await;
        }
        Ok(receipts)
    }

    pub(super) async fn close(&self) -> Result<(), StreamError> {
        self.carrying.send_replace(true);
        self.streams.close().await
    }

    async fn placed(&self, receipt: Receipt, source: &SourceName, id: &DeliveryId) -> Receipt {
        if receipt.offset.is_some() {
            return receipt;
        }
        let began = Instant::now();
        loop {
            let offset = self.streams.delivery_by_id(source, id).await.unwrap();
            // The head is moved after the commit.
            if offset.is_some_and(|offset| *self.streams.delivery_head().borrow() >= offset) {
                return Receipt { offset, ..receipt };
            }
            assert!(began.elapsed() < PATIENCE, "{source} {id} has no place in the log");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
