//! Posts a message, in a thread or not; updates one in place; sends one through an incoming webhook.

use http::StatusCode;
use serde_json::{Value, json};

use super::api::Trouble;
use super::{Slack, block_kit, channel_of, metadata};
use crate::action::Action;
use crate::clients::http::{Call, retry_after};
use crate::clients::settings::SecretText;
use crate::clients::{Order, Problem, Receipt};
use crate::message::Message;

/// Refusals of an update after which the message is posted anew: it was deleted, or may no longer be edited.
const NOT_UPDATABLE: [&str; 4] = ["message_not_found", "cant_update_message", "edit_window_closed", "update_failed"];

impl Slack {
    pub(super) async fn post(&self, order: &Order) -> Result<Receipt, Problem> {
        let (Action::PostMessage { message, .. }, Some(channel)) = (&order.action, channel_of(&order.action)) else {
            return Err(Problem::Never { reason: format!("Slack does not {} without a channel", order.action.name()) });
        };
        if let Some(url) = self.webhooks.get(&channel) {
            return self.send_to_webhook(order, message, &channel, url).await;
        }
        if self.token.is_none() {
            let reason = format!("no token and no webhook for {channel}: set one of them in the [[tool]] slack");
            return Err(Problem::Never { reason });
        }
        match order.earlier.as_ref().filter(|earlier| !earlier.id.is_empty()) {
            Some(earlier) => match self.update(order, message, earlier).await {
                Err(Trouble::Refused { error, .. }) if NOT_UPDATABLE.contains(&error.as_str()) => {
                    self.post_anew(order, message, &channel).await
                }
                other => other,
            },
            None => self.post_anew(order, message, &channel).await,
        }
        .map_err(|trouble| self.problem(&trouble, &channel))
    }

    async fn post_anew(&self, order: &Order, message: &Message, channel: &str) -> Result<Receipt, Trouble> {
        let mut body = self.body(order, message);
        // A thread knows its channel's id; a name may have been given to another channel since.
        let thread = order.thread.as_ref().filter(|thread| !thread.id.is_empty());
        set(&mut body, "channel", json!(thread.map_or(channel, |thread| thread.place.as_str())));
        if let Some(thread) = thread {
            set(&mut body, "thread_ts", json!(thread.id));
        }
        let answer = self.write("chat.postMessage", &body).await?;
        let receipt = self.receipt(&answer, channel);
        self.remember(channel, &receipt.place);
        Ok(receipt)
    }

    async fn update(&self, order: &Order, message: &Message, earlier: &Receipt) -> Result<Receipt, Trouble> {
        let mut body = self.body(order, message);
        set(&mut body, "channel", json!(earlier.place));
        set(&mut body, "ts", json!(earlier.id));
        let answer = self.write("chat.update", &body).await?;
        let receipt = self.receipt(&answer, &earlier.place);
        Ok(if receipt.id.is_empty() { earlier.clone() } else { receipt })
    }

    /// What is the same for a new message and an updated one. Nothing in it is unfurled or linked by Slack itself.
    fn body(&self, order: &Order, message: &Message) -> Value {
        let mut body = block_kit(message);
        set(&mut body, "metadata", metadata(&order.mark));
        for switch in ["mrkdwn", "unfurl_links", "unfurl_media", "link_names"] {
            set(&mut body, switch, json!(false));
        }
        set(&mut body, "parse", json!("none"));
        body
    }

    fn receipt(&self, answer: &Value, channel: &str) -> Receipt {
        let text = |key: &str| answer.get(key).and_then(Value::as_str);
        let place = text("channel").unwrap_or(channel).to_owned();
        let id = text("ts").unwrap_or_default().to_owned();
        let url = self.link(&place, &id);
        Receipt { place, id, url, unchanged: false }
    }

    async fn send_to_webhook(
        &self,
        order: &Order,
        message: &Message,
        channel: &str,
        url: &SecretText,
    ) -> Result<Receipt, Problem> {
        let receipt = Receipt { place: channel.to_owned(), ..Receipt::default() };
        // A webhook cannot change what it said, and saying it all again at every change would be noise.
        if order.earlier.is_some() {
            return Ok(Receipt { unchanged: true, ..receipt });
        }
        let mut body = block_kit(message);
        set(&mut body, "unfurl_links", json!(false));
        set(&mut body, "unfurl_media", json!(false));
        let sent = self.http.send(Call::post(url.reveal()).json(&body)).await;
        let answer = sent.map_err(|broken| self.without_secrets(broken.of_write("Slack's webhook")))?;
        let words: String = String::from_utf8_lossy(&answer.body).chars().take(200).collect();
        let problem = match answer.status {
            status if status.is_success() => return Ok(receipt),
            StatusCode::TOO_MANY_REQUESTS => Problem::Later {
                after: retry_after(&answer.headers),
                reason: format!("Slack limits messages to {channel}"),
            },
            status if status.is_server_error() => {
                Problem::InDoubt { reason: format!("Slack's webhook of {channel} answered {status}: {words}") }
            }
            status => Problem::Never {
                reason: format!(
                    "Slack's webhook of {channel} refuses, {status}: {words}; make a new incoming webhook for the channel \
                     and put it into `webhooks` of the [[tool]]"
                ),
            },
        };
        Err(self.without_secrets(problem))
    }

    /// Notes the id of a channel.
    pub(super) fn remember(&self, name: &str, id: &str) {
        if let Ok(mut channels) = self.channels.lock() {
            channels.insert(name.to_owned(), id.to_owned());
        }
    }
}

fn set(body: &mut Value, key: &str, value: Value) {
    if let Some(fields) = body.as_object_mut() {
        fields.insert(key.to_owned(), value);
    }
}
