//! Kubernetes: what bots ask about objects and logs of clusters. It only reads, never a Secret, and takes secrets out of
//! what it read.

use std::collections::BTreeMap;
use std::time::Instant;

use futures_util::future::BoxFuture;

use super::settings::{ClientError, ClusterSettings};
use super::{Client, Destination, Order, Problem, Receipt, Sought};
use crate::action::Action;
use crate::lookups::{Question, Told, Unavailable};

mod access;
mod answers;
mod clean;
mod request;

use access::Cluster;

/// The name in figures.
const NAME: &str = "kubernetes";

/// The clusters that are configured.
pub(super) struct Kubernetes(BTreeMap<String, Cluster>);

impl Kubernetes {
    /// The clusters by their settings. Nothing is asked of them yet.
    ///
    /// # Errors
    /// If settings contradict each other, or two clusters have one name.
    pub(super) fn new(settings: &[ClusterSettings]) -> Result<Self, ClientError> {
        let mut clusters = BTreeMap::new();
        for one in settings {
            let twice = clusters.insert(one.name.clone(), Cluster::new(one)?).is_some();
            if twice {
                let reason = "two [[cluster]] have this name".to_owned();
                return Err(ClientError::Cluster { cluster: one.name.clone(), reason });
            }
        }
        Ok(Self(clusters))
    }

    async fn told(&self, name: &str, question: &Question) -> Told {
        let Some(cluster) = self.0.get(name) else {
            let reason = format!("cluster {name:?} is not configured: add a [[cluster]] of that name");
            return Told::free(Err(Unavailable::for_good(reason)));
        };
        let began = Instant::now();
        let answer = answers::answer(cluster, question).await;
        Told { answer, calls: 1, millis: u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX) }
    }
}

impl Client for Kubernetes {
    fn name(&self) -> &'static str {
        NAME
    }

    fn destination(&self, _action: &Action) -> Option<Destination> {
        None
    }

    fn perform<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Result<Receipt, Problem>> {
        let reason = format!("nothing is ever changed in a cluster, and so no {}", order.action.name());
        Box::pin(std::future::ready(Err(Problem::Never { reason })))
    }

    fn find<'a>(&'a self, _order: &'a Order) -> BoxFuture<'a, Result<Sought, Problem>> {
        Box::pin(std::future::ready(Ok(Sought::NotDone)))
    }

    fn answer<'a>(&'a self, question: &'a Question) -> Option<BoxFuture<'a, Told>> {
        let cluster = answers::cluster_of(question)?;
        Some(Box::pin(self.told(cluster, question)))
    }
}

#[cfg(test)]
mod tests;
