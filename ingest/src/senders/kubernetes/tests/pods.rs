//! Kills, what is none, and containers that cannot start.

use std::collections::BTreeSet;

use bus::data::Data;
use bus::data::runtime;
use bus::ids::EventId;
use serde_json::{Value, json};

use super::{events, lines, marks};
use crate::senders::kubernetes::Resource;

/// A pod of a deployment with one container `app`, whose status is this.
fn pod(status: &Value) -> Value {
    let mut pod = json!({
        "metadata": {
            "uid": "3f2c", "name": "checkout-7d9f-x1", "namespace": "shop", "resourceVersion": "1",
            "labels": {"pod-template-hash": "7d9f"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "checkout-7d9f", "uid": "r", "controller": true}],
        },
        "spec": {"restartPolicy": "Always", "nodeName": "worker-1", "containers": [{"name": "app", "image": "shop/checkout:1.2"}]},
        "status": {"phase": "Running"},
    });
    merge(&mut pod["status"], status);
    pod
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            from.iter().for_each(|(key, value)| merge(into.entry(key).or_insert(Value::Null), value));
        }
        (into, from) => *into = from.clone(),
    }
}

fn with(mut pod: Value, changes: &Value) -> Value {
    merge(&mut pod, changes);
    pod
}

fn terminated(code: i32, reason: &str) -> Value {
    json!({"terminated": {"exitCode": code, "reason": reason, "containerID": "containerd://a1",
        "startedAt": "2026-01-02T00:00:00Z", "finishedAt": "2026-01-02T01:00:00Z"}})
}

fn app(state: &Value, last_state: &Value, restarts: u32) -> Value {
    json!({"containerStatuses": [{"name": "app", "image": "docker.io/shop/checkout:1.2", "restartCount": restarts,
        "state": state, "lastState": last_state}]})
}

fn running() -> Value {
    json!({"running": {"startedAt": "2026-01-02T01:00:05Z"}})
}

fn kinds(pod: &Value) -> Vec<String> {
    events("pods", "MODIFIED", pod, &[]).iter().map(|event| event.kind.to_string()).collect()
}

fn ids(pod: &Value) -> BTreeSet<EventId> {
    events("pods", "MODIFIED", pod, &[]).iter().map(|event| event.id).collect()
}

fn data(pod: &Value) -> runtime::Pod {
    let Data::Pod(data) = events("pods", "MODIFIED", pod, &[]).remove(0).data else { panic!("{pod}") };
    *data
}

#[test]
fn one_kill_is_one_event_in_state_in_last_state_and_on_relist() {
    let now = pod(&app(&terminated(137, "OOMKilled"), &json!({}), 0));
    let later = pod(&app(&running(), &terminated(137, "OOMKilled"), 1));
    assert_eq!(kinds(&now), ["pod.killed"]);
    assert_eq!(ids(&now), ids(&later));
    let found = events("pods", "ADDED", &later, &[("devhose-synthetic", "relist")]);
    assert_eq!(found[0].id, events("pods", "MODIFIED", &now, &[])[0].id);
    assert_eq!(marks(Resource::Pods, &now), marks(Resource::Pods, &later));
    insta::assert_json_snapshot!(found[0].data.to_value().unwrap(), @r#"
    {
      "cluster": "acme",
      "container": "app",
      "exitCode": 137,
      "id": "acme/3f2c/app/containerd://a1",
      "image": "docker.io/shop/checkout:1.2",
      "killedAt": "2026-01-02T01:00:00Z",
      "namespace": "shop",
      "node": "worker-1",
      "pod": "checkout-7d9f-x1",
      "reason": "OOMKilled",
      "restarts": 1,
      "service": "checkout",
      "synthetic": true,
      "uid": "3f2c",
      "workload": "Deployment/checkout"
    }
    "#);
}

#[test]
fn a_kill_without_an_id_of_its_container_is_known_by_its_run_and_end() {
    let nameless = |mut state: Value| {
        state["terminated"]["containerID"] = Value::Null;
        state
    };
    let now = pod(&app(&nameless(terminated(1, "Error")), &json!({}), 4));
    let later = pod(&app(&running(), &nameless(terminated(1, "Error")), 5));
    assert_eq!(ids(&now), ids(&later));
}

#[test]
fn two_runs_that_ended_are_two_kills() {
    let mut last = terminated(1, "Error");
    last["terminated"]["containerID"] = "containerd://a0".into();
    assert_eq!(kinds(&pod(&app(&terminated(2, "Error"), &last, 1))), ["pod.killed", "pod.killed"]);
}

#[test]
fn what_ends_as_it_should_is_no_kill() {
    let done = pod(&app(&terminated(0, "Completed"), &json!({}), 0));
    assert_eq!(kinds(&done), ["pod.killed"], "it should have gone on");
    let job = with(done, &json!({"spec": {"restartPolicy": "OnFailure"}}));
    assert_eq!(kinds(&job), ["io.kubernetes.pods.modified"]);
    assert_eq!(marks(Resource::Pods, &job), [0; 0]);
    let init =
        json!({"initContainerStatuses": [{"name": "prepare", "restartCount": 0, "state": terminated(0, "Completed")}]});
    assert_eq!(kinds(&pod(&init)), ["io.kubernetes.pods.modified"]);
    let sidecar =
        with(pod(&init), &json!({"spec": {"initContainers": [{"name": "prepare", "restartPolicy": "Always"}]}}));
    assert_eq!(kinds(&sidecar), ["pod.killed"]);
    let child = with(job, &json!({"status": app(&terminated(0, "OOMKilled"), &json!({}), 0)}));
    assert_eq!(kinds(&child), ["pod.killed"], "something in it was killed for memory");
    let shell = json!({"ephemeralContainerStatuses": [{"name": "debugger", "state": terminated(130, "Error")}]});
    assert_eq!(kinds(&pod(&shell)), ["io.kubernetes.pods.modified"], "a person left it");
}

#[test]
fn a_deletion_in_good_time_kills_nothing() {
    let deleted = |code: i32, reason: &str, due: &str| {
        let status = app(&terminated(code, reason), &json!({}), 0);
        with(pod(&status), &json!({"metadata": {"deletionTimestamp": due, "deletionGracePeriodSeconds": 30}}))
    };
    // Asked for 10 seconds before the end of the container.
    for (code, kind) in
        [(0, "io.kubernetes.pods.modified"), (143, "io.kubernetes.pods.modified"), (137, "io.kubernetes.pods.modified")]
    {
        assert_eq!(kinds(&deleted(code, "Error", "2026-01-02T01:00:20Z")), [kind], "{code}");
    }
    assert_eq!(kinds(&deleted(137, "OOMKilled", "2026-01-02T01:00:20Z")), ["pod.killed"]);
    assert_eq!(kinds(&deleted(137, "Error", "2026-01-02T01:00:00Z")), ["pod.killed"], "its time was over");
    assert_eq!(kinds(&deleted(143, "Error", "2026-01-02T01:00:00Z")), ["io.kubernetes.pods.modified"]);
    assert_eq!(kinds(&deleted(1, "Error", "2026-01-02T05:00:00Z")), ["pod.killed"], "it ended long before");
}

#[test]
fn what_ends_a_whole_pod_is_one_event() {
    let ended = app(&terminated(137, "Error"), &json!({}), 0);
    let disrupted = |reason: &str| {
        let condition = json!({"type": "DisruptionTarget", "status": "True", "reason": reason,
            "lastTransitionTime": "2026-01-02T00:59:00Z"});
        with(pod(&ended), &json!({"status": {"conditions": [condition]}}))
    };
    for reason in [
        "EvictionByEvictionAPI",
        "PreemptionByScheduler",
        "DeletionByTaintManager",
        "DeletionByPodGC",
        "TerminationByKubelet",
    ] {
        assert_eq!(kinds(&disrupted(reason)), ["pod.evicted"], "{reason}");
        assert_eq!(data(&disrupted(reason)).reason.as_deref(), Some(reason));
    }
    let failed = |reason: &str| with(pod(&ended), &json!({"status": {"phase": "Failed", "reason": reason}}));
    for reason in ["Evicted", "Preempting", "NodeLost", "Terminated", "NodeShutdown"] {
        assert_eq!(kinds(&failed(reason)), ["pod.evicted"], "{reason}");
        assert_eq!(ids(&failed(reason)), ids(&disrupted("EvictionByEvictionAPI")), "seen in both ways it is one");
    }
    assert_eq!(kinds(&failed("DeadlineExceeded")), ["pod.killed"]);
    let evicted = data(&failed("Evicted"));
    assert_eq!((evicted.container, evicted.image.as_deref()), (None, Some("shop/checkout:1.2")));
    let none = disrupted("EvictionByEvictionAPI").to_string().replace(r#""status":"True""#, r#""status":"False""#);
    assert_eq!(kinds(&serde_json::from_str(&none).unwrap()), ["pod.killed"], "it was only thought of");
}

#[test]
fn a_container_that_cannot_start_is_told_once_for_each_try() {
    let waiting = |reason: &str, restarts: u32| {
        pod(&app(&json!({"waiting": {"reason": reason}}), &terminated(1, "Error"), restarts))
    };
    assert_eq!(kinds(&waiting("CrashLoopBackOff", 3)), ["pod.killed", "pod.crashlooping"]);
    assert_ne!(ids(&waiting("CrashLoopBackOff", 3)), ids(&waiting("CrashLoopBackOff", 4)));
    assert_eq!(ids(&waiting("ErrImagePull", 0)), ids(&waiting("ImagePullBackOff", 0)), "one trouble, told by turns");
    assert_eq!(
        marks(Resource::Pods, &waiting("ErrImagePull", 0)),
        marks(Resource::Pods, &waiting("ImagePullBackOff", 0))
    );
    for reason in ["InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "RunContainerError"] {
        assert_eq!(kinds(&waiting(reason, 0))[1], "pod.crashlooping", "{reason}");
    }
    assert_eq!(kinds(&waiting("ContainerCreating", 0)), ["pod.killed"]);
}

#[test]
fn what_a_pod_belongs_to_is_read_from_its_owner() {
    let status = app(&terminated(1, "Error"), &json!({}), 0);
    let owned = |kind: &str, name: &str| {
        let owner = json!([{"kind": kind, "name": name, "uid": "o", "controller": true}]);
        let data = data(&with(pod(&status), &json!({"metadata": {"ownerReferences": owner}})));
        format!("{} {}", data.workload.unwrap(), data.service.unwrap())
    };
    assert_eq!(owned("ReplicaSet", "checkout-7d9f"), "Deployment/checkout checkout");
    assert_eq!(owned("ReplicaSet", "checkout-other"), "ReplicaSet/checkout-other checkout-other");
    assert_eq!(owned("StatefulSet", "db"), "StatefulSet/db db");
    assert_eq!(owned("DaemonSet", "agent"), "DaemonSet/agent agent");
    assert_eq!(owned("Job", "report-28566720"), "CronJob/report report");
    assert_eq!(owned("Job", "migrate-42"), "Job/migrate-42 migrate-42");
    assert_eq!(owned("Node", "master-0"), "Pod/checkout-7d9f-x1 checkout-7d9f-x1");
    let labelled = with(
        pod(&status),
        &json!({"metadata": {"labels": {"app": "old", "app.kubernetes.io/name": "shop", "env": "test"}}}),
    );
    assert_eq!(
        (data(&labelled).service.as_deref(), data(&labelled).environment.as_deref()),
        (Some("shop"), Some("test"))
    );
    let told = events("pods", "MODIFIED", &labelled, &[("devhose-environment", "production")]);
    assert_eq!(told[0].data.environment(), Some("production"), "the configuration of the cluster counts more");
    assert_eq!(told[0].key.0, "acme/shop/Deployment/checkout");
}

#[test]
fn a_pod_that_is_gone_is_told_besides_what_was_wrong_with_it() {
    let now = pod(&app(&terminated(137, "OOMKilled"), &json!({}), 0));
    let told = events("pods", "DELETED", &now, &[]);
    insta::assert_snapshot!(lines(&told), @r#"
    pod.killed Pod/shop/checkout-7d9f-x1 | Deployment/checkout app OOMKilled 137
    io.kubernetes.pods.deleted Pod/shop/checkout-7d9f-x1 | acme/shop/Deployment/checkout
    "#);
    let bare = json!({"metadata": {"uid": "u", "name": "gone", "namespace": "shop", "resourceVersion": "8"}});
    insta::assert_snapshot!(lines(&events("pods", "DELETED", &bare, &[("devhose-synthetic", "relist")])), @"io.kubernetes.pods.deleted Pod/shop/gone | acme/shop/Pod/gone");
}
