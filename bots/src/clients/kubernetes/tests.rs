//! The client of clusters against a stand-in on this machine.

use serde_json::{Value, from_value, json};

use super::*;
use crate::clients::connect;
use crate::clients::stub::{Asked, Reply, Stub, nobody};
use crate::lookups::{LogName, ObjectFilter, ObjectName};

const TOKEN: &str = "eu-1-hidden-bearer";
const POD: &str = include_str!("../../../testdata/kubernetes/pod.json");

fn kubernetes(url: &str) -> Kubernetes {
    drop(rustls::crypto::ring::default_provider().install_default());
    Kubernetes::new(&[from_value(json!({"name": "eu-1", "url": url, "token": TOKEN})).unwrap()]).unwrap()
}

async fn cluster(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> (Kubernetes, Stub) {
    let stub = Stub::start(answer).await;
    (kubernetes(&stub.url), stub)
}

async fn ask(kubernetes: &Kubernetes, question: Question) -> Result<Value, Unavailable> {
    let told = kubernetes.answer(&question).unwrap().await;
    if let Err(unavailable) = &told.answer {
        assert!(!unavailable.reason.contains("hidden"), "{unavailable:?}");
    }
    told.answer
}

fn pod(name: &str) -> Question {
    Question::Object(ObjectName {
        cluster: "eu-1".to_owned(),
        api: "v1".to_owned(),
        resource: "pods".to_owned(),
        namespace: Some("payments".to_owned()),
        name: name.to_owned(),
    })
}

fn replica_sets() -> Question {
    Question::Objects(ObjectFilter {
        cluster: "eu-1".to_owned(),
        api: "apps/v1".to_owned(),
        resource: "replicasets".to_owned(),
        namespace: None,
        labels: Some("app in (checkout),tier=web".to_owned()),
        fields: Some("metadata.name=x".to_owned()),
        limit: 10_000,
    })
}

fn log(bytes_max: u32) -> Question {
    Question::Logs(LogName {
        cluster: "eu-1".to_owned(),
        namespace: "payments".to_owned(),
        pod: "checkout-1".to_owned(),
        container: "app".to_owned(),
        previous: true,
        lines_max: 200,
        bytes_max,
    })
}

/// A refusal in the server's own form.
fn status(code: u16, reason: &str, message: &str, name: &str) -> Reply {
    let details = if name.is_empty() { json!({}) } else { json!({"name": name, "kind": "pods"}) };
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
        "message": message, "details": details});
    Reply::status(code, &status)
}

#[tokio::test]
async fn an_object_is_told_as_the_server_has_it() {
    let (kubernetes, stub) = cluster(|_| Reply::text(200, POD)).await;
    let told = ask(&kubernetes, pod("checkout-1")).await.unwrap();
    assert_eq!(told["kind"], "Pod");
    assert!(told.pointer("/metadata/managedFields").is_none());
    let asked = stub.asked();
    assert_eq!(asked[0].path, "/api/v1/namespaces/payments/pods/checkout-1");
    assert_eq!(asked[0].headers["authorization"], format!("Bearer {TOKEN}"));
}

#[tokio::test]
async fn objects_are_chosen_by_the_server() {
    let item = json!({"metadata": {"name": "x", "managedFields": [{}]}});
    let (kubernetes, stub) = cluster(move |_| Reply::json(&json!({"kind": "ReplicaSetList", "items": [item]}))).await;
    assert_eq!(ask(&kubernetes, replica_sets()).await, Ok(json!([{"metadata": {"name": "x"}}])));
    insta::assert_snapshot!(stub.asked()[0].path, @"/apis/apps/v1/replicasets?limit=500&labelSelector=app%20in%20%28checkout%29%2Ctier%3Dweb&fieldSelector=metadata%2Ename%3Dx");
}

#[tokio::test]
async fn what_is_not_there_is_null_and_a_kind_that_is_not_served_is_an_error() {
    let (kubernetes, _stub) = cluster(|asked| match asked.path.as_str() {
        "/api/v1/namespaces/payments/pods/gone" => status(404, "NotFound", "pods \"gone\" not found", "gone"),
        _ => Reply::text(404, "404 page not found\n"),
    })
    .await;
    assert_eq!(ask(&kubernetes, pod("gone")).await, Ok(Value::Null));
    let unavailable = ask(&kubernetes, replica_sets()).await.unwrap_err();
    assert!(!unavailable.transient && unavailable.reason.contains("404 page not found"), "{unavailable:?}");
}

#[tokio::test]
async fn why_there_is_no_answer_says_whether_to_ask_again() {
    let mut reasons = Vec::new();
    for (code, message, transient) in [
        (403, "pods \"checkout-1\" is forbidden: User \"bot\" cannot get resource \"pods\"", false),
        (401, "Unauthorized", false),
        (429, "too many requests", true),
        (503, "the server is shutting down", true),
    ] {
        let (kubernetes, _stub) = cluster(move |_| status(code, "", message, "")).await;
        let unavailable = ask(&kubernetes, pod("checkout-1")).await.unwrap_err();
        assert_eq!(unavailable.transient, transient, "{code}");
        reasons.push(unavailable.reason);
    }
    insta::assert_snapshot!(reasons.join("\n"), @r#"
    pods/checkout-1 in payments: forbidden; the role in deploy/kubernetes/rbac.yaml allows it (pods "checkout-1" is forbidden: User "bot" cannot get resource "pods")
    pods/checkout-1 in payments: the cluster does not accept the token or certificate: renew it in the configuration
    pods/checkout-1 in payments: the server answered 429 Too Many Requests (too many requests)
    pods/checkout-1 in payments: the server answered 503 Service Unavailable (the server is shutting down)
    "#);
    let away = kubernetes(&nobody().await);
    assert!(ask(&away, pod("checkout-1")).await.unwrap_err().transient);
    let (broken, _stub) = cluster(|_| Reply::Break).await;
    assert!(ask(&broken, pod("checkout-1")).await.unwrap_err().transient);
}

#[tokio::test]
async fn a_log_is_told_without_secrets() {
    let said = "starting\nconnect postgres://app:hunter2@db/shop\npanic: no connection\n";
    let (kubernetes, stub) = cluster(move |_| Reply::text(200, said)).await;
    let told = ask(&kubernetes, log(65_536)).await.unwrap();
    assert_eq!(told, "starting\nconnect postgres://app:[secret removed]@db/shop\npanic: no connection\n");
    insta::assert_snapshot!(stub.asked()[0].path, @"/api/v1/namespaces/payments/pods/checkout-1/log?container=app&tailLines=200&limitBytes=524288&previous=true");
    assert_eq!(ask(&kubernetes, log(30)).await, Ok(json!("panic: no connection\n")), "the end matters most");
}

#[tokio::test]
async fn a_log_that_is_gone_is_null() {
    for (code, message) in [
        (400, "previous terminated container \"app\" in pod \"checkout-1\" not found"),
        (400, "container \"app\" in pod \"checkout-1\" is waiting to start: ContainerCreating"),
        (404, "pods \"checkout-1\" not found"),
    ] {
        let reason = if code == 404 { "NotFound" } else { "BadRequest" };
        let (kubernetes, _stub) = cluster(move |_| status(code, reason, message, "")).await;
        assert_eq!(ask(&kubernetes, log(100)).await, Ok(Value::Null), "{message}");
    }
    let (kubernetes, _stub) =
        cluster(|_| Reply::text(200, "unable to retrieve container logs for containerd://0123abcd")).await;
    assert_eq!(ask(&kubernetes, log(100)).await, Ok(Value::Null));
}

#[tokio::test]
async fn nothing_but_what_bots_may_ask_is_asked_for() {
    let (kubernetes, stub) = cluster(|_| Reply::json(&json!({}))).await;
    let Question::Object(name) = pod("x") else { panic!("an object") };
    for (resource, name_of_it) in [("secrets", "db"), ("Secrets", "db"), ("..", "x"), ("pods", ".."), ("", "x")] {
        let asked = ObjectName { resource: resource.to_owned(), name: name_of_it.to_owned(), ..name.clone() };
        assert!(!ask(&kubernetes, Question::Object(asked)).await.unwrap_err().transient, "{resource}/{name_of_it}");
    }
    assert!(stub.asked().is_empty());
    ask(&kubernetes, pod("a/../b?c")).await.unwrap();
    assert_eq!(stub.asked()[0].path, "/api/v1/namespaces/payments/pods/a%2F..%2Fb%3Fc");
    let elsewhere = ObjectName { cluster: "us-1".to_owned(), ..name };
    let unavailable = ask(&kubernetes, Question::Object(elsewhere)).await.unwrap_err();
    assert!(unavailable.reason.contains("not configured"), "{unavailable:?}");
}

#[test]
fn wrong_settings_say_what_to_do() {
    let wrong = |settings: Value| {
        let clusters: Vec<_> = from_value(settings).unwrap();
        connect(&[], &clusters).err().unwrap().to_string()
    };
    insta::assert_snapshot!(wrong(json!([{"url": "https://10.0.0.1"}])), @r#"cluster "": `name` is missing: the name that its events say"#);
    insta::assert_snapshot!(wrong(json!([{"name": "a", "url": "https://10.0.0.1", "context": "b"}])), @r#"cluster "a": set either `url` with `token`, or `kubeconfig` with `context`, not both"#);
    insta::assert_snapshot!(wrong(json!([{"name": "a", "token": "x"}])), @r#"cluster "a": `token` and `ca` need `url`: the address of the API server"#);
    insta::assert_snapshot!(wrong(json!([{"name": "a"}, {"name": "a"}])), @r#"cluster "a": two [[cluster]] have this name"#);
}
