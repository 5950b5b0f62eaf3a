//! Subscriptions as their owners use them: made at the command line or over HTTP, delivered, given up, redriven,
//! replayed, pulled, and looked at on pages.

use std::sync::{Arc, Mutex};

use bus::standard_webhooks::{self, Headers, VerifyingKey};
use bus::subscriptions::SigningKey;
use serde_json::{Value, json};

use crate::program::{Answer, CONFIGURATION, Delivery, Home, Program, until};

/// Endpoints of tests are on this machine.
fn home() -> Home {
    Home::with(&format!("{CONFIGURATION}\n[egress]\nallow = [\"127.0.0.1/32\"]\n"))
}

/// Sends an event of that type about that subject, once it is interpreted.
async fn send(program: &Program, kind: &str, subject: &str) -> Value {
    let event = json!({
        "specversion": "1.0", "id": format!("{kind}-{subject}"), "source": "/it", "type": kind, "subject": subject,
        "data": {"by": "it"},
    });
    program.deliver(&Delivery::cloudevents("application/cloudevents+json", event.to_string())).await.receipt();
    program.interpreted().await;
    program.events(&format!("type:{kind}")).await.remove(0)
}

async fn api(program: &Program, method: &str, path: &str, body: Value) -> Answer {
    let path = format!("/api/v1/subscriptions{path}");
    Answer::of(program.request(method, &path).json(&body)).await
}

async fn one(program: &Program, name: &str) -> Value {
    program.json(&format!("/api/v1/subscriptions/{name}")).await
}

/// What an endpoint was sent.
#[derive(Debug, Clone)]
struct Request {
    headers: http::HeaderMap,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> String {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
    }

    fn event(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// An endpoint that answers what it is told to.
struct Endpoint {
    url: String,
    answers: Arc<Mutex<u16>>,
    heard: Arc<Mutex<Vec<Request>>>,
}

impl Endpoint {
    async fn start(status: u16) -> Self {
        let (answers, heard) = (Arc::new(Mutex::new(status)), Arc::<Mutex<Vec<Request>>>::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (status, kept) = (Arc::clone(&answers), Arc::clone(&heard));
        let take = move |headers: http::HeaderMap, body: axum::body::Bytes| async move {
            kept.lock().unwrap().push(Request { headers, body: body.to_vec() });
            (http::StatusCode::from_u16(*status.lock().unwrap()).unwrap(), "taken by ada@example.com")
        };
        let router = axum::Router::new().fallback(take);
        let listener = listener.into_std().unwrap();
        // On a thread of its own: tests run commands to their end, which leaves no turn for anything else on theirs.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        Self { url, answers, heard }
    }

    fn answers(&self, status: u16) {
        *self.answers.lock().unwrap() = status;
    }

    fn heard(&self) -> Vec<Request> {
        self.heard.lock().unwrap().clone()
    }

    async fn hears(&self, count: usize) -> Vec<Request> {
        until("the endpoint hears", async || Some(self.heard()).filter(|heard| heard.len() >= count)).await
    }
}

#[tokio::test]
async fn a_webhook_is_signed_logged_and_shown_and_its_secret_is_told_once() {
    let home = home();
    let program = home.serve().await;
    let endpoint = Endpoint::start(204).await;
    let create =
        ["subscriptions", "create", "deploys", "--webhook", &endpoint.url, "--kind", "com.example.*", "--json"];
    let made: Value = serde_json::from_str(&home.print(&create)).unwrap();
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"), "{made}");
    assert!(!one(&program, "deploys").await.to_string().contains("whsec_"), "a secret is told once");
    let event = send(&program, "com.example.a", "shop").await;
    let request = endpoint.hears(1).await.remove(0);
    let key = secret.parse::<SigningKey>().unwrap().verifying().unwrap();
    check(&request, &[key]);
    assert_eq!(request.event()["id"], event["id"]);
    // The log of deliveries says what was sent and answered, without people.
    let logged = async || {
        program.json("/api/v1/subscriptions/deploys/attempts").await["attempts"].as_array().unwrap().first().cloned()
    };
    let attempt = until("the attempt is logged", logged).await;
    assert_eq!(
        (&attempt["verdict"], &attempt["number"], &attempt["event_id"]),
        (&json!("delivered"), &json!(1), &event["id"])
    );
    let id = attempt["id"].as_i64().unwrap();
    let document = program.json(&format!("/api/v1/subscriptions/deploys/attempts/{id}")).await;
    assert!(!document.to_string().contains("ada@example.com"), "{document}");
    let page = program.page(&format!("/subscriptions/deploys/attempts/{id}")).await;
    for part in [
        "webhook-signature: v1,",
        "Status 204",
        "Request as sent",
        &format!("/events/{}", event["id"].as_str().unwrap()),
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("ada@example.com"));
    let list = program.page("/subscriptions").await;
    assert!(list.contains("Nothing needs a look") && list.contains("com.example.*"), "{list}");
    let printed = home.print(&["subscriptions", "attempts", "deploys"]);
    assert!(printed.contains("\t204\t") || printed.contains("delivered"), "{printed}");
    // While a secret is replaced both sign.
    let rotated = home.json(&["subscriptions", "rotate-secret", "deploys"]);
    let fresh = rotated["secret"].as_str().unwrap();
    assert_ne!(fresh, secret);
    send(&program, "com.example.a", "cart").await;
    let request = endpoint.hears(2).await.remove(1);
    for secret in [secret, fresh] {
        check(&request, &[secret.parse::<SigningKey>().unwrap().verifying().unwrap()]);
    }
}

/// Checks a request as its receiver would.
fn check(request: &Request, keys: &[VerifyingKey]) {
    let headers = Headers {
        id: request.header(standard_webhooks::ID),
        timestamp: request.header(standard_webhooks::TIMESTAMP),
        signature: request.header(standard_webhooks::SIGNATURE),
    };
    assert_eq!(request.header("content-type"), "application/cloudevents+json");
    standard_webhooks::verify(&headers, &request.body, keys, chrono::Utc::now()).unwrap();
}

#[tokio::test]
async fn what_was_given_up_is_planned_redriven_and_replayed() {
    let home = home();
    let program = home.serve().await;
    let endpoint = Endpoint::start(500).await;
    let spec = json!({
        "name": "shop", "transport": {"kind": "webhook", "url": endpoint.url},
        "filter": [{"prefix": {"type": "com.example."}}], "retry": {"delays_seconds": []},
    });
    let made = api(&program, "POST", "", spec.clone()).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(api(&program, "POST", "", spec).await.status, 409, "a name is taken once");
    let event = send(&program, "com.example.a", "shop").await;
    let given_up = async || (one(&program, "shop").await["dead"] == 1).then_some(());
    until("the event is given up", given_up).await;
    let page = program.page("/subscriptions/shop").await;
    assert!(page.contains("Redrive all: 1\u{a0}event") || page.contains("Redrive all: 1"), "{page}");
    assert!(program.page("/subscriptions").await.contains("dead letter"));
    let plan = home.json(&["subscriptions", "redrive", "shop"]);
    assert_eq!((&plan["plan"]["events"], &plan["redriven"]), (&json!(1), &Value::Null));
    assert_eq!(endpoint.heard().len(), 1, "a plan sends nothing");
    endpoint.answers(200);
    let done = home.json(&["subscriptions", "redrive", "shop", "--yes"]);
    assert_eq!(done["redriven"], 1, "{done}");
    let heard = endpoint.hears(2).await;
    assert_eq!(heard[0].header("webhook-id"), heard[1].header("webhook-id"), "a redrive is the same message");
    // A replay is another message about the same event.
    let replay = ["replay", "--since", "1h", "--to", "shop"];
    let planned = home.run(&replay);
    assert!(planned.exit == 0 && planned.stdout.starts_with("shop\t1\t"), "{planned:?}");
    assert!(planned.stderr.contains("1 event") && planned.stderr.contains("--yes does it"), "{planned:?}");
    assert_eq!(endpoint.heard().len(), 2, "a plan sends nothing");
    home.print(&[&replay[..], &["--yes"]].concat());
    let again = endpoint.hears(3).await.remove(2);
    assert_eq!(again.event()["id"], event["id"]);
    assert_ne!(again.header("webhook-id"), heard[0].header("webhook-id"));
    let marked = async || {
        let attempts = program.json("/api/v1/subscriptions/shop/attempts").await;
        attempts["attempts"].as_array().unwrap().iter().any(|attempt| attempt["replay"] == true).then_some(())
    };
    until("the replay is marked", marked).await;
}

#[tokio::test]
async fn a_replay_to_an_address_sends_what_was_counted_and_says_what_was_taken() {
    let home = home();
    let program = home.serve().await;
    let endpoint = Endpoint::start(200).await;
    for subject in ["1", "2", "3"] {
        send(&program, "com.example.a", subject).await;
        send(&program, "org.example.b", subject).await;
    }
    let replay = ["replay", "--since", "1h", "--kind", "com.example.*", "--to", &endpoint.url, "--rate", "1000"];
    let planned = home.run(&replay);
    assert!(planned.exit == 0 && planned.stderr.contains("3 events, about 1 s"), "{planned:?}");
    assert!(endpoint.heard().is_empty(), "a plan sends nothing");
    let done = home.run(&[&replay[..], &["--yes"]].concat());
    assert!(done.exit == 0 && done.stderr.contains("3 taken, 0 not"), "{done:?}");
    let subjects: Vec<Value> = endpoint.heard().iter().map(|request| request.event()["subject"].clone()).collect();
    assert_eq!(subjects, ["1", "2", "3"]);
    endpoint.answers(503);
    let refused = home.run(&[&replay[..], &["--yes"]].concat());
    assert!(refused.exit == 8 && refused.stdout.starts_with("503\t"), "{refused:?}");
    let elsewhere = home.run(&["replay", "--since", "1h", "--to", "https://hooks.example.com/in"]);
    assert_eq!(elsewhere.exit, 2, "{elsewhere:?}");
    assert!(elsewhere.stderr.contains("try: --secret whsec_"), "{elsewhere:?}");
}

#[tokio::test]
async fn two_consumers_share_the_keys_and_whoever_left_is_fenced() {
    let home = home();
    let program = home.serve().await;
    let spec = json!({"name": "jobs", "transport": {"kind": "pull", "lease_seconds": 1}, "start": "earliest", "filter": {"kinds": ["com.example.*"]}});
    assert_eq!(api(&program, "POST", "", spec).await.status, 201);
    for subject in 0..12 {
        send(&program, "com.example.a", &format!("key-{subject}")).await;
    }
    let pull = async |consumer: &str| {
        let body = json!({"consumer": consumer, "max": 100, "wait_seconds": 0});
        let answer = api(&program, "POST", "/jobs/pull", body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    let offsets = |pulled: &Value| -> Vec<i64> {
        pulled["events"].as_array().unwrap().iter().map(|one| one["offset"].as_i64().unwrap()).collect()
    };
    let say = async |what: &str, consumer: &str, pulled: &Value| {
        let body = json!({"consumer": consumer, "token": pulled["token"], "offsets": offsets(pulled)});
        api(&program, "POST", &format!("/jobs/{what}"), body).await
    };
    // One consumer takes what there is and falls silent.
    let first = pull("a").await;
    assert!(!offsets(&first).is_empty());
    let mut done = std::collections::BTreeSet::new();
    // Another does it all, with what the first gave up.
    let all = async || {
        let pulled = pull("b").await;
        if !offsets(&pulled).is_empty() {
            let answer = say("acknowledge", "b", &pulled).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            for offset in offsets(&pulled) {
                assert!(done.insert(offset), "event {offset} was handed out after it was acknowledged");
            }
        }
        (done.len() == 12).then_some(())
    };
    until("the second consumer does everything", all).await;
    let late = say("acknowledge", "a", &first).await;
    assert_eq!((late.status, &late.json()["try"]), (409, &json!("pull again")));
    let idle = async || (one(&program, "jobs").await["waiting"] == 0).then_some(());
    until("nothing waits", idle).await;
}

#[tokio::test]
async fn a_filter_is_tried_before_anybody_relies_on_it() {
    let home = home();
    let program = home.serve().await;
    for (kind, subject) in [("com.example.a", "1"), ("com.example.b", "2"), ("org.example.c", "3")] {
        send(&program, kind, subject).await;
    }
    let filter = r#"[{"prefix": {"type": "com.example."}}, {"not": {"exact": {"subject": "2"}}}]"#;
    let tried = home.json(&["subscriptions", "dry-run", "--filter", filter, "--last", "100"]);
    assert_eq!((&tried["matched"], &tried["looked_at"]), (&json!(1), &json!(3)), "{tried}");
    assert_eq!(tried["sample"][0]["subject"], "1");
    let wrong = home.run(&["subscriptions", "dry-run", "--filter", r#"[{"like": {}}]"#]);
    assert!(wrong.exit == 2 && wrong.stderr.contains("filter[0].like"), "{wrong:?}");
    // The page shows the same, also for a filter that is only tried.
    assert_eq!(api(&program, "POST", "", json!({"name": "all", "transport": {"kind": "sse"}})).await.status, 201);
    assert!(program.page("/subscriptions/all").await.contains("everything: 3 of the newest 3\u{a0}events match"));
    let page = async |filter: &str| {
        Answer::of(program.request("GET", "/subscriptions/all").query(&[("filter", filter)])).await.body
    };
    let tried = page(filter).await;
    assert!(tried.contains("1 of the newest 3\u{a0}events match"), "{tried}");
    let wrong = page("[{").await;
    assert!(wrong.contains("This is no JSON"), "{wrong}");
    // Its own stream has its filter.
    let change = api(&program, "PATCH", "/all", json!({"filter": {"kinds": ["org.example.*"]}})).await;
    assert_eq!(change.status, 200, "{change:?}");
    let mut stream =
        program.request("GET", "/api/v1/events/stream?subscription=all&from=earliest").send().await.unwrap();
    let mut text = String::new();
    while !text.contains(": caught up") {
        text.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().unwrap()));
    }
    assert_eq!(text.matches("\ndata: ").count(), 1, "{text}");
    assert!(text.contains("org.example.c"), "{text}");
}

#[tokio::test]
async fn a_subscription_is_paused_resumed_and_deleted_but_not_from_another_site() {
    let home = home();
    let program = home.serve().await;
    home.print(&["subscriptions", "create", "audit", "--pull", "--from", "earliest"]);
    let press =
        |site: &str| Answer::of(program.request("POST", "/subscriptions/audit/pause").header("sec-fetch-site", site));
    assert_eq!(press("cross-site").await.status, 403);
    let answer = press("same-origin").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/subscriptions/audit"));
    assert_eq!(one(&program, "audit").await["state"], "paused");
    let refused = api(&program, "POST", "/audit/pull", json!({"consumer": "a"})).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_eq!(home.json(&["subscriptions", "resume", "audit"])["state"], "active");
    let planned = home.json(&["subscriptions", "delete", "audit"]);
    assert_eq!(planned["deleted"], false);
    assert_eq!(home.json(&["subscriptions", "delete", "audit", "--yes"])["deleted"], true);
    assert_eq!(home.run(&["subscriptions", "show", "audit"]).exit, 3);
    let page = program.get("/subscriptions/audit").await;
    assert!(page.status == 404 && page.body.contains("Look through all subscriptions"), "{}", page.body);
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_a_remedy() {
    let home = Home::new();
    let program = home.serve().await;
    let refused = async |body: Value| {
        let answer = api(&program, "POST", "", body).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        answer.json()["error"].as_str().unwrap().to_owned()
    };
    // Nothing on this machine may be reached unless the operator says so.
    let private =
        refused(json!({"name": "x", "transport": {"kind": "webhook", "url": "https://127.0.0.1/hook"}})).await;
    assert!(private.contains("of this machine") && private.contains("not allowed"), "{private}");
    refused(json!({"name": "Not a name", "transport": {"kind": "sse"}})).await;
    refused(json!({"name": "dry-run", "transport": {"kind": "sse"}})).await;
    refused(json!({"name": "x", "transport": {"kind": "carrier-pigeon"}})).await;
    refused(json!({"name": "x", "transport": {"kind": "sse"}, "start": "someday"})).await;
    refused(json!({"name": "x", "transport": {"kind": "sse"}, "filter": [{"exact": {}}]})).await;
    let unknown = api(&program, "POST", "/nobody/pull", json!({"consumer": "a"})).await;
    assert_eq!((unknown.status, &unknown.json()["try"]), (404, &json!("GET /api/v1/subscriptions lists them")));
    let nameless = api(&program, "POST", "/nobody/pull", json!({"consumer": ""})).await;
    assert_eq!(nameless.status, 400);
    assert_eq!(program.get("/api/v1/subscriptions/nobody/attempts/1").await.status, 404);
}
