//! Deliveries as messages: `CloudEvents` in the binary mode of the Kafka binding, and back.
//!
//! The value is the exact body, the key the name of the source. A body that is too large for a message travels by
//! reference: `ce_dataref` names its hash, and the message has no value.
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md>

use chrono::{DateTime, Utc};
use rdkafka::message::{Header, OwnedHeaders};

use crate::cloudevents::{SPECVERSION, timestamp};
use crate::delivery::{NewDelivery, Verification};
use crate::streams::StreamError;

/// The type of the messages. A change that an older reader cannot read makes it `v2`.
const TYPE: &str = "dev.devhose.delivery.received.v1";

const REFERENCE: &str = "blake3:";

/// What a message takes beside key, value and headers: see `rd_kafka_msg_max_wire_size`.
const MESSAGE_BYTES: usize = 128;

/// What the names and lengths of the headers take.
const HEADER_BYTES: usize = 32;

/// A delivery, ready to be sent.
#[derive(Debug)]
pub(super) struct Parcel {
    /// What is sent.
    pub(super) delivery: NewDelivery,
    headers: String,
    /// BLAKE3 of the body.
    pub(super) body_hash: blake3::Hash,
}

impl Parcel {
    /// Hashes the body.
    pub(super) fn new(delivery: NewDelivery) -> Result<Self, StreamError> {
        let path = || format!("the headers of {}", delivery.delivery_id);
        let headers = serde_json::to_string(&delivery.headers)
            .map_err(|error| StreamError::File { path: path(), source: error.into() })?;
        Ok(Self { body_hash: blake3::hash(&delivery.body), headers, delivery })
    }

    /// The key of its message.
    pub(super) fn key(&self) -> &str {
        self.delivery.source.as_str()
    }

    /// What it takes on the wire without its body.
    pub(super) fn envelope_bytes(&self) -> usize {
        let headers = self.pairs(true);
        let bytes: usize = headers.iter().map(|(name, value)| HEADER_BYTES + name.len() + value.len()).sum();
        MESSAGE_BYTES + self.key().len() + bytes
    }

    /// What it takes on the wire.
    pub(super) fn bytes(&self) -> usize {
        self.envelope_bytes() + self.delivery.body.len()
    }

    /// The headers of its message.
    pub(super) fn headers(&self, by_reference: bool) -> OwnedHeaders {
        let pairs = self.pairs(by_reference);
        let headers = OwnedHeaders::new_with_capacity(pairs.len());
        pairs.iter().fold(headers, |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
    }

    fn pairs(&self, by_reference: bool) -> Vec<(&'static str, String)> {
        let hash = self.body_hash.to_hex().to_string();
        let mut pairs = vec![
            ("ce_specversion", SPECVERSION.to_owned()),
            ("ce_id", self.delivery.delivery_id.as_str().to_owned()),
            ("ce_source", self.delivery.source.as_str().to_owned()),
            ("ce_type", TYPE.to_owned()),
            ("ce_time", timestamp(self.delivery.received_at)),
            ("devhose_headers", self.headers.clone()),
            ("devhose_verification", self.delivery.verification.name().to_owned()),
        ];
        if let Some(content_type) = &self.delivery.content_type {
            pairs.push(("content-type", content_type.clone()));
        }
        if by_reference {
            pairs.push(("ce_dataref", format!("{REFERENCE}{hash}")));
        }
        pairs.push(("devhose_bodyhash", hash));
        pairs
    }
}

/// The headers of a message as it was read, by name and in order: names are text, values may be anything.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(pub(super) Vec<(String, Option<Vec<u8>>)>);

/// What the headers of a message say: a delivery without its body.
#[derive(Debug)]
pub(super) struct Envelope {
    delivery: NewDelivery,
    /// BLAKE3 of the body as it was sent.
    pub(super) told: blake3::Hash,
    /// True if the body is kept under that hash, and not in the message.
    pub(super) by_reference: bool,
}

/// Why a message is no delivery of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Poison {
    /// The client library cannot read the names of its headers.
    #[error("the names of its headers are no text")]
    Names,
    /// A header that every delivery has is missing.
    #[error("header {0} is missing")]
    Missing(&'static str),
    /// A header cannot be read.
    #[error("header {name}: {why}")]
    Header {
        /// Which.
        name: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// It is of another version, or somebody else's.
    #[error("it is a {0:?}, and {TYPE} is what this version reads")]
    Type(String),
    /// The body is not the one that was sent.
    #[error("the body is not the one that was sent: its BLAKE3 hash is {found}, the header says {told}")]
    Body {
        /// Of the value.
        found: String,
        /// By the header.
        told: String,
    },
    /// It has neither a body nor a reference to one.
    #[error("it has neither a value nor a ce_dataref")]
    NoBody,
    /// The body it refers to is not there.
    #[error("the body it refers to, {REFERENCE}{0}, is not in the database")]
    NoReference(String),
}

impl Fields {
    /// Reads what is there.
    pub(super) fn read(&self) -> Result<Envelope, Poison> {
        let specversion = self.text("ce_specversion")?;
        if specversion != SPECVERSION {
            let why = format!("{specversion:?} is not the version {SPECVERSION} that is read");
            return Err(Poison::Header { name: "ce_specversion", why });
        }
        let event_type = self.text("ce_type")?;
        if event_type != TYPE {
            return Err(Poison::Type(event_type.to_owned()));
        }
        let delivery = NewDelivery {
            source: self.parsed("ce_source", str::parse)?,
            delivery_id: self.parsed("ce_id", str::parse)?,
            received_at: self.parsed("ce_time", time)?,
            headers: self.parsed("devhose_headers", |text| serde_json::from_str(text))?,
            content_type: self.optional("content-type")?.map(str::to_owned),
            body: Vec::new(),
            verification: self.parsed("devhose_verification", |text| {
                Verification::parse(text).ok_or_else(|| format!("{text:?} is none"))
            })?,
        };
        let told = self.parsed("devhose_bodyhash", |text| blake3::Hash::from_hex(text))?;
        let reference = self.optional("ce_dataref")?;
        if let Some(reference) = reference {
            let hash = reference.strip_prefix(REFERENCE).and_then(|hex| blake3::Hash::from_hex(hex).ok());
            if hash != Some(told) {
                let why = format!("{REFERENCE} and the hash of the body is needed");
                return Err(Poison::Header { name: "ce_dataref", why });
            }
        }
        Ok(Envelope { delivery, told, by_reference: reference.is_some() })
    }

    /// The headers again, as they came.
    pub(super) fn headers(&self) -> OwnedHeaders {
        let headers = OwnedHeaders::new_with_capacity(self.0.len());
        self.0.iter().fold(headers, |headers, (key, value)| headers.insert(Header { key, value: value.as_ref() }))
    }

    fn optional(&self, name: &'static str) -> Result<Option<&str>, Poison> {
        let Some((_, value)) = self.0.iter().find(|(found, _)| found == name) else { return Ok(None) };
        let Some(value) = value else { return Ok(None) };
        let text = std::str::from_utf8(value).map_err(|error| Poison::Header { name, why: error.to_string() })?;
        Ok(Some(text))
    }

    fn text(&self, name: &'static str) -> Result<&str, Poison> {
        self.optional(name)?.ok_or(Poison::Missing(name))
    }

    fn parsed<T, E: ToString>(&self, name: &'static str, read: impl Fn(&str) -> Result<T, E>) -> Result<T, Poison> {
        read(self.text(name)?).map_err(|why| Poison::Header { name, why: why.to_string() })
    }
}

impl Envelope {
    /// Whether that is the body that was sent.
    pub(super) fn check(&self, body: &[u8]) -> Result<(), Poison> {
        let found = blake3::hash(body);
        if found == self.told {
            return Ok(());
        }
        Err(Poison::Body { found: found.to_hex().to_string(), told: self.told.to_hex().to_string() })
    }

    /// The delivery with its body.
    pub(super) fn fill(self, body: Vec<u8>) -> NewDelivery {
        NewDelivery { body, ..self.delivery }
    }
}

fn time(text: &str) -> Result<DateTime<Utc>, chrono::ParseError> {
    DateTime::parse_from_rfc3339(text).map(|time| time.to_utc())
}

#[cfg(test)]
mod tests;
