//! One request to the API of a cluster: its path from checked parts, its time and size, and what a refusal means.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::client::Body;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::access::Cluster;
use crate::clients::http::in_words;
use crate::lookups::Unavailable;

/// No answer takes longer than this.
const ANSWER_DEADLINE: Duration = Duration::from_secs(8);

/// Longest answer that is read: five hundred pods are about 5 MiB.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Longest text of a server that is passed on.
const WORDS_MAX: usize = 300;

/// What stands in names as it is.
const IN_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// What is asked for, in words, and where it is.
pub(super) struct Wanted {
    /// `pods/checkout-1 of payments`.
    pub(super) words: String,
    /// `/api/v1/namespaces/payments/pods/checkout-1`.
    pub(super) path: String,
}

/// What a server said that it does not give.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) message: String,
    /// The reason in one word: `NotFound`.
    pub(super) reason: String,
    /// The name of what it is about.
    pub(super) name: String,
}

/// Why there is nothing.
pub(super) enum Trouble {
    /// The server has answered so.
    Refused(Refusal),
    /// It cannot be had.
    Unavailable(Unavailable),
}

/// One part of a path.
pub(super) fn part(text: &str) -> Result<String, Unavailable> {
    if text.is_empty() || text.bytes().all(|c| c == b'.') {
        return Err(Unavailable::for_good(format!("{text:?} is no name of anything in a cluster")));
    }
    Ok(utf8_percent_encode(text, IN_NAME).to_string())
}

/// A value of a query.
pub(super) fn value(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Asks.
pub(super) async fn get(cluster: &Cluster, wanted: &Wanted) -> Result<Bytes, Trouble> {
    let answer = tokio::time::timeout(ANSWER_DEADLINE, ask(cluster, wanted)).await;
    let answer = answer.unwrap_or_else(|_| {
        cluster.forget();
        let reason = format!("{}: no answer within {} s", wanted.words, ANSWER_DEADLINE.as_secs());
        Err(Trouble::Unavailable(Unavailable::for_now(reason)))
    });
    answer.map_err(|trouble| match trouble {
        Trouble::Unavailable(Unavailable { reason, transient }) => {
            Trouble::Unavailable(Unavailable { reason: cluster.veiled(&reason), transient })
        }
        Trouble::Refused(refusal) => Trouble::Refused(Refusal { message: cluster.veiled(&refusal.message), ..refusal }),
    })
}

async fn ask(cluster: &Cluster, wanted: &Wanted) -> Result<Bytes, Trouble> {
    let client = cluster.client().await.map_err(Trouble::Unavailable)?;
    let for_now = |words: String| Trouble::Unavailable(Unavailable::for_now(format!("{}: {words}", wanted.words)));
    let request = Request::get(&wanted.path).body(Body::empty()).map_err(|error| for_now(error.to_string()))?;
    let answer = client.send(request).await.map_err(|error| {
        cluster.forget();
        let words = in_words(&error);
        for_now(words.strip_prefix("ServiceError: ").unwrap_or(&words).to_owned())
    })?;
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            let words = format!("{}: more than {} MiB", wanted.words, ANSWER_BYTES_MAX >> 20);
            return Trouble::Unavailable(Unavailable::for_good(words));
        }
        for_now(format!("the connection broke: {}", in_words(error.as_ref())))
    })?;
    let body = body.to_bytes();
    if parts.status.is_success() {
        return Ok(body);
    }
    if parts.status == StatusCode::UNAUTHORIZED {
        cluster.forget();
    }
    Err(Trouble::Refused(refusal(parts.status, &body)))
}

fn refusal(status: StatusCode, body: &[u8]) -> Refusal {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |path: &str| said.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let message = match text("/message") {
        message if message.is_empty() => String::from_utf8_lossy(body).trim().to_owned(),
        message => message,
    };
    let message = message.chars().take(WORDS_MAX).collect();
    Refusal { status, message, reason: text("/reason"), name: text("/details/name") }
}

impl Refusal {
    /// What it means for a question about this.
    pub(super) fn unavailable(&self, wanted: &Wanted) -> Unavailable {
        let (words, message) = (&wanted.words, &self.message);
        match self.status {
            StatusCode::FORBIDDEN => Unavailable::for_good(format!(
                "{words}: forbidden; the role in deploy/kubernetes/rbac.yaml allows it ({message})"
            )),
            StatusCode::UNAUTHORIZED => Unavailable::for_good(format!(
                "{words}: the cluster does not accept the token or certificate: renew it in the configuration"
            )),
            StatusCode::NOT_FOUND => {
                Unavailable::for_good(format!("{words}: the cluster does not have this kind of thing ({message})"))
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Unavailable::for_now(format!("{words}: the server answered {status} ({message})"))
            }
            status => Unavailable::for_good(format!("{words}: the server answered {status} ({message})")),
        }
    }
}
