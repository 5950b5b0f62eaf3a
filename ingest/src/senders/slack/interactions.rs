//! Interactivity: buttons and menus of messages. Modals and shortcuts stay Slack's own.

use bus::data::Data;
use bus::data::work::Message;
use bus::delivery::Delivery;
use bus::kind::Kind;
use serde::Deserialize;

use super::{Metadata, Place, instant, person};
use crate::sender::Draft;
use crate::senders::reading::{filled, object};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Interaction {
    r#type: Option<String>,
    trigger_id: Option<String>,
    user: Option<Named>,
    team: Option<Named>,
    channel: Option<Named>,
    container: Option<Container>,
    message: Option<Answered>,
    actions: Option<Vec<Action>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    message_ts: Option<String>,
    channel_id: Option<String>,
    thread_ts: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answered {
    ts: Option<String>,
    thread_ts: Option<String>,
    metadata: Option<Metadata>,
}

/// One element that was used. Which member holds the choice depends on the sort of element.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Action {
    action_id: Option<String>,
    action_ts: Option<String>,
    value: Option<String>,
    selected_option: Option<Choice>,
    selected_options: Option<Vec<Choice>>,
    selected_channel: Option<String>,
    selected_conversation: Option<String>,
    selected_user: Option<String>,
    selected_date: Option<String>,
    selected_time: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice {
    value: Option<String>,
}

impl Action {
    fn choice(self) -> Option<String> {
        let several = self.selected_options.map(|choices| {
            let values: Vec<String> = choices.into_iter().filter_map(|choice| choice.value).collect();
            values.join(",")
        });
        let one = self.selected_option.and_then(|choice| choice.value);
        let others = [self.selected_channel, self.selected_conversation, self.selected_user];
        let times = [self.selected_date, self.selected_time];
        [self.value, one, several].into_iter().chain(others).chain(times).find_map(filled)
    }
}

/// What lets the app answer it; or when its first element was used.
pub(super) fn id(json: &str) -> Option<String> {
    let interaction: Interaction = object(json)?;
    filled(interaction.trigger_id).or_else(|| filled(interaction.actions?.into_iter().next()?.action_ts))
}

/// One event for each element that was used; none if it is anything but an answer to a message.
pub(super) fn read(delivery: &Delivery, interaction: Interaction) -> Option<Vec<Draft>> {
    if interaction.r#type.as_deref() != Some("block_actions") {
        return None;
    }
    let id_of = |named: Option<Named>| filled(named?.id);
    let place = Place::of(delivery, id_of(interaction.team).as_deref());
    let (container, message) = (interaction.container.unwrap_or_default(), interaction.message.unwrap_or_default());
    let channel = id_of(interaction.channel).or(filled(container.channel_id))?;
    let ts = filled(container.message_ts).or(filled(message.ts))?;
    let told = Message {
        id: Some(ts.clone()),
        channel: Some(channel.clone()),
        thread: filled(message.thread_ts).or(filled(container.thread_ts)),
        author: person(id_of(interaction.user), false),
        origin: message.metadata.and_then(|metadata| metadata.origin()),
        ..Message::default()
    };
    let draft = |action: Action| {
        let time = action.action_ts.as_deref().and_then(instant);
        let button = filled(action.action_id.clone());
        let data = Message { button, value: action.choice(), ..told.clone() };
        place.draft(Kind::MessageAnswered, Some(format!("{channel}/{ts}")), time, Data::Message(data))
    };
    let drafts: Vec<Draft> = interaction.actions?.into_iter().map(draft).collect();
    (!drafts.is_empty()).then_some(drafts)
}
