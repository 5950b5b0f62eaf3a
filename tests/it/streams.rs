//! Listening over the network: server-sent events and `WebSockets`, by clients that nobody here wrote, and what happens
//! to those who were away, who ask for the wrong thing, or who take nothing.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::program::{Answer, Delivery, Home, Program, until};

/// Whatever is waited for is said after this, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the clients lie.
fn clients() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/ws");
    assert!(
        folder.join("node_modules/ws").exists() && folder.join("node_modules/eventsource").exists(),
        "the clients of these tests are not installed: (cd tests/clients/ws && npm ci)"
    );
    folder
}

/// A client that says in JSON lines what it hears.
struct Client {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Client {
    fn new(script: &str, args: &[&str]) -> Self {
        Self::with(script, args, "cloudevents.json")
    }

    fn with(script: &str, args: &[&str], subprotocol: &str) -> Self {
        let mut command = Command::new("node");
        command.arg(script).args(args).current_dir(clients()).env("SUBPROTOCOL", subprotocol);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("node is not installed");
        let lines = heard(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next thing it says; none once it has left.
    fn says(&mut self) -> Option<Value> {
        next(&self.lines).map(|line| serde_json::from_str(&line).unwrap())
    }

    /// The next event it hears, past whatever else it says.
    fn event(&mut self) -> Value {
        loop {
            let said = self.says().expect("the client left before it heard an event");
            assert!(said.get("closed").is_none(), "{said}");
            if said.get("event").is_some() {
                return said;
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The lines of an output as they come.
fn heard(output: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(output).lines().map_while(Result::ok);
        lines.map(|line| tell.send(line)).take_while(Result::is_ok).for_each(drop);
    });
    told
}

/// The next line; none at the end of the output.
fn next(lines: &mpsc::Receiver<String>) -> Option<String> {
    match lines.recv_timeout(PATIENCE) {
        Ok(line) => Some(line),
        Err(mpsc::RecvTimeoutError::Disconnected) => None,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("nothing was said within {} s", PATIENCE.as_secs()),
    }
}

/// Sends `count` events `com.example.N`, each with its number as id, beginning with `first`.
async fn send(program: &Program, kind: &str, first: usize, count: usize) {
    for number in first..first + count {
        let event = json!({"specversion": "1.0", "id": format!("{kind}-{number}"), "source": "/it", "type": kind, "subject": number.to_string()});
        program.deliver(&Delivery::cloudevents("application/cloudevents+json", event.to_string())).await.receipt();
    }
    program.interpreted().await;
}

fn subjects(events: &[Value]) -> Vec<String> {
    events.iter().map(|said| said["event"]["subject"].as_str().unwrap().to_owned()).collect()
}

fn numbers(of: std::ops::RangeInclusive<usize>) -> Vec<String> {
    of.map(|number| number.to_string()).collect()
}

#[tokio::test]
async fn a_client_goes_on_after_a_restart_without_a_gap() {
    let home = Home::new();
    let program = home.serve().await;
    send(&program, "com.example.a", 1, 2).await;
    let address = program.address().to_owned();
    let url = format!("{}/api/v1/events/stream?from=earliest&q=type:com.example.a", program.url());
    let mut client = Client::new("sse.mjs", &[&url, "5"]);
    let mut heard = vec![client.event(), client.event()];
    program.kill();
    // What comes while the client is away is neither lost nor told twice.
    let program = home.serve_at(&address).await;
    send(&program, "com.example.a", 3, 3).await;
    heard.extend([client.event(), client.event(), client.event()]);
    assert_eq!(subjects(&heard), numbers(1..=5));
    let ids: Vec<i64> = heard.iter().map(|said| said["id"].as_str().unwrap().parse().unwrap()).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    assert_eq!(client.says(), None, "a client that has enough leaves");
}

#[tokio::test]
async fn a_websocket_speaks_cloudevents_and_sends_no_more_than_was_granted() {
    let home = Home::new();
    let program = home.serve().await;
    send(&program, "com.example.a", 1, 5).await;
    let query = "from=earliest&credit=2&filter=%7B%22kinds%22%3A%5B%22com.example.*%22%5D%7D";
    let url = format!("ws://{}/api/v1/events/ws?{query}", program.address());
    let mut client = Client::new("ws.mjs", &[&url, "5", "3"]);
    assert_eq!(client.says().unwrap(), json!({"protocol": "cloudevents.json"}));
    let mut heard = Vec::new();
    let mut order = Vec::new();
    while let Some(said) = client.says() {
        if said.get("event").is_some() {
            assert_eq!((&said["binary"], &said["event"]["specversion"]), (&json!(false), &json!("1.0")));
            order.push("event");
            heard.push(said);
        } else if said.get("grants").is_some() {
            order.push("grant");
        } else if said.get("closed").is_some() {
            order.push("closed");
        }
    }
    assert_eq!(subjects(&heard), numbers(1..=5));
    // The two that were granted first came before the client asked for three more.
    assert_eq!(order, ["event", "event", "grant", "event", "event", "event", "closed"]);
    // Whoever comes back names the place.
    let last = heard[2]["event"]["sequence"].as_str().unwrap().trim_start_matches('0').to_owned();
    let url = format!("ws://{}/api/v1/events/ws?from={last}", program.address());
    let mut again = Client::new("ws.mjs", &[&url, "2"]);
    assert_eq!(subjects(&[again.event(), again.event()]), numbers(4..=5));
}

#[tokio::test]
async fn whoever_asks_for_a_stream_in_the_wrong_way_is_told_the_right_one() {
    let home = Home::new();
    let program = home.serve().await;
    let refused = |mut client: Client| client.says().unwrap();
    let address = format!("ws://{}/api/v1/events/ws", program.address());
    let none = refused(Client::with("ws.mjs", &[&address, "1"], ""));
    assert_eq!(
        (&none["status"], &none["answer"]["try"]),
        (&json!(400), &json!("sec-websocket-protocol: cloudevents.json"))
    );
    let other = refused(Client::with("ws.mjs", &[&address, "1"], "cloudevents.avro"));
    assert_eq!(other["status"], 400, "{other}");
    let wrong = refused(Client::new("ws.mjs", &[&format!("{address}?from=never"), "1"]));
    assert_eq!(wrong["status"], 400, "{wrong}");
    let plain = program.get("/api/v1/events/ws").await;
    assert!(plain.status >= 400 && plain.body.contains("/api/v1/events/stream"), "{plain:?}");
    for query in
        ["heartbeat=0", "heartbeat=61", "from=never", "filter=%5B%7B%22like%22%3A1%7D%5D", "filter=x", "q=type%3A"]
    {
        let answer = program.get(&format!("/api/v1/events/stream?{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        assert!(answer.json()["error"].is_string(), "{query}");
    }
    let unknown = program.get("/api/v1/events/stream?subscription=nobody").await;
    assert_eq!(unknown.status, 404, "{unknown:?}");
}

#[tokio::test]
async fn a_quiet_stream_says_that_it_is_there_and_where() {
    let home = Home::new();
    let program = home.serve().await;
    send(&program, "com.example.a", 1, 3).await;
    let head = program.events("").await[0]["sequence"].as_str().unwrap().trim_start_matches('0').to_owned();
    let request = program.request("GET", "/api/v1/events/stream").query(&[
        ("q", "type:com.example.b"),
        ("from", "earliest"),
        ("heartbeat", "1"),
    ]);
    let mut stream = request.send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    while !text.contains(": here") {
        text.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
    }
    // Nothing matched, and yet a client that comes back does not begin at the beginning.
    assert_eq!(text, format!(": caught up\nid: {head}\n\n: here\nid: {head}\n\n"));
}

#[tokio::test]
async fn whoever_comes_back_for_what_was_trimmed_is_told_what_is_left() {
    let home = Home::new();
    let program = home.serve().await;
    send(&program, "com.example.a", 1, 5).await;
    assert_eq!(program.stop().exit, 0);
    let streams = bus::streams::Streams::open(&home.data()).await.unwrap();
    streams.trim(bus::ids::EventOffset(3), bus::ids::DeliveryOffset(3)).await.unwrap();
    streams.close().await.unwrap();
    let program = home.serve().await;
    let ask = |path: &str| program.request("GET", path).header("last-event-id", "1");
    let gone = Answer::of(ask("/api/v1/events/stream")).await;
    assert_eq!((gone.status, &gone.json()["oldest"]), (410, &json!(4)), "{gone:?}");
    assert!(gone.json()["try"].as_str().unwrap().contains("from=earliest"), "{gone:?}");
    let mut refused = Client::new("ws.mjs", &[&format!("ws://{}/api/v1/events/ws?from=1", program.address()), "1"]);
    assert_eq!(refused.says().unwrap()["status"], 410);
    // What is left begins where it begins, and the place just before it can still be gone on from.
    for from in ["earliest", "3"] {
        let url = format!("{}/api/v1/events/stream?from={from}", program.url());
        let mut client = Client::new("sse.mjs", &[&url, "2"]);
        assert_eq!(subjects(&[client.event(), client.event()]), numbers(4..=5), "{from}");
    }
}

#[tokio::test]
async fn many_clients_hear_every_event_in_order_and_those_who_read_nothing_hold_nobody_up() {
    const CLIENTS: usize = 200;
    const STALLED: usize = 20;
    const EVENTS: usize = 50;
    // More than the buffers of a connection hold.
    const LARGE: usize = 40;
    const LARGE_BYTES: usize = 400_000;
    let home = Home::new();
    let program = home.serve().await;
    let address = "/api/v1/events/stream?q=type:com.example.a";
    let mut stalled = Vec::new();
    for _ in 0..STALLED {
        let all = "/api/v1/events/stream?q=type:com.example.*";
        stalled.push(program.request("GET", all).send().await.unwrap());
    }
    for number in 0..LARGE {
        let event = json!({"specversion": "1.0", "id": format!("large-{number}"), "source": "/it", "type": "com.example.large", "data": "x".repeat(LARGE_BYTES)});
        program.deliver(&Delivery::cloudevents("application/cloudevents+json", event.to_string())).await.receipt();
    }
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let mut stream = program.request("GET", address).send().await.unwrap();
        clients.spawn(async move {
            let mut text = String::new();
            while text.matches("\ndata: ").count() < EVENTS || !text.ends_with("\n\n") {
                text.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().unwrap()));
            }
            text
        });
    }
    send(&program, "com.example.a", 1, EVENTS).await;
    let mut heard: Vec<String> = clients.join_all().await;
    let subject = |line: &str| {
        serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok()?["subject"].as_str().map(str::to_owned)
    };
    for text in &heard {
        assert_eq!(text.lines().filter_map(subject).collect::<Vec<_>>(), numbers(1..=EVENTS));
    }
    heard.dedup();
    assert_eq!(heard.len(), 1, "everybody hears the same bytes");
    drop(stalled);
}

#[tokio::test]
async fn events_are_handed_on_and_what_came_while_nobody_listened_is_counted() {
    let home = Home::new();
    let program = home.serve().await;
    let receiver = Receiver::start().await;
    let port = receiver.port.to_string();
    send(&program, "com.example.a", 1, 1).await;
    let listen = ["listen", &port, "--path", "/hook", "--kind", "com.example.*", "--name", "it", "--timeout", "60"];
    let first = home.run(&[&listen[..], &["--since", "earliest", "--count", "1"]].concat());
    assert_eq!(first.exit, 0, "{first:?}");
    assert!(first.stdout.starts_with("204\t"), "{first:?}");
    send(&program, "com.example.a", 2, 3).await;
    send(&program, "org.example.b", 1, 2).await;
    let second = home.run(&[&listen[..], &["--count", "3", "--json"]].concat());
    assert_eq!(second.exit, 0, "{second:?}");
    let lines: Vec<Value> = second.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["status"] == 204), "{second:?}");
    // A third that finds nothing new says how much it missed, and waits.
    send(&program, "com.example.a", 5, 2).await;
    let third = home.run(&[&listen[..listen.len() - 1], &["5"]].concat());
    assert_eq!(third.exit, 7, "{third:?}");
    assert!(third.stderr.contains("gap filled: 2 events"), "{third:?}");
    let heard = receiver.heard();
    assert_eq!(heard.iter().map(|(_, event)| event["subject"].as_str().unwrap()).collect::<Vec<_>>(), numbers(1..=6));
    assert!(heard.iter().all(|(path, _)| path == "/hook"), "{heard:?}");
}

#[tokio::test]
async fn a_listener_finds_the_server_again_and_says_how_much_it_missed() {
    let home = Home::new();
    let program = home.serve().await;
    let address = program.address().to_owned();
    send(&program, "com.example.a", 1, 1).await;
    let mut tail =
        home.command(&["events", "tail", "type:com.example.a", "--since", "earliest", "--count", "3"]).spawn().unwrap();
    let lines = heard(tail.stdout.take().unwrap());
    assert!(next(&lines).unwrap().contains("com.example.a"));
    assert_eq!(program.stop().exit, 0);
    let program = home.serve_at(&address).await;
    send(&program, "com.example.a", 2, 1).await;
    assert!(next(&lines).unwrap().contains("com.example.a"));
    let told = heard(tail.stderr.take().unwrap());
    assert!(next(&told).unwrap().starts_with("the connection was lost; asking again"));
    let gap = std::iter::from_fn(|| next(&told)).find(|line| !line.starts_with("the connection"));
    assert!(gap.as_ref().is_some_and(|gap| gap == "gap filled: 1 event" || gap == "nothing came meanwhile"), "{gap:?}");
    send(&program, "com.example.a", 3, 1).await;
    assert!(next(&lines).unwrap().contains("com.example.a"));
    until("the tail ends", async || tail.try_wait().unwrap()).await;
}

/// A program on this machine that takes events.
struct Receiver {
    port: u16,
    heard: std::sync::Arc<std::sync::Mutex<Vec<(String, Value)>>>,
}

impl Receiver {
    async fn start() -> Self {
        let heard = std::sync::Arc::<std::sync::Mutex<Vec<(String, Value)>>>::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let kept = std::sync::Arc::clone(&heard);
        let take = move |uri: http::Uri, axum::Json(event): axum::Json<Value>| async move {
            kept.lock().unwrap().push((uri.path().to_owned(), event));
            http::StatusCode::NO_CONTENT
        };
        let router = axum::Router::new().fallback(take);
        // A runtime of its own: tests run commands to their end, which leaves no turn for anything else on theirs.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let listener = listener.into_std().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        Self { port, heard }
    }

    fn heard(&self) -> Vec<(String, Value)> {
        self.heard.lock().unwrap().clone()
    }
}
