//! Signed deliveries of about 9 kB over HTTP, stored durably, with the load made on the same cores; and the same server
//! when it only reads the body, as the limit to compare with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bus::streams::Streams;
use chrono::Utc;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use ingest::hooks::Hooks;
use ingest::senders::github::sample;
use ingest::source::{Secret, Source, Sources};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::{Figures, milliseconds, quantile};

/// So many senders at once: a commit takes all that wait, so few senders would measure the disk alone.
const CONNECTIONS: usize = 256;
const SECONDS: u64 = 10;
const SECRET: &str = "a secret of at least 24 bytes";

pub(super) fn run(runtime: &tokio::runtime::Runtime) -> Figures {
    runtime.block_on(async {
        let body = body();
        let signature = ingest::verify::sign_hex(&Secret::new(SECRET.to_owned()), "sha256=", &body);
        let reading = measure(Served::Reading, &body, &signature).await;
        let storing = measure(Served::Storing, &body, &signature).await;
        let reading_again = measure(Served::Reading, &body, &signature).await;
        let limit = (reading.0 + reading_again.0) / 2.0;
        let (p50, p99, p999) = storing.1;
        vec![
            ("ingest: body".to_owned(), format!("{} bytes, {CONNECTIONS} connections, {SECONDS} s", body.len())),
            ("ingest: durable, signed".to_owned(), format!("{:.0} requests/s", storing.0)),
            (
                "ingest: p50 / p99 / p99.9".to_owned(),
                format!("{} / {} / {}", milliseconds(p50), milliseconds(p99), milliseconds(p999)),
            ),
            ("ingest: the same server only reading the body".to_owned(), format!("{limit:.0} requests/s")),
            ("ingest: ratio".to_owned(), format!("{:.2}", storing.0 / limit)),
        ]
    })
}

#[derive(Clone, Copy)]
enum Served {
    Reading,
    Storing,
}

async fn measure(served: Served, body: &[u8], signature: &str) -> (f64, (Duration, Duration, Duration)) {
    let directory = tempfile::Builder::new().prefix("bench-").tempdir_in(".").unwrap();
    let streams = Streams::open(directory.path()).await.unwrap();
    let source = Source::new("github/bench".parse().unwrap(), vec![Secret::new(SECRET.to_owned())], false).unwrap();
    let hooks = Hooks::new(streams.clone(), Arc::new(Sources::new([source])), Arc::new(Utc::now));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let server = tokio::spawn(async move {
        match served {
            Served::Storing => {
                let service = move |request: http::Request<Incoming>| {
                    let hooks = hooks.clone();
                    async move { hooks.answer("github/bench", request).await.unwrap() }
                };
                ingest::server::run(listener, service, stopped).await;
            }
            Served::Reading => {
                let service = |request: http::Request<Incoming>| async move {
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    http::Response::new(Full::new(bytes::Bytes::from(format!("{{\"bytes\":{}}}", body.len()))))
                };
                ingest::server::run(listener, service, stopped).await;
            }
        }
    });
    let ids = Arc::new(AtomicU64::new(0));
    let until = Instant::now() + Duration::from_secs(SECONDS);
    let started = Instant::now();
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| tokio::spawn(client(address, body.to_vec(), signature.to_owned(), Arc::clone(&ids), until)))
        .collect();
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await.unwrap());
    }
    let per_second = times.len() as f64 / started.elapsed().as_secs_f64();
    stop.send_replace(true);
    server.await.unwrap();
    if matches!(served, Served::Storing) {
        assert_eq!(
            streams.delivery_head().borrow().0,
            i64::try_from(times.len()).unwrap(),
            "every answer is a delivery"
        );
    }
    streams.close().await.unwrap();
    let at = |times: &mut Vec<Duration>, share| quantile(times, share);
    (per_second, (at(&mut times, 0.5), at(&mut times, 0.99), at(&mut times, 0.999)))
}

async fn client(
    address: std::net::SocketAddr,
    body: Vec<u8>,
    signature: String,
    ids: Arc<AtomicU64>,
    until: Instant,
) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut times = Vec::new();
    let mut answer = vec![0; 16 << 10];
    while Instant::now() < until {
        let id = ids.fetch_add(1, Ordering::Relaxed);
        let mut request = format!(
            "POST /hooks/github/bench HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\nx-github-event: push\r\n\
             x-github-delivery: 00000000-0000-0000-0000-{id:012}\r\nx-hub-signature-256: {signature}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        let sent = Instant::now();
        stream.write_all(&request).await.unwrap();
        read_answer(&mut stream, &mut answer).await;
        times.push(sent.elapsed());
    }
    times
}

/// Reads one answer: its header, and as many bytes of body as it announces.
async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await.unwrap();
        assert!(read > 0, "the server closed the connection");
        filled += read;
        let Some(end) = buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let length: usize =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().trim().parse().unwrap();
        if filled >= end + 4 + length {
            return;
        }
    }
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
