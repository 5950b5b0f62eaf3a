//! What a pod belongs to, as far as the pod itself tells.

use std::collections::BTreeMap;

use super::payload::{Metadata, Pod};

/// Labels that name a service, the surest first: the catalog's own, the recommended one, and what was usual before.
const SERVICE: &[&str] = &["backstage.io/kubernetes-id", "app.kubernetes.io/name", "app", "k8s-app"];

/// Labels that hold the hash of a template: the name of what owns the owner is the owner's without it.
const TEMPLATE_HASHES: &[(&str, &str)] =
    &[("pod-template-hash", "Deployment"), ("rollouts-pod-template-hash", "Rollout")];

/// The minute or second for which a cron job made a job: at least so many digits.
const SCHEDULED_DIGITS_MIN: usize = 8;

/// What manages a pod: `Deployment/checkout`. A pod that nothing manages is its own.
pub(super) fn of_pod(pod: &Pod) -> String {
    let metadata = &pod.metadata;
    let Some(owner) = metadata.owner() else { return format!("Pod/{}", metadata.name) };
    match owner.kind.as_str() {
        "ReplicaSet" => above(metadata, &owner.name).unwrap_or_else(|| format!("ReplicaSet/{}", owner.name)),
        "Job" => match scheduled(&owner.name) {
            Some(cron_job) => format!("CronJob/{cron_job}"),
            None => format!("Job/{}", owner.name),
        },
        // The kubelet shows the pods of its own files so.
        "Node" => format!("Pod/{}", metadata.name),
        kind => format!("{kind}/{}", owner.name),
    }
}

fn above(metadata: &Metadata, replica_set: &str) -> Option<String> {
    TEMPLATE_HASHES.iter().find_map(|(label, kind)| {
        let name = replica_set.strip_suffix(metadata.labels.get(*label)?.as_str())?.strip_suffix('-')?;
        Some(format!("{kind}/{name}"))
    })
}

/// The cron job that made a job of that name, if it looks like it: the controller puts a time behind its own name.
fn scheduled(job: &str) -> Option<&str> {
    let (name, time) = job.rsplit_once('-')?;
    let is_time = time.len() >= SCHEDULED_DIGITS_MIN && time.bytes().all(|b| b.is_ascii_digit());
    (is_time && !name.is_empty()).then_some(name)
}

/// The service: as a label says, or else the name of the workload.
pub(super) fn service(labels: &BTreeMap<String, String>, workload: &str) -> String {
    let label = SERVICE.iter().find_map(|label| labels.get(*label).filter(|value| !value.is_empty()));
    label.cloned().unwrap_or_else(|| workload.split_once('/').map_or(workload, |(_, name)| name).to_owned())
}
