//! How each watch stands, for pages and the interface: written by the watches, read by anybody at any time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bus::ids::SourceName;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::ClusterName;

/// How all watches of all clusters stand.
#[derive(Debug, Default)]
pub struct States(Mutex<BTreeMap<(ClusterName, &'static str), Watched>>);

/// How the watch of one resource of one cluster stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Watched {
    /// The cluster.
    pub cluster: String,
    /// The source of its deliveries.
    pub source: SourceName,
    /// What is watched: `pods`.
    pub resource: &'static str,
    /// The only namespace that is watched, where the permission is for no more.
    pub namespace: Option<String>,
    /// What it is doing.
    #[serde(flatten)]
    pub standing: Standing,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When the server last told of a change.
    pub last_change: Option<DateTime<Utc>>,
    /// Deliveries made of changes, since this program was started.
    pub deliveries: u64,
    /// How often everything was listed because the server no longer knew what had changed since the cursor.
    pub relists: u64,
    /// Objects that are known.
    pub objects: usize,
    /// The version from which the watch goes on.
    pub cursor: Option<String>,
}

/// What a watch is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Standing {
    /// It reaches for the server.
    Connecting,
    /// It reads what there is.
    Listing,
    /// It hears of every change.
    Watching,
    /// Something is wrong; it will try again.
    BackingOff {
        /// What is wrong.
        reason: String,
        /// What a person can do about it, where something can be done.
        remedy: Option<String>,
        /// When it tries again.
        until: DateTime<Utc>,
    },
    /// The program is stopping.
    Stopped,
}

impl Standing {
    /// The word for it: `watching`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Listing => "listing",
            Self::Watching => "watching",
            Self::BackingOff { .. } => "backing off",
            Self::Stopped => "stopped",
        }
    }
}

impl States {
    /// How every watch stands, by cluster and resource.
    #[must_use]
    pub fn all(&self) -> Vec<Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// How the watches of the cluster with that source stand.
    #[must_use]
    pub fn of(&self, source: &SourceName) -> Vec<Watched> {
        self.all().into_iter().filter(|watched| watched.source == *source).collect()
    }
}
