//! How tools are asked over HTTP: one client with its time limits and a limit of what is read, and errors that tell
//! whether the tool may have heard the request.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderMap, StatusCode};

use super::Problem;
use super::secrets::Veil;
use super::settings::ClientError;

/// A tool that is there accepts a connection within this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// No single answer takes longer: less than the runtime waits for an attempt, so that the reason is ours to say.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);

/// Longest answer that is read: a page of a hundred pull requests is about 3 MiB.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// Nobody waits longer than this, whatever a tool asks for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Asks one tool.
#[derive(Clone)]
pub(super) struct Http {
    client: reqwest::Client,
    veil: Arc<Veil>,
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
    /// A client that never says any of these secrets.
    ///
    /// # Errors
    /// If encryption is not set up.
    pub(super) fn new(veil: Veil) -> Result<Self, ClientError> {
        Self::within(ANSWER_TIMEOUT, veil)
    }

    /// The same for tools that must answer within this.
    ///
    /// # Errors
    /// If encryption is not set up.
    pub(super) fn within(answer: Duration, veil: Veil) -> Result<Self, ClientError> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("devhose/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(answer)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| ClientError::Http(veil.over(&in_words(&error))))?;
        Ok(Self { client, veil: Arc::new(veil) })
    }

    /// A text without secrets, for whoever reads it.
    pub(super) fn veiled(&self, text: &str) -> String {
        self.veil.over(text)
    }

    pub(super) fn get(&self, url: &str) -> reqwest::RequestBuilder {
        self.client.get(url)
    }

    pub(super) fn post(&self, url: &str) -> reqwest::RequestBuilder {
        self.client.post(url)
    }

    pub(super) fn request(&self, method: http::Method, url: &str) -> reqwest::RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends, and reads the whole answer.
    pub(super) async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, Broken> {
        let answer = request.send().await.map_err(|error| self.broken(error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut body = BytesMut::new();
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| self.broken(error))?;
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(Broken::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body: body.freeze() })
    }

    fn broken(&self, error: reqwest::Error) -> Broken {
        let not_sent = error.is_connect() || error.is_builder();
        let timed_out = error.is_timeout();
        // The address of a webhook is a secret.
        let words = self.veil.over(&in_words(&error.without_url()));
        match (not_sent, timed_out) {
            (true, true) => Broken::NotSent(format!("no connection within {} s", CONNECT_TIMEOUT.as_secs())),
            (true, false) => Broken::NotSent(format!("no connection: {words}")),
            (false, true) => Broken::NoAnswer("no answer in time".to_owned()),
            (false, false) => Broken::NoAnswer(format!("the connection broke: {words}")),
        }
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
