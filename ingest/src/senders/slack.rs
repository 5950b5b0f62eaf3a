//! Slack: the Events API, interactivity (buttons and menus of messages) and slash commands, all of one app.
//!
//! A message is [`Kind::MessagePosted`], with the mark of the bot's action that posted it where its metadata hold one;
//! a button or a menu of a message is [`Kind::MessageAnswered`]; a command is [`Kind::CommandInvoked`]. Everything else
//! stays Slack's own: `com.slack.<type>`, such as `com.slack.message.message_changed` or `com.slack.view_submission`.
//! What Slack puts into its bodies that would let a reader act in its name is left out of these.
//!
//! All is signed over the time and the raw body, forms as they are encoded. Slack shows whatever answers a command or a
//! button to the one who used it, so their answers are empty; `url_verification` is answered with its challenge.
//!
//! Attributes: `source` is the workspace, `subject` the message (`channel/ts`), the command, or what else the event is
//! about; `time` is that of the message or of the event.

mod commands;
mod events;
mod interactions;
#[cfg(test)]
mod tests;

use bus::data::Data;
use bus::data::forge::Person;
use bus::delivery::Delivery;
use bus::ids::DeliveryId;
use bus::kind::Kind;
use bus::mark::Mark;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::Value;

use super::reading::{event, filled, identity_of, is_plain, object, source_of, text};
use crate::sender::{Draft, Reply, Scheme, Sender, Signed, Unreadable};

/// A message has at most 40,000 characters and 50 blocks; a modal's state is larger, but not by much.
const BODY_BYTES_MAX: usize = 4 << 20;

/// The event type in a message's metadata that says that a bot of ours posted it: the payload's `mark` says which.
const ACTION: &str = "devhose_action";

/// Slack as a sender.
pub const SLACK: Sender = Sender {
    name: "slack",
    title: "Slack",
    body_bytes_max: BODY_BYTES_MAX,
    scheme: Scheme::HmacSha256Hex {
        header: "x-slack-signature",
        prefix: "v0=",
        signed: Signed::TimeAndBody { header: "x-slack-request-timestamp", before: "v0:", between: ":" },
        several: false,
    },
    headers: &["x-slack-retry-num", "x-slack-retry-reason", "user-agent"],
    media_types: &["application/json", "application/x-www-form-urlencoded"],
    delivery_id,
    normalize,
    reply,
    headers_for,
};

/// A body, opened.
enum Body<'a> {
    /// The Events API.
    Event(&'a str),
    /// The JSON in the field `payload` of a form.
    Interaction(String),
    /// Any other form.
    Form(Vec<(String, String)>),
}

impl<'a> Body<'a> {
    /// Forms never begin with a brace: their first field has a name.
    fn of(text: &'a str) -> Self {
        if text.trim_ascii_start().starts_with('{') {
            return Self::Event(text);
        }
        let fields: Vec<(String, String)> = form_urlencoded::parse(text.trim_ascii().as_bytes()).into_owned().collect();
        match fields.iter().find(|(name, _)| name == "payload") {
            Some((_, payload)) => Self::Interaction(payload.clone()),
            None => Self::Form(fields),
        }
    }
}

fn normalize(delivery: &Delivery) -> Result<Vec<Draft>, Unreadable> {
    match Body::of(text(&delivery.content.body)?) {
        Body::Event(json) if challenge(json).is_some() => Ok(Vec::new()),
        Body::Event(json) => {
            let read = object(json).map(|outer| events::read(delivery, outer));
            read.map_or_else(|| own(delivery, parse(json)?, "event"), Ok)
        }
        Body::Interaction(json) => {
            let read = object(&json).and_then(|payload| interactions::read(delivery, payload));
            read.map_or_else(|| own(delivery, parse(&json)?, "interaction"), Ok)
        }
        Body::Form(fields) => Ok(vec![commands::read(delivery, &fields)]),
    }
}

fn parse(json: &str) -> Result<Value, Unreadable> {
    serde_json::from_str(json).map_err(|error| Unreadable(format!("the body is not JSON: {error}")))
}

/// A body that nobody maps, or of a shape that is a surprise, under the type that it gives itself.
fn own(delivery: &Delivery, body: Value, or_else: &str) -> Result<Vec<Draft>, Unreadable> {
    let member = |name: &str| body.get(name).and_then(Value::as_str).filter(|name| is_plain(name));
    let name = member("type").unwrap_or(or_else).to_owned();
    let team = member("team_id").or_else(|| body.pointer("/team/id")?.as_str()).map(str::to_owned);
    let place = Place::of(delivery, team.as_deref());
    Ok(vec![place.own(&name, None, None, body)])
}

/// Where something happens, and when it was received.
struct Place {
    source: String,
    received_at: DateTime<Utc>,
}

impl Place {
    fn of(delivery: &Delivery, team: Option<&str>) -> Self {
        let workspace = team.filter(|id| is_plain(id)).map(|id| format!("https://app.slack.com/client/{id}"));
        Self { source: source_of(delivery, workspace.as_deref()), received_at: delivery.content.received_at }
    }

    /// An event about this; if it says of what, it is `subject`.
    fn draft(&self, kind: Kind, subject: Option<String>, time: Option<DateTime<Utc>>, data: Data) -> Draft {
        let subject: String = subject.unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
        let subject = if subject.is_empty() { self.source.clone() } else { subject };
        event(kind, &self.source, subject, time.unwrap_or(self.received_at), data)
    }

    /// An event of Slack's own type.
    fn own(&self, name: &str, subject: Option<String>, time: Option<DateTime<Utc>>, data: Value) -> Draft {
        self.draft(Kind::from(format!("com.slack.{name}")), subject, time, Data::Other(without_secrets(data)))
    }
}

/// The same without tokens, and without the addresses at which whoever has them may answer.
fn without_secrets(value: Value) -> Value {
    let secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.ends_with("token") || name.starts_with("response_url") || name == "trigger_id"
    };
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(name, _)| !secret(name));
            Value::Object(kept.map(|(name, value)| (name, without_secrets(value))).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(without_secrets).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// What an app may hang on a message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    event_type: Option<String>,
    event_payload: Option<Value>,
}

impl Metadata {
    /// The action of a bot of ours that posted the message.
    fn origin(&self) -> Option<Mark> {
        self.event_type.as_deref().filter(|name| *name == ACTION)?;
        self.event_payload.as_ref()?.get("mark")?.as_str()?.parse().ok()
    }
}

/// A person or a bot, by the id that Slack gives them.
fn person(id: Option<String>, bot: bool) -> Option<Person> {
    filled(id).map(|handle| Person { handle, bot })
}

/// `1515449522.000016`: seconds since 1970, and a number that makes it unique and counts as microseconds.
fn instant(ts: &str) -> Option<DateTime<Utc>> {
    let (seconds, micros) = ts.split_once('.').unwrap_or((ts, "0"));
    let micros: u32 = format!("{micros:0<6}").parse().ok().filter(|micros| *micros < 1_000_000)?;
    let at = DateTime::from_timestamp(seconds.parse().ok()?, micros * 1_000)?;
    // Some events write the same without the point, which would be in a far future.
    (at.timestamp() > 0 && at.timestamp() < 100_000_000_000).then_some(at)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Verification {
    r#type: Option<String>,
    challenge: Option<String>,
}

/// The challenge, if the body is the question whether this endpoint is meant.
fn challenge(json: &str) -> Option<String> {
    let asked: Verification = object(json)?;
    asked.challenge.filter(|_| asked.r#type.as_deref() == Some("url_verification"))
}

fn reply(_headers: &HeaderMap, body: &[u8]) -> Reply {
    let Ok(text) = text(body) else { return Reply::Receipt };
    match Body::of(text) {
        Body::Event(json) => challenge(json).map_or(Reply::Receipt, Reply::Challenge),
        Body::Interaction(_) | Body::Form(_) => Reply::Empty,
    }
}

/// Events have an id that stays the same over retries; buttons and commands, which are sent once, are known by what lets
/// the app answer them.
fn delivery_id(_headers: &HeaderMap, body: &[u8]) -> Option<DeliveryId> {
    let id = match Body::of(text(body).ok()?) {
        Body::Event(json) => events::id(json),
        Body::Interaction(json) => interactions::id(&json).map(|id| format!("interaction/{id}")),
        Body::Form(fields) => commands::id(&fields).map(|id| format!("command/{id}")),
    };
    identity_of(&id?)
}

/// What is not of the Events API comes as a form, which FILE must be.
fn headers_for(event: &str, _delivery_id: &str) -> Vec<(&'static str, String)> {
    const FORMS: &[&str] =
        &["block_actions", "command", "interactivity", "message_action", "shortcut", "view_closed", "view_submission"];
    let form = FORMS.contains(&event) || event.starts_with('/');
    let media = if form { "application/x-www-form-urlencoded" } else { "application/json" };
    vec![("content-type", media.into()), ("user-agent", "Slackbot 1.0 (devhose)".into())]
}
