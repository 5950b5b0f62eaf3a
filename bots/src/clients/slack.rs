//! Slack: posts messages and updates them in place, by the Web API with a bot's token or by incoming webhooks.
//!
//! Every message carries the action's mark in its metadata, so that one whose answer was lost can be found again. An
//! incoming webhook can neither be read back nor updated: an update there does nothing, and says so by `unchanged`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use bus::mark::Mark;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::http::Http;
use super::secrets::Veil;
use super::settings::{ClientError, SecretText, ToolSettings};
use super::{Client, Destination, Order, Problem, Receipt, Sought};
use crate::action::{Action, Audience};
use crate::lookups::{Question, Told};

mod api;
mod blocks;
mod find;
mod inert;
mod post;

pub use blocks::block_kit;

/// The name in the configuration.
pub(super) const NAME: &str = "slack";

/// Slack's own address of the Web API.
const API: &str = "https://slack.com/api";

/// "Posting messages: 1 per second per channel": <https://docs.slack.dev/apis/web-api/rate-limits>.
const PACE_MILLIS: u64 = 1000;

/// Type of the metadata that our messages carry.
const METADATA: &str = "devhose_action";

/// Slack, as a workspace is configured.
pub(super) struct Slack {
    http: Http,
    api: String,
    token: Option<SecretText>,
    webhooks: BTreeMap<String, SecretText>,
    workspace: Option<String>,
    /// Ids of channels by name, as far as they were heard of.
    channels: Mutex<HashMap<String, String>>,
    now: fn() -> DateTime<Utc>,
}

impl Slack {
    /// Slack by its settings.
    ///
    /// # Errors
    /// If there is neither a token nor a webhook, or an address is none.
    pub(super) fn new(settings: &ToolSettings) -> Result<Self, ClientError> {
        let token = settings.token.clone().filter(|token| !token.reveal().trim().is_empty());
        if token.is_none() && settings.webhooks.is_empty() {
            return Err(settings.wrong(
                "set `token` to the app's bot token (xoxb-…, scopes chat:write, channels:history and channels:read), or `webhooks` to \
                 incoming webhooks by channel",
            ));
        }
        if settings.app_id.is_some() || settings.private_key.is_some() || settings.installation.is_some() {
            return Err(settings.wrong("`app_id`, `private_key` and `installation` are for a forge: take them out"));
        }
        for (channel, url) in &settings.webhooks {
            if !url.reveal().starts_with("https://") && !url.reveal().starts_with("http://") {
                return Err(settings.wrong(format!("webhook of {channel}: not an address that begins with https://")));
            }
        }
        let trimmed = |url: &String| url.trim_end_matches('/').to_owned();
        let api = settings.url.as_ref().map_or_else(|| API.to_owned(), trimmed);
        let urls = settings.webhooks.values().map(SecretText::reveal).chain([api.as_str()]);
        Ok(Self {
            http: Http::new(urls, Veil::new(settings.secrets()))?,
            api,
            token,
            webhooks: settings.webhooks.iter().map(|(channel, url)| (channel_name(channel), url.clone())).collect(),
            workspace: settings.workspace.as_ref().map(trimmed),
            channels: Mutex::new(HashMap::new()),
            now: Utc::now,
        })
    }

    /// Where a person sees a message.
    fn link(&self, channel: &str, ts: &str) -> Option<String> {
        let workspace = self.workspace.as_ref()?;
        Some(format!("{workspace}/archives/{channel}/p{}", ts.replace('.', "")))
    }
}

impl Client for Slack {
    fn name(&self) -> &'static str {
        NAME
    }

    fn destination(&self, action: &Action) -> Option<Destination> {
        let channel = channel_of(action)?;
        Some(Destination { name: format!("{NAME}/{channel}"), pace_millis: PACE_MILLIS })
    }

    fn perform<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Result<Receipt, Problem>> {
        Box::pin(self.post(order))
    }

    fn find<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Result<Sought, Problem>> {
        Box::pin(self.seek(order))
    }

    fn answer<'a>(&'a self, _question: &'a Question) -> Option<BoxFuture<'a, Told>> {
        None
    }
}

/// The channel that a message goes to: `#payments`, or Slack's id.
fn channel_of(action: &Action) -> Option<String> {
    match action {
        Action::PostMessage { audience: Audience::Channel(name), .. } => Some(channel_name(name)),
        Action::PostMessage { audience: Audience::Team(_), .. }
        | Action::Comment { .. }
        | Action::RequestReviewers { .. }
        | Action::AddLabels { .. }
        | Action::SaveState { .. }
        | Action::Remind { .. } => None,
    }
}

/// A channel in one spelling: an id as it is, a name with its `#`.
fn channel_name(name: &str) -> String {
    let name = name.trim();
    if is_id(name) || name.starts_with('#') { name.to_owned() } else { format!("#{name}") }
}

/// Whether it is an id of a channel, a group or a conversation: `C012AB3CD`.
fn is_id(name: &str) -> bool {
    let known = name.starts_with(['C', 'G', 'D']);
    known && name.len() >= 9 && name.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

fn metadata(mark: &Mark) -> Value {
    json!({ "event_type": METADATA, "event_payload": { "mark": mark } })
}

#[cfg(test)]
mod tests;
