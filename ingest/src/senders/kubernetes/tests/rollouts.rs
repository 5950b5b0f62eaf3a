//! Finished and failed rollouts.

use bus::event::Event;
use serde_json::{Value, json};

use super::{events, lines, marks, told};
use crate::senders::kubernetes::{Resource, note, wants_replica_sets};

fn deployment(revision: u32, image: &str, progressing: (&str, &str)) -> Value {
    let (status, reason) = progressing;
    json!({
        "metadata": {
            "uid": "d", "name": "checkout", "namespace": "shop", "generation": 3, "resourceVersion": "5",
            "annotations": {"deployment.kubernetes.io/revision": revision.to_string()},
        },
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "proxy", "image": "envoy:1"}, {"name": "checkout", "image": image}]}}},
        "status": {
            "observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2,
            "conditions": [{"type": "Progressing", "status": status, "reason": reason,
                "lastUpdateTime": "2026-01-02T03:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        },
    })
}

const DONE: (&str, &str) = ("True", "NewReplicaSetAvailable");

fn replica_set(revision: u32, history: Option<&str>, image: &str, restarted_at: Option<&str>) -> Value {
    let mut set = json!({
        "metadata": {
            "uid": format!("r{revision}"), "name": format!("checkout-{revision}"), "namespace": "shop",
            "creationTimestamp": "2026-01-02T02:58:00Z",
            "annotations": {"deployment.kubernetes.io/revision": revision.to_string()},
            "ownerReferences": [{"kind": "Deployment", "name": "checkout", "uid": "d", "controller": true}],
        },
        "spec": {"replicas": 2, "template": {
            "metadata": {"labels": {"app": "checkout", "pod-template-hash": revision.to_string()}},
            "spec": {"containers": [{"name": "checkout", "image": image}]},
        }},
    });
    if let Some(history) = history {
        set["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] = history.into();
    }
    if let Some(at) = restarted_at {
        set["spec"]["template"]["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/restartedAt": at});
    }
    set
}

fn finished(revision: u32, sets: &[Value]) -> Vec<Event> {
    let notes: Vec<_> = sets.iter().filter_map(|set| note(set, "d")).collect();
    let object = deployment(revision, "registry.example/shop/checkout:1.4.0", DONE);
    told(
        "deployments",
        &json!({"type": "MODIFIED", "object": object, "replicaSets": notes}),
        &[("devhose-environment", "production")],
    )
}

#[test]
fn a_finished_rollout_is_a_deployment_of_its_revision() {
    let first = finished(1, &[replica_set(1, None, "a", None)]);
    insta::assert_snapshot!(lines(&first), @"service.deployed Deployment/shop/checkout | checkout production 1.4.0 pkg:oci/checkout?repository_url=registry.example/shop/checkout&tag=1.4.0");
    let second = finished(2, &[replica_set(1, None, "a", None), replica_set(2, None, "b", None)]);
    insta::assert_json_snapshot!(second[0].data.to_value().unwrap(), @r#"
    {
      "artifact": "pkg:oci/checkout?repository_url=registry.example/shop/checkout&tag=1.4.0",
      "environment": "production",
      "finishedAt": "2026-01-02T03:00:00Z",
      "id": "acme/shop/checkout/2",
      "outcome": "success",
      "service": "checkout",
      "startedAt": "2026-01-02T02:58:00Z",
      "version": "1.4.0"
    }
    "#);
    assert_eq!(second[0].kind.name(), "service.upgraded");
    assert_eq!(second[0].time.to_rfc3339(), "2026-01-02T03:00:00+00:00");
    assert_eq!(second[0].key.0, "checkout/production");
    assert_eq!(second, finished(2, &[replica_set(1, None, "a", None), replica_set(2, None, "b", None)]));
    assert_eq!(finished(2, &[])[0].kind.name(), "service.upgraded", "replica sets may not be readable");
}

#[test]
fn a_replica_set_that_was_used_before_is_rolled_back_to() {
    let told = finished(3, &[replica_set(2, None, "b", None), replica_set(3, Some("1"), "a", None)]);
    assert_eq!(told[0].kind.name(), "service.rolledback");
    assert_eq!(told[0].data.to_value().unwrap()["manner"], "rollback");
    assert_eq!(told[0].data.to_value().unwrap().get("startedAt"), None);
}

#[test]
fn a_restart_deploys_nothing() {
    let restarted = replica_set(2, None, "a", Some("2026-01-02T00:00:00Z"));
    let told = finished(2, &[replica_set(1, None, "a", None), restarted.clone()]);
    insta::assert_snapshot!(lines(&told), @"io.kubernetes.deployments.restarted Deployment/shop/checkout | acme/shop/Deployment/checkout");
    let twice = finished(3, &[restarted, replica_set(3, None, "a", Some("2026-01-03T00:00:00Z"))]);
    assert_eq!(twice[0].kind.name(), "io.kubernetes.deployments.restarted");
}

#[test]
fn a_rollout_that_is_under_way_is_none_yet() {
    let done = deployment(2, "a", DONE);
    assert!(wants_replica_sets(Resource::Deployments, &done));
    assert_eq!(marks(Resource::Deployments, &done).len(), 1);
    let changes = [
        ("/metadata/generation", json!(4)),
        ("/status/updatedReplicas", json!(1)),
        ("/status/replicas", json!(3)),
        ("/status/availableReplicas", json!(1)),
        ("/status/conditions/0/reason", json!("ReplicaSetUpdated")),
        ("/spec/replicas", json!(0)),
    ];
    for (path, value) in changes {
        let mut under_way = done.clone();
        *under_way.pointer_mut(path).unwrap() = value;
        assert_eq!(marks(Resource::Deployments, &under_way), [0; 0], "{path}");
        let told = events("deployments", "MODIFIED", &under_way, &[]);
        assert_eq!(told[0].kind.name(), "io.kubernetes.deployments.modified", "{path}");
    }
    let mut scaled = done.clone();
    scaled["spec"]["replicas"] = json!(3);
    for status in ["replicas", "updatedReplicas", "availableReplicas"] {
        scaled["status"][status] = json!(3);
    }
    assert_eq!(marks(Resource::Deployments, &scaled), marks(Resource::Deployments, &done), "scale is no rollout");
}

#[test]
fn a_rollout_that_does_not_get_on_failed_and_a_deployment_that_is_gone_was_removed() {
    let stuck = deployment(2, "a", ("False", "ProgressDeadlineExceeded"));
    insta::assert_snapshot!(lines(&events("deployments", "MODIFIED", &stuck, &[])), @"deployment.failed Deployment/shop/checkout | checkout pkg:oci/a?repository_url=docker.io/library/a");
    insta::assert_snapshot!(lines(&events("deployments", "DELETED", &deployment(2, "a", DONE), &[])), @"service.removed Deployment/shop/checkout | checkout pkg:oci/a?repository_url=docker.io/library/a");
}

#[test]
fn a_replica_set_matters_while_it_is_that_of_a_revision_with_pods() {
    let set = replica_set(2, None, "a", None);
    assert_eq!(marks(Resource::ReplicaSets, &set).len(), 1);
    let mut old = set.clone();
    old["spec"]["replicas"] = json!(0);
    assert_eq!(marks(Resource::ReplicaSets, &old), [0; 0]);
    assert_eq!(note(&set, "another"), None);
    insta::assert_snapshot!(lines(&events("replicasets", "ADDED", &set, &[])), @"io.kubernetes.replicasets.added ReplicaSet/shop/checkout-2 | acme/shop/Deployment/checkout");
}
