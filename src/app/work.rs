//! What a process does until it is stopped, by its roles.

use std::sync::Arc;

use bots::error::BotError;
use bus::lease::Lease;
use bus::stop::stopped;
use bus::streams::{StreamError, Streams};
use bus::subscriptions::SubscriptionError;
use ingest::hooks::Hooks;
use ingest::watch::kubernetes;
use ingest::watch::kubernetes::states::States;
use ledger::error::LedgerError;
use ledger::ledger::Ledger;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::parts::Parts;
use super::roles::{Roles, Shift, while_held};
use super::{answer, clock};
use crate::config::Config;
use crate::exit::Failure;

/// The tasks, and what all of them are given.
pub(super) struct Work {
    pub(super) streams: Streams,
    /// Whether other processes work on the same storage.
    pub(super) shared: bool,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) tasks: JoinSet<(&'static str, anyhow::Result<()>)>,
}

impl Work {
    /// Answers at a listener until the program stops.
    pub(super) fn serve(
        &mut self,
        name: &'static str,
        listener: TcpListener,
        hooks: Option<Hooks>,
        pages: Option<axum::Router>,
    ) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let service = move |request| answer(hooks.clone(), pages.clone(), request);
            ingest::server::run(listener, service, stop).await;
            (name, Ok(()))
        });
    }

    /// Begins what is done with the log alone.
    pub(super) fn begin(&mut self, parts: &Parts, roles: Roles) {
        if roles.normalize {
            let streams = self.streams.clone();
            self.go_on("carrying", move |stop| {
                let streams = streams.clone();
                async move { streams.carry(stop).await }
            });
            let streams = self.streams.clone();
            self.go_on("normalizer", move |stop| {
                let streams = streams.clone();
                while_held(streams.clone(), "normalize".to_owned(), stop, move |lease, stop| async move {
                    // Reading a delivery twice records nothing twice, so nothing has to be fenced.
                    let ended = ingest::normalizer::run(streams, stop).await;
                    drop(lease);
                    ended
                })
            });
        }
        let Some(ledger) = parts.ledger.clone() else { return };
        let streams = self.streams.clone();
        let saves = roles.ledger;
        self.go_on("ledger", move |stop| count(Arc::clone(&ledger), streams.clone(), saves, stop));
    }

    /// Begins what reaches out of the program.
    pub(super) fn begin_outside(
        &mut self,
        config: &Config,
        parts: &Parts,
        roles: Roles,
        (states, bots_begin): (Arc<States>, Option<oneshot::Receiver<()>>),
    ) -> Result<(), Failure> {
        if roles.ingest {
            for cluster in config.clusters.clone() {
                let (streams, states, now) = (self.streams.clone(), Arc::clone(&states), clock()?);
                self.go_on("cluster watch", move |stop| {
                    let (cluster, states, now) = (cluster.clone(), Arc::clone(&states), Arc::clone(&now));
                    let name = format!("watch/{}", cluster.name);
                    let watched = streams.clone();
                    while_held(streams.clone(), name, stop, move |lease, stop| async move {
                        kubernetes::run(cluster, watched, now, states, stop).await;
                        drop(lease);
                        Ok::<(), StreamError>(())
                    })
                });
            }
        }
        if !roles.bots {
            return Ok(());
        }
        if let Some(bots) = parts.bots.clone() {
            let streams = self.streams.clone();
            // Waited for once; when bots begin again after trouble, nobody is waited for.
            let mut begin = bots_begin;
            self.go_on("bots", move |mut stop| {
                let (bots, streams, begin) = (bots.clone(), streams.clone(), begin.take());
                async move {
                    if let Some(begin) = begin {
                        tokio::select! {
                            _ = begin => {}
                            () = stopped(&mut stop) => return Ok(()),
                        }
                    }
                    let act = move |lease: Lease, stop| async move { bots.run(lease, stop).await };
                    while_held::<BotError, _>(streams, "bots".to_owned(), stop, act).await
                }
            });
        }
        if let Some(subscriptions) = parts.subscriptions.clone() {
            self.go_on("subscriptions", move |stop| {
                let subscriptions = subscriptions.clone();
                async move { subscriptions.run(stop).await as Result<(), SubscriptionError> }
            });
        }
        Ok(())
    }

    fn go_on<E, W>(&mut self, name: &'static str, work: impl FnMut(watch::Receiver<bool>) -> W + Send + 'static)
    where
        E: std::error::Error + Send + Sync + 'static,
        W: Future<Output = Result<(), E>> + Send + 'static,
    {
        let shift = Shift { name, shared: self.shared, stop: self.stop.clone() };
        self.tasks.spawn(async move { (name, shift.go_on(work).await) });
    }
}

/// Follows what is recorded, and saves the facts as long as that is ours to do.
async fn count(
    ledger: Arc<Ledger>,
    streams: Streams,
    saves: bool,
    stop: watch::Receiver<bool>,
) -> Result<(), LedgerError> {
    if !saves {
        return ledger.follow(stop).await;
    }
    let (halt, halted) = watch::channel(false);
    let following = Arc::clone(&ledger).follow(halted);
    tokio::pin!(following);
    let mut stopping = stop.clone();
    let lease = tokio::select! {
        biased;
        lease = streams.lease("ledger") => lease?,
        ended = &mut following => return ended,
        () = stopped(&mut stopping) => {
            halt.send_replace(true);
            return following.await;
        }
    };
    halt.send_replace(true);
    following.await?;
    ledger.run(lease, stop).await
}
