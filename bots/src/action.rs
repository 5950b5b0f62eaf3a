//! What a bot may ask the runtime to do: a closed set, so that every action can be recorded, limited and told apart.
//!
//! An action is recorded before it is performed, under the [`Mark`](bus::mark::Mark) that names it for ever. How a tool performs it is
//! the business of its client in [`crate::clients`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::message::Message;

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    /// A channel, by its name (`#payments`) or by the chat tool's id.
    Channel(String),
    /// The channel of a team in the catalog; the bot's fallback channel if the team has none.
    Team(String),
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Action {
    /// Posts a message, or updates the one of the same group in place.
    PostMessage {
        /// Where to.
        audience: Audience,
        /// What.
        message: Message,
        /// Messages of one bot and group are one message: the first is posted, each later one replaces it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String>,
        /// The group whose message's thread this one is posted in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        in_thread_of: Option<String>,
    },
    /// Comments on a change, or replaces this bot's own comment of the same topic there.
    Comment {
        /// `host/owner/name`.
        repository: String,
        /// The change's number.
        number: u64,
        /// Markdown.
        text: String,
        /// A bot has one comment of each topic on a change.
        topic: String,
    },
    /// Asks for reviews of a change. Whoever was asked already is not asked again.
    RequestReviewers {
        /// `host/owner/name`.
        repository: String,
        /// The change's number.
        number: u64,
        /// Handles of people.
        reviewers: Vec<String>,
        /// Names of teams of the forge, without the organisation.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        teams: Vec<String>,
    },
    /// Puts labels on a change. One that is there already stays.
    AddLabels {
        /// `host/owner/name`.
        repository: String,
        /// The change's number.
        number: u64,
        /// Names of the labels.
        labels: Vec<String>,
    },
    /// Keeps a value of the bot's own state. Done in the same transaction that records the run, in every mode.
    SaveState {
        /// Under which key.
        key: String,
        /// None forgets it.
        value: Option<String>,
    },
    /// Hands the same event in again after a while: [`crate::lookups::Lookups::reminder`] then gives the note.
    Remind {
        /// After how long.
        #[serde(with = "seconds")]
        after: Duration,
        /// Why, for the bot itself.
        note: String,
    },
}

impl Action {
    /// The name in the audit, in events and in commands: `post-message`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PostMessage { .. } => "post-message",
            Self::Comment { .. } => "comment",
            Self::RequestReviewers { .. } => "request-reviewers",
            Self::AddLabels { .. } => "add-labels",
            Self::SaveState { .. } => "save-state",
            Self::Remind { .. } => "remind",
        }
    }

    /// Whether a tool performs it. The others are the runtime's own affair.
    #[must_use]
    pub const fn is_outward(&self) -> bool {
        match self {
            Self::PostMessage { .. }
            | Self::Comment { .. }
            | Self::RequestReviewers { .. }
            | Self::AddLabels { .. } => true,
            Self::SaveState { .. } | Self::Remind { .. } => false,
        }
    }

    /// `host/owner/name`, for an action on a change.
    #[must_use]
    pub fn repository(&self) -> Option<&str> {
        match self {
            Self::Comment { repository, .. }
            | Self::RequestReviewers { repository, .. }
            | Self::AddLabels { repository, .. } => Some(repository),
            Self::PostMessage { .. } | Self::SaveState { .. } | Self::Remind { .. } => None,
        }
    }
}

/// Durations as whole seconds.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(duration.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}
