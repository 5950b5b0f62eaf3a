//! What senders meet at `/hooks/…`: what is taken, what is refused and how, and what becomes of it.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::program::{Answer, CONFIGURATION, Delivery, Home, Program, SECRET, payload, sign, until};

const DEPLOYED: &str = "deployment_status-deployment_status-jxscm";
const LIMIT: usize = 26 * 1024 * 1024;

fn deployed(id: &str) -> Delivery {
    Delivery::github("deployment_status", id, payload(DEPLOYED))
}

/// What was refused lately, newest first: source, status and reason.
async fn rejected(program: &Program) -> Vec<String> {
    let document = program.json("/api/v1/sources").await;
    let text = |entry: &Value| {
        let reason = entry["reason"].as_str().unwrap();
        format!("{} {} {reason}", entry["source"].as_str().unwrap(), entry["status"])
    };
    document["rejected"].as_array().unwrap().iter().map(text).collect()
}

/// Deliveries stored, of all sources.
async fn stored(program: &Program) -> u64 {
    let document = program.json("/api/v1/sources").await;
    document["sources"].as_array().unwrap().iter().map(|source| source["deliveries"].as_u64().unwrap()).sum()
}

/// Writes bytes on a connection of its own, and reads until the other side closes it.
async fn said(program: &Program, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(program.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_signed_delivery_is_an_event_on_its_page_and_counts_in_its_metric() {
    let home = Home::new();
    let program = home.serve().await;
    let receipt = program.deliver(&deployed("d-1")).await.receipt();
    assert_eq!(receipt, json!({"id": "d-1", "offset": 1, "duplicate": false}));

    let event = program.event("type:service.*").await;
    assert_eq!(event["source"], "https://api.github.com/repos/Codertocat/Hello-World");
    assert_eq!(event["time"], "2019-05-15T15:20:55Z");
    let page = format!("/events/{}", event["id"].as_str().unwrap());
    let shown = until("the event is counted", async || {
        Some(program.page(&page).await).filter(|page| page.contains("Successful deployments"))
    });
    let shown = shown.await;
    assert!(shown.contains("<dt>Verified by</dt><dd>signature</dd>"), "{shown}");
    assert!(!shown.to_lowercase().contains("x-hub-signature"), "a signature is shown");

    let week = "from=2019-05-13&amp;to=2019-05-20".replace("&amp;", "&");
    let report = program.metric(&format!("successful-deployments?{week}")).await;
    assert_eq!(report["total"]["n"], 1);
    let evidence = program.json(&format!("/api/v1/metrics/successful-deployments/evidence?{week}")).await;
    assert_eq!(evidence["evidence"][0]["event"], event["id"]);
    let figures = program.page(&format!("/metrics/successful-deployments.csv?{week}")).await;
    assert!(figures.lines().nth(1).unwrap().starts_with("2019-W20,"), "{figures}");
}

#[tokio::test]
async fn a_signature_published_by_the_sender_is_taken() {
    let published = "[[source]]\nname = 'github/published'\nsecret = \"It's a Secret to Everybody\"\n";
    let home = Home::with(published);
    let program = home.serve().await;
    let vector = Delivery::github("ping", "vector", "Hello, World!").at("github/published");
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(program.deliver(&vector.with("x-hub-signature-256", signature)).await.status, 200);
}

#[tokio::test]
async fn whoever_cannot_prove_who_they_are_hears_the_same_and_leaves_nothing() {
    let home = Home::new();
    let program = home.serve().await;
    let body = payload(DEPLOYED);
    let signed = || deployed("d-1");
    let sha1 = "sha1=7d38cdd689735b008b3c702edd92eea23791c5f6";
    let attempts = [
        signed().without("x-hub-signature-256"),
        signed().with("x-hub-signature-256", &sign("another secret", &body)),
        signed().and("x-hub-signature-256", &sign(SECRET, &body)),
        signed().without("x-hub-signature-256").with("x-hub-signature", sha1),
        signed().with("x-hub-signature-256", sha1),
        signed().with("x-hub-signature-256", &sign(SECRET, &body).to_uppercase()),
        signed().with("x-hub-signature-256", "sha256="),
        signed().at("github/nobody"),
        signed().at("cloudevents/ops"),
        Delivery::cloudevents("application/cloudevents+json", "{}").with("authorization", "Bearer wrong"),
        Delivery::cloudevents("application/cloudevents+json", "{}").with("authorization", "Digest x"),
        Delivery::cloudevents("application/cloudevents+json", "{}").without("authorization"),
    ];
    for attempt in &attempts {
        let answer = program.deliver(attempt).await;
        assert_eq!(answer.status, 401, "{attempt:?}");
        assert_eq!(answer.body, r#"{"error":"the request could not be verified"}"#, "{attempt:?}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    assert_eq!(stored(&program).await, 0);
    let mut reasons = rejected(&program).await;
    reasons.reverse();
    insta::assert_snapshot!(reasons.join("\n"), @"
    github/acme 401 the request carries no signature or token
    github/acme 401 the signature or token does not match any secret of this source
    github/acme 401 the signature or token stands there more than once
    github/acme 401 the request carries no signature or token
    github/acme 401 the signature or token is not of the sender's form
    github/acme 401 the signature or token is not of the sender's form
    github/acme 401 the signature or token is not of the sender's form
    github/nobody 401 no source of this name is configured
    cloudevents/ops 401 the request carries no signature or token
    cloudevents/ops 401 the signature or token does not match any secret of this source
    cloudevents/ops 401 the signature or token is not of the sender's form
    cloudevents/ops 401 the request carries no signature or token
    ");
    let page = program.page("/sources").await;
    assert!(page.contains("no source of this name is configured"), "{page}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_is_stored() {
    let home = Home::new();
    let program = home.serve().await;
    // Announced: refused before a byte of it is sent.
    let head = "POST /hooks/github/acme HTTP/1.1\r\nhost: x\r\n";
    let announced = said(&program, format!("{head}content-length: {}\r\n\r\n", LIMIT + 1).as_bytes()).await;
    assert!(announced.starts_with("HTTP/1.1 413 "), "{announced}");
    // Not announced: refused at the first byte above.
    let mut chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n", LIMIT + 1).into_bytes();
    chunked.resize(chunked.len() + LIMIT + 1, b' ');
    let counted = said(&program, &chunked).await;
    assert!(counted.starts_with("HTTP/1.1 413 "), "{counted}");
    assert!(counted.contains("the body is larger than 27262976 bytes"), "{counted}");
    // An unknown source has no sender whose limit would hold.
    let unknown = head.replace("acme", "nobody");
    let unknown = said(&program, format!("{unknown}content-length: {}\r\n\r\n", 1024 * 1024 + 1).as_bytes()).await;
    assert!(unknown.starts_with("HTTP/1.1 413 "), "{unknown}");
    assert_eq!(stored(&program).await, 0);

    // The limit itself is taken.
    let mut body = br#"{"zen":""#.to_vec();
    body.resize(LIMIT - 2, b'x');
    body.extend_from_slice(b"\"}");
    assert_eq!(program.deliver(&Delivery::github("ping", "d-1", body)).await.receipt()["duplicate"], false);
}

#[tokio::test]
async fn what_comes_in_a_form_that_no_sender_uses_is_refused() {
    let home = Home::new();
    let program = home.serve().await;
    for (name, value) in [("content-encoding", "gzip"), ("content-encoding", "br"), ("content-type", "text/plain")] {
        let answer = program.deliver(&deployed("d-1").with(name, value)).await;
        assert_eq!(answer.status, 415, "{name}: {value}");
        assert!(answer.body.contains(value), "{}", answer.body);
    }
    assert_eq!(stored(&program).await, 0);
    assert_eq!(program.deliver(&deployed("d-1").with("content-encoding", "identity")).await.status, 200);
}

#[tokio::test]
async fn only_post_is_a_delivery_and_a_handshake_is_answered() {
    let home = Home::new();
    let program = home.serve().await;
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        let answer = Answer::of(program.request(method, "/hooks/github/acme")).await;
        assert_eq!((answer.status, answer.header("allow")), (405, "POST"), "{method}");
    }
    let asking = program.request("OPTIONS", "/hooks/cloudevents/ops");
    let asking = asking.header("webhook-request-origin", "events.example.com").header("webhook-request-rate", "120");
    let consent = Answer::of(asking).await;
    assert_eq!(consent.status, 200);
    assert_eq!(consent.header("webhook-allowed-origin"), "events.example.com");
    assert_eq!(consent.header("webhook-allowed-rate"), "120");
    assert!(consent.header("allow").contains("POST"));
}

#[tokio::test]
async fn a_form_holds_its_payload_in_a_field() {
    let home = Home::new();
    let program = home.serve().await;
    let payload = String::from_utf8(payload(DEPLOYED)).unwrap();
    let form = reqwest::Url::parse_with_params("http://x/", [("payload", payload)]).unwrap();
    let delivery = Delivery::github("deployment_status", "d-1", form.query().unwrap());
    let delivery = delivery.with("content-type", "application/x-www-form-urlencoded");
    assert_eq!(program.deliver(&delivery).await.status, 200);
    assert_eq!(program.event("type:service.*").await["time"], "2019-05-15T15:20:55Z");
}

#[tokio::test]
async fn a_redelivery_is_answered_like_the_first_and_stored_once() {
    let home = Home::new();
    let program = home.serve().await;
    program.deliver(&Delivery::github("ping", "d-0", payload("ping-ping-hub4j"))).await.receipt();
    let first = program.deliver(&deployed("d-1")).await.receipt();
    let again = program.deliver(&deployed("d-1")).await.receipt();
    assert_eq!((&first["offset"], &again["offset"]), (&json!(2), &json!(2)));
    assert_eq!((&first["duplicate"], &again["duplicate"]), (&json!(false), &json!(true)));

    // The same id with another body: the first one stays.
    let other = Delivery::github("deployment_status", "d-1", payload("deployment_status-deployment_status-hub4j"));
    assert_eq!(program.deliver(&other).await.receipt(), json!({"id": "d-1", "offset": 2, "duplicate": true}));
    assert_eq!(program.source("github/acme").await["deliveries"], 2);
    program.interpreted().await;
    assert_eq!(program.event("type:service.*").await["time"], "2019-05-15T15:20:55Z");
    // The same id at another source is another delivery.
    let elsewhere = Delivery::cloudevents("application/cloudevents+json", event_json("d-1"));
    assert_eq!(program.deliver(&elsewhere).await.receipt()["duplicate"], false);
}

#[tokio::test]
async fn a_ping_is_an_event_of_the_senders_own_type() {
    let home = Home::new();
    let program = home.serve().await;
    program.deliver(&Delivery::github("ping", "d-1", payload("ping-ping-hub4j"))).await.receipt();
    assert_eq!(program.event("source:github/acme").await["type"], "com.github.ping");
}

fn event_json(id: &str) -> String {
    json!({"specversion": "1.0", "id": id, "source": "/shop", "type": "com.example.sold", "data": {"items": 3}})
        .to_string()
}

#[tokio::test]
async fn cloudevents_are_taken_alone_in_batches_and_in_headers() {
    let home = Home::new();
    let program = home.serve().await;
    let structured = Delivery::cloudevents("application/cloudevents+json; charset=UTF-8", event_json("alone"));
    program.deliver(&structured).await.receipt();

    let batch = format!("[{},{}]", event_json("first"), event_json("second"));
    let batch = Delivery::cloudevents("application/cloudevents-batch+json", batch).without("authorization");
    let token = reqwest::Url::parse_with_params("http://x/", [("access_token", SECRET)]).unwrap();
    program.deliver(&batch.asking(token.query().unwrap())).await.receipt();

    let binary = Delivery::cloudevents("application/json", r#"{"items":3}"#)
        .with("ce-specversion", "1.0")
        .with("ce-id", "in%20headers")
        .with("ce-source", "/shop")
        .with("ce-type", "com.example.sold")
        .with("ce-subject", "caf%C3%A9%20%E2%98%95%20100%25");
    program.deliver(&binary).await.receipt();

    let sold = until("four events", async || {
        Some(program.events("type:com.example.sold").await).filter(|events| events.len() == 4)
    });
    let mut subjects: Vec<_> = sold.await.iter().map(|event| event["subject"].to_string()).collect();
    subjects.sort();
    assert_eq!(subjects, [r#""alone""#, r#""café ☕ 100%""#, r#""first""#, r#""second""#]);
    let source = program.source("cloudevents/ops").await;
    assert_eq!((&source["deliveries"], &source["quarantined"]), (&json!(3), &json!(0)));
}

#[tokio::test]
async fn an_event_sent_alone_and_in_a_batch_is_one_event() {
    let home = Home::new();
    let program = home.serve().await;
    let alone = Delivery::cloudevents("application/cloudevents+json", event_json("same"));
    let batch = Delivery::cloudevents("application/cloudevents-batch+json", format!("[{}]", event_json("same")));
    program.deliver(&alone).await.receipt();
    assert_eq!(program.deliver(&batch).await.receipt()["duplicate"], false);
    program.interpreted().await;
    assert_eq!(program.events("type:com.example.sold").await.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_interpreted_is_kept_shown_and_tried_again() {
    let home = Home::new();
    let program = home.serve().await;
    let cut = Delivery::github("pull_request", "d-1", r#"{"action": "opened", "#);
    let receipt = program.deliver(&cut).await.receipt();
    assert_eq!(receipt["duplicate"], false);
    program.deliver(&Delivery::github("ping", "d-2", payload("ping-ping-hub4j"))).await.receipt();
    // It does not stand in the way of the next.
    program.event("type:com.github.ping").await;
    let quarantine = program.json("/api/v1/quarantine").await;
    let [kept] = quarantine["quarantined"].as_array().unwrap().as_slice() else { panic!("{quarantine}") };
    assert_eq!((&kept["delivery"], &kept["attempts"]), (&json!(1), &json!(1)));
    let page = program.page("/sources").await;
    assert!(page.contains("delivery in quarantine"), "{page}");
    assert!(page.contains(kept["error"].as_str().unwrap()), "{page}");

    let form =
        Answer::of(program.request("POST", "/sources/quarantine/1/retry").header("sec-fetch-site", "same-origin"));
    let answer = form.await;
    assert_eq!((answer.status, answer.header("location")), (303, "/sources#quarantine"));
    let foreign = program.request("POST", "/sources/quarantine/1/retry").header("sec-fetch-site", "cross-site");
    assert_eq!(Answer::of(foreign).await.status, 403);
    let again = program.post("/api/v1/quarantine/1/retry", "").await.json();
    assert_eq!((&again["events"], again["error"].is_string()), (&json!(0), true));
    assert_eq!(program.json("/api/v1/quarantine").await["quarantined"][0]["attempts"], 3);
    assert_eq!(program.post("/api/v1/quarantine/99/retry", "").await.status, 404);
    let ran = home.run(&["sources", "retry"]);
    assert_eq!(ran.exit, 8, "{ran:?}");
}

/// Asks for something small on a connection that stays open: the status of the answer.
async fn asked_on(connection: &mut TcpStream) -> String {
    connection.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 4096];
    let read = connection.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn whoever_sends_slowly_is_cut_off_and_whoever_pauses_between_requests_is_not() {
    let home = Home::new();
    let program = home.serve().await;
    let mut kept_open = TcpStream::connect(program.address()).await.unwrap();
    assert_eq!(asked_on(&mut kept_open).await, "HTTP/1.1 200 OK");
    let half_a_head = said(&program, b"POST /hooks/github/acme HTTP/1.1\r\nhost: x\r\nx-git");
    let half_a_body = said(&program, b"POST /hooks/github/acme HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{");
    let nothing = said(&program, b"");
    let (head, body, nothing) = tokio::join!(half_a_head, half_a_body, nothing);
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    assert!(body.starts_with("HTTP/1.1 408 "), "{body}");
    assert_eq!(nothing, "");
    assert_eq!(asked_on(&mut kept_open).await, "HTTP/1.1 200 OK");
    assert_eq!(stored(&program).await, 0);
    assert_eq!(rejected(&program).await, ["github/acme 408 the body was not complete after 10 s"]);
}

/// Sends a request of which the last byte is missing, and leaves it so.
async fn unfinished(program: &Program, request: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(program.address()).await.unwrap();
    stream.write_all(request).await.unwrap();
    stream
}

#[tokio::test]
async fn when_too_much_is_in_flight_senders_are_asked_to_come_again() {
    let home = Home::with(&format!("bodies_in_flight_mib = 32\n{CONFIGURATION}"));
    let program = home.serve().await;
    let head = format!("POST /hooks/github/acme HTTP/1.1\r\nhost: x\r\ncontent-length: {LIMIT}\r\n\r\n");
    let mut request = head.into_bytes();
    request.resize(request.len() + LIMIT - 1, b' ');
    let large = Delivery::github("ping", "d-1", vec![b' '; LIMIT]);
    // Two of the largest bodies are more than all requests together may hold, so that one leaves no room for another.
    let refused = until("there is no room", async || {
        let held = unfinished(&program, &request).await;
        Some((program.deliver(&large).await, held)).filter(|(answer, _)| answer.status == 503)
    });
    let (answer, held) = refused.await;
    assert_eq!(answer.header("retry-after"), "5");
    assert_eq!(answer.body, r#"{"error":"the delivery cannot be stored now, please come again"}"#);
    assert!(rejected(&program).await.contains(&"github/acme 503 too many bytes are in flight".to_owned()));
    drop(held);
    let large = Delivery::github("ping", "d-2", vec![b' '; LIMIT]);
    until("there is room again", async || (program.deliver(&large).await.status == 200).then_some(())).await;
}

#[tokio::test]
async fn webhooks_alone_are_served_at_an_address_of_their_own() {
    // A port that was free a moment ago: the one place where the program cannot choose for itself.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let home = Home::with(&format!("listen_hooks = '127.0.0.1:{port}'\n{CONFIGURATION}"));
    let program = home.serve().await;
    let outside = reqwest::Client::new();
    let page = outside.get(format!("http://127.0.0.1:{port}/")).send().await.unwrap();
    assert_eq!(page.status(), 404);
    let api = outside.get(format!("http://127.0.0.1:{port}/api/v1/events")).send().await.unwrap();
    assert_eq!(api.status(), 404);
    let delivery = deployed("d-1");
    let mut request = delivery.request(&program).build().unwrap();
    request.url_mut().set_port(Some(port)).unwrap();
    assert_eq!(outside.execute(request).await.unwrap().status(), 200);
    assert_eq!(stored(&program).await, 1);
}
