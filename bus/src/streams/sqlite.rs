//! The embedded engine: one SQLite file, one writer, many readers.

use std::path::Path;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::{Bar, Page, Quarantined, Reading, Search, SourceFigures, StreamError};
use crate::delivery::{Delivery, NewDelivery, Receipt};
use crate::event::Recorded;
use crate::ids::{DeliveryOffset, EventId, EventOffset, ReaderName};
use crate::query::Query;

/// The engine. Clones share one writer.
#[derive(Debug, Clone)]
pub(super) struct Sqlite {}

impl Sqlite {
    pub(super) async fn open(directory: &Path) -> Result<Self, StreamError> {
        todo!("{directory:?}")
    }
    pub(super) fn delivery_head(&self) -> watch::Receiver<DeliveryOffset> {
        todo!()
    }
    pub(super) fn event_head(&self) -> watch::Receiver<EventOffset> {
        todo!()
    }
    pub(super) async fn close(&self) -> Result<(), StreamError> {
        todo!()
    }
    pub(super) async fn append(&self, delivery: NewDelivery) -> Result<Receipt, StreamError> {
        todo!()
    }
    pub(super) async fn append_all(&self, deliveries: Vec<NewDelivery>) -> Result<Vec<Receipt>, StreamError> {
        todo!()
    }
    pub(super) async fn deliveries(&self, after: DeliveryOffset, limit: usize) -> Result<Vec<Delivery>, StreamError> {
        todo!()
    }
    pub(super) async fn delivery(&self, offset: DeliveryOffset) -> Result<Option<Delivery>, StreamError> {
        todo!()
    }
    pub(super) async fn record(
        &self,
        reader: ReaderName,
        readings: Vec<Reading>,
    ) -> Result<Vec<EventOffset>, StreamError> {
        todo!()
    }
    pub(super) async fn revise(&self, readings: Vec<Reading>) -> Result<Vec<EventOffset>, StreamError> {
        todo!()
    }
    pub(super) async fn events(&self, after: EventOffset, limit: usize) -> Result<Vec<Recorded>, StreamError> {
        todo!()
    }
    pub(super) async fn event(&self, id: EventId) -> Result<Option<Recorded>, StreamError> {
        todo!()
    }
    pub(super) async fn events_by_id(&self, ids: Vec<EventId>) -> Result<Vec<Recorded>, StreamError> {
        todo!()
    }
    pub(super) async fn events_of(&self, delivery: DeliveryOffset) -> Result<Vec<Recorded>, StreamError> {
        todo!()
    }
    pub(super) async fn search(&self, search: Search) -> Result<Page, StreamError> {
        todo!()
    }
    pub(super) async fn histogram(
        &self,
        query: Query,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        bars: u32,
    ) -> Result<Vec<Bar>, StreamError> {
        todo!()
    }
    pub(super) async fn quarantined(&self, limit: usize) -> Result<Vec<Quarantined>, StreamError> {
        todo!()
    }
    pub(super) async fn sources(&self) -> Result<Vec<SourceFigures>, StreamError> {
        todo!()
    }
    pub(super) async fn checkpoint(&self, reader: ReaderName) -> Result<i64, StreamError> {
        todo!()
    }
    pub(super) async fn save_checkpoint(&self, reader: ReaderName, position: i64) -> Result<(), StreamError> {
        todo!()
    }
    pub(super) async fn setting(&self, name: &'static str) -> Result<Option<String>, StreamError> {
        todo!()
    }
    pub(super) async fn save_setting(&self, name: &'static str, value: String) -> Result<(), StreamError> {
        todo!()
    }
    pub(super) async fn verify(&self, progress: impl Fn(u64) + Send + Sync) -> Result<Option<String>, StreamError> {
        todo!()
    }
}
