//! What a sender is to the rest of the program: a value that says how it signs, names and words its deliveries.
//!
//! Everything that senders share is done around them: limits, verification, storing, stamping ids, quarantine. A
//! sender reads no clock and no network; what it says of a delivery follows from the delivery's bytes alone.

use bus::data::Data;
use bus::delivery::Delivery;
use bus::event::Event;
use bus::ids::{DeliveryId, EventId, OrderKey};
use bus::kind::Kind;
use chrono::{DateTime, Utc};
use http::HeaderMap;

/// A sender of webhooks, as data and pure functions.
#[derive(Debug)]
pub struct Sender {
    /// Name in configuration, and the first part of the names of its sources: `github`.
    pub name: &'static str,
    /// Name on a page: `GitHub`.
    pub title: &'static str,
    /// Largest body it may send, in bytes.
    pub body_bytes_max: usize,
    /// How it proves who it is.
    pub scheme: Scheme,
    /// Headers that are stored with the delivery, names in lower case; an entry may end in `*`. Never one that carries a
    /// secret.
    pub headers: &'static [&'static str],
    /// The media types that it may send, in lower case without parameters; an entry may end in `*`. Others are answered with 415.
    pub media_types: &'static [&'static str],
    /// What it calls the delivery: the same on redelivery. None if the request does not say; the hash of the body then serves.
    pub delivery_id: fn(&HeaderMap, &[u8]) -> Option<DeliveryId>,
    /// What a delivery means. An event that nobody maps is not an error: it is [`Kind::Other`] with [`Data::AsReceived`].
    pub normalize: fn(&Delivery) -> Result<Vec<Draft>, Unreadable>,
    /// What the answer to a stored delivery says: [`receipt`] unless the tool wants something else.
    pub reply: fn(&HeaderMap, &[u8]) -> Reply,
    /// What `devhose send --as NAME:EVENT` must set: headers for that event and a fresh delivery id.
    pub headers_for: fn(event: &str, delivery_id: &str) -> Vec<(&'static str, String)>,
}

/// How a sender proves who it is. Secrets come from the configuration of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// HMAC-SHA256, in lower-case or upper-case hex after a prefix.
    HmacSha256Hex {
        /// Header, in lower case.
        header: &'static str,
        /// Text before the hex digits: `sha256=`.
        prefix: &'static str,
        /// What is signed.
        signed: Signed,
        /// True if the header may hold several, separated by commas, of which one must match: a sender that replaces its
        /// secret signs with both. Entries with another prefix are of versions that we do not know, and are passed over.
        several: bool,
    },
    /// `Authorization: Bearer SECRET`, or the password of `Authorization: Basic`, or `?access_token=SECRET`, as
    /// CloudEvents over HTTP wants it.
    Bearer,
    /// Nothing comes over HTTP: the program reads it itself.
    Local,
}

/// The bytes that a signature is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// The raw body.
    Body,
    /// The time of sending and the raw body, so that a recorded request is worth nothing later.
    TimeAndBody {
        /// Header that holds seconds since 1970, in lower case.
        header: &'static str,
        /// Text before the seconds: `v0:`.
        before: &'static str,
        /// Text between the seconds and the body: `:`.
        between: &'static str,
    },
}

/// What the answer to a delivery that was stored says. The status is 200 either way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Id, offset, and whether it was there already.
    Receipt,
    /// Nothing: the tool would show it to somebody.
    Empty,
    /// This text, which the sender asks for to see that the endpoint is meant for it. Such a delivery means nothing else.
    Challenge(String),
}

/// The usual [`Sender::reply`].
#[must_use]
pub fn receipt(_headers: &HeaderMap, _body: &[u8]) -> Reply {
    Reply::Receipt
}

/// Why a delivery cannot be interpreted: it is quarantined with these words. Never holds a person's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// An event before it has an identity.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// See [`Event::kind`].
    pub kind: Kind,
    /// See [`Event::source`].
    pub source: String,
    /// See [`Event::subject`].
    pub subject: String,
    /// See [`Event::time`].
    pub time: DateTime<Utc>,
    /// See [`Event::key`].
    pub key: OrderKey,
    /// See [`Event::data`].
    pub data: Data,
    /// Set if the event has an identity of its own that may also come alone, in another delivery: the delivery id it
    /// would have then. Used by batches.
    pub alone: Option<DeliveryId>,
}

/// Gives the events of a delivery their identities.
#[must_use]
pub fn stamp(delivery: &Delivery, drafts: Vec<Draft>) -> Vec<Event> {
    let source = &delivery.content.source;
    (0..)
        .zip(drafts)
        .map(|(index, draft)| {
            let id = match &draft.alone {
                Some(alone) => EventId::derive(source, alone, 0),
                None => EventId::derive(source, &delivery.content.delivery_id, index),
            };
            let Draft { kind, source, subject, time, key, data, alone: _ } = draft;
            Event { id, kind, source, subject, time, key, data }
        })
        .collect()
}
