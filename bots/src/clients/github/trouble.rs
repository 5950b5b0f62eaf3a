//! What GitHub's refusals mean. <https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api>

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::clients::Problem;
use crate::clients::http::{Answer, Broken, Http, at_most, retry_after};
use crate::lookups::Unavailable;

/// "If the retry-after header is not present, wait for at least one minute."
const LIMITED_WAIT: Duration = Duration::from_secs(60);

/// Longest text of GitHub that is passed on.
const WORDS_MAX: usize = 300;

/// Why a request gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No answer.
    Broken(Broken),
    /// Too many requests.
    Limited(Duration),
    /// GitHub has trouble of its own; what was asked may have been done.
    Ailing(String),
    /// It answered, but nobody understands what.
    Unreadable(String),
    /// It could not be asked.
    Away(String),
    /// It is locked or in conflict at the moment; nothing was done.
    Busy(String),
    /// There is no such thing, or we may not know that there is.
    Missing(String),
    /// GitHub refuses, and always will.
    Refused(String),
}

impl Answer {
    /// The answer, if it is none of trouble.
    pub(super) fn checked(self, now: fn() -> DateTime<Utc>) -> Result<Self, Trouble> {
        if self.status.is_success() {
            return Ok(self);
        }
        let (status, words) = (self.status, words(&self));
        if let Some(wait) = limit(&self, &words, now) {
            return Err(Trouble::Limited(wait));
        }
        Err(match status {
            status if status.is_server_error() => Trouble::Ailing(format!("answered {status}: {words}")),
            StatusCode::NOT_FOUND | StatusCode::GONE => Trouble::Missing(words),
            StatusCode::CONFLICT | StatusCode::LOCKED => Trouble::Busy(format!("answered {status}: {words}")),
            StatusCode::UNAUTHORIZED => Trouble::Refused(format!(
                "GitHub does not accept the token or the App's key: set a valid one in the [[tool]] ({words})"
            )),
            StatusCode::FORBIDDEN => Trouble::Refused(forbidden(&self.headers, &words)),
            StatusCode::UNPROCESSABLE_ENTITY => Trouble::Refused(unprocessable(&words)),
            status if status.is_redirection() => {
                Trouble::Refused(format!("the repository has moved ({status}): its new name is not known here yet"))
            }
            status => Trouble::Refused(format!("GitHub refuses, {status}: {words}")),
        })
    }
}

/// How long to wait, if the answer is that there were too many requests.
fn limit(answer: &Answer, words: &str, now: fn() -> DateTime<Utc>) -> Option<Duration> {
    let number = |name: &str| answer.headers.get(name)?.to_str().ok()?.parse::<i64>().ok();
    let used_up = number("x-ratelimit-remaining") == Some(0);
    let asked_to_wait = retry_after(&answer.headers);
    let said = words.to_lowercase().contains("rate limit") || words.contains("abuse detection");
    let is_limit = match answer.status {
        StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::FORBIDDEN => used_up || asked_to_wait.is_some() || said,
        _ => false,
    };
    let until_reset = || {
        let seconds = number("x-ratelimit-reset")?.saturating_sub(now().timestamp());
        Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0) + 1)).filter(|_| used_up)
    };
    is_limit.then(|| at_most(asked_to_wait.or_else(until_reset).unwrap_or(LIMITED_WAIT)))
}

/// What GitHub says, with what it says of each error.
fn words(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let message = body.get("message").and_then(Value::as_str);
    let errors = body.get("errors").and_then(Value::as_array).into_iter().flatten().map(|error| {
        let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
        match error.as_str() {
            Some(error) => error.to_owned(),
            None if text("message").is_empty() => format!("{} {} {}", text("resource"), text("field"), text("code")),
            None => text("message").to_owned(),
        }
    });
    let all: Vec<String> = message.map(str::to_owned).into_iter().chain(errors).collect();
    if all.is_empty() {
        return "no reason given".to_owned();
    }
    all.join(": ").chars().take(WORDS_MAX).collect()
}

fn forbidden(headers: &HeaderMap, words: &str) -> String {
    let needed = headers.get("x-accepted-github-permissions").and_then(|needed| needed.to_str().ok());
    match needed.filter(|needed| !needed.is_empty()) {
        Some(needed) => format!("the App or token may not do this, give it {needed} ({words})"),
        None => format!("the App or token may not do this, give it the permission ({words})"),
    }
}

fn unprocessable(words: &str) -> String {
    if words.contains("not a collaborator") || words.contains("requested from collaborators") {
        format!(
            "somebody who is to review has no access to the repository: give them access, or leave them out ({words})"
        )
    } else if words.contains("pull request author") {
        format!("the author of a change cannot review it ({words})")
    } else {
        format!("GitHub refuses ({words})")
    }
}

impl Trouble {
    /// What it means for an action, after a request that changes something.
    pub(super) fn of_write(&self, place: &str) -> Problem {
        match self {
            Self::Broken(broken) => broken.of_write("GitHub"),
            Self::Ailing(words) | Self::Unreadable(words) => Problem::InDoubt { reason: format!("GitHub {words}") },
            Self::Limited(_) | Self::Away(_) | Self::Busy(_) | Self::Missing(_) | Self::Refused(_) => {
                self.of_read(place)
            }
        }
    }

    /// What it means for an action, after a request that only reads: nothing was done.
    pub(super) fn of_read(&self, place: &str) -> Problem {
        let later = |after, reason| Problem::Later { after, reason };
        match self {
            Self::Broken(broken) => later(None, format!("GitHub: {broken}")),
            Self::Limited(wait) => later(Some(*wait), "GitHub limits requests".to_owned()),
            Self::Ailing(words) | Self::Unreadable(words) | Self::Away(words) | Self::Busy(words) => {
                later(None, format!("GitHub {words}"))
            }
            Self::Missing(words) => Problem::Never { reason: missing(place, words) },
            Self::Refused(reason) => Problem::Never { reason: format!("{place}: {reason}") },
        }
    }

    /// What it means for a question.
    pub(super) fn of_question(&self, place: &str) -> Unavailable {
        match self {
            Self::Missing(words) => Unavailable::for_good(missing(place, words)),
            Self::Refused(reason) => Unavailable::for_good(format!("{place}: {reason}")),
            Self::Broken(broken) => Unavailable::for_now(format!("GitHub: {broken}")),
            Self::Limited(wait) => Unavailable::for_now(format!("GitHub limits requests for {} s", wait.as_secs())),
            Self::Ailing(words) | Self::Unreadable(words) | Self::Away(words) | Self::Busy(words) => {
                Unavailable::for_now(format!("GitHub {words}"))
            }
        }
    }
}

fn missing(place: &str, words: &str) -> String {
    format!("{place}: there is none, or the App or token may not see it: install the App or give access ({words})")
}

impl Problem {
    pub(super) fn without_secrets(self, http: &Http) -> Self {
        match self {
            Self::Later { after, reason } => Self::Later { after, reason: http.veiled(&reason) },
            Self::Never { reason } => Self::Never { reason: http.veiled(&reason) },
            Self::InDoubt { reason } => Self::InDoubt { reason: http.veiled(&reason) },
        }
    }
}
