//! `POST /hooks/{source}`: limits, then the signature over the raw bytes, then the log, then the answer.
//!
//! A 2xx means that the exact bytes are durable. Nothing here reads what they say.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bus::delivery::NewDelivery;
use bus::faults::{self, Phase};
use bus::ids::DeliveryId;
use bus::streams::{StreamError, Streams};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};

use crate::hooks::body::{BodyBudget, Received};
use crate::hooks::rejected::{Rejected, RejectedRing};
use crate::sender::Reply;
use crate::source::{Source, Sources};
use crate::verify;

mod body;
pub mod rejected;

/// Body limit where no source is known that would set one.
const UNKNOWN_SOURCE_BODY_BYTES_MAX: usize = 1 << 20;

/// A request must be complete after this: the most patient sender gives up after 30 s, the usual one after 10 s.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// A delivery that is not durable after this is answered as if the log could not take it: senders wait for 10 s, and one
/// that has given up sends again what a late answer would have told it is stored. It may still be stored; then the one
/// that comes again is a duplicate.
const LOG_DEADLINE: Duration = Duration::from_secs(5);

/// How long a refused sender may go on sending: closing while it still writes would reset the connection, and it would
/// hear of a broken pipe instead of why it was refused.
const LINGER_DEADLINE: Duration = BODY_DEADLINE;

/// How long a sender is asked to wait when the log cannot take more: a burst is over by then.
const RETRY_AFTER_SECONDS: u64 = 5;

/// Tells the time; a test hands in its own.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Takes requests of senders. Clones share everything.
#[derive(Clone)]
pub struct Hooks {
    streams: Streams,
    sources: Arc<Sources>,
    budget: BodyBudget,
    rejected: Arc<RejectedRing>,
    clock: Clock,
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

/// An answer to a sender.
pub type Answer = Response<Full<Bytes>>;

/// Why a request was not taken. Each has one status code, in one place.
#[derive(Debug)]
pub(crate) enum Rejection {
    UnknownSource,
    Unverified(verify::Refusal),
    Method,
    Encoding(String),
    MediaType(String),
    TooLarge { limit: usize },
    TooSlow,
    Broken(String),
    OverBudget,
    DeliveryId(String),
    Log(StreamError),
}

impl Rejection {
    fn status(&self) -> StatusCode {
        match self {
            Self::UnknownSource | Self::Unverified(_) => StatusCode::UNAUTHORIZED,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Encoding(_) | Self::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken(_) | Self::DeliveryId(_) => StatusCode::BAD_REQUEST,
            // Never a 4xx for a fault of ours: senders drop a delivery for ever on one.
            Self::OverBudget | Self::Log(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Whether its sender may go on sending, so that it comes to read the answer. Who was too slow has had its time, and
    /// a body that broke off has no rest.
    const fn is_heard_out(&self) -> bool {
        match self {
            Self::TooSlow | Self::Broken(_) => false,
            Self::UnknownSource
            | Self::Unverified(_)
            | Self::Method
            | Self::Encoding(_)
            | Self::MediaType(_)
            | Self::TooLarge { .. }
            | Self::OverBudget
            | Self::DeliveryId(_)
            | Self::Log(_) => true,
        }
    }

    /// For the operator, on the page of the source.
    fn reason(&self) -> String {
        match self {
            Self::UnknownSource => "no source of this name is configured".to_owned(),
            Self::Unverified(refusal) => refusal.to_string(),
            Self::Method => "deliveries come by POST".to_owned(),
            Self::Encoding(encoding) => format!("content-encoding {encoding:?} is not taken; send the body as it is"),
            Self::MediaType(media) => format!("content-type {media:?} is not one this sender uses"),
            Self::TooLarge { limit } => format!("the body is larger than {limit} bytes"),
            Self::TooSlow => format!("the body was not complete after {} s", BODY_DEADLINE.as_secs()),
            Self::Broken(why) => format!("the body broke off: {why}"),
            Self::OverBudget => "too many bytes are in flight".to_owned(),
            Self::DeliveryId(why) => why.clone(),
            Self::Log(error) => format!("the log could not take it: {error}"),
        }
    }

    /// For the sender. An unknown source and a wrong signature sound the same.
    fn message(&self) -> String {
        match self {
            Self::UnknownSource | Self::Unverified(_) => "the request could not be verified".to_owned(),
            Self::OverBudget | Self::Log(_) => "the delivery cannot be stored now, please come again".to_owned(),
            Self::Method
            | Self::Encoding(_)
            | Self::MediaType(_)
            | Self::TooLarge { .. }
            | Self::TooSlow
            | Self::Broken(_)
            | Self::DeliveryId(_) => self.reason(),
        }
    }
}

impl Hooks {
    /// Hooks for these sources that store into these streams.
    #[must_use]
    pub fn new(streams: Streams, sources: Arc<Sources>, clock: Clock) -> Self {
        Self { streams, sources, budget: BodyBudget::default(), rejected: Arc::default(), clock }
    }

    /// The same, whose bodies in flight hold at most so many mebibytes together.
    #[must_use]
    pub fn with_bodies_in_flight(self, mebibytes: u16) -> Self {
        Self { budget: BodyBudget::mebibytes(mebibytes), ..self }
    }

    /// The requests that were not taken lately, newest first.
    #[must_use]
    pub fn rejected(&self) -> Vec<Rejected> {
        self.rejected.newest_first()
    }

    /// The sources that are listened to.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Answers a request to `/hooks/{source}`. The error of the body type is only shown, never inspected.
    ///
    /// Dropping the future leaves nothing half done: the log's writer answers for what it was handed.
    ///
    /// # Errors
    /// Never; every failure is an answer.
    pub async fn answer<B>(&self, source_name: &str, request: Request<B>) -> Result<Answer, Infallible>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::fmt::Display,
    {
        if request.method() == Method::OPTIONS
            && let Some(headers) = bus::cloudevents::handshake(text_headers(request.headers()))
        {
            return Ok(consent(headers));
        }
        let (head, mut body) = request.into_parts();
        Ok(match self.take(source_name, head, &mut body).await {
            Ok(answer) => answer,
            Err(rejection) => {
                if rejection.is_heard_out() {
                    linger(body);
                }
                let status = rejection.status();
                tracing::info!(
                    source.name = source_name,
                    status = status.as_u16(),
                    reason = rejection.reason(),
                    "request rejected"
                );
                self.rejected.push(Rejected {
                    at: (self.clock)(),
                    source: source_name.chars().take(bus::ids::SOURCE_NAME_BYTES_MAX).collect(),
                    status: status.as_u16(),
                    reason: rejection.reason(),
                });
                refuse(&rejection)
            }
        })
    }

    async fn take<B>(&self, source_name: &str, head: Parts, body: &mut B) -> Result<Answer, Rejection>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        if head.method != Method::POST {
            return Err(Rejection::Method);
        }
        let source = self.sources.get(source_name);
        let limit = source.map_or(UNKNOWN_SOURCE_BODY_BYTES_MAX, |source| source.sender.body_bytes_max);
        if let Some(encoding) = head.headers.get(header::CONTENT_ENCODING)
            && encoding != "identity"
        {
            return Err(Rejection::Encoding(String::from_utf8_lossy(encoding.as_bytes()).into_owned()));
        }
        faults::reached(Phase::BeforeBody);
        let read = self.budget.read(body, &head.headers, limit);
        let received = tokio::time::timeout(BODY_DEADLINE, read).await.map_err(|_| Rejection::TooSlow)??;
        let Some(source) = source else {
            verify::pretend(&received.bytes);
            return Err(Rejection::UnknownSource);
        };
        let received_at = (self.clock)();
        let request =
            verify::Request { headers: &head.headers, query: head.uri.query(), body: &received.bytes, received_at };
        let verification = verify::verify(source, &request).map_err(Rejection::Unverified)?;
        faults::reached(Phase::AfterVerify);
        let content_type = media_type(source, &head.headers)?;
        let Received { bytes, permit } = received;
        let reply = (source.sender.reply)(&head.headers, &bytes);
        let delivery = NewDelivery {
            source: source.name.clone(),
            delivery_id: delivery_id(source, &head.headers, &bytes)?,
            received_at,
            headers: kept_headers(source, &head.headers),
            content_type,
            body: bytes,
            verification,
        };
        let id = delivery.delivery_id.clone();
        // Apart from what waits for a body: slow senders must not hold room for what comes after it.
        let appended = tokio::time::timeout(LOG_DEADLINE, Box::pin(self.streams.append(delivery))).await;
        let late = |_| Rejection::Log(StreamError::Busy("the disk takes too long"));
        let receipt = appended.map_err(late)?.map_err(Rejection::Log)?;
        drop(permit);
        faults::replied();
        if receipt.conflict {
            tracing::warn!(
                source.name = source_name,
                delivery.id = id.as_str(),
                "the same id came with another body; the first is kept"
            );
        }
        Ok(match reply {
            Reply::Receipt => {
                let told = serde_json::json!({"id": id, "offset": receipt.offset, "duplicate": receipt.duplicate});
                json(StatusCode::OK, &told)
            }
            Reply::Empty => Response::new(Full::new(Bytes::new())),
            Reply::Challenge(text) => plain(text),
        })
    }
}

/// Takes in and forgets what is left of a refused body, so that its sender comes to read the answer.
fn linger<B>(mut body: B)
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
{
    if !body.is_end_stream() {
        tokio::spawn(async move {
            let rest = async { while let Some(Ok(_)) = body.frame().await {} };
            drop(tokio::time::timeout(LINGER_DEADLINE, rest).await);
        });
    }
}

/// The headers whose values are text.
fn text_headers(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
}

fn media_type(source: &Source, headers: &HeaderMap) -> Result<Option<String>, Rejection> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(None) };
    let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let taken = source.sender.media_types.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(prefix) => essence.starts_with(prefix),
        None => essence == *pattern,
    });
    if taken { Ok(Some(text)) } else { Err(Rejection::MediaType(text)) }
}

fn delivery_id(source: &Source, headers: &HeaderMap, body: &[u8]) -> Result<DeliveryId, Rejection> {
    if let Some(id) = (source.sender.delivery_id)(headers, body) {
        return Ok(id);
    }
    // Without a name of its own a delivery is known by what it says.
    format!("blake3/{}", blake3::hash(body)).parse().map_err(|error| Rejection::DeliveryId(format!("{error}")))
}

fn kept_headers(source: &Source, headers: &HeaderMap) -> Vec<(String, String)> {
    let kept = |name: &HeaderName| {
        source.sender.headers.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => name.as_str().starts_with(prefix),
            None => name.as_str() == *pattern,
        })
    };
    let mut kept: Vec<_> = headers
        .iter()
        .filter(|(name, _)| kept(name))
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    if source.lenient {
        kept.push(("devhose-lenient".to_owned(), "true".to_owned()));
    }
    kept
}

fn json(status: StatusCode, body: &serde_json::Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// What the sender gave, given back: never as anything that a browser would run.
fn plain(text: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

fn consent(headers: Vec<(&'static str, String)>) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::new()));
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

fn refuse(rejection: &Rejection) -> Answer {
    let mut answer = json(rejection.status(), &serde_json::json!({"error": rejection.message()}));
    let headers = answer.headers_mut();
    match rejection {
        Rejection::OverBudget | Rejection::Log(_) => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        Rejection::Method => {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        Rejection::UnknownSource | Rejection::Unverified(_) => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // What is left of the body would be taken for the next request.
        Rejection::TooLarge { .. } | Rejection::TooSlow | Rejection::Broken(_) => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Rejection::Encoding(_) | Rejection::MediaType(_) | Rejection::DeliveryId(_) => {}
    }
    answer
}
