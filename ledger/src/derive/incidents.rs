//! Which deployment an incident is blamed on: the one it names, else the latest that ended shortly before.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::deployments::{Logical, by_tier, same_sha, stream_place};
use super::places::{self, Place, Places};
use super::{Attributed, DeploymentIx, within};
use crate::catalog::Catalog;
use crate::facts::{Facts, Incident};
use crate::rules::Rules;

/// Attributes every incident, in order of keys, and notes it at the deployment.
pub(super) fn attribute(
    facts: &Facts,
    catalog: &Catalog,
    places: &Places,
    deployments: &mut [Logical],
    rules: &Rules,
) -> Vec<Attributed> {
    let streams: BTreeMap<Place, Vec<DeploymentIx>> = by_tier(deployments).into_iter().collect();
    let mut attributed = Vec::with_capacity(facts.incidents.len());
    for (number, incident) in facts.incidents.values().enumerate() {
        let place = places::of_incident(places, catalog, incident);
        let linked = incident.deployment.as_deref().and_then(|name| linked(deployments, place, incident, name));
        let detected = incident.detected.map(|moment| moment.at);
        let latest = || latest_before(deployments, streams.get(&stream_of(place))?, detected?, rules);
        let deployment = linked.or_else(latest);
        if let Some(deployment) = deployment.and_then(|ix| deployments.get_mut(ix.index())) {
            deployment.incidents.push(number);
        }
        attributed.push(Attributed { place, deployment });
    }
    attributed
}

fn stream_of(place: Place) -> Place {
    if place.service.is_some() { Place { repository: None, ..place } } else { place }
}

/// The deployment of that id, commit or version: of the incident's service and tier, where they are known, and the
/// latest before the incident if several fit.
fn linked(deployments: &[Logical], place: Place, incident: &Incident, name: &str) -> Option<DeploymentIx> {
    let is_named = |deployment: &Logical| {
        let mut keys = std::iter::once(&deployment.key).chain(deployment.duplicates.iter().map(|(key, _, _)| key));
        keys.any(|key| key.0 == name)
            || deployment.version.as_deref() == Some(name)
            || deployment.sha.as_deref().is_some_and(|sha| same_sha(sha, name))
    };
    let fits = |deployment: &Logical| {
        let own = stream_place(deployment);
        let same_service = place.service.is_none() || own.service == place.service;
        deployment.succeeded() && same_service && own.tier == place.tier && is_named(deployment)
    };
    let named = (0..).map(DeploymentIx).zip(deployments).filter(|(_, deployment)| fits(deployment));
    let mut named: Vec<_> = named.map(|(ix, deployment)| (ix, deployment.finished_at)).collect();
    let detected = incident.detected.map_or(DateTime::<Utc>::MAX_UTC, |moment| moment.at);
    if named.iter().any(|(_, finished)| *finished <= detected) {
        named.retain(|(_, finished)| *finished <= detected);
    }
    named.last().map(|(ix, _)| *ix)
}

fn latest_before(
    deployments: &[Logical],
    stream: &[DeploymentIx],
    detected: DateTime<Utc>,
    rules: &Rules,
) -> Option<DeploymentIx> {
    let finished = |ix: &DeploymentIx| deployments.get(ix.index()).map(|deployment| deployment.finished_at);
    let count = stream.partition_point(|ix| finished(ix).is_some_and(|finished| finished <= detected));
    let latest = stream.get(count.checked_sub(1)?)?;
    within(finished(latest)?, detected, rules.incident_window()).then_some(*latest)
}
