//! Who does what only one process may do at a time.
//!
//! On PostgreSQL a lease is an advisory lock on a connection of its own, so that it ends with its process, and an epoch
//! that is raised each time it changes hands: whoever writes under a lease checks its epoch in the same transaction, so
//! that a process that was paused cannot write after another has taken over. An embedded store has one process, whose
//! leases are never lost.

use tokio::sync::{oneshot, watch};

pub(crate) mod postgres;

/// A lease that is held. It is given back when this is dropped.
#[derive(Debug)]
pub struct Lease {
    epoch: Epoch,
    lost: Option<watch::Receiver<bool>>,
    /// Dropped with the lease: whoever keeps it for us then gives it back.
    #[expect(dead_code, reason = "held only to be dropped")]
    release: Option<oneshot::Sender<()>>,
}

/// Which holder of a lease: each has a higher number than those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub i64);

impl Lease {
    /// A lease of the only process there is.
    #[must_use]
    pub const fn sole() -> Self {
        Self { epoch: Epoch(0), lost: None, release: None }
    }

    /// A lease that somebody keeps for us until `lost` turns true or its other end of `release` hears of the drop.
    #[must_use]
    pub const fn kept(epoch: Epoch, lost: watch::Receiver<bool>, release: oneshot::Sender<()>) -> Self {
        Self { epoch, lost: Some(lost), release: Some(release) }
    }

    /// Which holder we are.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Turns true when it is lost; none if it cannot be.
    #[must_use]
    pub fn watch(&self) -> Option<watch::Receiver<bool>> {
        self.lost.clone()
    }

    /// Returns when it is lost.
    pub async fn lost(&self) {
        let Some(mut lost) = self.lost.clone() else { return std::future::pending().await };
        // An error means that its keeper is gone, and the lease with it.
        drop(lost.wait_for(|lost| *lost).await);
    }
}
