//! Posts an event to an address, as a structured CloudEvent. One attempt, whose outcome is told and never retried.

use std::time::{Duration, Instant};

use bus::standard_webhooks;
use bus::subscriptions::SigningKey;
use serde_json::Value;

use crate::exit::{Exit, Failure};

/// A program that does not answer for so long is not waited for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Posts events to one address.
pub(crate) struct Forward {
    http: reqwest::Client,
    url: String,
    key: Option<SigningKey>,
}

/// What became of an event.
#[derive(Debug)]
pub(crate) struct Forwarded {
    /// The status of the answer, or why there was none.
    pub(crate) outcome: Result<u16, String>,
    pub(crate) millis: u128,
}

impl Forwarded {
    /// Whether the other side took it.
    pub(crate) fn taken(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|status| (200..300).contains(status))
    }

    /// `204`, or why there was no answer.
    pub(crate) fn words(&self) -> String {
        self.outcome.as_ref().map_or_else(|error| format!("no answer: {error}"), ToString::to_string)
    }
}

impl Forward {
    /// Posts to `url`, signed if there is a secret.
    pub(crate) fn new(url: String, secret: Option<&str>) -> Result<Self, Failure> {
        let key = secret.map(key).transpose()?;
        let redirects = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().timeout(ANSWER_TIMEOUT).redirect(redirects).build()?;
        Ok(Self { http, url, key })
    }

    /// Posts an event once. `id` is what a receiver knows it by.
    pub(crate) async fn post(&self, id: &str, body: &str) -> Result<Forwarded, Failure> {
        let mut request = self.http.post(&self.url).header("content-type", bus::cloudevents::STRUCTURED);
        if let Some(key) = &self.key {
            let at = (crate::app::clock()?)();
            let signed = standard_webhooks::sign(id, at, body.as_bytes(), std::slice::from_ref(key))?;
            request = request
                .header(standard_webhooks::ID, signed.id)
                .header(standard_webhooks::TIMESTAMP, signed.timestamp)
                .header(standard_webhooks::SIGNATURE, signed.signature);
        }
        let began = Instant::now();
        let outcome = match request.body(body.to_owned()).send().await {
            Ok(answer) => Ok(answer.status().as_u16()),
            Err(error) => Err(why(&error)),
        };
        Ok(Forwarded { outcome, millis: began.elapsed().as_millis() })
    }
}

fn key(secret: &str) -> Result<SigningKey, Failure> {
    let key: Result<SigningKey, standard_webhooks::KeyError> = secret.parse();
    key.map_err(|error| Failure::new(Exit::Usage, format!("--secret cannot be used: {error}")))
}

/// The innermost reason, which is what a person can do something about.
fn why(error: &reqwest::Error) -> String {
    let mut reason: &dyn std::error::Error = error;
    while let Some(inner) = reason.source() {
        reason = inner;
    }
    if error.is_timeout() { format!("none within {} s", ANSWER_TIMEOUT.as_secs()) } else { reason.to_string() }
}

/// What a receiver knows an event by: the same however often it is posted.
pub(crate) fn id(event: &Value) -> String {
    let id = event.get("id").and_then(Value::as_str).unwrap_or_default();
    format!("evt_{id}")
}
