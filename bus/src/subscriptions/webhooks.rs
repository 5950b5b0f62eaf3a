//! Delivering webhooks: one worker for each subscription, all on whichever process holds the lease.
//!
//! A worker has its own place in the log, its own bounded queue of offsets and its own requests in flight, so that an
//! endpoint that is slow or away holds up nobody else.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinSet};

use super::store::SubscriptionId;
use super::{Attempted, Connector, LEASE, Outgoing, SubscriptionError, Subscriptions, Timings};
use crate::lease::{Epoch, Lease};
use crate::stop::stopped;
use worker::Worker;

mod circuit;
mod settle;
mod worker;

/// An attempt that takes longer than this is over, whatever whoever sends it does: twice what an endpoint is given.
const ATTEMPT_MAX: Duration = Duration::from_secs(40);

/// The tables are asked again after this where other processes may change them; else every change is heard of.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// After an error a worker begins anew when so much time has passed.
const RESTART_AFTER: Duration = Duration::from_secs(1);

impl Subscriptions {
    /// Delivers webhooks until `stop` turns true, on whichever process holds the lease `subscriptions`.
    ///
    /// # Errors
    /// If the lease cannot be asked for.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) -> Result<(), SubscriptionError> {
        loop {
            let lease = tokio::select! {
                () = stopped(&mut stop) => return Ok(()),
                lease = self.streams.lease(LEASE) => lease?,
            };
            let mut hears = stop.clone();
            let mut workers = Workers { stop: stop.clone(), ..Workers::new(self.clone(), lease.epoch()) };
            tokio::select! {
                () = workers.look_after(&mut hears) => {}
                () = lost(&lease) => {
                    tracing::warn!("webhooks are delivered by another process from now on");
                    continue;
                }
            }
            workers.finish().await;
            return Ok(());
        }
    }
}

async fn lost(lease: &Lease) {
    lease.lost().await;
}

/// Makes one attempt, which always ends.
pub(super) async fn deliver(connector: &Connector, request: Outgoing) -> Attempted {
    let at = request.at;
    match tokio::time::timeout(ATTEMPT_MAX, connector.deliver(request)).await {
        Ok(seen) => seen,
        Err(_) => Attempted {
            at,
            request_headers: Vec::new(),
            response: None,
            error: Some(format!("it did not end within {} s", ATTEMPT_MAX.as_secs())),
            timings: Timings {
                total: u32::try_from(ATTEMPT_MAX.as_millis()).unwrap_or(u32::MAX),
                ..Timings::default()
            },
        },
    }
}

/// The workers of this process. Dropped, they end at once: what they have in flight is sent again, with the same id.
struct Workers {
    subscriptions: Subscriptions,
    epoch: Epoch,
    stop: watch::Receiver<bool>,
    tasks: JoinSet<SubscriptionId>,
    by_task: HashMap<Id, SubscriptionId>,
    running: HashMap<SubscriptionId, Running>,
}

/// A worker: the version it was last told of, and how it is told.
struct Running {
    version: i64,
    changed: watch::Sender<()>,
}

impl Workers {
    fn new(subscriptions: Subscriptions, epoch: Epoch) -> Self {
        let (_, stop) = watch::channel(false);
        Self { subscriptions, epoch, stop, tasks: JoinSet::new(), by_task: HashMap::new(), running: HashMap::new() }
    }

    /// Begins and wakes workers until it is told to stop.
    async fn look_after(&mut self, stop: &mut watch::Receiver<bool>) {
        let mut changed = self.subscriptions.changed.subscribe();
        while !*stop.borrow() {
            changed.borrow_and_update();
            if let Err(error) = self.update().await {
                tracing::warn!(?error, "the webhooks that are to be delivered cannot be listed");
            }
            let shared = self.subscriptions.store.is_shared();
            tokio::select! {
                () = stopped(stop) => return,
                heard = changed.changed() => if heard.is_err() { return },
                Some(ended) = self.tasks.join_next_with_id() => self.ended(&ended),
                () = tokio::time::sleep(if shared { ASK_AGAIN } else { ASK_AGAIN * 60 }) => {}
            }
        }
    }

    /// Begins workers for what is new and tells the others what changed.
    async fn update(&mut self) -> Result<(), SubscriptionError> {
        let mut unheard: Vec<SubscriptionId> = self.running.keys().copied().collect();
        for (id, version) in self.subscriptions.store.webhooks().await? {
            unheard.retain(|other| *other != id);
            if let Some(running) = self.running.get_mut(&id) {
                if running.version != version {
                    running.version = version;
                    running.changed.send_replace(());
                }
                continue;
            }
            let (changed, hears) = watch::channel(());
            let worker = Worker::new(self.subscriptions.clone(), self.epoch, id);
            let stop = self.stop.clone();
            let handle = self.tasks.spawn(async move {
                tend(worker, hears, stop).await;
                id
            });
            self.by_task.insert(handle.id(), id);
            self.running.insert(id, Running { version, changed });
        }
        // What is paused or deleted is not listed: its worker sees so itself.
        for id in unheard {
            if let Some(running) = self.running.get(&id) {
                running.changed.send_replace(());
            }
        }
        Ok(())
    }

    fn ended(&mut self, ended: &Result<(Id, SubscriptionId), tokio::task::JoinError>) {
        let task = match ended {
            Ok((task, _)) => *task,
            Err(error) => {
                tracing::error!(%error, "a worker of webhooks broke off");
                error.id()
            }
        };
        if let Some(id) = self.by_task.remove(&task) {
            self.running.remove(&id);
        }
    }

    /// Waits until every worker has noted what it has in flight, which takes each a bounded time.
    async fn finish(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Has a worker work, anew after an error, until there is nothing for it to do or it is told to stop.
async fn tend(mut worker: Worker, mut changed: watch::Receiver<()>, mut stop: watch::Receiver<bool>) {
    loop {
        let error = match worker.work(&mut changed, &mut stop).await {
            Ok(()) => return,
            Err(error) => error,
        };
        // Fenced: somebody else delivers now, which is heard of in a moment.
        tracing::warn!(?error, subscription.id = worker.id().0, "a worker of webhooks begins anew");
        worker = worker.anew();
        tokio::select! {
            () = stopped(&mut stop) => return,
            () = tokio::time::sleep(RESTART_AFTER) => {}
        }
    }
}
