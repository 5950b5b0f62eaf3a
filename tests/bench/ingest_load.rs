//! Signed deliveries of about 9 kB over HTTP, stored durably, with the load made on the same cores; and the same server
//! when it only reads the body, and when it only reads and verifies it, as the limits to compare with. Last the whole
//! program, which reads and counts all that comes meanwhile: `--config=FILE` adds a file to its configuration, such as one
//! with another storage.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bus::streams::Streams;
use chrono::Utc;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use ingest::hooks::Hooks;
use ingest::senders::github::sample;
use ingest::source::{Secret, Source, Sources};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::load::{Load, Loaded};
use super::program::{self, Program};
use super::{Arguments, Figures, milliseconds};

/// So many senders at once: a commit takes all that wait, so few senders would measure the disk alone.
const CONNECTIONS: usize = 256;
const SECONDS: u64 = 10;

pub(super) fn run(runtime: &tokio::runtime::Runtime, arguments: &Arguments) -> Figures {
    let connections = arguments.number("connections").unwrap_or(CONNECTIONS);
    let seconds = arguments.number("seconds").unwrap_or(SECONDS as usize) as u64;
    runtime.block_on(async {
        let load = |address| Load {
            address,
            path: "/hooks/github/bench",
            connections,
            time: Duration::from_secs(seconds),
            per_second: arguments.number("rate").map(|rate| rate as f64),
            body: body().into(),
            signature: program::signature(&body()),
        };
        let wanted = |served| arguments.text("only").is_none_or(|only| only == served);
        let mut figures = vec![(
            "ingest: body".to_owned(),
            format!("{} bytes, {connections} connections, {seconds} s", body().len()),
        )];
        let mut limits = Vec::new();
        for (name, served) in [("reading", Served::Reading), ("verifying", Served::Verifying), ("storing", Served::Storing)]
        {
            if !wanted(name) {
                continue;
            }
            let mut loaded = measure(served, load).await;
            let [p50, p99, p999] = loaded.quantiles().map(milliseconds);
            figures.push((
                format!("ingest: {}", served.words()),
                format!(
                    "{:.0} requests/s; p50 / p99 / p99.9 {p50} / {p99} / {p999}; {:.1} µs of a processor each, and {:.1} µs \
                     for the load",
                    loaded.per_second,
                    loaded.server_micros_per_request(),
                    loaded.own_cpu.as_secs_f64() * 1e6 / loaded.times.len() as f64,
                ),
            ));
            limits.push(loaded.per_second);
        }
        if let [reading, verifying, storing] = limits[..] {
            figures.push((
                "ingest: ratio".to_owned(),
                format!("{:.2} of reading, {:.2} of reading and verifying", storing / reading, storing / verifying),
            ));
        }
        if wanted("program") {
            figures.push(whole_program(arguments.text("config"), load).await);
        }
        figures
    })
}

/// The program as a user runs it, in a process of its own, with everything that it does beside taking deliveries.
async fn whole_program(config: Option<&str>, load: impl Fn(SocketAddr) -> Load) -> (String, String) {
    let directory = tempfile::Builder::new().prefix("bench-").tempdir_in(".").unwrap();
    let program = Program::serve(directory.path(), config);
    let before = program.cpu();
    let mut loaded = load(program.address).run().await;
    let took = program.cpu().saturating_sub(before).as_secs_f64() * 1e6 / loaded.times.len() as f64;
    let [p50, p99, p999] = loaded.quantiles().map(milliseconds);
    let rate = loaded.per_second;
    (
        format!("ingest: the whole program, {}", config.unwrap_or("as it comes")),
        format!("{rate:.0} requests/s; p50 / p99 / p99.9 {p50} / {p99} / {p999}; {took:.1} µs of a processor each"),
    )
}

/// What the server does with a request.
#[derive(Clone, Copy, PartialEq)]
enum Served {
    Reading,
    Verifying,
    Storing,
}

impl Served {
    const fn words(self) -> &'static str {
        match self {
            Self::Reading => "the same server only reading the body",
            Self::Verifying => "the same server only reading and verifying the body",
            Self::Storing => "durable, signed",
        }
    }
}

async fn measure(served: Served, load: impl Fn(SocketAddr) -> Load) -> Loaded {
    let directory = tempfile::Builder::new().prefix("bench-").tempdir_in(".").unwrap();
    let streams = Streams::open(directory.path()).await.unwrap();
    let hooks = Hooks::new(streams.clone(), Arc::new(Sources::new([source()])), Arc::new(Utc::now));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let server = tokio::spawn(serve(served, listener, hooks, stopped));
    let loaded = load(address).run().await;
    stop.send_replace(true);
    server.await.unwrap();
    if served == Served::Storing {
        let stored = streams.delivery_head().borrow().0;
        assert_eq!(stored, i64::try_from(loaded.times.len()).unwrap(), "every answer is a delivery");
    }
    streams.close().await.unwrap();
    loaded
}

async fn serve(served: Served, listener: TcpListener, hooks: Hooks, stopped: watch::Receiver<bool>) {
    match served {
        Served::Storing => {
            let service = move |request: http::Request<Incoming>| {
                let hooks = hooks.clone();
                async move { hooks.answer("github/bench", request).await.unwrap() }
            };
            ingest::server::run(listener, service, stopped).await;
        }
        Served::Reading | Served::Verifying => {
            let source = Arc::new(source());
            let service = move |request: http::Request<Incoming>| {
                let source = Arc::clone(&source);
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    if served == Served::Verifying {
                        let request = ingest::verify::Request {
                            headers: &head.headers,
                            query: None,
                            body: &body,
                            received_at: Utc::now(),
                        };
                        ingest::verify::verify(&source, &request).unwrap();
                    }
                    http::Response::new(Full::new(bytes::Bytes::from(format!("{{\"bytes\":{}}}", body.len()))))
                }
            };
            ingest::server::run(listener, service, stopped).await;
        }
    }
}

fn source() -> Source {
    Source::new("github/bench".parse().unwrap(), vec![Secret::new(program::SECRET.to_owned())], false).unwrap()
}

/// A push as the forge sends it, with as many commits as make about 9 kB.
pub(super) fn body() -> Vec<u8> {
    let at = "2026-11-20T10:00:00Z".parse().unwrap();
    let commit = |number: usize| sample::Commit {
        sha: format!("{number:040x}"),
        message: "Charge in the currency of the delivery address".to_owned(),
        author: "dev-ada-17".to_owned(),
        at,
        paths: vec!["src/prices/currency.rs".to_owned(), "src/prices/rates.rs".to_owned()],
    };
    let printed = |commits: usize| {
        let input = sample::Push {
            repository: sample::Repository {
                owner: "acme".to_owned(),
                name: "shop".to_owned(),
                default_branch: "main".to_owned(),
            },
            branch: "currency".to_owned(),
            before: Some("1".repeat(40)),
            after: Some("2".repeat(40)),
            commits: (1..=commits).map(commit).collect(),
            pusher: "dev-ada-17".to_owned(),
            forced: false,
            at,
        };
        sample::push(&input).body.to_string().into_bytes()
    };
    (1..).map(printed).find(|body| body.len() >= 9_000).unwrap()
}
