//! Sends deliveries as GitHub does, and notes what comes of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::body::{Random, body, hex, sha256};
use crate::book::{Ack, Book, Intent, Line};

/// Longer than any sender waits: a late acknowledgement is to be seen, not to be cut off.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Intents written with one wait for the disk.
const INTENTS_AT_ONCE: u64 = 32;

/// After a refusal, or where nobody listens, the next delivery waits this long.
const REFUSED_PAUSE: Duration = Duration::from_millis(50);

/// One delivery in so many is contradicted, if any is.
const CONTRADICTED_EVERY: u64 = 10;

/// What is sent.
#[derive(Debug, Clone)]
pub struct Load {
    /// Where the program listens.
    pub url: String,
    /// The source, such as `github/acme`.
    pub source: String,
    /// Its secret.
    pub secret: String,
    /// What bodies are drawn from; the same for all runs of one book.
    pub seed: u64,
    /// Requests in flight.
    pub connections: usize,
    /// Deliveries per second at most.
    pub rate: Option<u32>,
    /// Deliveries at most.
    pub count: Option<u64>,
    /// Time at most.
    pub duration: Option<Duration>,
    /// Bodies have about so many bytes.
    pub body_bytes: u64,
    /// Each delivery is sent between once and so many times at once.
    pub copies_max: u64,
    /// Whether some ids come again with another body after they were acknowledged.
    pub contradict: bool,
    /// Ends when nobody listens any more.
    pub until_gone: bool,
    /// Begins with the first delivery of the book, all over again.
    pub again: bool,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            url: String::new(),
            source: "github/acme".to_owned(),
            secret: String::new(),
            seed: 1,
            connections: 16,
            rate: None,
            count: None,
            duration: None,
            body_bytes: 9_000,
            copies_max: 1,
            contradict: false,
            until_gone: false,
            again: false,
        }
    }
}

impl Load {
    /// What the sender calls the delivery of that number.
    #[must_use]
    pub fn id(&self, number: u64) -> String {
        format!("{:x}-{number}", self.seed)
    }
}

/// One delivery, to be sent.
#[derive(Debug, Clone)]
struct Delivery {
    number: u64,
    id: String,
    sha256: String,
}

/// What the requests of a run share.
struct Run {
    load: Load,
    book: Arc<Book>,
    http: reqwest::Client,
    began: Instant,
    first: u64,
    next: AtomicU64,
    gone: AtomicBool,
}

/// Sends until the load is through, or `stop` turns true. What is in flight then is waited for.
///
/// # Errors
/// If the book cannot be written.
pub async fn run(load: &Load, book: &Arc<Book>, stop: watch::Receiver<bool>) -> anyhow::Result<()> {
    let http = reqwest::Client::builder().timeout(ANSWER_TIMEOUT).no_proxy().build()?;
    let first = if load.again { 0 } else { book.next_number };
    let (next, gone) = (AtomicU64::new(first), AtomicBool::new(false));
    let (load, book) = (load.clone(), Arc::clone(book));
    let run = Arc::new(Run { load, book, http, began: Instant::now(), first, next, gone });
    let mut requests = JoinSet::new();
    while !*stop.borrow()
        && let Some(deliveries) = next_deliveries(&run).await?
    {
        for delivery in deliveries {
            if requests.len() >= run.load.connections
                && let Some(sent) = requests.join_next().await
            {
                sent??;
            }
            if let Some(rate) = run.load.rate {
                let due = Duration::from_secs(delivery.number - first) / rate.max(1);
                tokio::time::sleep_until(run.began + due).await;
            }
            requests.spawn(send(Arc::clone(&run), delivery));
        }
    }
    while let Some(sent) = requests.join_next().await {
        sent??;
    }
    Ok(())
}

/// The next deliveries in order, each as often as it is to be sent at once; their intents are durable.
async fn next_deliveries(run: &Run) -> anyhow::Result<Option<Vec<Delivery>>> {
    let load = &run.load;
    let late = load.duration.is_some_and(|duration| run.began.elapsed() >= duration);
    let first = run.next.load(Ordering::Relaxed);
    let sent = first - run.first;
    let left = load.count.map_or(INTENTS_AT_ONCE, |count| count.saturating_sub(sent)).min(INTENTS_AT_ONCE);
    if left == 0 || late || (load.until_gone && run.gone.load(Ordering::Relaxed)) {
        return Ok(None);
    }
    run.next.store(first + left, Ordering::Relaxed);
    let (mut intents, mut copies) = (Vec::new(), Vec::new());
    for number in first..first + left {
        let body = body(load.seed, number, load.body_bytes);
        let id = load.id(number);
        let intent = Intent { sha256: sha256(&body), blake3: hex(blake3::hash(&body).as_bytes()) };
        let times = 1 + Random::of(!load.seed, number).below(load.copies_max.max(1));
        let delivery = Delivery { number, id: id.clone(), sha256: intent.sha256.clone() };
        copies.extend((0..times).map(|_| delivery.clone()));
        intents.push(Line::Intent { id, intent, number });
    }
    run.book.intend(intents).await?;
    Ok(Some(copies))
}

async fn send(run: Arc<Run>, delivery: Delivery) -> anyhow::Result<()> {
    let run = run.as_ref();
    let sent_us = micros(run.began);
    let body = body(run.load.seed, delivery.number, run.load.body_bytes);
    let answer = post(run, &delivery.id, body).await;
    let acked_us = micros(run.began);
    let Delivery { number, id, sha256 } = delivery;
    match answer {
        Ok(Answer::Stored { .. }) if run.book.doubts() => {
            run.book.note(Line::Unknown { id, why: "acknowledged while the disk vanished".to_owned() })
        }
        Ok(Answer::Stored { offset, duplicate }) => {
            let ack = Ack { id: id.clone(), sha256, run: run.book.run, sent_us, acked_us, offset, duplicate };
            run.book.note(Line::Ack(ack))?;
            if run.load.contradict && number % CONTRADICTED_EVERY == 0 {
                contradict(run, id, number).await
            } else {
                Ok(())
            }
        }
        Ok(Answer::Refused { status, retry_after }) => {
            run.book.note(Line::Nack { id, status, retry_after })?;
            tokio::time::sleep(REFUSED_PAUSE).await;
            Ok(())
        }
        Err(error) => {
            let why = if error.is_connect() { "not_connected".to_owned() } else { chain(&error) };
            if error.is_connect() {
                run.gone.store(true, Ordering::Relaxed);
            }
            run.book.note(Line::Unknown { id, why })?;
            tokio::time::sleep(REFUSED_PAUSE).await;
            Ok(())
        }
    }
}

/// Sends another body under an id that is stored: the first must stay.
async fn contradict(run: &Run, id: String, number: u64) -> anyhow::Result<()> {
    let other = body(!run.load.seed, number, run.load.body_bytes);
    match post(run, &id, other).await {
        Ok(Answer::Stored { offset, duplicate }) => run.book.note(Line::Other { id, offset, duplicate }),
        Ok(Answer::Refused { .. }) | Err(_) => Ok(()),
    }
}

/// What the program said.
enum Answer {
    Stored { offset: Option<i64>, duplicate: bool },
    Refused { status: u16, retry_after: Option<u64> },
}

async fn post(run: &Run, id: &str, body: Vec<u8>) -> Result<Answer, reqwest::Error> {
    let answer = request(&run.http, &run.load, ("ping", id), body).send().await?;
    let status = answer.status();
    let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    // Only a whole answer is one.
    let text = answer.bytes().await?;
    if !status.is_success() {
        return Ok(Answer::Refused { status: status.as_u16(), retry_after });
    }
    let receipt: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    let field = |name: &str| receipt.get(name).cloned().unwrap_or_default();
    Ok(Answer::Stored { offset: field("offset").as_i64(), duplicate: field("duplicate").as_bool().unwrap_or(false) })
}

fn request(http: &reqwest::Client, load: &Load, named: (&str, &str), body: Vec<u8>) -> reqwest::RequestBuilder {
    let (event, id) = named;
    http.post(format!("{}/hooks/{}", load.url, load.source))
        .header("content-type", "application/json")
        .header("user-agent", "GitHub-Hookshot/judge")
        .header("x-github-event", event)
        .header("x-github-delivery", id)
        .header("x-hub-signature-256", signature(&load.secret, &body))
        .body(body)
}

/// Sends one delivery with a body of the caller's own, which is noted as an intent. Returns the status of the answer.
///
/// # Errors
/// If there is no answer, or the book cannot be written.
pub async fn send_one(load: &Load, book: &Book, named: (&str, &str), body: Vec<u8>) -> anyhow::Result<u16> {
    let intent = Intent { sha256: sha256(&body), blake3: hex(blake3::hash(&body).as_bytes()) };
    let number = book.next_number;
    book.intend(vec![Line::Intent { id: named.1.to_owned(), intent, number }]).await?;
    let http = reqwest::Client::builder().timeout(ANSWER_TIMEOUT).no_proxy().build()?;
    Ok(request(&http, load, named, body).send().await?.status().as_u16())
}

/// The value of `x-hub-signature-256`: HMAC-SHA-256 over the raw body.
fn signature(secret: &str, body: &[u8]) -> String {
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(body);
    format!("sha256={}", hex(&mac.finalize().into_bytes()))
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {}", chain(source)))
}

/// Installs what TLS needs; plain addresses need it as little as the rest, but the client asks for it.
///
/// # Errors
/// Never if it was called before.
pub fn prepare() -> anyhow::Result<()> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let installed = rustls::crypto::ring::default_provider().install_default();
        // Another thread may have been faster.
        return installed
            .or_else(|_| rustls::crypto::CryptoProvider::get_default().map(|_| ()).context("no TLS provider"));
    }
    Ok(())
}
