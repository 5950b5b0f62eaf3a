//! How tools are asked over HTTP: through the one way by which requests leave, open to the addresses that the operator
//! wrote, and with errors that tell whether the tool may have heard the request.

use std::sync::Arc;
use std::time::Duration;

use bus::egress::{Egress, End, Failure, Limits, Settings};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::Value;

use super::Problem;
use super::secrets::Veil;
use super::settings::ClientError;

/// No single answer takes longer: less than the runtime waits for an attempt, so that the reason is ours to say.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);

/// Longest answer that is read: a page of a hundred pull requests is about 3 MiB.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// Nobody waits longer than this, whatever a tool asks for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Asks one tool.
#[derive(Clone)]
pub(super) struct Http {
    egress: Egress,
    answer_timeout: Duration,
    veil: Arc<Veil>,
}

/// What a tool is asked.
#[derive(Debug, Clone)]
pub(super) struct Call {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Bytes,
    /// What keeps it from being sent, in words.
    wrong: Option<&'static str>,
}

/// What a tool answered.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    /// The tool has not heard the request.
    #[error("{0}")]
    NotSent(String),
    /// The tool may have heard the request.
    #[error("{0}")]
    NoAnswer(String),
    /// It answered more than is read.
    #[error("the answer is larger than {} MiB", ANSWER_BYTES_MAX >> 20)]
    TooLarge,
}

impl Http {
    /// A client for these addresses, which the operator wrote, that never says any of these secrets.
    ///
    /// # Errors
    /// If one is no address, or encryption is not set up.
    pub(super) fn new<'a>(urls: impl IntoIterator<Item = &'a str>, veil: Veil) -> Result<Self, ClientError> {
        Self::within(ANSWER_TIMEOUT, urls, veil)
    }

    /// The same for tools that must answer within this.
    ///
    /// # Errors
    /// If one is no address, or encryption is not set up.
    pub(super) fn within<'a>(
        answer_timeout: Duration,
        urls: impl IntoIterator<Item = &'a str>,
        veil: Veil,
    ) -> Result<Self, ClientError> {
        let mut settings = Settings::default();
        let opened = urls.into_iter().try_for_each(|url| settings.open(url));
        let egress = opened.and_then(|()| Egress::new(settings));
        let egress = egress.map_err(|error| ClientError::Http(veil.over(&error.to_string())))?;
        Ok(Self { egress, answer_timeout, veil: Arc::new(veil) })
    }

    /// A text without secrets, for whoever reads it.
    pub(super) fn veiled(&self, text: &str) -> String {
        self.veil.over(text)
    }

    /// Sends, and reads the whole answer.
    pub(super) async fn send(&self, call: Call) -> Result<Answer, Broken> {
        let not_sent = |words: &str| Broken::NotSent(self.veil.over(words));
        if let Some(wrong) = call.wrong {
            return Err(not_sent(wrong));
        }
        let uri = self.egress.check(&call.url).map_err(|refused| not_sent(&refused.to_string()))?;
        let mut sent = http::Request::new(call.body);
        *sent.method_mut() = call.method;
        *sent.uri_mut() = uri;
        *sent.headers_mut() = call.headers;
        let limits = Limits { total: self.answer_timeout, body_bytes_max: ANSWER_BYTES_MAX };
        let answer = self.egress.send(sent, limits).await.outcome.map_err(|failure| self.broken(&failure))?;
        match answer.end {
            End::Whole => Ok(Answer { status: answer.status, headers: answer.headers, body: answer.body }),
            End::TooLarge => Err(Broken::TooLarge),
            End::TimedOut => Err(self.broken(&Failure::NoAnswerInTime)),
            End::Broken(words) => Err(self.broken(&Failure::Broken(words))),
        }
    }

    fn broken(&self, failure: &Failure) -> Broken {
        let words = self.veil.over(&failure.to_string());
        if failure.unheard() { Broken::NotSent(words) } else { Broken::NoAnswer(words) }
    }
}

impl Call {
    pub(super) fn new(method: Method, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: HeaderMap::new(), body: Bytes::new(), wrong: None }
    }

    pub(super) fn get(url: impl Into<String>) -> Self {
        Self::new(Method::GET, url)
    }

    pub(super) fn post(url: impl Into<String>) -> Self {
        Self::new(Method::POST, url)
    }

    /// With these headers and no others.
    pub(super) fn headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    pub(super) fn body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }

    pub(super) fn json(mut self, body: &Value) -> Self {
        self.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.body(body.to_string().into())
    }

    pub(super) fn query(mut self, query: &[(&str, String)]) -> Self {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        self.url = format!("{}?{query}", self.url);
        self
    }

    pub(super) fn bearer(mut self, token: &str) -> Self {
        match HeaderValue::from_str(&format!("Bearer {token}")) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.headers.insert(header::AUTHORIZATION, value);
            }
            Err(_) => self.wrong = Some("the token holds characters that cannot be sent"),
        }
        self
    }
}

impl Broken {
    /// What it means for something that was to be changed.
    pub(super) fn of_write(&self, tool: &str) -> Problem {
        let reason = format!("{tool}: {self}");
        match self {
            Self::NotSent(_) => Problem::Later { after: None, reason },
            Self::NoAnswer(_) | Self::TooLarge => Problem::InDoubt { reason },
        }
    }
}

/// How long the tool asks to wait, by `retry-after` in seconds.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

/// At most the longest time that anybody waits.
pub(super) fn at_most(wait: Duration) -> Duration {
    wait.min(RETRY_AFTER_MAX)
}

/// An error with its causes, each said once.
pub(super) fn in_words(error: &dyn std::error::Error) -> String {
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
