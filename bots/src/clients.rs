//! The tools that perform actions and answer questions, a plain list; the only place that knows vendors.
//!
//! A client is thin: it turns an action into requests and an answer into one of a few outcomes. Order, retries,
//! pace, records and idempotency are the runtime's.

pub mod code_owners;
mod github;
mod http;
mod kubernetes;
pub mod secrets;
pub mod settings;
pub mod slack;
#[cfg(test)]
mod stub;

use std::sync::Arc;
use std::time::Duration;

use bus::mark::Mark;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::lookups::{Question, Told};

use settings::{ClientError, ClusterSettings, ToolSettings};

/// A tool.
pub trait Client: Send + Sync {
    /// Name in configuration and in figures.
    fn name(&self) -> &'static str;

    /// Where an action would have its effect; none if this client does not perform it.
    fn destination(&self, action: &Action) -> Option<Destination>;

    /// Performs an action. Called again after a failure; never for the same action at the same time.
    fn perform<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Result<Receipt, Problem>>;

    /// Whether an earlier attempt, whose outcome is unknown, has had its effect.
    fn find<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Result<Sought, Problem>>;

    /// The answer to a question; none if this client does not answer it.
    fn answer<'a>(&'a self, question: &'a Question) -> Option<BoxFuture<'a, Told>>;
}

/// Where an action has its effect. Actions to one destination keep their order and share one pace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Destination {
    /// Name: a channel, a repository.
    pub name: String,
    /// At least this long between two actions there, in milliseconds.
    pub pace_millis: u64,
}

/// An action to be performed.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Its name for ever; the client leaves it where the tool lets it.
    pub mark: Mark,
    /// What.
    pub action: Action,
    /// What the group's message, or the topic's comment, became when it was last performed: to be updated.
    pub earlier: Option<Receipt>,
    /// What the message became in whose thread this one is to be posted.
    pub thread: Option<Receipt>,
}

/// What a performed action became.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Receipt {
    /// Where it is, by the tool's id: a channel.
    pub place: String,
    /// What it is there, by the tool's id: a message, a comment.
    pub id: String,
    /// Where a person can see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// It was so already: nothing was done.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unchanged: bool,
}

/// What a search for an earlier effect found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sought {
    /// It was done.
    Done(Receipt),
    /// It was not done.
    NotDone,
    /// This tool cannot tell.
    Unknowable,
}

/// Why an action was not performed, or perhaps was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// It was not done, and may be tried again.
    Later {
        /// The tool asks to wait so long.
        after: Option<Duration>,
        /// In words; never holds a secret.
        reason: String,
    },
    /// It was not done, and never will be.
    Never {
        /// In words; never holds a secret.
        reason: String,
    },
    /// It may have been done: the answer did not come.
    InDoubt {
        /// In words; never holds a secret.
        reason: String,
    },
}

/// The clients of the tools and clusters that are configured. Nothing is asked of them yet.
///
/// # Errors
/// If a setting is missing or wrong; the error says what to do.
pub fn connect(tools: &[ToolSettings], clusters: &[ClusterSettings]) -> Result<Vec<Arc<dyn Client>>, ClientError> {
    let mut clients: Vec<Arc<dyn Client>> = Vec::new();
    for tool in tools {
        match tool.name.as_str() {
            github::NAME => clients.push(Arc::new(github::GitHub::new(tool)?)),
            slack::NAME => clients.push(Arc::new(slack::Slack::new(tool)?)),
            other => return Err(ClientError::UnknownTool(other.to_owned())),
        }
    }
    if !clusters.is_empty() {
        clients.push(Arc::new(kubernetes::Kubernetes::new(clusters)?));
    }
    Ok(clients)
}
