//! Slash commands; and the older outgoing webhooks, which are forms without a command and stay Slack's own.

use bus::data::Data;
use bus::data::work::Message;
use bus::delivery::Delivery;
use bus::kind::Kind;
use serde_json::{Map, Value, json};

use super::{Place, instant, person};
use crate::sender::Draft;
use crate::senders::reading::filled;

fn field(fields: &[(String, String)], name: &str) -> Option<String> {
    filled(fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()))
}

/// What lets the app answer it.
pub(super) fn id(fields: &[(String, String)]) -> Option<String> {
    field(fields, "trigger_id")
}

pub(super) fn read(delivery: &Delivery, fields: &[(String, String)]) -> Draft {
    let field = |name: &str| field(fields, name);
    let place = Place::of(delivery, field("team_id").as_deref());
    let Some(command) = field("command") else {
        let name = if field("ssl_check").is_some() { "ssl_check" } else { "outgoing_webhook" };
        let others = fields.iter().filter(|(name, _)| !name.starts_with("user_"));
        let mut told: Map<String, Value> = others.map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        // In the shape that JSON bodies have, by which pages know a person and show none.
        told.insert("user".to_owned(), json!({"id": field("user_id"), "name": field("user_name")}));
        let time = field("timestamp").as_deref().and_then(instant);
        return place.own(name, field("channel_id"), time, Value::Object(told));
    };
    let data = Message {
        channel: field("channel_id"),
        author: person(field("user_id"), false),
        text: field("text"),
        command: Some(command.clone()),
        ..Message::default()
    };
    // A command tells no time of its own.
    place.draft(Kind::CommandInvoked, Some(command), None, Data::Message(data))
}
