//! The handle that everybody holds. What can be done with it stands in the files beside this one: managing
//! subscriptions, pulling, replays, and delivering webhooks.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::store::{Store, SubscriptionId};
use super::{Connector, SubscriptionError};
use crate::storage::Tables;
use crate::streams::Streams;

/// Tells the time; a test hands in its own.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// The subscriptions of an installation. Clones share everything.
#[derive(Clone)]
pub struct Subscriptions {
    pub(super) store: Store,
    pub(super) streams: Streams,
    pub(super) connector: Connector,
    pub(super) clock: Clock,
    /// Moves with every change, so that whoever waits looks anew.
    pub(super) changed: Arc<watch::Sender<()>>,
    groups: Arc<Mutex<HashMap<SubscriptionId, watch::Sender<()>>>>,
}

impl fmt::Debug for Subscriptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriptions").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Subscriptions {
    /// Opens, or creates, the tables of subscriptions. Webhooks are sent by `connector`, at the time of `clock`.
    ///
    /// # Errors
    /// If the tables cannot be opened or brought up to date.
    pub async fn open(
        tables: &Tables,
        streams: Streams,
        connector: Connector,
        clock: Clock,
    ) -> Result<Self, SubscriptionError> {
        let store = Store::open(tables).await?;
        Ok(Self { store, streams, connector, clock, changed: Arc::new(watch::Sender::new(())), groups: Arc::default() })
    }

    /// Has everything that waits look at the log and at the clock anew: for a clock that was set by hand.
    pub fn look_again(&self) {
        self.changed.send_replace(());
    }

    /// Closes the tables once nobody uses them any more.
    pub async fn close(&self) {
        self.store.close().await;
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    /// Moves when something of a group can be handed out that could not before, so that its consumers who wait look
    /// anew. Each group has its own: one that is busy is no news for the others.
    pub(super) fn group(&self, id: SubscriptionId) -> watch::Sender<()> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody listens to the group of a subscription that is deleted.
        groups.retain(|other, group| *other == id || group.receiver_count() > 0);
        groups.entry(id).or_insert_with(|| watch::Sender::new(())).clone()
    }

    /// Does something to its end, even if whoever asked for it goes away meanwhile.
    pub(super) async fn whole<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, SubscriptionError>> + Send + 'static,
    ) -> Result<T, SubscriptionError> {
        let result = tokio::spawn(work).await;
        self.look_again();
        result.unwrap_or_else(|_| Err(SubscriptionError::Store("it was broken off".to_owned())))
    }
}
