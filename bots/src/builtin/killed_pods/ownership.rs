//! Whose it is, and where they are told: what the pod itself says, then what the catalog knows.

use serde_json::Value;

use super::json::entry;
use super::subject::Subject;
use crate::action::Audience;
use crate::lookups::{Lookups, OwnedThing};

/// Stands for the team of what nobody is known to own: it has no channel, so that the fallback serves.
const NOBODY: &str = "unowned";

/// Names by which a pod says whose it is, the most particular first.
const TEAM_KEYS: &[&str] = &["devhose.dev/team", "team", "owner"];
/// Names by which a pod says where its team is told.
const CHANNEL_KEYS: &[&str] = &["devhose.dev/channel"];

/// Whose something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ownership {
    /// The team, where one is known.
    pub(super) team: Option<String>,
    /// Where it is told.
    pub(super) audience: Audience,
    /// The service by its name in the catalog, or as the cluster calls it.
    pub(super) service: String,
    /// `host/owner/name`.
    pub(super) repository: Option<String>,
}

/// Whose the pod is.
pub(super) fn ownership(subject: &Subject, lookups: &Lookups<'_>) -> Ownership {
    let own_team = said(&subject.object, TEAM_KEYS);
    let owner = lookups.owner(OwnedThing {
        team: own_team.clone(),
        service: Some(subject.service.clone()),
        repository: None,
        namespace: Some(subject.namespace.clone()),
    });
    // A team that the catalog does not know is told in nobody's channel: then the service's team is the better guess.
    let team = owner.team.or(own_team);
    let channel = said(&subject.object, CHANNEL_KEYS).or(owner.channel);
    let audience = match (channel, &team) {
        (Some(channel), _) => Audience::Channel(channel),
        (None, Some(team)) => Audience::Team(team.clone()),
        (None, None) => default_audience(lookups),
    };
    let service = owner.service.unwrap_or_else(|| subject.service.clone());
    Ownership { team, audience, service, repository: owner.repository }
}

/// Who is told of a node: those who run the cluster.
pub(super) fn platform(lookups: &Lookups<'_>) -> Audience {
    match lookups.setting::<String>("platform_channel") {
        Some(channel) => Audience::Channel(channel),
        None => default_audience(lookups),
    }
}

fn default_audience(lookups: &Lookups<'_>) -> Audience {
    match lookups.setting::<String>("default_channel") {
        Some(channel) => Audience::Channel(channel),
        None => Audience::Team(NOBODY.to_owned()),
    }
}

/// What an annotation says, or else a label.
fn said(pod: &Value, keys: &[&str]) -> Option<String> {
    let places = ["/metadata/annotations", "/metadata/labels"];
    keys.iter().flat_map(|key| places.map(|place| entry(pod, place, key))).flatten().next().map(str::to_owned)
}
