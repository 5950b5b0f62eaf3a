//! What a bot may ask the runtime to do: a closed set, so that every action can be recorded, limited and undone.

use bus::ids::EventId;
use serde::{Deserialize, Serialize};

/// Names an action for ever: performing it twice under the same key does nothing the second time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IdempotencyKey {
    /// The event that the bot reacted to.
    pub event: EventId,
    /// The bot.
    pub bot: String,
    /// Number of the action among those for this event, from 0.
    pub index: u32,
}

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    /// A channel by its name.
    Channel(String),
    /// The channel of the team that owns a service.
    OwnerOf(String),
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Action {
    /// Posts a message, or updates the one of the same group.
    PostMessage {
        /// Where to.
        audience: Audience,
        /// Plain text.
        text: String,
        /// Messages of one group are one message, updated in place.
        group: Option<String>,
    },
    /// Comments on a change, or updates this bot's comment there.
    Comment {
        /// `host/owner/name`.
        repository: String,
        /// The change's number.
        number: u64,
        /// Markdown.
        text: String,
    },
    /// Asks for reviews of a change.
    RequestReviewers {
        /// `host/owner/name`.
        repository: String,
        /// The change's number.
        number: u64,
        /// Handles.
        reviewers: Vec<String>,
    },
    /// Brings a change's branch up to date with its base.
    UpdateBranch {
        /// `host/owner/name`.
        repository: String,
        /// The change's number.
        number: u64,
        /// The head it must still have.
        expected_head_sha: String,
    },
    /// Merges a change.
    Merge {
        /// `host/owner/name`.
        repository: String,
        /// The change's number.
        number: u64,
        /// The head it must still have.
        expected_head_sha: String,
    },
    /// Keeps a value of the bot's own state.
    SaveState {
        /// Under which key.
        key: String,
        /// None forgets it.
        value: Option<String>,
    },
}
