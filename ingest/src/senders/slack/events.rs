//! The Events API: what happens in the channels that the app is in.

use bus::data::Data;
use bus::data::work::Message;
use bus::delivery::Delivery;
use bus::kind::Kind;
use chrono::DateTime;
use serde::Deserialize;
use serde_json::Value;

use super::{Metadata, Place, instant, person};
use crate::sender::Draft;
use crate::senders::reading::{filled, is_plain, object};

/// Messages that somebody posted; the others tell that something was done to one, or to the channel.
const POSTED: &[&str] = &["bot_message", "file_share", "me_message", "thread_broadcast"];

/// What every event comes in.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Outer {
    r#type: Option<String>,
    team_id: Option<String>,
    event_id: Option<String>,
    event_time: Option<i64>,
    event: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Posted {
    subtype: Option<String>,
    channel: Option<String>,
    user: Option<String>,
    bot_id: Option<String>,
    text: Option<String>,
    ts: Option<String>,
    thread_ts: Option<String>,
    metadata: Option<Metadata>,
}

/// The id that stays the same over retries.
pub(super) fn id(json: &str) -> Option<String> {
    filled(object::<Outer>(json)?.event_id)
}

pub(super) fn read(delivery: &Delivery, outer: Outer) -> Vec<Draft> {
    let place = Place::of(delivery, outer.team_id.as_deref());
    let time = outer.event_time.filter(|seconds| *seconds > 0).and_then(|at| DateTime::from_timestamp(at, 0));
    let Some(event) = outer.event else {
        let name = outer.r#type.filter(|name| is_plain(name)).unwrap_or_else(|| "event".to_owned());
        let told = serde_json::from_slice(&delivery.content.body).unwrap_or_default();
        return vec![place.own(&name, None, time, told)];
    };
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    let name = text("type").filter(|name| is_plain(name)).unwrap_or("event");
    if name == "message"
        && let Some(message) = posted(&place, &event)
    {
        return vec![message];
    }
    let subtype = text("subtype").filter(|name| is_plain(name));
    let name = subtype.map_or_else(|| name.to_owned(), |subtype| format!("{name}.{subtype}"));
    let happened = text("event_ts").or_else(|| text("ts")).and_then(instant).or(time);
    let subject = text("channel").map(str::to_owned).and_then(|channel| filled(Some(channel)));
    vec![place.own(&name, subject, happened, event)]
}

/// A message that somebody posted; none if it is another, or without a place.
fn posted(place: &Place, event: &Value) -> Option<Draft> {
    let message = Posted::deserialize(event).ok()?;
    if message.subtype.as_deref().is_some_and(|subtype| !POSTED.contains(&subtype)) {
        return None;
    }
    let (channel, ts) = (filled(message.channel)?, filled(message.ts)?);
    let bot = filled(message.bot_id);
    let data = Message {
        id: Some(ts.clone()),
        channel: Some(channel.clone()),
        thread: filled(message.thread_ts),
        author: person(message.user, bot.is_some()).or_else(|| person(bot, true)),
        text: filled(message.text),
        origin: message.metadata.and_then(|metadata| metadata.origin()),
        ..Message::default()
    };
    let time = instant(&ts);
    Some(place.draft(Kind::MessagePosted, Some(format!("{channel}/{ts}")), time, Data::Message(data)))
}
