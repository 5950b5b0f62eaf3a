//! How each watch stands, for pages and the interface: written by the watches, read by anybody at any time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bus::ids::SourceName;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::ClusterName;
use crate::hooks::Clock;
use crate::senders::kubernetes::Resource;

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
    /// It is not watched, and will not be.
    Off {
        /// Why.
        reason: String,
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
            Self::Off { .. } => "off",
            Self::Stopped => "stopped",
        }
    }
}

impl States {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(ClusterName, &'static str), Watched>> {
        // Nothing is left half written by a reader or writer that panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How every watch stands, by cluster and resource.
    #[must_use]
    pub fn all(&self) -> Vec<Watched> {
        self.lock().values().cloned().collect()
    }

    /// How the watches of the cluster with that source stand.
    #[must_use]
    pub fn of(&self, source: &SourceName) -> Vec<Watched> {
        self.all().into_iter().filter(|watched| watched.source == *source).collect()
    }
}

/// What one watch says of itself.
#[derive(Clone)]
pub(super) struct Report {
    states: Arc<States>,
    clock: Clock,
    key: (ClusterName, &'static str),
}

impl Report {
    /// Of a watch that is about to begin.
    pub(super) fn begin(states: Arc<States>, clock: Clock, cluster: &ClusterName, resource: Resource) -> Self {
        let watched = Watched {
            cluster: cluster.to_string(),
            source: cluster.source().clone(),
            resource: resource.name(),
            namespace: None,
            standing: Standing::Connecting,
            since: clock(),
            last_change: None,
            deliveries: 0,
            relists: 0,
            objects: 0,
            cursor: None,
        };
        let report = Self { states, clock, key: (cluster.clone(), resource.name()) };
        report.states.lock().insert(report.key.clone(), watched);
        report
    }

    /// Changes what is said.
    pub(super) fn note(&self, change: impl FnOnce(&mut Watched)) {
        if let Some(watched) = self.states.lock().get_mut(&self.key) {
            change(watched);
        }
    }

    /// What it does from now on.
    pub(super) fn stands(&self, standing: Standing) {
        let now = (self.clock)();
        self.note(|watched| {
            // Trying again in vain is still the same trouble.
            if watched.standing.name() != standing.name() {
                watched.since = now;
            }
            watched.standing = standing;
        });
    }

    /// What it does.
    pub(super) fn standing(&self) -> Standing {
        self.states.lock().get(&self.key).map_or(Standing::Stopped, |watched| watched.standing.clone())
    }

    /// What time it is.
    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }
}
