//! Watches Kubernetes clusters: pods, events, nodes, deployments and replica sets are listed, then watched, and every
//! change that matters becomes a delivery of the source `kubernetes/{cluster}`. Nothing is ever written to a cluster.
//!
//! What a change means, and whether it matters, is for [`crate::senders::kubernetes`] to say. Here is only what has to be
//! asked of a server: pages, cursors, what was missed, and coming back when it is away.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use bus::ids::{InvalidId, SourceName};
use bus::stop::stopped;
use bus::streams::Streams;
use futures_util::future::join_all;
use tokio::sync::watch;

use crate::hooks::Clock;
use crate::senders::kubernetes::Resource;
use crate::source::Secret;

pub mod access;
mod api;
mod change;
mod follow;
mod known;
mod pace;
pub mod states;

use follow::Follower;
use states::{Report, Standing, States};

/// A cluster that is watched.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Its name here: the second part of the name of its source, and what pages call it.
    pub name: ClusterName,
    /// The environment that its services run in, if they all run in the same.
    pub environment: Option<String>,
    /// Only this namespace is watched, without the nodes. None is the whole cluster, and where that is not permitted the
    /// namespace that the access is for.
    pub namespace: Option<String>,
    /// How to reach it.
    pub access: Access,
}

/// How to reach a cluster.
#[derive(Debug, Clone)]
pub enum Access {
    /// As a configuration of `kubectl` says.
    Kubeconfig {
        /// The file; none is the one that `kubectl` would take.
        path: Option<PathBuf>,
        /// A context of it; none is its current one.
        context: Option<String>,
    },
    /// By the service account of the pod that this program runs in.
    InCluster,
    /// By address and token.
    Url {
        /// `https://10.0.0.1:6443`
        url: String,
        /// A bearer token.
        token: Secret,
        /// Certificates of the authority that signed the server's, as PEM; none is those that the system trusts.
        ca: Option<String>,
    },
}

/// The name of a cluster: one part of the name of a source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterName(SourceName);

impl ClusterName {
    /// The source that its deliveries come from: `kubernetes/{cluster}`.
    #[must_use]
    pub const fn source(&self) -> &SourceName {
        &self.0
    }

    /// The name alone.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str().split_once('/').map_or("", |(_, name)| name)
    }
}

impl FromStr for ClusterName {
    type Err = InvalidId;

    fn from_str(name: &str) -> Result<Self, InvalidId> {
        format!("kubernetes/{name}").parse().map(Self)
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Watches a cluster until `stop` turns true. Never ends before: a cluster that cannot be reached is tried again, and
/// `states` says how it stands.
pub async fn run(
    cluster: Cluster,
    streams: Streams,
    clock: Clock,
    states: Arc<States>,
    mut stop: watch::Receiver<bool>,
) {
    let cluster = Arc::new(cluster);
    // Each on its own: one that is refused or slow keeps no other from going on.
    let watches = Resource::ALL.map(|resource| {
        let report = Report::begin(Arc::clone(&states), Arc::clone(&clock), &cluster.name, resource);
        match (resource, &cluster.namespace) {
            (Resource::Nodes, Some(namespace)) => {
                report.stands(Standing::Off { reason: format!("only namespace {namespace} is watched") });
                None
            }
            (_, _) => Some(Follower::new(Arc::clone(&cluster), resource, streams.clone(), report).run(stop.clone())),
        }
    });
    join_all(watches.into_iter().flatten()).await;
    stopped(&mut stop).await;
}
