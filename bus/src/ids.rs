//! Identifiers, each a type of its own, so that none can be taken for another.
//!
//! The database, the URL and the JSON share these types.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest name of a source, in bytes: it is part of a URL and of every row.
pub const SOURCE_NAME_BYTES_MAX: usize = 120;

/// Longest delivery id, in bytes: senders use UUIDs; anything longer than this is not an identifier.
pub const DELIVERY_ID_BYTES_MAX: usize = 512;

/// Why a text is not the identifier it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?} is not valid: {why}")]
pub struct InvalidId {
    what: &'static str,
    text: String,
    why: &'static str,
}

/// A configured endpoint of a sender, such as `github/acme`; also the path below `/hooks/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourceName(String);

impl SourceName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SourceName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = |why| InvalidId { what: "source name", text: text.chars().take(80).collect(), why };
        if text.is_empty() || text.len() > SOURCE_NAME_BYTES_MAX {
            return Err(invalid("1 to 120 characters are needed"));
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/')) {
            return Err(invalid("only letters, digits and . _ - / are allowed"));
        }
        if text.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
            return Err(invalid("every part between slashes needs a name"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// What identifies a delivery within its source; the same on redelivery.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeliveryId(String);

impl DeliveryId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeliveryId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = |why| InvalidId { what: "delivery id", text: text.chars().take(80).collect(), why };
        if text.is_empty() || text.len() > DELIVERY_ID_BYTES_MAX {
            return Err(invalid("1 to 512 bytes are needed"));
        }
        if text.chars().any(char::is_control) {
            return Err(invalid("control characters are not allowed"));
        }
        Ok(Self(text.to_owned()))
    }
}

macro_rules! text_id_traits {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}
text_id_traits!(SourceName);
text_id_traits!(DeliveryId);

macro_rules! offset {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl $name {
            /// Before the first record.
            pub const START: Self = Self(0);
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}
offset!(
    /// Position in the deliveries stream: 1, 2, 3 … without gaps, in order of commit.
    DeliveryOffset
);
offset!(
    /// Position in the events stream: 1, 2, 3 … without gaps, in order of commit.
    EventOffset
);

/// Namespace of every [`EventId`]. It never changes: ids made years ago must be made again today.
const EVENT_NAMESPACE: Uuid = Uuid::from_u128(0x6465_7668_6f73_6500_9000_6576_656e_7473);

/// What identifies an event: a version-5 UUID over source, delivery id and index, the same however often it is normalized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(Uuid);

impl EventId {
    /// The id of event number `index` (from 0) of a delivery.
    #[must_use]
    pub fn derive(source: &SourceName, delivery: &DeliveryId, index: u32) -> Self {
        // A zero byte can stand in none of the parts, so two different triples never give the same text.
        let name = format!("{source}\0{delivery}\0{index}");
        Self(Uuid::new_v5(&EVENT_NAMESPACE, name.as_bytes()))
    }

    /// The id as 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id that these 16 bytes are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for EventId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Uuid::parse_str(text).map(Self).map_err(|_| InvalidId {
            what: "event id",
            text: text.chars().take(80).collect(),
            why: "a UUID is needed",
        })
    }
}

/// The entity whose order matters: events of one key keep their order everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderKey(pub String);

impl fmt::Display for OrderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A reader of a stream, with a checkpoint of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReaderName(pub &'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_name_is_a_clean_path() {
        for good in ["github", "github/acme", "git/my-repo.v2", "a/b/c"] {
            assert_eq!(good.parse::<SourceName>().unwrap().as_str(), good);
        }
        for bad in ["", "/github", "github/", "a//b", "a/../b", "a b", "a?b", "a\0b", &"x".repeat(121)] {
            assert!(bad.parse::<SourceName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_event_id_is_the_same_every_time() {
        let source: SourceName = "github/acme".parse().unwrap();
        let delivery: DeliveryId = "72d3162e-cc78-11e3-81ab-4c9367dc0958".parse().unwrap();
        let id = EventId::derive(&source, &delivery, 0);
        insta::assert_snapshot!(id, @"d5c9dd48-306d-5a84-aba5-f61bdba4312f");
        assert_ne!(id, EventId::derive(&source, &delivery, 1));
        assert_eq!(id.to_string().parse::<EventId>().unwrap(), id);
    }
}
