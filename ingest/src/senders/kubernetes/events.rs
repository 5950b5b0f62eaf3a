//! Events: what a cluster's own parts report. Only those that help to say why something was killed or does not start;
//! the rest is not taken. They are kept as they are, under their reason.

use bus::data::Data;
use chrono::{DateTime, Utc};

use super::payload::{Body, Change, Event};
use super::told::{KnownAs, Told, subject};
use crate::sender::Draft;

/// The reasons that are taken.
const REASONS: &[&str] = &[
    "BackOff",
    "Evicted",
    "EvictionThresholdMet",
    "ExceededGracePeriod",
    "FailedKillPod",
    "FailedScheduling",
    "FreeDiskSpaceFailed",
    "Killing",
    "NodeHasDiskPressure",
    "NodeHasInsufficientMemory",
    "NodeNotReady",
    "OOMKilling",
    "Preempted",
    "Preempting",
    "Rebooted",
    "ScalingReplicaSet",
    "SystemOOM",
    "TaintManagerEviction",
    "Unhealthy",
];

pub(super) fn drafts(told: &Told<'_>, body: &Body<Event>) -> Vec<Draft> {
    let event = &body.object;
    if body.change == Change::Deleted {
        return vec![told.other(&event.metadata, "Event", body.change.word(), None)];
    }
    let involved = &event.involved_object;
    let mut named = subject(&involved.kind, involved.namespace.as_deref(), &involved.name);
    if named.is_empty() {
        named = subject("Event", event.metadata.namespace.as_deref(), &event.metadata.name);
    }
    let mut draft = told.draft(told.kind(&event.reason), named, time(event), Data::AsReceived);
    if involved.kind == "Node" {
        draft.key.0 = format!("{}/{}", told.cluster, involved.name);
    }
    // The same object is told by both interfaces, and again each time that it happened once more.
    vec![draft.known_as(&format!("{}/{}", event.metadata.uid, event.metadata.resource_version))]
}

/// What a change must bring to matter: a reason that is taken, and that it happened once more.
pub(super) fn marks(event: &Event) -> Vec<String> {
    let count = event.series.as_ref().map_or(event.count, |series| series.count);
    let at = time(event).map(|at| at.timestamp()).unwrap_or_default();
    let taken = REASONS.contains(&event.reason.as_str());
    taken.then(|| format!("{}/{count}/{at}", event.reason)).into_iter().collect()
}

/// When it happened last.
fn time(event: &Event) -> Option<DateTime<Utc>> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time);
    let own = series.or(event.last_timestamp).or(event.event_time).or(event.first_timestamp);
    own.or(event.metadata.creation_timestamp)
}
