//! Finds a message again whose answer was lost, by the mark in its metadata.

use chrono::TimeDelta;
use serde_json::Value;

use super::api::Trouble;
use super::{METADATA, Slack, channel_of, is_id};
use crate::clients::{Order, Problem, Receipt, Sought};

/// So many pages of messages are looked through, newest first.
const PAGES_MAX: usize = 5;

/// As many messages as Slack gives on a page of them.
const PAGE: &str = "200";

/// An attempt is not longer ago than this when it is asked about: the program was down over a weekend.
const BACK: TimeDelta = TimeDelta::days(4);

/// So many pages of channels are looked through for the id of one, of a thousand each.
const CHANNEL_PAGES_MAX: usize = 10;

impl Slack {
    pub(super) async fn seek(&self, order: &Order) -> Result<Sought, Problem> {
        let Some(channel) = channel_of(&order.action) else { return Ok(Sought::NotDone) };
        if self.token.is_none() || self.webhooks.contains_key(&channel) {
            return Ok(Sought::Unknowable);
        }
        match self.search(order, &channel).await {
            Ok(sought) => Ok(sought),
            // What may not be read cannot be known; that is no reason never to post.
            Err(Trouble::Refused { .. }) => Ok(Sought::Unknowable),
            Err(trouble) => Err(self.unread(&trouble, &channel)),
        }
    }

    async fn search(&self, order: &Order, channel: &str) -> Result<Sought, Trouble> {
        let mark = order.mark.to_string();
        let thread = order.thread.as_ref().filter(|thread| !thread.id.is_empty());
        let earlier = order.earlier.as_ref().filter(|earlier| !earlier.id.is_empty());
        let known = earlier.or(thread).map(|receipt| receipt.place.clone());
        let Some(id) = (match known {
            Some(id) => Some(id),
            None => self.channel_id(channel).await?,
        }) else {
            return Ok(Sought::Unknowable);
        };
        if let Some(earlier) = earlier
            && self.carries(&id, earlier, thread, &mark).await?
        {
            return Ok(Sought::Done(Receipt { unchanged: false, ..earlier.clone() }));
        }
        self.look_through(&id, thread, &mark).await
    }

    /// Whether a message that was to be updated carries the mark.
    async fn carries(
        &self,
        channel: &str,
        message: &Receipt,
        thread: Option<&Receipt>,
        mark: &str,
    ) -> Result<bool, Trouble> {
        let mut query = query_of(channel, thread);
        for bound in ["oldest", "latest"] {
            query.push((bound, message.id.clone()));
        }
        query.push(("inclusive", "true".to_owned()));
        let page = self.read(method_of(thread), &query).await?;
        let messages = page.get("messages").and_then(Value::as_array).into_iter().flatten();
        Ok(messages.filter(|found| text(found, "ts") == message.id).any(|found| has_mark(found, mark)))
    }

    async fn look_through(&self, channel: &str, thread: Option<&Receipt>, mark: &str) -> Result<Sought, Trouble> {
        let oldest = format!("{}.000000", ((self.now)() - BACK).timestamp());
        let mut cursor = String::new();
        for _ in 0..PAGES_MAX {
            let mut query = query_of(channel, thread);
            query.push(("oldest", oldest.clone()));
            query.push(("limit", PAGE.to_owned()));
            if !cursor.is_empty() {
                query.push(("cursor", cursor));
            }
            let page = self.read(method_of(thread), &query).await?;
            let mut messages = page.get("messages").and_then(Value::as_array).into_iter().flatten();
            if let Some(found) = messages.find(|message| has_mark(message, mark)) {
                let id = text(found, "ts").to_owned();
                let url = self.link(channel, &id);
                return Ok(Sought::Done(Receipt { place: channel.to_owned(), id, url, unchanged: false }));
            }
            cursor = next_cursor(&page);
            if cursor.is_empty() {
                return Ok(Sought::NotDone);
            }
        }
        Ok(Sought::Unknowable)
    }

    /// The id of a channel; none if nothing is found.
    async fn channel_id(&self, channel: &str) -> Result<Option<String>, Trouble> {
        if is_id(channel) {
            return Ok(Some(channel.to_owned()));
        }
        if let Some(id) = self.channels.lock().ok().and_then(|channels| channels.get(channel).cloned()) {
            return Ok(Some(id));
        }
        let mut cursor = String::new();
        for _ in 0..CHANNEL_PAGES_MAX {
            let query = [
                ("types", "public_channel,private_channel".to_owned()),
                ("exclude_archived", "true".to_owned()),
                ("limit", "1000".to_owned()),
                ("cursor", cursor),
            ];
            let page = self.read("conversations.list", &query).await?;
            let mut channels = page.get("channels").and_then(Value::as_array).into_iter().flatten();
            if let Some(found) = channels.find(|found| Some(text(found, "name")) == channel.strip_prefix('#')) {
                let id = text(found, "id").to_owned();
                self.remember(channel, &id);
                return Ok(Some(id));
            }
            cursor = next_cursor(&page);
            if cursor.is_empty() {
                break;
            }
        }
        Ok(None)
    }
}

fn method_of(thread: Option<&Receipt>) -> &'static str {
    if thread.is_some() { "conversations.replies" } else { "conversations.history" }
}

fn query_of(channel: &str, thread: Option<&Receipt>) -> Vec<(&'static str, String)> {
    let mut query = vec![("channel", channel.to_owned()), ("include_all_metadata", "true".to_owned())];
    query.extend(thread.map(|thread| ("ts", thread.id.clone())));
    query
}

fn has_mark(message: &Value, mark: &str) -> bool {
    let found = message.get("metadata").filter(|metadata| text(metadata, "event_type") == METADATA);
    found.and_then(|metadata| metadata.pointer("/event_payload/mark")).and_then(Value::as_str) == Some(mark)
}

fn next_cursor(page: &Value) -> String {
    page.pointer("/response_metadata/next_cursor").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
