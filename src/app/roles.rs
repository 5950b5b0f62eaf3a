//! What a process does of everything there is to do. On a shared database any number of processes may do the same.

use std::time::Duration;

use bus::lease::Lease;
use bus::stop::stopped;
use bus::storage::Storage;
use bus::streams::Streams;
use clap::ValueEnum;
use tokio::sync::watch;

/// After trouble with the database it is tried again after this, doubled each time up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(500);

/// The longest pause before the next try.
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// One part of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Takes webhooks and watches clusters
    Ingest,
    /// Reads what deliveries mean; on Kafka also carries them into the log and events into their topic
    Normalize,
    /// Counts: facts and metrics
    Ledger,
    /// Lets bots decide and act, and sends signed webhooks
    Bots,
    /// Pages, API, live streams
    Web,
}

/// The parts that this process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Roles {
    pub(crate) ingest: bool,
    pub(crate) normalize: bool,
    pub(crate) ledger: bool,
    pub(crate) bots: bool,
    pub(crate) web: bool,
}

impl Roles {
    /// Everything.
    pub(crate) const ALL: Self = Self { ingest: true, normalize: true, ledger: true, bots: true, web: true };

    /// These; everything if none is named.
    pub(crate) fn of(roles: &[Role]) -> Self {
        if roles.is_empty() {
            return Self::ALL;
        }
        let has = |role| roles.contains(&role);
        Self {
            ingest: has(Role::Ingest),
            normalize: has(Role::Normalize),
            ledger: has(Role::Ledger),
            bots: has(Role::Bots),
            web: has(Role::Web),
        }
    }
}

/// Whether other processes may work on the same storage, and the storage itself may be away for a while.
pub(super) const fn is_shared(storage: &Storage) -> bool {
    match storage {
        Storage::Sqlite(_) => false,
        Storage::Postgres(_) | Storage::Kafka(..) => true,
    }
}

/// Work that goes on until `stop`. On a shared storage trouble does not end it: what failed is begun again.
pub(super) struct Shift {
    /// For the log.
    pub(super) name: &'static str,
    /// Whether to begin again after trouble.
    pub(super) shared: bool,
    pub(super) stop: watch::Receiver<bool>,
}

impl Shift {
    /// Does the work again and again until `stop`, or until trouble that is for good.
    pub(super) async fn go_on<E, W>(
        mut self,
        mut work: impl FnMut(watch::Receiver<bool>) -> W + Send,
    ) -> anyhow::Result<()>
    where
        E: std::error::Error + Send + Sync + 'static,
        W: Future<Output = Result<(), E>> + Send,
    {
        let mut pause = PAUSE_MIN;
        loop {
            let began = tokio::time::Instant::now();
            let ended = work(self.stop.clone()).await;
            if *self.stop.borrow() {
                return Ok(ended?);
            }
            match ended {
                Ok(()) => {}
                Err(error) if !self.shared => return Err(error.into()),
                Err(error) => {
                    let error = anyhow::Error::from(error);
                    tracing::warn!(work = self.name, error = format!("{error:#}"), "begins again after trouble");
                }
            }
            // Who worked for a while was well.
            pause = if began.elapsed() > PAUSE_MAX { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stopped(&mut self.stop) => return Ok(()),
            }
        }
    }
}

/// Waits until `name` is ours to do, does it, and stops when it is ours no more, or at `stop`. The work must keep the lease
/// until it ends: a lease that is dropped is given back.
pub(super) async fn while_held<E, W>(
    streams: Streams,
    name: String,
    mut stop: watch::Receiver<bool>,
    work: impl FnOnce(Lease, watch::Receiver<bool>) -> W + Send,
) -> Result<(), E>
where
    E: From<bus::streams::StreamError>,
    W: Future<Output = Result<(), E>> + Send,
{
    let lease = tokio::select! {
        lease = streams.lease(&name) => lease?,
        () = stopped(&mut stop) => return Ok(()),
    };
    tracing::debug!(lease = name, epoch = lease.epoch().0, "held");
    let lost = lease.watch();
    let (halt, halted) = watch::channel(false);
    let working = work(lease, halted);
    tokio::pin!(working);
    tokio::select! {
        ended = &mut working => return ended,
        () = stopped(&mut stop) => {}
        () = lost_of(lost) => tracing::warn!(lease = name, "lost: another process goes on"),
    }
    halt.send_replace(true);
    working.await
}

async fn lost_of(lost: Option<watch::Receiver<bool>>) {
    let Some(mut lost) = lost else { return std::future::pending().await };
    // An error means that its keeper is gone, and the lease with it.
    drop(lost.wait_for(|lost| *lost).await);
}
