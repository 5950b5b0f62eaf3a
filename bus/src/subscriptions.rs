//! Subscriptions: who hears which events, by which way, from where on, in which order, and what is done when it fails.
//!
//! One model for every transport and one read path: the log. Server-sent events and `WebSockets` keep no position here,
//! because their clients name the event that they have seen last; pull and signed webhooks keep one, with what is still
//! to be delivered as offsets, never as payloads.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::event::Recorded;
use crate::ids::EventOffset;
use crate::streams::StreamError;

pub use filter::{Filter, FilterError};
pub use handle::{Clock, Subscriptions};
pub use records::{
    ATTEMPTS_KEPT_MAX, Attempt, AttemptId, DEAD_LETTERS_MAX, DeadLetter, DeadLetterId, LiveSecret, REPLAY_EVENTS_MAX,
    ReplayPlan, Verdict, Which,
};
pub use store::{TABLES, prepare};

mod events;
mod filter;
mod handle;
mod manage;
mod outcome;
mod partitions;
mod pull;
mod records;
mod replay;
mod secrets;
mod store;
mod webhooks;

/// The lease that whoever delivers webhooks holds.
const LEASE: &str = "subscriptions";

/// The name of a subscription: part of addresses and of log lines.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Longest name of a subscription, in bytes.
pub const NAME_BYTES_MAX: usize = 80;

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = SubscriptionError;

    fn from_str(text: &str) -> Result<Self, SubscriptionError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_');
        if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.bytes().all(plain) {
            let shown: String = text.chars().take(NAME_BYTES_MAX).collect();
            return Err(SubscriptionError::Invalid(format!(
                "name {shown:?}: 1 to {NAME_BYTES_MAX} lower-case letters, digits and . _ - are needed"
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Name {
    type Error = SubscriptionError;

    fn try_from(text: String) -> Result<Self, SubscriptionError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why something could not be done with a subscription.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    /// What was asked for is not possible, in words for whoever asked.
    #[error("{0}")]
    Invalid(String),
    /// There is no subscription of that name.
    #[error("there is no subscription {0}")]
    Unknown(Name),
    /// There is one of that name already.
    #[error("there is a subscription {0} already")]
    Exists(Name),
    /// It was asked something that its transport or state does not allow, in words.
    #[error("{0}")]
    Conflict(String),
    /// What was leased is not ours any more: another consumer has it, or its time ran out.
    #[error("the lease has ended: what was not acknowledged is delivered again")]
    Fenced,
    /// The log could not be read.
    #[error("the log cannot be read")]
    Streams(#[from] StreamError),
    /// The tables of subscriptions could not be used.
    #[error("the tables of subscriptions cannot be used: {0}")]
    Store(String),
}

/// What a subscription is asked to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name.
    pub name: Name,
    /// Which events.
    #[serde(default)]
    pub filter: Filter,
    /// By which way.
    pub transport: Transport,
    /// From where on.
    #[serde(default)]
    pub start: Start,
    /// In which order.
    #[serde(default)]
    pub ordering: Ordering,
    /// What is done when a delivery fails.
    #[serde(default)]
    pub retry: RetryPolicy,
}

/// By which way events reach a subscriber.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Transport {
    /// Server-sent events: `GET /api/v1/events/stream?subscription=NAME`. The client keeps its position.
    Sse,
    /// A WebSocket with the subprotocol `cloudevents.json`. The client keeps its position.
    Websocket,
    /// Consumers of a group ask for events and acknowledge them.
    Pull {
        /// How long a consumer may keep a partition without a word, in seconds.
        #[serde(default = "lease_seconds")]
        lease_seconds: u32,
    },
    /// Signed webhooks (Standard Webhooks 1.0.0) to an endpoint.
    Webhook(Webhook),
}

const fn lease_seconds() -> u32 {
    60
}

/// Where signed webhooks go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// `https://…`; other schemes, ports and private addresses only where the operator allows them.
    pub url: String,
    /// Which signatures an attempt carries.
    #[serde(default)]
    pub signatures: Signatures,
    /// Requests in flight at once, at most.
    #[serde(default = "concurrency")]
    pub concurrency: u16,
}

const fn concurrency() -> u16 {
    8
}

/// Which signatures an attempt carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signatures {
    /// `v1`: HMAC-SHA-256 with a shared secret.
    #[default]
    V1,
    /// `v1a`: Ed25519, whose public key anybody may know.
    V1a,
    /// Both.
    Both,
}

/// From where on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// The oldest event there is.
    Earliest,
    /// What comes after now.
    #[default]
    Latest,
    /// What comes after that offset.
    After(EventOffset),
    /// What was recorded at or after that time.
    Since(DateTime<Utc>),
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ordering {
    /// Events of one order key one after the other; keys beside each other. A key whose delivery fails waits, others
    /// go on.
    #[default]
    PerKey,
    /// As fast as they go.
    None,
}

/// What is done when a delivery fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicy {
    /// Seconds before each attempt after the first, before jitter. After the last the event goes to the dead letters and
    /// its key goes on.
    pub delays_seconds: Vec<u32>,
}

impl Default for RetryPolicy {
    /// The schedule of Standard Webhooks 1.0.0: at once, then 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h later.
    fn default() -> Self {
        const MINUTE: u32 = 60;
        const HOUR: u32 = 60 * MINUTE;
        let delays_seconds =
            vec![5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
        Self { delays_seconds }
    }
}

/// How a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Events are delivered.
    Active,
    /// Somebody paused it.
    Paused,
    /// Its endpoint said that it is gone (410).
    Disabled,
}

/// A subscription with its figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Subscription {
    /// What it was asked to be.
    #[serde(flatten)]
    pub spec: Spec,
    /// How it stands.
    pub state: State,
    /// Why, where that is not plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Every event up to here is delivered, or stands among `waiting` or `dead`. None where the client keeps it.
    pub position: Option<EventOffset>,
    /// Events after `position`, matching or not.
    pub behind: u64,
    /// Events that are to be delivered or tried again.
    pub waiting: u64,
    /// Order keys that wait behind a failed delivery.
    pub parked_keys: u64,
    /// Dead letters.
    pub dead: u64,
    /// Whether deliveries are held back because the endpoint fails, and until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_open_until: Option<DateTime<Utc>>,
    /// Public key for `v1a` (`whpk_…`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
}

/// What changes about a subscription; what is none stays.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Change {
    /// Which events, from its position on.
    pub filter: Option<Filter>,
    /// Where webhooks go.
    pub url: Option<String>,
    /// Requests in flight at once.
    pub concurrency: Option<u16>,
    /// What is done when a delivery fails.
    pub retry: Option<RetryPolicy>,
}

/// What a filter would have let through.
#[derive(Debug, Clone, PartialEq)]
pub struct DryRun {
    /// The newest so many events were looked at.
    pub looked_at: u64,
    /// So many match.
    pub matched: u64,
    /// The newest of these, at most 20.
    pub sample: Vec<Recorded>,
}

/// Fences a consumer: what it holds is its own only as long as nobody holds a later one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub String);

/// What a consumer was handed.
#[derive(Debug, Clone, PartialEq)]
pub struct Pulled {
    /// To be given with the acknowledgement.
    pub token: Token,
    /// When what is not acknowledged is handed out again. Acknowledging a part of it leases the rest for as long again.
    pub leased_until: DateTime<Utc>,
    /// Events, those of one key in order and one at a time.
    pub events: Vec<Recorded>,
}

/// One request to an endpoint, ready to be sent.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Which subscription.
    pub subscription: Name,
    /// Where to.
    pub url: String,
    /// `webhook-id`: the same over all attempts.
    pub id: String,
    /// The body: a CloudEvent as structured JSON.
    pub body: Vec<u8>,
    /// What it is signed with, newest first.
    pub keys: Vec<SigningKey>,
    /// When the attempt is made.
    pub at: DateTime<Utc>,
}

/// A key that signs webhooks.
#[derive(Clone, PartialEq, Eq)]
pub enum SigningKey {
    /// For `v1`: 24 to 64 bytes, shown as `whsec_…`.
    Symmetric(Vec<u8>),
    /// For `v1a`: the 32 bytes of an Ed25519 seed, shown as `whsk_…`; the public key as `whpk_…`.
    Asymmetric([u8; 32]),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Symmetric(_) => "Symmetric",
            Self::Asymmetric(_) => "Asymmetric",
        })
    }
}

/// What became of one attempt, as the delivery log shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempted {
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The request's headers as sent; its body is the event.
    pub request_headers: Vec<(String, String)>,
    /// The answer, if there was one.
    pub response: Option<ResponseSeen>,
    /// Why there was none, in words.
    pub error: Option<String>,
    /// How long each part took.
    pub timings: Timings,
}

/// An endpoint's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseSeen {
    /// Status code.
    pub status: u16,
    /// Headers, at most 16 kB of them.
    pub headers: Vec<(String, String)>,
    /// The first 4 KB of the body, as text.
    pub body: String,
    /// Whether there was more.
    pub truncated: bool,
}

/// How long each part of an attempt took, in milliseconds; none for a part that was not reached or not needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// Resolving the name.
    pub resolve: Option<u32>,
    /// Connecting, with TLS.
    pub connect: Option<u32>,
    /// From the request to the first byte of the answer.
    pub wait: Option<u32>,
    /// Reading the answer.
    pub read: Option<u32>,
    /// All of it.
    pub total: u32,
}

/// Sends webhooks. It makes one attempt and never retries; whoever calls it decides what the outcome means.
pub trait Deliver: Send + Sync {
    /// Makes one attempt.
    fn deliver(&self, request: Outgoing) -> BoxFuture<'_, Attempted>;

    /// Whether an endpoint may be used at all, before it is stored: its scheme, port and literal address.
    ///
    /// # Errors
    /// Why not, in words for whoever asked.
    fn check(&self, url: &str) -> Result<(), String>;
}

/// Longest wait that a consumer may ask for when there is nothing to pull.
pub const PULL_WAIT_MAX: Duration = Duration::from_secs(30);

/// Events handed to a consumer at once, at most.
pub const PULL_EVENTS_MAX: usize = 1_000;

/// A dry run looks at so many events at most: about a second's work.
pub const DRY_RUN_EVENTS_MAX: usize = 100_000;

/// Sends webhooks for a running program.
pub type Connector = Arc<dyn Deliver>;
