//! The one way by which requests leave: to subscribers' endpoints and to tools.
//!
//! Whoever may name an address can make this program ask it, from inside the network it stands in. Therefore every
//! connection is checked at the address that it is made to, at every attempt: only the public internet is open, over
//! `https`, and what the operator has written down. Redirects are not followed, and proxies of the environment are not
//! used: both would lead where nobody has looked.
//!
//! This client makes one attempt. Whoever calls it decides what the outcome means.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use tokio::time::{Instant, timeout_at};

use crate::subscriptions::Timings;

pub use allow::{AllowError, AllowList};
pub use guard::Refused;

mod address;
mod allow;
mod connect;
mod guard;
pub mod webhook;

use connect::{Connector, Network, NotOpened, Opened, System, Unconnected};
use guard::{Guard, Target};

/// Whoever is there accepts a connection, with encryption, within this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// An idle connection is given up after this: before the 5 s after which a common server gives it up itself, just when
/// the next request is under way.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// A connection in steady use is given up after this, so that names are resolved and checked again.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(15);

/// Idle connections that are kept to one host.
const IDLE_PER_HOST_MAX: usize = 16;

/// Longest head of an answer, give or take what was read at once: several times what common servers send.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// How this program names itself.
pub const USER_AGENT: &str = concat!("devhose/", env!("CARGO_PKG_VERSION"));

/// What an operator opens and trusts.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What may be reached beyond the public internet.
    pub allow: AllowList,
    /// Certificates, as PEM, of authorities that are trusted beside the system's.
    pub authorities: String,
}

/// Why requests cannot be made at all, or a setting is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// An entry of the list of what is allowed is none, or there are too many.
    #[error(transparent)]
    Allow(#[from] AllowError),
    /// An address that the operator wrote is none.
    #[error(transparent)]
    Address(#[from] Refused),
    /// Encryption is not set up.
    #[error("encryption is not set up: {0}")]
    Encryption(String),
}

/// Sends requests. Clones share its connections.
#[derive(Clone)]
pub struct Egress {
    guard: Arc<Guard>,
    client: Client<Connector, Full<Bytes>>,
}

/// How long one request may take, and how much of its answer is read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From resolving the name to the last byte that is read.
    pub total: Duration,
    /// Bytes of the body that are read.
    pub body_bytes_max: usize,
}

/// What became of a request.
#[derive(Debug)]
pub struct Sent {
    /// The answer, or why there is none.
    pub outcome: Result<Answer, Failure>,
    /// How long it took.
    pub timings: Timings,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, about 64 KiB of them at most.
    pub headers: HeaderMap,
    /// As much of its body as was read.
    pub body: Bytes,
    /// Whether that is all.
    pub end: End,
}

/// How the reading of an answer's body ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It was read to its end.
    Whole,
    /// There is more than is read.
    TooLarge,
    /// Time ran out.
    TimedOut,
    /// The connection broke, in words.
    Broken(String),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It may not leave. Nothing was sent.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Nobody accepted a connection, or not with encryption that can be trusted. Nothing was sent.
    #[error("no connection: {0}")]
    NoConnection(String),
    /// Nobody accepted a connection in time. Nothing was sent.
    #[error("no connection within {} s", CONNECT_TIMEOUT.as_secs())]
    NoConnectionInTime,
    /// The connection broke. The request may have been heard.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// No answer came in time. The request may have been heard.
    #[error("no answer in time")]
    NoAnswerInTime,
}

impl Failure {
    /// Whether it is certain that nobody heard the request.
    #[must_use]
    pub const fn unheard(&self) -> bool {
        match self {
            Self::Refused(_) | Self::NoConnection(_) | Self::NoConnectionInTime => true,
            Self::Broken(_) | Self::NoAnswerInTime => false,
        }
    }
}

impl Settings {
    /// Opens the host and port of an address that the operator wrote, whatever it leads to.
    ///
    /// # Errors
    /// If it is no address, or the list is full.
    pub fn open(&mut self, url: &str) -> Result<(), EgressError> {
        let target = Target::of(&guard::address(url)?)?;
        Ok(self.allow.open(&target)?)
    }
}

impl Egress {
    /// A client with these settings.
    ///
    /// # Errors
    /// If a certificate is none, or the system trusts nobody.
    pub fn new(settings: Settings) -> Result<Self, EgressError> {
        Self::over(Arc::new(System::default()), settings)
    }

    /// The same over another network.
    fn over(network: Arc<dyn Network>, settings: Settings) -> Result<Self, EgressError> {
        let guard = Arc::new(Guard::new(settings.allow));
        let connector = Connector::new(Arc::clone(&guard), network, encryption(&settings.authorities)?);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .build(connector);
        Ok(Self { guard, client })
    }

    /// An address in the one form that is sent to, if requests may be made to it as far as can be said before its name is
    /// resolved.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, url: &str) -> Result<Uri, Refused> {
        let uri = guard::address(url)?;
        self.guard.check(&Target::of(&uri)?)?;
        Ok(uri)
    }

    /// Sends a request and reads its answer, once. Dropping the future closes the connection.
    pub async fn send(&self, request: Request<Bytes>, limits: Limits) -> Sent {
        let begun = Instant::now();
        let mut clock = Clock { begun, opened: None, head: None };
        let outcome = self.exchange(request, limits, &mut clock).await;
        Sent { outcome, timings: clock.timings() }
    }

    async fn exchange(&self, request: Request<Bytes>, limits: Limits, clock: &mut Clock) -> Result<Answer, Failure> {
        let deadline = clock.begun + limits.total;
        // Every attempt anew: a connection that is open already goes past the connector.
        self.guard.check(&Target::of(request.uri())?)?;
        let mut request = request.map(Full::new);
        let agent = HeaderValue::from_static(USER_AGENT);
        request.headers_mut().entry(header::USER_AGENT).or_insert(agent);
        let connection = capture_connection(&mut request);
        let head = timeout_at(deadline, self.client.request(request)).await;
        clock.opened = opened(&connection);
        let response = match head {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(failure(&error, clock)),
            Err(_) if clock.opened.is_none() => return Err(Failure::NoConnectionInTime),
            Err(_) => return Err(Failure::NoAnswerInTime),
        };
        clock.head = Some(Instant::now());
        let (head, body) = response.into_parts();
        let (body, end) = read(body, limits.body_bytes_max, deadline).await;
        Ok(Answer { status: head.status, headers: head.headers, body, end })
    }
}

/// What is trusted: the system's authorities and these.
fn encryption(authorities: &str) -> Result<Arc<ClientConfig>, EgressError> {
    let wrong = |error: &dyn std::fmt::Display| EgressError::Encryption(error.to_string());
    let more: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(authorities.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(&error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(more, Arc::clone(&provider)).map_err(|error| wrong(&error))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?
        // Its name frightens; what stands behind it is the system's own way of verifying.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// When the connection of a request was begun, if it has one. One that is too old is not used again.
fn opened(connection: &CaptureConnection) -> Option<Opened> {
    let metadata = connection.connection_metadata();
    let connected = metadata.as_ref()?;
    let mut extras = http::Extensions::new();
    connected.get_extras(&mut extras);
    let opened = extras.get::<Opened>().copied()?;
    if opened.begun.elapsed() > CONNECTION_AGE_MAX {
        connected.poison();
    }
    Some(opened)
}

fn failure(error: &hyper_util::client::legacy::Error, clock: &mut Clock) -> Failure {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(not_opened) = inner.downcast_ref::<NotOpened>() {
            clock.opened = Some(not_opened.opened);
            return match &not_opened.why {
                Unconnected::Refused(why) => Failure::Refused(why.clone()),
                Unconnected::Broken(words) => Failure::NoConnection(words.clone()),
                Unconnected::TimedOut => Failure::NoConnectionInTime,
            };
        }
        cause = inner.source();
    }
    Failure::Broken(in_words(error))
}

async fn read(mut body: Incoming, bytes_max: usize, deadline: Instant) -> (Bytes, End) {
    let mut read = BytesMut::new();
    let end = loop {
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => break End::TimedOut,
            Ok(None) => break End::Whole,
            Ok(Some(Err(error))) => break End::Broken(in_words(&error)),
            Ok(Some(Ok(frame))) => frame,
        };
        // Trailers say nothing that anybody here wants to know.
        let Ok(mut data) = frame.into_data() else { continue };
        let left = bytes_max - read.len();
        if data.len() > left {
            data.truncate(left);
            read.extend_from_slice(&data);
            break End::TooLarge;
        }
        read.extend_from_slice(&data);
    };
    (read.freeze(), end)
}

/// An error with its causes, each said once.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}

/// When a request came how far.
struct Clock {
    begun: Instant,
    opened: Option<Opened>,
    head: Option<Instant>,
}

impl Clock {
    fn timings(&self) -> Timings {
        let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        // A connection that was there already cost this request nothing.
        let opened = self.opened.filter(|opened| opened.begun >= self.begun);
        let (resolve, connect) = opened.map_or((None, None), |opened| (opened.resolve, opened.connect));
        let before = resolve.unwrap_or_default() + connect.unwrap_or_default();
        Timings {
            resolve: resolve.map(millis),
            connect: connect.map(millis),
            wait: self.head.map(|head| millis((head - self.begun).saturating_sub(before))),
            read: self.head.map(|head| millis(head.elapsed())),
            total: millis(self.begun.elapsed()),
        }
    }
}

#[cfg(test)]
mod tests;
