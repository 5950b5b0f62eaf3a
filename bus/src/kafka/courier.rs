//! Brings deliveries to their topic, and what cannot be read to the dead letters.

use rdkafka::message::{Header, OwnedHeaders};

use super::postgres::Tables;
use super::produce::{Producer, Record, Report, Unsent};
use super::topics::Topics;
use super::wire::Parcel;
use crate::streams::StreamError;

/// Sends deliveries. Clones share one producer.
#[derive(Debug, Clone)]
pub(super) struct Courier {
    pub(super) producer: Producer,
    pub(super) topics: Topics,
    pub(super) tables: Tables,
    pub(super) message_bytes_max: usize,
}

/// Why a delivery is not known to be with the brokers.
#[derive(Debug, thiserror::Error)]
pub(super) enum ShipError {
    /// The brokers have not confirmed it.
    #[error(transparent)]
    Unsent(#[from] Unsent),
    /// Its body is too large for a message, and could not be kept elsewhere.
    #[error("a large body could not be kept in the database")]
    Body(#[source] StreamError),
}

/// A record that cannot be read, as it came.
#[derive(Debug)]
pub(super) struct DeadLetter {
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    /// Those it came with.
    pub(super) headers: Option<OwnedHeaders>,
    /// Where it stands: topic, partition, offset.
    pub(super) place: (String, i32, i64),
    pub(super) error: String,
}

impl Courier {
    /// What a delivery must not have more of than fits: its body can travel by reference, its headers cannot.
    pub(super) fn takes(&self, parcel: &Parcel) -> bool {
        parcel.envelope_bytes() <= self.message_bytes_max
    }

    /// Queues a delivery; a body that is too large for a message is kept in the database first.
    pub(super) async fn send(&self, parcel: &Parcel) -> Result<Report, ShipError> {
        self.send_as(parcel, parcel.bytes() > self.message_bytes_max).await
    }

    /// Waits until the brokers have it.
    pub(super) async fn settle(&self, parcel: &Parcel, report: Report) -> Result<(), ShipError> {
        match self.producer.settle(report).await {
            // The topic takes less than was configured.
            Err(Unsent::TooLarge) => {
                let report = self.send_as(parcel, true).await?;
                Ok(self.producer.settle(report).await?)
            }
            settled => Ok(settled?),
        }
    }

    async fn send_as(&self, parcel: &Parcel, by_reference: bool) -> Result<Report, ShipError> {
        if by_reference {
            let body = parcel.delivery.body.clone();
            self.tables.save_body(parcel.body_hash, body).await.map_err(ShipError::Body)?;
        }
        let record = Record {
            topic: &self.topics.deliveries,
            partition: None,
            key: Some(parcel.key().as_bytes()),
            value: (!by_reference).then_some(parcel.delivery.body.as_slice()),
            headers: parcel.headers(by_reference),
        };
        Ok(self.producer.send(record)?)
    }

    /// Puts a record aside, where somebody can look at it. It is with the brokers when this returns.
    pub(super) async fn bury(&self, letter: &DeadLetter) -> Result<(), ShipError> {
        let (topic, partition, offset) = &letter.place;
        tracing::error!(
            kafka.topic = topic,
            kafka.partition = partition,
            kafka.offset = offset,
            "a record is no delivery and is put with the dead letters: {}",
            letter.error
        );
        let buried = match self.bury_as(letter, None) {
            Ok(report) => self.producer.settle(report).await,
            Err(error) => Err(error),
        };
        match buried {
            Err(Unsent::TooLarge) => {
                let value = letter.value.clone().unwrap_or_default();
                let hash = blake3::hash(&value);
                self.tables.save_body(hash, value).await.map_err(ShipError::Body)?;
                let report = self.bury_as(letter, Some(hash))?;
                Ok(self.producer.settle(report).await?)
            }
            buried => Ok(buried?),
        }
    }

    fn bury_as(&self, letter: &DeadLetter, reference: Option<blake3::Hash>) -> Result<Report, Unsent> {
        let (topic, partition, offset) = &letter.place;
        let (partition, offset) = (partition.to_string(), offset.to_string());
        let mut headers = letter.headers.clone().unwrap_or_default();
        for (key, value) in [
            ("devhose_error", &letter.error),
            ("devhose_topic", topic),
            ("devhose_partition", &partition),
            ("devhose_offset", &offset),
        ] {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        if let Some(hash) = reference {
            let value = format!("blake3:{}", hash.to_hex());
            headers = headers.insert(Header { key: "devhose_dataref", value: Some(&value) });
        }
        self.producer.send(Record {
            topic: &self.topics.dead_letters,
            partition: None,
            key: letter.key.as_deref(),
            value: letter.value.as_deref().filter(|_| reference.is_none()),
            headers,
        })
    }
}
