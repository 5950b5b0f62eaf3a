//! Delivers events as signed webhooks: one attempt, and what became of it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};

use super::{Answer, Egress, End, Limits, USER_AGENT};
use crate::standard_webhooks::{self, ID, SIGNATURE, TIMESTAMP};
use crate::subscriptions::{Attempted, Deliver, Outgoing, ResponseSeen, Timings};

/// The shortest time that Standard Webhooks gives an endpoint.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// Bytes of an answer that are read, so that its connection can be used again.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Bytes of an answer that are kept.
const ANSWER_BYTES_KEPT: usize = 4 << 10;

/// Bytes of an answer's headers that are kept.
const HEADER_BYTES_KEPT: usize = 16 << 10;

/// What an event is sent as.
const CONTENT_TYPE: &str = "application/cloudevents+json";

/// The handshake against abuse, <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection>.
const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

/// Delivers through [`Egress`].
#[derive(Clone)]
pub struct Webhooks {
    egress: Egress,
    limits: Limits,
}

/// What an endpoint says to being sent events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// It wants them.
    Given {
        /// At most so many requests a minute; none is any number.
        per_minute: Option<u32>,
    },
    /// It does not say: most endpoints have never heard of the question.
    Unsaid,
    /// It wants those of others only, in words.
    Refused(String),
}

impl Webhooks {
    /// Delivers through this client.
    #[must_use]
    pub fn new(egress: Egress) -> Self {
        Self::within(ATTEMPT_TIMEOUT, egress)
    }

    /// The same for endpoints that must answer within this.
    #[must_use]
    pub fn within(attempt_timeout: Duration, egress: Egress) -> Self {
        Self { egress, limits: Limits { total: attempt_timeout, body_bytes_max: ANSWER_BYTES_MAX } }
    }

    /// Asks an endpoint whether it wants to be sent events by `origin`, the host name of this installation.
    pub async fn handshake(&self, url: &str, origin: &str) -> Consent {
        let (Ok(uri), Ok(asking)) = (self.egress.check(url), HeaderValue::from_str(origin)) else {
            return Consent::Unsaid;
        };
        let request = Request::builder().method(Method::OPTIONS).uri(uri).header(REQUEST_ORIGIN, asking);
        let Ok(request) = request.body(Bytes::new()) else { return Consent::Unsaid };
        match self.egress.send(request, self.limits).await.outcome {
            Ok(answer) if answer.status.is_success() => consent(&answer.headers, origin),
            Ok(_) | Err(_) => Consent::Unsaid,
        }
    }

    async fn attempt(&self, outgoing: Outgoing) -> Attempted {
        let mut attempted = Attempted {
            at: outgoing.at,
            request_headers: Vec::new(),
            response: None,
            error: None,
            timings: Timings::default(),
        };
        let request = match self.request(outgoing) {
            Ok(request) => request,
            Err(words) => {
                attempted.error = Some(words);
                return attempted;
            }
        };
        attempted.request_headers = texts(request.headers(), usize::MAX);
        let sent = self.egress.send(request, self.limits).await;
        attempted.timings = sent.timings;
        match sent.outcome {
            Ok(answer) => attempted.response = Some(seen(&answer)),
            Err(failure) => attempted.error = Some(failure.to_string()),
        }
        attempted
    }

    /// The request with every header that is sent, so that the record is the whole of it.
    fn request(&self, outgoing: Outgoing) -> Result<Request<Bytes>, String> {
        let uri = self.egress.check(&outgoing.url).map_err(|refused| refused.to_string())?;
        let signed = standard_webhooks::sign(&outgoing.id, outgoing.at, &outgoing.body, &outgoing.keys)
            .map_err(|error| super::in_words(&error))?;
        Request::post(&uri)
            .header(header::HOST, host(&uri))
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::CONTENT_TYPE, CONTENT_TYPE)
            .header(header::CONTENT_LENGTH, outgoing.body.len())
            .header(ID, signed.id)
            .header(TIMESTAMP, signed.timestamp)
            .header(SIGNATURE, signed.signature)
            .body(Bytes::from(outgoing.body))
            .map_err(|error| error.to_string())
    }
}

impl Deliver for Webhooks {
    fn deliver(&self, request: Outgoing) -> BoxFuture<'_, Attempted> {
        Box::pin(self.attempt(request))
    }

    fn check(&self, url: &str) -> Result<(), String> {
        self.egress.check(url).map(|_| ()).map_err(|refused| refused.to_string())
    }
}

/// The host with its port where that is not the scheme's own.
fn host(uri: &Uri) -> &str {
    uri.authority().map(http::uri::Authority::as_str).unwrap_or_default()
}

fn consent(headers: &HeaderMap, origin: &str) -> Consent {
    let Some(allowed) = headers.get(ALLOWED_ORIGIN) else { return Consent::Unsaid };
    let allowed = String::from_utf8_lossy(allowed.as_bytes());
    let allowed = allowed.trim();
    if allowed != "*" && !allowed.eq_ignore_ascii_case(origin) {
        let allowed: String = allowed.chars().take(200).collect();
        return Consent::Refused(format!(
            "the endpoint takes events of {allowed:?} only, not of {origin:?}: let it answer with {ALLOWED_ORIGIN}: {origin}"
        ));
    }
    let rate = headers.get(ALLOWED_RATE).and_then(|rate| rate.to_str().ok());
    Consent::Given { per_minute: rate.and_then(|rate| rate.trim().parse().ok()) }
}

fn seen(answer: &Answer) -> ResponseSeen {
    let kept = answer.body.get(..ANSWER_BYTES_KEPT).unwrap_or(&answer.body);
    let truncated = kept.len() < answer.body.len() || answer.end != End::Whole;
    let mut body = String::from_utf8_lossy(kept).into_owned();
    if truncated {
        // Half a character at the end is no part of what was said.
        body.truncate(body.trim_end_matches(char::REPLACEMENT_CHARACTER).len());
    }
    let headers = texts(&answer.headers, HEADER_BYTES_KEPT);
    ResponseSeen { status: answer.status.as_u16(), headers, body, truncated }
}

/// Headers as text, up to so many bytes of them.
fn texts(headers: &HeaderMap, bytes_max: usize) -> Vec<(String, String)> {
    let mut left = bytes_max;
    let texts = headers.iter().map_while(|(name, value)| {
        left = left.checked_sub(name.as_str().len() + value.len())?;
        Some((name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
    });
    texts.collect()
}
