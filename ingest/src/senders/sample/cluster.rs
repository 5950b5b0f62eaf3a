//! Killed pods of the invented organisation, as a watched cluster tells of them: the change of the whole object.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::Request;
use crate::demo::kills::{How, Kill};

/// The source of the cluster that everything runs in.
pub const CLUSTER_SOURCE: &str = "kubernetes/eu-1";

/// What every container may use.
const MEMORY_LIMIT: &str = "512Mi";

/// The request that tells of a kill.
pub(crate) fn kill_request(kill: &Kill) -> Request {
    let version = kill.at.timestamp_millis().to_string();
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Request {
        source: CLUSTER_SOURCE,
        headers: vec![
            header("devhose-resource", "pods"),
            header("devhose-cluster", "eu-1"),
            header("devhose-environment", "production"),
        ],
        content_type: "application/json",
        delivery_id: format!("pods/{}/{version}", kill.uid),
        body: json!({"type": "MODIFIED", "object": pod(kill, &version)}).to_string().into_bytes(),
    }
}

fn pod(kill: &Kill, version: &str) -> Value {
    let service = kill.service.name;
    let replica_set = format!("{service}-{}", kill.suffixes.0);
    let image = format!("registry.example/{service}:{}", kill.suffixes.0);
    let memory = if kill.how == How::Evicted { json!({}) } else { json!({"memory": MEMORY_LIMIT, "cpu": "1"}) };
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": format!("{replica_set}-{}", kill.suffixes.1),
            "namespace": kill.service.team,
            "uid": kill.uid,
            "resourceVersion": version,
            "creationTimestamp": time(kill.at - TimeDelta::hours(31)),
            "labels": {"app.kubernetes.io/name": service, "pod-template-hash": kill.suffixes.0},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": replica_set,
                "uid": format!("{}-rs", kill.uid), "controller": true,
            }],
        },
        "spec": {
            "nodeName": kill.node,
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "containers": [{
                "name": service,
                "image": image,
                "resources": {"limits": memory, "requests": {"memory": "256Mi", "cpu": "250m"}},
                "livenessProbe": {
                    "httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10, "failureThreshold": 3,
                },
            }],
        },
        "status": status(kill, &image),
    })
}

fn status(kill: &Kill, image: &str) -> Value {
    let started = time(kill.at - TimeDelta::hours(31));
    if kill.how == How::Evicted {
        let service = kill.service.name;
        return json!({
            "phase": "Failed", "reason": "Evicted", "qosClass": "Burstable", "startTime": started,
            "message": format!(
                "The node was low on resource: memory. Threshold quantity: 100Mi, available: 61140Ki. Container \
                 {service} was using 734Mi, request is 256Mi, has larger consumption of memory. "
            ),
            "conditions": [{
                "type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet",
                "lastTransitionTime": time(kill.at),
            }],
        });
    }
    let (reason, code) = match kill.how {
        How::OutOfMemory => ("OOMKilled", 137),
        How::Exit(code) => ("Error", code),
        How::Unhealthy | How::Evicted => ("Error", 137),
    };
    json!({
        "phase": "Running", "qosClass": "Burstable", "startTime": started, "podIP": "10.4.2.17",
        "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}],
        "containerStatuses": [{
            "name": kill.service.name,
            "image": image,
            "imageID": format!("registry.example/{}@sha256:{:0<64}", kill.service.name, kill.suffixes.0),
            "containerID": format!("containerd://{}", kill.container_id),
            "ready": false,
            "started": false,
            "restartCount": kill.restarts,
            "state": {"waiting": {
                "reason": "CrashLoopBackOff",
                "message": format!("back-off {} restarting failed container={}", back_off(kill.restarts), kill.service.name),
            }},
            "lastState": {"terminated": {
                "reason": reason,
                "exitCode": code,
                "startedAt": time(kill.at - TimeDelta::minutes(11)),
                "finishedAt": time(kill.at),
                "containerID": format!("containerd://{}", kill.container_id),
            }},
        }],
    })
}

/// As the kubelet writes it: twice as long each time, and five minutes at most.
const fn back_off(restarts: u32) -> &'static str {
    match restarts {
        0 | 1 => "10s",
        2 => "20s",
        3 => "40s",
        4 => "1m20s",
        5 => "2m40s",
        _ => "5m0s",
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
