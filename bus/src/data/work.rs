//! What people and bots do around it: tickets, messages, actions.

use serde::{Deserialize, Serialize};

use super::Outcome;
use super::forge::Person;
use crate::ids::EventId;
use crate::mark::Mark;

/// An issue in a tracker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Ticket {
    /// Unique among all tools: `host/owner/name#12`.
    pub id: String,
    /// `host/owner/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// As written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Where to read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Who opened it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creator: Option<Person>,
    /// Who is to do it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assignees: Vec<Person>,
    /// Names of its labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The milestone it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milestone: Option<String>,
    /// In the tracker's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket_type: Option<String>,
    /// In the tracker's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// Who did what this event tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<Person>,
    /// What was done, in the sender's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Why it was closed, in the tracker's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
}

/// A message in chat, an answer to one, or a command given there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Message {
    /// The tool's id of the message; of the one that was answered, for an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where, by the tool's id of the channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// In which thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// Who wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<Person>,
    /// As written; for a command, what stands after its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Where to read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Which button was pressed, by the id that its message gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub button: Option<String>,
    /// What the button or the choice stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The command's name: `/deploys`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The action of a bot that posted it, by the mark it carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Mark>,
}

/// An action of a bot, as the runtime performed it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Action {
    /// Its idempotency key.
    pub id: String,
    /// Which bot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot: Option<String>,
    /// What was done: `post-message`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Where: a channel, a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Where to read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Minutes that a person would have needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toil_minutes: Option<u32>,
    /// It may have been done twice, because its tool cannot be asked whether it was.
    #[serde(skip_serializing_if = "super::is_false")]
    pub in_doubt: bool,
    /// The event that the bot reacted to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<EventId>,
    /// `host/owner/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}
