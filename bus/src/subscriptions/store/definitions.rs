//! Subscriptions themselves: what they were asked to be and how they stand.

use chrono::{DateTime, Utc};

use super::SubscriptionId;
use crate::ids::EventOffset;
use crate::subscriptions::secrets::Secrets;
use crate::subscriptions::{Spec, State, Transport};

mod sqlite;

/// A subscription as it is kept.
#[derive(Debug, Clone)]
pub(in crate::subscriptions) struct Stored {
    pub(in crate::subscriptions) id: SubscriptionId,
    pub(in crate::subscriptions) spec: Spec,
    pub(in crate::subscriptions) state: State,
    pub(in crate::subscriptions) because: Option<String>,
    pub(in crate::subscriptions) created_at: DateTime<Utc>,
    pub(in crate::subscriptions) position: Option<EventOffset>,
    pub(in crate::subscriptions) secrets: Secrets,
    pub(in crate::subscriptions) held: Held,
}

/// Until when an endpoint that fails is left alone; the default is one that answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::subscriptions) struct Held {
    /// None while it answers.
    pub(in crate::subscriptions) until: Option<DateTime<Utc>>,
    /// How long it was left alone the last time.
    pub(in crate::subscriptions) millis: i64,
}

/// How much stands in the tables for a subscription.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::subscriptions) struct Figures {
    pub(in crate::subscriptions) waiting: u64,
    pub(in crate::subscriptions) parked_keys: u64,
    pub(in crate::subscriptions) dead: u64,
}

const fn transport_name(transport: &Transport) -> &'static str {
    match transport {
        Transport::Sse => "sse",
        Transport::Websocket => "websocket",
        Transport::Pull { .. } => "pull",
        Transport::Webhook(_) => "webhook",
    }
}

impl State {
    const ALL: [Self; 3] = [Self::Active, Self::Paused, Self::Disabled];

    const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }
}
