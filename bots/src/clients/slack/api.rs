//! Slack's Web API: one call, and what its refusals mean. <https://docs.slack.dev/reference/methods/chat.postMessage>

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use super::Slack;
use crate::clients::Problem;
use crate::clients::http::{Answer, Broken, Call, retry_after};

/// How long to wait where Slack limits and does not say.
const LIMITED_WAIT: Duration = Duration::from_secs(30);

/// Why a call gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No answer.
    Broken(Broken),
    /// Too many calls.
    Limited(Duration),
    /// Slack has trouble of its own; what was asked may have been done.
    Ailing(String),
    /// Slack has trouble of its own, and did nothing.
    Away(String),
    /// Slack refuses, with its word for why and the details it gives.
    Refused { error: String, details: String },
}

impl Slack {
    /// A call that changes something.
    pub(super) async fn write(&self, method: &str, body: &Value) -> Result<Value, Trouble> {
        let call = Call::post(format!("{}/{method}", self.api)).json(body);
        self.call(call).await
    }

    /// A call that only reads.
    pub(super) async fn read(&self, method: &str, query: &[(&str, String)]) -> Result<Value, Trouble> {
        let call = Call::get(format!("{}/{method}", self.api)).query(query);
        self.call(call).await
    }

    async fn call(&self, call: Call) -> Result<Value, Trouble> {
        let token = self.token.as_ref().map(|token| token.reveal().trim()).unwrap_or_default();
        let answer = self.http.send(call.bearer(token)).await.map_err(Trouble::Broken)?;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(Trouble::Limited(retry_after(&answer.headers).unwrap_or(LIMITED_WAIT)));
        }
        if answer.status.is_server_error() {
            return Err(Trouble::Ailing(format!("answered {}", answer.status)));
        }
        let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
            return Err(unreadable(&answer));
        };
        match body.get("ok").and_then(Value::as_bool) {
            Some(true) => Ok(body),
            Some(false) => Err(refusal(&answer, &body)),
            None => Err(unreadable(&answer)),
        }
    }

    /// What trouble with a call that changes something means for the action.
    pub(super) fn problem(&self, trouble: &Trouble, channel: &str) -> Problem {
        let problem = match trouble {
            Trouble::Broken(broken) => broken.of_write("Slack"),
            Trouble::Limited(wait) => {
                Problem::Later { after: Some(*wait), reason: format!("Slack limits messages to {channel}") }
            }
            Trouble::Ailing(words) => Problem::InDoubt { reason: format!("Slack {words}") },
            Trouble::Away(words) => Problem::Later { after: None, reason: format!("Slack {words}") },
            Trouble::Refused { error, details } => Problem::Never { reason: refused(error, details, channel) },
        };
        self.without_secrets(problem)
    }

    /// What trouble with a call that only reads means for the action: nothing was done.
    pub(super) fn unread(&self, trouble: &Trouble, channel: &str) -> Problem {
        match self.problem(trouble, channel) {
            Problem::InDoubt { reason } => Problem::Later { after: None, reason },
            known @ (Problem::Later { .. } | Problem::Never { .. }) => known,
        }
    }

    pub(super) fn without_secrets(&self, problem: Problem) -> Problem {
        let clean = |reason: String| self.http.veiled(&reason);
        match problem {
            Problem::Later { after, reason } => Problem::Later { after, reason: clean(reason) },
            Problem::Never { reason } => Problem::Never { reason: clean(reason) },
            Problem::InDoubt { reason } => Problem::InDoubt { reason: clean(reason) },
        }
    }
}

fn unreadable(answer: &Answer) -> Trouble {
    if answer.status.is_success() {
        // Something between us and Slack has answered, perhaps in its place.
        return Trouble::Ailing(format!("answered {} and not in its form", answer.status));
    }
    let details = format!("HTTP {}", answer.status);
    Trouble::Refused { error: "unexpected_answer".to_owned(), details }
}

fn refusal(answer: &Answer, body: &Value) -> Trouble {
    let error = body.get("error").and_then(Value::as_str).unwrap_or("no reason given").to_owned();
    match error.as_str() {
        "ratelimited" | "rate_limited" | "message_limit_exceeded" => {
            Trouble::Limited(retry_after(&answer.headers).unwrap_or(LIMITED_WAIT))
        }
        // "It's possible some aspect of the operation succeeded before the error was raised."
        "internal_error" | "fatal_error" => Trouble::Ailing(format!("says {error}")),
        "service_unavailable" | "request_timeout" | "team_added_to_org" | "accesslimited" => {
            Trouble::Away(format!("says {error}"))
        }
        _ => Trouble::Refused { details: details(body), error },
    }
}

/// What Slack adds to its word: the scope that is missing, what is wrong with the blocks.
fn details(body: &Value) -> String {
    let needed = body.get("needed").and_then(Value::as_str).map(|scope| format!("needs the scope {scope}"));
    let messages = body.pointer("/response_metadata/messages").and_then(Value::as_array);
    let messages = messages.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    needed.into_iter().chain(messages).collect::<Vec<_>>().join("; ")
}

/// A refusal in words, with what to do about it.
fn refused(error: &str, details: &str, channel: &str) -> String {
    let remedy = match error {
        "channel_not_found" => {
            format!("there is no channel {channel}, or it is private: create it, or /invite the app there")
        }
        "not_in_channel" => {
            format!("the app is not in {channel}: /invite it there, or give it the scope chat:write.public")
        }
        "is_archived" => format!("{channel} is archived: unarchive it, or configure another channel"),
        "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired" | "no_permission" => {
            "Slack does not accept the token: set `token` of the [[tool]] to the app's bot token (xoxb-…)".to_owned()
        }
        "missing_scope" | "not_allowed_token_type" => {
            "the token may not do this: give the app the scope and install it again".to_owned()
        }
        "msg_too_long" | "msg_blocks_too_long" | "invalid_blocks" | "invalid_blocks_format" | "no_text" => {
            "Slack does not take the form of the message".to_owned()
        }
        "restricted_action" | "restricted_action_read_only_channel" | "restricted_action_thread_only_channel" => {
            format!("the workspace does not let the app post to {channel}: ask its administrators")
        }
        _ => "Slack refuses".to_owned(),
    };
    let more = if details.is_empty() { String::new() } else { format!("; {details}") };
    format!("{remedy} ({error}{more})")
}
