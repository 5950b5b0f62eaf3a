//! What people see of bots: pages, API and commands say the same, and a bot is tried with nothing but a file.

use serde_json::{Value, json};

use crate::program::{Answer, Home, Page, Program, until};

const NOW: &str = "2026-11-18T15:20:00Z";

/// The demo, once every kill is decided about.
async fn demo() -> (Home, Program) {
    let home = Home::new().at(NOW);
    let program = home.demo("0.3").await;
    let idle = async || {
        let bot = program.json("/api/v1/bots/killed-pods").await;
        // Of a log that was not looked through to its end, nothing is known.
        let lag = &bot["lag"];
        (lag["events"] == 0 && lag["at_least"] == false && bot["open_actions"] == 0).then_some(())
    };
    until("every kill is decided about", idle).await;
    (home, program)
}

/// A run of killed-pods that posted something.
async fn posted(program: &Program) -> Value {
    let look = async || {
        let answer = program.json("/api/v1/bots/killed-pods/runs?limit=100").await;
        let runs = answer["runs"].as_array().unwrap().clone();
        runs.into_iter().find(|run| {
            let mut actions = run["actions"].as_array().unwrap().iter();
            actions.any(|action| action["name"] == "post-message" && action["status"] == "performed")
        })
    };
    until("a kill is reported", look).await
}

#[tokio::test]
async fn a_kill_can_be_followed_from_the_service_to_what_its_owners_read() {
    let (_home, program) = demo().await;
    let run = posted(&program).await;
    let (id, event) = (run["id"].as_i64().unwrap(), run["event"].as_str().unwrap());

    let list = Page(program.page("/bots").await);
    assert_eq!(list.headings().iter().filter(|heading| heading.contains("active")).count(), 2, "{:?}", list.headings());
    let bot = program.page("/bots/killed-pods").await;
    assert!(bot.contains("type:pod.killed") && bot.contains("Nothing was given up"));

    let page = program.page(&format!("/bots/killed-pods/runs/{id}")).await;
    let record = program.json(&format!("/api/v1/bots/killed-pods/runs/{id}")).await;
    assert_eq!((&record["run"]["event"], &record["run"]["because"]), (&run["event"], &run["because"]));
    let message = record["actions"].as_array().unwrap().iter().find_map(|action| action["action"].get("message"));
    let heading = message.unwrap()["blocks"][0]["heading"].as_str().unwrap().to_owned();
    assert!(page.contains(&format!("<p class=\"heading\">{heading}</p>")), "{heading} is not on the page of run {id}");
    for part in ["What it did", "What it asked", "As plain text", event] {
        assert!(page.contains(part), "{part} is not on the page of run {id}");
    }

    let told = program.page(&format!("/events/{event}")).await;
    assert!(told.contains(&format!("/bots/killed-pods/runs/{id}")), "the event leads to the run");
    let kill = program.json(&format!("/api/v1/events/{event}")).await;
    let service = kill["data"]["customData"]["service"].as_str().unwrap().to_owned();
    let evidence = program.json(&format!("/services/{service}.json?timeline=28d")).await;
    let tables = evidence["tables"].as_array().unwrap();
    let table = |name: &str| tables.iter().find(|table| table["name"] == name).unwrap()["rows"].as_array().unwrap();
    let times: u64 = table("killed-pods-by-reason").iter().map(|row| row["times"].as_u64().unwrap()).sum();
    assert!(times > 0 && table("killed-pods").len() as u64 <= times, "{service}: {times}");
    assert_eq!(table("timeline").len(), 28, "a slot for each day");
}

#[tokio::test]
async fn a_bot_is_paused_and_resumed_from_its_page_but_not_from_another_site() {
    let (home, program) = demo().await;
    let state = async || program.json("/api/v1/bots/reviewer-assignment").await["paused"]["because"].clone();
    let press = |what: &str, site: &str| {
        let path = format!("/bots/reviewer-assignment/{what}");
        Answer::of(program.request("POST", &path).header("sec-fetch-site", site))
    };
    assert_eq!(press("pause", "cross-site").await.status, 403);
    assert_eq!(state().await, Value::Null);
    let answer = press("pause", "same-origin").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/bots/reviewer-assignment"));
    assert!(state().await.is_string());
    assert!(program.page("/bots").await.contains("1 of 2\u{a0}bots is paused"));
    let resumed = home.json(&["bots", "resume", "reviewer-assignment", "--server", program.url()]);
    assert_eq!((&resumed["paused"], state().await), (&Value::Null, Value::Null));
}

#[tokio::test]
async fn who_asks_for_what_is_not_there_is_told_what_is() {
    let (home, program) = demo().await;
    let page = program.get("/bots/killed-pod").await;
    assert_eq!(page.status, 404);
    assert!(page.body.contains("Did you mean killed-pods?"), "{}", page.body);
    let run = program.get("/bots/killed-pods/runs/999999999").await;
    assert!(run.status == 404 && run.body.contains("not kept any more"), "{}", run.body);
    let api = program.get("/api/v1/bots/nobody").await;
    assert_eq!((api.status, &api.json()["try"]), (404, &json!("GET /api/v1/bots lists them")));
    let ran = home.run(&["bots", "redrive", "nobody", "--server", program.url()]);
    assert_eq!(ran.exit, 3, "{ran:?}");
    let plan = home.print(&["bots", "redrive", "killed-pods", "--server", program.url()]);
    assert_eq!(plan.split('\t').take(3).collect::<Vec<_>>(), ["killed-pods", "0", "0"]);
    let replayed = home.json(&["bots", "replay", "killed-pods", "--since", "28d", "--server", program.url()]);
    assert_eq!(replayed["replayed"]["live"], 0, "every kill was recorded with its answers");
}

/// A pod whose container ran out of memory, as `kubectl get pod -o json` prints it.
fn killed_pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "checkout-7c9f-x2", "namespace": "shop", "uid": "9d1c", "resourceVersion": "7",
            "labels": {"app.kubernetes.io/name": "checkout", "pod-template-hash": "7c9f"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "checkout-7c9f", "uid": "rs", "controller": true}],
        },
        "spec": {"nodeName": "n1", "restartPolicy": "Always", "containers": [
            {"name": "main", "image": "registry.example/checkout:4.2.1", "resources": {"limits": {"memory": "512Mi"}}},
        ]},
        "status": {"phase": "Running", "containerStatuses": [{
            "name": "main", "restartCount": 3, "ready": false, "image": "registry.example/checkout:4.2.1", "imageID": "",
            "containerID": "containerd://b",
            "state": {"running": {"startedAt": "2026-11-18T03:00:03Z"}},
            "lastState": {"terminated": {
                "containerID": "containerd://a", "reason": "OOMKilled", "exitCode": 137,
                "startedAt": "2026-11-18T02:00:00Z", "finishedAt": "2026-11-18T03:00:00Z",
            }},
        }]},
    })
}

fn file(home: &Home, name: &str, content: &str) -> String {
    std::fs::write(home.path(name), content).unwrap();
    name.to_owned()
}

#[test]
fn a_bot_is_tried_with_a_file_alone() {
    let home = Home::new();
    let pod = killed_pod();
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "uid": "n"}});
    let shapes = [
        ("pod.json", pod.to_string()),
        ("watch.json", json!({"type": "MODIFIED", "object": pod}).to_string()),
        ("list.json", json!({"apiVersion": "v1", "kind": "List", "items": [node, pod]}).to_string()),
        (
            "answers.json",
            json!({"event": pod, "answers": {"logs": {"checkout-7c9f-x2/main": "heap is full"}}}).to_string(),
        ),
        (
            "delivery.json",
            json!({"delivery": {
                "source": "kubernetes/eu-1",
                "headers": {"devhose-resource": "pods", "devhose-cluster": "eu-1"},
                "body": {"type": "MODIFIED", "object": pod},
            }})
            .to_string(),
        ),
    ];
    for (name, content) in shapes {
        let printed = home.print(&["bots", "test", "killed-pods", "--event", &file(&home, name, &content)]);
        assert!(printed.contains("checkout killed: out of memory (512Mi limit)"), "{name}: {printed}");
        assert!(printed.contains("Block Kit:\n{"), "{name}: {printed}");
        assert_eq!(printed.contains("heap is full"), name == "answers.json", "{name}");
    }
    let document = home.json(&["bots", "test", "killed-pods", "--event", "list.json"]);
    let trial = &document["trials"][0];
    assert_eq!((&trial["event"]["kind"], &trial["answered_by"]["by"]), (&json!("pod.killed"), &json!("given")));
    let message =
        trial["actions"].as_array().unwrap().iter().find(|action| action["action"] == "post-message").unwrap();
    assert!(message["text"].is_string() && message["block_kit"]["blocks"].is_array(), "{message}");
    assert!(!home.data().exists(), "no data directory is made");
}

#[test]
fn a_file_is_also_yaml_and_an_event_is_also_a_cloudevent() {
    let home = Home::new();
    let yaml = "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n---\n".to_owned() + &killed_pod().to_string();
    let printed = home.print(&["bots", "test", "killed-pods", "--event", &file(&home, "pod.yaml", &yaml)]);
    assert!(printed.contains("out of memory"), "{printed}");
    let event = json!({
        "specversion": "1.0", "id": "1", "source": "kubernetes/eu-1", "type": "pod.killed", "subject": "Pod/shop/x",
        "time": "2026-11-18T03:00:00Z", "datacontenttype": "application/json",
        "data": {"id": "k", "cluster": "eu-1", "namespace": "shop", "pod": "x", "service": "checkout", "reason": "OOMKilled"},
    });
    let name = file(&home, "event.json", &event.to_string());
    let printed = home.print(&["bots", "test", "killed-pods", "--event", &name]);
    assert!(printed.contains("pod.killed of Pod/shop/x"), "{printed}");
}

#[test]
fn a_file_that_no_bot_can_be_tried_with_is_refused_with_a_remedy() {
    let home = Home::new();
    let refused = |bot: &str, event: &str| {
        let ran = home.run(&["bots", "test", bot, "--event", event]);
        assert_eq!(ran.stdout, "");
        ran.refusal(&home)
    };
    let well = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "uid": "n"}}).to_string();
    insta::assert_snapshot!(refused("killed-pods", &file(&home, "node.json", &well)), @"
    2
    error: node.json holds only io.kubernetes.nodes.modified, and killed-pods hears type:pod.killed type:pod.evicted type:pod.crashlooping type:message.answered
    try: take a file with one of these kinds; a pod is one if its state or lastState is terminated
    ");
    insta::assert_snapshot!(refused("killed-pods", &file(&home, "other.json", "{\"a\": 1}")), @r#"
    2
    error: the file holds nothing that could be an event
    try: a Kubernetes object or list, a watch event, a CloudEvent, or {"delivery": {"source", "headers", "body"}, "answers": {…}}; see devhose bots test --help
    "#);
    insta::assert_snapshot!(refused("killed-pods", &file(&home, "broken.json", "{\"a\": [")), @r#"
    2
    error: the file is neither JSON nor YAML: did not find expected node content at line 2 column 1, while parsing a flow node
    try: a Kubernetes object or list, a watch event, a CloudEvent, or {"delivery": {"source", "headers", "body"}, "answers": {…}}; see devhose bots test --help
    "#);
    insta::assert_snapshot!(refused("killed-pods", "missing.json"), @"
    3
    error: missing.json cannot be read: No such file or directory (os error 2)
    try: --event takes a file, - for standard input, or the id of an event
    ");
    insta::assert_snapshot!(refused("killed-pod", "node.json"), @r#"
    3
    error: no bot "killed-pod"
    try: one of: killed-pods, reviewer-assignment
    "#);
    let wrong = json!({"event": killed_pod(), "answers": {"log": {}}}).to_string();
    insta::assert_snapshot!(refused("killed-pods", &file(&home, "wrong.json", &wrong)), @r#"
    2
    error: the file: unknown field `log`, expected one of `logs`, `files`, `open_reviews`, `changed_files`, `change`, `owner`, `events`, `objects`, `state`, `settings`
    try: a Kubernetes object or list, a watch event, a CloudEvent, or {"delivery": {"source", "headers", "body"}, "answers": {…}}; see devhose bots test --help
    "#);
}
