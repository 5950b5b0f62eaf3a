//! Deployments: rollouts that ended, well or not. A rollout is known by the revision that the deployment gives it, so a
//! change of scale is none, and one rollout is one event however often the finished deployment is seen.
//!
//! What it changed from stands in the replica sets: one that was a revision before is rolled back to, and two whose
//! templates are the same but for the mark of `rollout restart` were only restarted.

use bus::data::runtime;
use bus::data::{Data, Manner, Outcome};
use bus::kind::Kind;
use chrono::{DateTime, Utc};

use super::payload::{Body, Change, Condition, Container, Deployment, ReplicaSet, ReplicaSetNote, condition};
use super::told::{KnownAs, Told, subject};
use super::workload;
use crate::sender::Draft;
use crate::senders::image::Image;
use crate::senders::reading::is_sha;

/// Where a deployment and its replica sets say which rollout they are.
pub(crate) const REVISION: &str = "deployment.kubernetes.io/revision";
/// Where a replica set says which rollouts it was before.
pub(crate) const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// Names the container that matters among several.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
/// Names the version, whatever the image says.
const VERSION: &str = "app.kubernetes.io/version";

pub(super) fn drafts(told: &Told<'_>, body: &Body<Deployment>) -> Vec<Draft> {
    let deployment = &body.object;
    let workload = format!("Deployment/{}", deployment.metadata.name);
    let other = |word: &str| vec![told.other(&deployment.metadata, "Deployment", word, Some(&workload))];
    if body.change == Change::Deleted {
        let identity = format!("{}/removed", deployment.metadata.uid);
        return vec![
            draft(told, deployment, Kind::ServiceRemoved, None, describe(told, deployment)).known_as(&identity),
        ];
    }
    let revision = revision(deployment);
    match Rollout::of(deployment) {
        Some(Rollout::Finished(condition)) => {
            let sets = Sets::of(revision, &body.replica_sets);
            if sets.only_restarted() {
                return other("restarted");
            }
            vec![finished(told, deployment, condition, &sets)]
        }
        Some(Rollout::Failed(condition)) => vec![failed(told, deployment, condition)],
        None => other(body.change.word()),
    }
}

/// What a change must bring to matter: a rollout that ended.
pub(super) fn marks(deployment: &Deployment) -> Vec<String> {
    let revision = revision(deployment);
    let mark = Rollout::of(deployment).map(|rollout| match rollout {
        Rollout::Finished(_) => format!("finished/{revision}"),
        Rollout::Failed(condition) => format!("failed/{revision}/{}", seconds(condition)),
    });
    mark.into_iter().collect()
}

/// True if it just finished, so that what is known of its replica sets is needed.
pub(super) fn is_finished(deployment: &Deployment) -> bool {
    matches!(Rollout::of(deployment), Some(Rollout::Finished(_)))
}

/// What a change of a replica set must bring to matter: that it is the one of a revision, and has pods.
pub(super) fn replica_set_marks(set: &ReplicaSet) -> Vec<String> {
    let live = set.spec.replicas != Some(0) && set.metadata.owner().is_some_and(|owner| owner.kind == "Deployment");
    let revision = set.metadata.annotations.get(REVISION).filter(|_| live);
    revision.map(|revision| format!("revision/{revision}")).into_iter().collect()
}

pub(super) fn replica_set_drafts(told: &Told<'_>, body: &Body<ReplicaSet>) -> Vec<Draft> {
    let metadata = &body.object.metadata;
    let owner = metadata.owner().map(|owner| format!("{}/{}", owner.kind, owner.name));
    vec![told.other(metadata, "ReplicaSet", body.change.word(), owner.as_deref())]
}

/// How a rollout ended.
enum Rollout<'d> {
    Finished(&'d Condition),
    Failed(&'d Condition),
}

impl<'d> Rollout<'d> {
    fn of(deployment: &'d Deployment) -> Option<Self> {
        let status = &deployment.status;
        let progress = condition(&status.conditions, "Progressing")?;
        // What the controller says of an older specification is not meant for this one.
        if status.observed_generation < deployment.metadata.generation {
            return None;
        }
        if progress.reason == "ProgressDeadlineExceeded" {
            return Some(Self::Failed(progress));
        }
        let wanted = deployment.spec.replicas.unwrap_or(1);
        let all = [status.updated_replicas, status.replicas, status.available_replicas];
        let complete = wanted > 0 && all.iter().all(|replicas| *replicas == wanted);
        (complete && progress.is_true() && progress.reason == "NewReplicaSetAvailable")
            .then_some(Self::Finished(progress))
    }
}

/// The replica set of this rollout, and the one that it replaced.
struct Sets<'s> {
    now: Option<&'s ReplicaSetNote>,
    before: Option<&'s ReplicaSetNote>,
}

impl<'s> Sets<'s> {
    fn of(revision: u64, sets: &'s [ReplicaSetNote]) -> Self {
        let now = sets.iter().find(|set| set.revision == revision);
        let before = sets.iter().filter(|set| set.revision < revision).max_by_key(|set| set.revision);
        Self { now, before }
    }

    fn only_restarted(&self) -> bool {
        matches!((self.now, self.before), (Some(now), Some(before)) if now.template == before.template)
    }

    fn rolled_back(&self) -> bool {
        self.now.and_then(|now| now.revision_history.as_deref()).is_some_and(|history| !history.is_empty())
    }
}

fn finished(told: &Told<'_>, deployment: &Deployment, condition: &Condition, sets: &Sets<'_>) -> Draft {
    let revision = revision(deployment);
    let rolled_back = sets.rolled_back();
    let kind = match revision {
        _ if rolled_back => Kind::ServiceRolledBack,
        0 | 1 => Kind::ServiceDeployed,
        _ => Kind::ServiceUpgraded,
    };
    let at = updated(condition);
    let data = runtime::Deployment {
        // A replica set that was used before is older than the rollout.
        started_at: sets.now.filter(|_| !rolled_back).and_then(|set| set.created_at),
        finished_at: at,
        outcome: Some(Outcome::Success),
        manner: rolled_back.then_some(Manner::Rollback),
        ..describe(told, deployment)
    };
    draft(told, deployment, kind, at, data).known_as(&format!("{}/{revision}", deployment.metadata.uid))
}

fn failed(told: &Told<'_>, deployment: &Deployment, condition: &Condition) -> Draft {
    let at = updated(condition);
    let data = runtime::Deployment { finished_at: at, outcome: Some(Outcome::Failure), ..describe(told, deployment) };
    let identity = format!("{}/{}/failed/{}", deployment.metadata.uid, revision(deployment), seconds(condition));
    draft(told, deployment, Kind::DeploymentFailed, at, data).known_as(&identity)
}

fn draft(
    told: &Told<'_>,
    deployment: &Deployment,
    kind: Kind,
    at: Option<DateTime<Utc>>,
    data: runtime::Deployment,
) -> Draft {
    let metadata = &deployment.metadata;
    let subject = subject("Deployment", metadata.namespace.as_deref(), &metadata.name);
    told.draft(kind, subject, at, Data::Deployment(Box::new(data)))
}

/// What holds of the rollout however it ends.
fn describe(told: &Told<'_>, deployment: &Deployment) -> runtime::Deployment {
    let metadata = &deployment.metadata;
    let name = subject(told.cluster, metadata.namespace.as_deref(), &metadata.name);
    let image = main_image(deployment).and_then(Image::parse);
    let label = [&metadata.labels, &deployment.spec.template.metadata.labels].into_iter().find_map(|l| l.get(VERSION));
    runtime::Deployment {
        id: format!("{name}/{}", revision(deployment)),
        service: Some(workload::service(&metadata.labels, &metadata.name)),
        environment: told.environment(&metadata.labels),
        version: label.map(String::as_str).or(image.and_then(|image| image.version())).map(str::to_owned),
        sha: image.and_then(|image| image.tag).filter(|tag| is_sha(tag)).map(str::to_owned),
        artifact: image.map(|image| image.purl()),
        ..runtime::Deployment::default()
    }
}

/// The image of the container that matters: the one that is named so, the one named as the deployment, or the first.
fn main_image(deployment: &Deployment) -> Option<&str> {
    let template = &deployment.spec.template;
    let containers = &template.spec.containers;
    let named = |name: &str| containers.iter().find(|container| container.name == name);
    let chosen = template.metadata.annotations.get(DEFAULT_CONTAINER).and_then(|name| named(name));
    let container: Option<&Container> =
        chosen.or_else(|| named(&deployment.metadata.name)).or_else(|| containers.first());
    container.and_then(|container| container.image.as_deref())
}

fn revision(deployment: &Deployment) -> u64 {
    deployment.metadata.annotations.get(REVISION).and_then(|revision| revision.parse().ok()).unwrap_or_default()
}

fn updated(condition: &Condition) -> Option<DateTime<Utc>> {
    condition.last_update_time.or(condition.last_transition_time)
}

fn seconds(condition: &Condition) -> i64 {
    updated(condition).map(|at| at.timestamp()).unwrap_or_default()
}
