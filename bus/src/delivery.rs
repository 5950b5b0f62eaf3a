//! A delivery: one request of a sender, exactly as received. This is the truth that everything else is computed from.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{DeliveryId, DeliveryOffset, SourceName};

/// How it was established that the sender is who it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verification {
    /// A signature over the raw bytes matched.
    Signature,
    /// A shared token matched.
    Token,
    /// The source is configured to need none.
    None,
    /// Read by this program itself, such as a git history or a cluster watch.
    Local,
}

impl Verification {
    /// The stored name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Token => "token",
            Self::None => "none",
            Self::Local => "local",
        }
    }

    /// The verification of that stored name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Signature, Self::Token, Self::None, Self::Local].into_iter().find(|v| v.name() == name)
    }
}

/// A verified request that is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// The configured endpoint it came through.
    pub source: SourceName,
    /// What the sender calls it; the same on redelivery.
    pub delivery_id: DeliveryId,
    /// When the last byte arrived.
    pub received_at: DateTime<Utc>,
    /// Allow-listed headers in order of arrival, names in lower case; never an authorization or signature header.
    pub headers: Vec<(String, String)>,
    /// The `content-type` as sent.
    pub content_type: Option<String>,
    /// The exact body.
    pub body: Vec<u8>,
    /// How it was verified.
    pub verification: Verification,
}

/// A stored delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Where it stands in the stream.
    pub offset: DeliveryOffset,
    /// What was stored.
    pub content: NewDelivery,
    /// BLAKE3 of the body.
    pub body_hash: [u8; 32],
    /// BLAKE3 over the previous record's hash and this record: the chain that shows any later change.
    pub chain_hash: [u8; 32],
}

impl Delivery {
    /// The first value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.content.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// What became of a delivery that was handed in. It is durable when this exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Where it, or the first one of the same id, stands. None if that is not known yet: on Kafka a delivery is durable
    /// before it has its place in the log, and duplicates are found when it gets it.
    pub offset: Option<DeliveryOffset>,
    /// True if one of the same source and id is known to have been there already; nothing was stored then.
    pub duplicate: bool,
    /// True if the one already there has another body: the first is kept.
    pub conflict: bool,
}
