//! What is told of recorded objects, and of the states that clusters leave out until they matter.

mod pods;
mod rollouts;

use bus::data::Data;
use bus::event::Event;
use serde_json::{Value, json};

use super::{Resource, delivery_name, essence};
use crate::sender::stamp;
use crate::senders::fixtures;

/// A change, told as the watch would.
fn events(resource: &str, change: &str, object: &Value, headers: &[(&str, &str)]) -> Vec<Event> {
    told(resource, &json!({"type": change, "object": object}), headers)
}

fn told(resource: &str, body: &Value, headers: &[(&str, &str)]) -> Vec<Event> {
    let fixed = [("content-type", "application/json"), ("devhose-resource", resource), ("devhose-cluster", "acme")];
    let headers: Vec<_> = fixed.iter().chain(headers).map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let delivery = fixtures::delivery("kubernetes", &headers, body.to_string().into_bytes());
    let drafts = (super::KUBERNETES.normalize)(&delivery).unwrap();
    stamp(&delivery, drafts)
}

fn marks(resource: Resource, object: &Value) -> Vec<u64> {
    essence(resource, object)
}

/// Kind, subject and what the data says, one event a line.
fn lines(events: &[Event]) -> String {
    let line = |event: &Event| {
        let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let data = if let Data::Pod(pod) = &event.data {
            let code = pod.exit_code.map_or_else(|| "-".to_owned(), |code| code.to_string());
            format!("{} {} {} {code}", word(&pod.workload), word(&pod.container), word(&pod.reason))
        } else if let Data::Node(node) = &event.data {
            word(&node.pressure)
        } else if let Data::Deployment(data) = &event.data {
            let said = [&data.service, &data.environment, &data.version, &data.artifact];
            said.into_iter().flatten().cloned().collect::<Vec<_>>().join(" ")
        } else {
            event.key.to_string()
        };
        format!("{} {} | {data}", event.kind, event.subject)
    };
    events.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn recorded_objects_are_told_as_what_happened_to_them() {
    let told = fixtures::all("kubernetes").into_iter().map(|(name, delivery)| {
        let drafts = (super::KUBERNETES.normalize)(&delivery).unwrap();
        format!("{name}: {}", lines(&stamp(&delivery, drafts)).replace('\n', "\n    "))
    });
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @r#"
    deployment-fullshape: io.kubernetes.deployments.modified Deployment/namespaceValue/nameValue | acme/namespaceValue/Deployment/nameValue
    deployment-k9s: service.deployed Deployment/icx/icx-db | icx-db 9.2-alpine pkg:oci/postgres?repository_url=docker.io/library/postgres&tag=9.2-alpine
    deployment-kube-system: service.deployed Deployment/kube-system/coredns | kube-dns 1.7.0 pkg:oci/coredns?repository_url=k8s.gcr.io/coredns&tag=1.7.0
    deployment-revision: service.deployed Deployment/default/kotsadm-api | kotsadm-api v1.0.1-30-g8fa13e34-dirty pkg:oci/kotsadm-api@sha256%3A4a0ca1a2eae46472bd2d454f9e763a458ddd172689e179b17054262507bb4fc8?repository_url=localhost:32000/kotsadm-api&tag=v1.0.1-30-g8fa13e34-dirty
    event-backoff: io.kubernetes.events.BackOff Pod/message-container-creating-failed-mount/no-image-deployment-849c4c4958-47b9z | acme/Pod/message-container-creating-failed-mount/no-image-deployment-849c4c4958-47b9z
    event-failedkillpod: io.kubernetes.events.FailedKillPod Pod/message-container-creating-failed-mount/crashpod-f9b59484-fpzht | acme/Pod/message-container-creating-failed-mount/crashpod-f9b59484-fpzht
    event-failedscheduling: io.kubernetes.events.FailedScheduling Pod/message-container-creating-failed-mount/pending-pod-resources-5fddcf7688-59zjj | acme/Pod/message-container-creating-failed-mount/pending-pod-resources-5fddcf7688-59zjj
    event-fullshape-events.k8s.io: io.kubernetes.events.reasonValue kindValue/namespaceValue/nameValue | acme/kindValue/namespaceValue/nameValue
    event-killing: io.kubernetes.events.Killing Pod/message-container-creating-failed-mount/crashpod-f9b59484-7828f | acme/Pod/message-container-creating-failed-mount/crashpod-f9b59484-7828f
    event-scalingreplicaset: io.kubernetes.events.ScalingReplicaSet Deployment/message-container-creating-failed-mount/no-image-deployment | acme/Deployment/message-container-creating-failed-mount/no-image-deployment
    event-unhealthy: io.kubernetes.events.Unhealthy Pod/message-container-creating-failed-mount/failing-liveness-pod | acme/Pod/message-container-creating-failed-mount/failing-liveness-pod
    node-fullshape: io.kubernetes.nodes.modified Node/namespaceValue/nameValue | acme/nameValue
    node-healthy: io.kubernetes.nodes.modified Node/repldev-marc | acme/repldev-marc
    node-healthy-k9s: io.kubernetes.nodes.modified Node/minikube | acme/minikube
    pod-crashloop-cannot-run: pod.killed Pod/message-pod-crashloop-backoff/init-demo | Pod/init-demo nginx ContainerCannotRun 127
        pod.crashlooping Pod/message-pod-crashloop-backoff/init-demo | Pod/init-demo nginx CrashLoopBackOff 127
    pod-creating: io.kubernetes.pods.modified Pod/message-container-creating-failed-mount/troubleshoot-copyfromhost-4m79m-psdjm | acme/message-container-creating-failed-mount/DaemonSet/troubleshoot-copyfromhost-4m79m
    pod-error-cronjob: pod.killed Pod/di-288312/auditlog-retention-28566720-t22qj | CronJob/auditlog-retention auditlog-retention Error 3
    pod-fullshape: pod.killed Pod/namespaceValue/nameValue | kindValue/nameValue nameValue reasonValue 1
    pod-healthy: io.kubernetes.pods.modified Pod/default/random-pod-75b66db9b9-nqhp8 | acme/default/Deployment/random-pod
    pod-image: pod.crashlooping Pod/message-image-pull-fail/no-image-deployment-849c4c4958-rxqmt | Deployment/no-image-deployment demo-deployment-container ErrImagePull -
    pod-init-crashloop: pod.killed Pod/di-288312/vsystem-867f4b77cc-pqcns | Deployment/vsystem vsystem-hana-init Error 1
        pod.crashlooping Pod/di-288312/vsystem-867f4b77cc-pqcns | Deployment/vsystem vsystem-hana-init CrashLoopBackOff 1
    pod-init-run-error: pod.killed Pod/message-pod-init-crashloop-backoff/init-demo2 | Pod/init-demo2 install ContainerCannotRun 127
        pod.crashlooping Pod/message-pod-init-crashloop-backoff/init-demo2 | Pod/init-demo2 install RunContainerError 127
    pod-oomkilled-job: pod.killed Pod/message-oomkill-pod/oom-kill-job3-gbb89 | Job/oom-kill-job3 memory-eater OOMKilled 137
    pod-restarted: pod.killed Pod/openshift-kube-controller-manager-operator/kube-controller-manager-operator-666b69fd7f-sb86z | Deployment/kube-controller-manager-operator kube-controller-manager-operator Error 255
    pod-sidecar: io.kubernetes.pods.modified Pod/default/sleep | acme/default/Pod/sleep
    pod-statefulset: pod.killed Pod/openshift-monitoring/prometheus-k8s-1 | StatefulSet/prometheus-k8s prometheus Error 2
    pod-static: pod.killed Pod/openshift-kube-scheduler/openshift-kube-scheduler-master-0.imeixner20210707.lab.upshift.rdu2.redhat.com | Pod/openshift-kube-scheduler-master-0.imeixner20210707.lab.upshift.rdu2.redhat.com kube-scheduler Error 1
        pod.killed Pod/openshift-kube-scheduler/openshift-kube-scheduler-master-0.imeixner20210707.lab.upshift.rdu2.redhat.com | Pod/openshift-kube-scheduler-master-0.imeixner20210707.lab.upshift.rdu2.redhat.com kube-scheduler-recovery-controller Completed 0
    pod-unschedulable-resources: pod.unschedulable Pod/message-pending-pod-resources/pending-pod-resources-5fddcf7688-djjfc | Deployment/pending-pod-resources - Unschedulable -
    replicaset: io.kubernetes.replicasets.modified ReplicaSet/default/kotsadm-f98ff7d75 | acme/default/Deployment/kotsadm
    "#);
}

#[test]
fn whatever_has_a_kind_of_its_own_matters_and_a_healthy_object_does_not() {
    for (name, delivery) in fixtures::all("kubernetes") {
        let resource = Resource::parse(delivery.header("devhose-resource").unwrap()).unwrap();
        let body: Value = serde_json::from_slice(&delivery.content.body).unwrap();
        let drafts = (super::KUBERNETES.normalize)(&delivery).unwrap();
        let own = drafts.iter().any(|draft| !draft.kind.name().starts_with("io.kubernetes."));
        assert!(!own || !marks(resource, &body["object"]).is_empty(), "{name}");
        if ["node-healthy", "pod-healthy", "pod-creating"].contains(&name.as_str()) {
            assert_eq!(marks(resource, &body["object"]), [0; 0], "{name}");
        }
    }
}

#[test]
fn a_condition_of_a_node_is_told_once_and_again_when_it_comes_back() {
    let node = |status: &str, since: &str| {
        let conditions = json!([
            {"type": "MemoryPressure", "status": status, "reason": "KubeletHasInsufficientMemory", "lastTransitionTime": since},
            {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "lastTransitionTime": since},
        ]);
        json!({"metadata": {"uid": "n", "name": "worker-1", "resourceVersion": since}, "status": {"conditions": conditions}})
    };
    let first = events("nodes", "MODIFIED", &node("True", "2026-01-02T00:00:00Z"), &[]);
    insta::assert_snapshot!(lines(&first), @r#"
    node.pressured Node/worker-1 | MemoryPressure
    node.pressured Node/worker-1 | NotReady
    "#);
    assert_eq!(first[0].key.0, "acme/worker-1");
    let beat = events("nodes", "MODIFIED", &node("True", "2026-01-02T00:00:00Z"), &[]);
    let again = events("nodes", "MODIFIED", &node("True", "2026-01-03T00:00:00Z"), &[]);
    assert_eq!(first[0].id, beat[0].id);
    assert_ne!(first[0].id, again[0].id);
}

#[test]
fn an_event_is_the_same_through_both_interfaces() {
    let metadata = json!({"uid": "e", "name": "checkout-1.17", "namespace": "shop", "resourceVersion": "9"});
    let involved = json!({"kind": "Pod", "namespace": "shop", "name": "checkout-1"});
    let core = json!({"metadata": metadata, "reason": "BackOff", "involvedObject": involved, "count": 3,
        "lastTimestamp": "2026-01-02T00:00:00Z"});
    let newer = json!({"metadata": metadata, "reason": "BackOff", "regarding": involved, "deprecatedCount": 3,
        "deprecatedLastTimestamp": "2026-01-02T00:00:00Z"});
    assert_eq!(events("events", "ADDED", &core, &[]), events("events", "ADDED", &newer, &[]));
    insta::assert_snapshot!(lines(&events("events", "ADDED", &core, &[])), @"io.kubernetes.events.BackOff Pod/shop/checkout-1 | acme/Pod/shop/checkout-1");
    assert_eq!(marks(Resource::Events, &core), marks(Resource::Events, &newer));
    assert_eq!(marks(Resource::Events, &json!({"reason": "Pulled"})), [0; 0], "not every reason is taken");
}

#[test]
fn a_delivery_is_called_after_the_version_of_the_object() {
    let metadata = serde_json::from_value(json!({"uid": "u", "resourceVersion": "7"})).unwrap();
    assert_eq!(delivery_name(Resource::Pods, super::Change::Modified, &metadata), "pods/u/7");
    assert_eq!(delivery_name(Resource::Pods, super::Change::Deleted, &metadata), "pods/u/7/deleted");
}
