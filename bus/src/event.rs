//! An event: one thing that happened, normalized.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::data::Data;
use crate::ids::{DeliveryOffset, EventId, EventOffset, OrderKey, SourceName};
use crate::kind::Kind;

/// One thing that happened, as normalization says it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Deterministic identity.
    pub id: EventId,
    /// What kind of thing happened.
    pub kind: Kind,
    /// Where it happened, as a URI reference: the CloudEvents attribute `source`.
    pub source: String,
    /// The entity it happened to: the CloudEvents attribute `subject`, never empty.
    pub subject: String,
    /// When it happened, by the sender's own clock.
    pub time: DateTime<Utc>,
    /// The entity whose order matters.
    pub key: OrderKey,
    /// Typed particulars.
    pub data: Data,
}

/// The delivery that an event was read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Configured endpoint.
    pub source: SourceName,
    /// Position of the delivery.
    pub delivery: DeliveryOffset,
    /// Number of the event within the delivery, from 0.
    pub index: u32,
}

/// An event as it stands in the stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Position in the stream.
    pub offset: EventOffset,
    /// When it was recorded: for a delivery that lay for a while, later than [`Event::time`].
    pub recorded_at: DateTime<Utc>,
    /// 0 for the first reading; higher for a corrected reading of the same delivery, which replaces the earlier.
    pub revision: u32,
    /// Which delivery it was read from.
    pub origin: Origin,
    /// The event.
    pub event: Event,
}
