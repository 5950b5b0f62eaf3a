//! A watched cluster, with a real API server: what happens there is told once, and whatever is missed is found.

pub(crate) mod line;
mod rollouts;
pub(crate) mod server;

use serde_json::{Value, json};

use crate::program::{Home, Program, until};
use line::Line;
use server::{ApiServer, restarted, status, terminated};

const RESOURCES: [&str; 5] = ["deployments", "events", "nodes", "pods", "replicasets"];

/// How the watch of a resource stands.
async fn watch_of(program: &Program, resource: &str) -> Value {
    let document = program.json("/api/v1/sources").await;
    let watches = document["watches"].as_array().unwrap_or_else(|| panic!("no watches: {document}"));
    let found = watches.iter().find(|watch| watch["resource"].as_str().unwrap().starts_with(resource));
    found.unwrap_or_else(|| panic!("{resource} is not watched: {document:#}")).clone()
}

/// Waits until every resource is watched.
async fn watching(program: &Program) {
    for resource in RESOURCES {
        let is_watching = async || (watch_of(program, resource).await["state"] == "watching").then_some(());
        until(&format!("{resource} are watched"), is_watching).await;
    }
}

/// Makes a pod with a kill and waits until it is told: all that happened to pods before it is told then as well.
async fn all_is_told(server: &ApiServer, program: &Program, namespace: &str, name: &str) {
    let api = server.api();
    let pod = api.pod(namespace, name, &json!({})).await;
    api.set_status(&pod, terminated(1, "Error", "containerd://last")).await;
    program.event(&format!("type:pod.killed subject:Pod/{namespace}/{name}")).await;
}

async fn kills(program: &Program, namespace: &str, pod: &str) -> Vec<Value> {
    program.events(&format!("type:pod.killed subject:Pod/{namespace}/{pod}")).await
}

#[tokio::test]
async fn one_kill_is_one_event_in_state_in_last_state_and_after_a_restart() {
    let server = ApiServer::shared();
    let home = Home::with(&server.configuration("test"));
    let program = home.serve().await;
    watching(&program).await;
    let api = server.api();
    api.namespace("kills").await;
    let pod = api.pod("kills", "checkout-1", &json!({})).await;
    api.set_status(&pod, terminated(137, "OOMKilled", "containerd://a1")).await;
    let told = program.event("type:pod.killed subject:Pod/kills/checkout-1").await;
    let kill = &told["data"]["customData"];
    assert_eq!(
        (&kill["reason"], &kill["exitCode"], &kill["synthetic"]),
        (&"OOMKilled".into(), &137.into(), &Value::Null)
    );
    assert_eq!((&told["subject"], &kill["environment"]), (&"Pod/kills/checkout-1".into(), &"production".into()));

    api.set_status(&pod, restarted(137, "OOMKilled", "containerd://a1")).await;
    all_is_told(server, &program, "kills", "checkout-2").await;
    assert_eq!(program.stop().exit, 0);

    // Goes on where it stopped; then, as if it had never run, lists everything.
    let program = home.serve().await;
    watching(&program).await;
    all_is_told(server, &program, "kills", "checkout-3").await;
    assert_eq!(kills(&program, "kills", "checkout-1").await.len(), 1);
    program.kill();
    let elsewhere = Home::with(&server.configuration("test"));
    let program = elsewhere.serve().await;
    let found = program.event("type:pod.killed subject:Pod/kills/checkout-1").await;
    assert_eq!(found["id"], told["id"], "the same kill, found by a list");
    assert_eq!(found["data"]["customData"]["synthetic"], true);
    assert_eq!(program.source("kubernetes/test").await["quarantined"], 0);
}

#[tokio::test]
async fn what_happened_while_the_program_was_away_is_found_though_the_history_is_gone() {
    // Without its cache the server asks etcd, as it must after a restart of its own.
    let mut server = ApiServer::start(&["--watch-cache=false"]);
    let api = server.api();
    let home = Home::with(&server.configuration("test"));
    let program = home.serve().await;
    watching(&program).await;
    let (seen, missed) = (api.pod("default", "seen", &json!({})).await, api.pod("default", "missed", &json!({})).await);
    let gone = api.pod("default", "gone", &json!({})).await;
    api.set_status(&seen, terminated(1, "Error", "containerd://s")).await;
    all_is_told(&server, &program, "default", "first").await;
    assert_eq!(program.stop().exit, 0);

    api.set_status(&missed, terminated(137, "OOMKilled", "containerd://m")).await;
    api.delete(&gone).await;
    server.compact();
    let program = home.serve().await;
    let told = program.event("type:pod.killed subject:Pod/default/missed").await;
    assert_eq!(told["data"]["customData"]["synthetic"], true, "{told:#}");
    program.event("type:io.kubernetes.pods.deleted subject:Pod/default/gone").await;
    watching(&program).await;
    assert_eq!(watch_of(&program, "pods").await["relists"], 1);
    all_is_told(&server, &program, "default", "last").await;
    assert_eq!(kills(&program, "default", "seen").await.len(), 1);
    assert_eq!(kills(&program, "default", "missed").await.len(), 1);
}

#[tokio::test]
async fn what_happened_while_the_line_was_cut_is_found_though_the_history_is_gone() {
    let mut server = ApiServer::start(&["--watch-cache=false"]);
    let api = server.api();
    let line = Line::to(server.address()).await;
    let home = Home::with(&server.configuration_of("test", &line.url(), api.token()));
    let program = home.serve().await;
    watching(&program).await;
    let first = api.pod("default", "first", &json!({})).await;
    for (round, missed) in ["missed-1", "missed-2"].into_iter().enumerate() {
        let pod = api.pod("default", missed, &json!({})).await;
        all_is_told(&server, &program, "default", &format!("before-{missed}")).await;
        line.cut();
        let interrupted = async || (watch_of(&program, "pods").await["well"] == false).then_some(());
        until("the watch is interrupted", interrupted).await;
        api.set_status(&pod, terminated(137, "OOMKilled", missed)).await;
        if round == 0 {
            // Of the newest change the server says that something is wrong, for ever, instead of that it is gone.
            api.patch(&first, &json!({"metadata": {"labels": {"round": "0"}}})).await;
        }
        server.compact();
        line.mend();
        let told = program.event(&format!("type:pod.killed subject:Pod/default/{missed}")).await;
        assert_eq!(told["data"]["customData"]["synthetic"], true, "{told:#}");
        watching(&program).await;
        assert_eq!(watch_of(&program, "pods").await["relists"], round + 1);
    }
}

#[tokio::test]
async fn a_restarted_server_is_watched_again() {
    let mut server = ApiServer::start(&[]);
    let home = Home::with(&server.configuration("test"));
    let program = home.serve().await;
    watching(&program).await;
    all_is_told(&server, &program, "default", "before").await;
    server.stop();
    let away = until("the watch is interrupted", async || {
        Some(watch_of(&program, "pods").await).filter(|watch| watch["well"] == false)
    });
    let state = away.await["state"].as_str().unwrap().to_owned();
    assert!(state.contains("refused"), "{state}");
    server.go_on();
    all_is_told(&server, &program, "default", "after").await;
    watching(&program).await;
    assert_eq!(kills(&program, "default", "before").await.len(), 1);
}

#[tokio::test]
async fn a_refused_token_is_seen_with_its_remedy() {
    let server = ApiServer::shared();
    let home = Home::with(&server.configuration_of("test", server.url(), "not a token of it"));
    let program = home.serve().await;
    let refused = until("the refusal is shown", async || {
        Some(watch_of(&program, "pods").await).filter(|watch| watch["well"] == false)
    });
    let refused = refused.await;
    assert!(refused["state"].as_str().unwrap().contains("401"), "{refused:#}");
    assert!(refused["remedy"].as_str().unwrap().contains("token"), "{refused:#}");
    let page = program.page("/sources").await;
    assert!(page.contains("401") && !page.contains("not a token of it"));
}

#[tokio::test]
async fn the_role_that_is_shipped_is_enough_and_not_more() {
    let server = ApiServer::start(&[]);
    let api = server.api();
    apply(&api, include_str!("../../deploy/kubernetes/rbac.yaml")).await;
    let token = token(&api).await;
    let home = Home::with(&server.configuration_of("test", server.url(), &token));
    let program = home.serve().await;
    watching(&program).await;
    let account = server.api_of(&token);
    for (verb, group, resource, subresource, allowed) in [
        ("watch", "", "pods", "", true),
        ("get", "", "pods", "log", true),
        ("list", "events.k8s.io", "events", "", true),
        ("list", "metrics.k8s.io", "nodes", "", true),
        ("get", "", "secrets", "", false),
        ("get", "", "configmaps", "", false),
        ("delete", "", "pods", "", false),
        ("patch", "apps", "deployments", "", false),
        ("create", "", "pods", "exec", false),
        ("get", "", "nodes", "proxy", false),
    ] {
        let asked = json!({"verb": verb, "group": group, "resource": resource, "subresource": subresource});
        let review = json!({"spec": {"resourceAttributes": asked}});
        let answer = account.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review).await;
        assert_eq!(answer["status"]["allowed"], allowed, "{verb} {resource}/{subresource}");
    }
}

#[tokio::test]
async fn with_the_role_for_one_namespace_the_rest_says_what_is_missing() {
    let server = ApiServer::start(&[]);
    let api = server.api();
    api.namespace("shop").await;
    apply(&api, include_str!("../../deploy/kubernetes/rbac-namespace.yaml")).await;
    let other = api.pod("default", "hidden", &json!({})).await;
    api.set_status(&other, terminated(1, "Error", "containerd://h")).await;
    let configuration = server.configuration_of("test", server.url(), &token(&api).await);
    let program = Home::with(&format!("{configuration}namespace = \"shop\"\n"));
    let program = program.serve().await;
    for resource in ["pods", "events", "deployments", "replicasets"] {
        let is_watching = async || (watch_of(&program, resource).await["state"] == "watching").then_some(());
        until(&format!("{resource} are watched"), is_watching).await;
    }
    let nodes = watch_of(&program, "nodes").await["state"].as_str().unwrap().to_owned();
    assert!(nodes.contains("only namespace shop"), "{nodes}");
    all_is_told(&server, &program, "shop", "checkout-1").await;
    assert_eq!(kills(&program, "default", "hidden").await.len(), 0);
}

#[tokio::test]
async fn trouble_short_of_a_kill_is_told_too() {
    let server = ApiServer::shared();
    let program = Home::with(&server.configuration("test"));
    let program = program.serve().await;
    let api = server.api();
    api.namespace("trouble").await;
    let pod = api.pod("trouble", "waits", &json!({})).await;
    let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}});
    api.set_status(&pod, status(0, &waiting, &json!({}))).await;
    program.event("type:pod.crashlooping subject:Pod/trouble/waits").await;
    let pod = api.pod("trouble", "homeless", &json!({})).await;
    let unschedulable = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/3 nodes are available", "lastTransitionTime": "2026-01-02T03:04:05Z"});
    api.set_status(&pod, json!({"phase": "Pending", "conditions": [unschedulable]})).await;
    program.event("type:pod.unschedulable subject:Pod/trouble/homeless").await;
    let pod = api.pod("trouble", "evicted", &json!({})).await;
    api.set_status(
        &pod,
        json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}),
    )
    .await;
    program.event("type:pod.evicted subject:Pod/trouble/evicted").await;
    let node = api.create("/api/v1/nodes", &json!({"metadata": {"name": "worker-1"}})).await;
    let pressed = json!({"type": "MemoryPressure", "status": "True", "reason": "KubeletHasInsufficientMemory",
        "lastTransitionTime": "2026-01-02T03:04:05Z", "lastHeartbeatTime": "2026-01-02T03:04:05Z"});
    api.set_status(
        &format!("/api/v1/nodes/{}", node["metadata"]["name"].as_str().unwrap()),
        json!({"conditions": [pressed]}),
    )
    .await;
    program.event("type:node.pressured subject:Node/worker-1").await;
}

#[tokio::test]
async fn an_event_is_taken_once_though_two_interfaces_tell_it() {
    let server = ApiServer::shared();
    let program = Home::with(&server.configuration("test"));
    let program = program.serve().await;
    let api = server.api();
    api.namespace("events").await;
    let event = |name: &str, reason: &str| {
        json!({
            "metadata": {"name": name}, "reason": reason, "type": "Warning", "message": "what it says",
            "involvedObject": {"kind": "Pod", "namespace": "events", "name": "checkout-1"},
            "firstTimestamp": "2026-01-02T03:04:05Z", "lastTimestamp": "2026-01-02T03:04:05Z", "count": 1,
            "source": {"component": "kubelet"},
        })
    };
    api.create("/api/v1/namespaces/events/events", &event("one", "Pulled")).await;
    api.create("/api/v1/namespaces/events/events", &event("two", "BackOff")).await;
    let newer = api.get("/apis/events.k8s.io/v1/namespaces/events/events/two").await;
    assert_eq!(newer["note"], "what it says");
    program.event("type:io.kubernetes.events.BackOff subject:Pod/events/checkout-1").await;
    api.patch("/api/v1/namespaces/events/events/two", &json!({"count": 2})).await;
    let again = async || {
        let told = program.events("type:io.kubernetes.events.* subject:Pod/events/checkout-1").await;
        (told.len() == 2).then_some(told)
    };
    let told = until("it happened once more", again).await;
    assert!(!told.iter().any(|event| event.to_string().contains("Pulled")), "not every reason is taken");
}

/// Applies a file of the deployment.
async fn apply(api: &server::Api, text: &str) {
    for document in text.split("\n---\n") {
        let kind = document.lines().find_map(|line| line.strip_prefix("kind: ")).unwrap();
        let rbac = "/apis/rbac.authorization.k8s.io/v1";
        let collection = match kind {
            "Namespace" => "/api/v1/namespaces".to_owned(),
            "ServiceAccount" => "/api/v1/namespaces/devhose/serviceaccounts".to_owned(),
            "ClusterRole" => format!("{rbac}/clusterroles"),
            "ClusterRoleBinding" => format!("{rbac}/clusterrolebindings"),
            "Role" => format!("{rbac}/namespaces/shop/roles"),
            "RoleBinding" => format!("{rbac}/namespaces/shop/rolebindings"),
            other => panic!("{other} is not expected"),
        };
        api.create_yaml(&collection, document).await;
    }
}

/// A token of the account that the file makes.
async fn token(api: &server::Api) -> String {
    let request = json!({"spec": {"expirationSeconds": 3600}});
    let answer = api.create("/api/v1/namespaces/devhose/serviceaccounts/devhose/token", &request).await;
    answer["status"]["token"].as_str().unwrap().to_owned()
}
