//! What the writer is handed, and the places it gives. All work that needs no order (hashing, compressing, writing
//! JSON) is done here, in the caller's task, so that the one writer only writes. The queue before it is in `queue.rs`.

use std::collections::HashMap;

use tokio::sync::oneshot;

use super::StreamError;
use super::body::{self, off_thread};
use super::chain::{self, DeliveryLink, Hash};
use super::verify::Stream;
use crate::delivery::{NewDelivery, Receipt};
use crate::faults;
use crate::ids::{DeliveryId, DeliveryOffset, EventOffset, ReaderName, SourceName};
use crate::kafka::postgres::Advance;
use events::{PreparedReading, Record};

pub(super) mod events;
pub(super) mod postgres;
pub(crate) mod queue;
pub(super) mod sqlite;

/// What a row takes in memory beside its texts.
const ROW_BYTES: usize = 256;

/// A delivery, ready to be written.
#[derive(Debug)]
pub(crate) struct PreparedDelivery {
    pub(crate) source: SourceName,
    pub(crate) delivery_id: DeliveryId,
    pub(crate) dedupe_key: [u8; 16],
    pub(crate) received_at: i64,
    pub(crate) headers: String,
    pub(crate) content_type: Option<String>,
    pub(crate) verification: &'static str,
    pub(crate) body_bytes: i64,
    pub(crate) body_hash: Hash,
    /// The compressed body.
    pub(crate) frame: Vec<u8>,
}

/// The receipt, or whatever else, of a command. Whoever asked may have gone: nobody minds.
pub(super) type Answer<T> = oneshot::Sender<Result<T, StreamError>>;

/// One thing for the writer to do. Results are kept in the command until they are committed.
#[derive(Debug)]
pub(super) enum Command {
    Append {
        deliveries: Vec<PreparedDelivery>,
        receipts: Vec<Receipt>,
        answer: Answer<Vec<Receipt>>,
    },
    /// Appends what was read elsewhere, if it was read from where the log is there.
    Take {
        deliveries: Vec<PreparedDelivery>,
        advances: Vec<Advance>,
        /// False if another process has read further meanwhile: nothing is appended then.
        expected: bool,
        receipts: Vec<Receipt>,
        answer: Answer<Option<Vec<Receipt>>>,
    },
    Record {
        record: Record,
        offsets: Vec<EventOffset>,
        answer: Answer<Vec<EventOffset>>,
    },
    SaveCheckpoint {
        reader: ReaderName,
        position: i64,
        answer: Answer<()>,
    },
    SaveSetting {
        name: String,
        value: String,
        answer: Answer<()>,
    },
    /// Removes some of the oldest records; whether there are more to remove.
    Trim {
        stream: Stream,
        through: i64,
        more: bool,
        answer: Answer<bool>,
    },
    Close {
        answer: Answer<()>,
    },
}

impl Command {
    /// Hands the results over. They must be durable.
    pub(super) fn committed(self) {
        // An error here means only that nobody waits for the answer any more.
        match self {
            Self::Append { receipts, answer, .. } => drop(answer.send(Ok(receipts))),
            Self::Take { expected, receipts, answer, .. } => drop(answer.send(Ok(expected.then_some(receipts)))),
            Self::Record { offsets, answer, .. } => drop(answer.send(Ok(offsets))),
            Self::Trim { more, answer, .. } => drop(answer.send(Ok(more))),
            Self::SaveCheckpoint { answer, .. } | Self::SaveSetting { answer, .. } | Self::Close { answer } => {
                drop(answer.send(Ok(())));
            }
        }
    }

    /// Says why it was not done.
    pub(super) fn failed(self, error: StreamError) {
        match self {
            Self::Append { answer, .. } => drop(answer.send(Err(error))),
            Self::Take { answer, .. } => drop(answer.send(Err(error))),
            Self::Record { answer, .. } => drop(answer.send(Err(error))),
            Self::Trim { answer, .. } => drop(answer.send(Err(error))),
            Self::SaveCheckpoint { answer, .. } | Self::SaveSetting { answer, .. } | Self::Close { answer } => {
                drop(answer.send(Err(error)));
            }
        }
    }

    /// The deliveries that it appends.
    pub(super) fn deliveries(&self) -> &[PreparedDelivery] {
        match self {
            Self::Append { deliveries, .. } | Self::Take { deliveries, expected: true, .. } => deliveries,
            Self::Take { expected: false, .. }
            | Self::Record { .. }
            | Self::SaveCheckpoint { .. }
            | Self::SaveSetting { .. }
            | Self::Trim { .. }
            | Self::Close { .. } => &[],
        }
    }

    /// The sources that it names.
    pub(super) fn sources(&self) -> impl Iterator<Item = &SourceName> {
        let readings = match self {
            Self::Record { record, .. } => record.readings.as_slice(),
            Self::Append { .. }
            | Self::Take { .. }
            | Self::SaveCheckpoint { .. }
            | Self::SaveSetting { .. }
            | Self::Trim { .. }
            | Self::Close { .. } => &[],
        };
        let deliveries = self.deliveries().iter().map(|delivery| &delivery.source);
        deliveries.chain(readings.iter().map(|reading| &reading.source))
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Append { deliveries, .. } | Self::Take { deliveries, .. } => {
                deliveries.iter().map(PreparedDelivery::bytes).sum()
            }
            Self::Record { record, .. } => record.readings.iter().map(PreparedReading::bytes).sum(),
            Self::SaveSetting { value, .. } => ROW_BYTES + value.len(),
            Self::SaveCheckpoint { .. } | Self::Trim { .. } | Self::Close { .. } => ROW_BYTES,
        }
    }
}

impl PreparedDelivery {
    pub(crate) fn bytes(&self) -> usize {
        Self::bytes_of(&self.headers, &self.frame)
    }

    /// What a row of these headers and this compressed body takes.
    pub(crate) const fn bytes_of(headers: &str, frame: &[u8]) -> usize {
        ROW_BYTES + headers.len() + frame.len()
    }

    fn new(new: NewDelivery) -> Result<Self, StreamError> {
        let new = faults::taken_in(new);
        let unwritable = |source| StreamError::File { path: format!("the body of {}", new.delivery_id), source };
        Ok(Self {
            dedupe_key: faults::known_by(chain::dedupe_key(new.source.as_str(), new.delivery_id.as_str())),
            received_at: new.received_at.timestamp_micros(),
            headers: serde_json::to_string(&new.headers).map_err(|e| unwritable(e.into()))?,
            verification: new.verification.name(),
            body_bytes: i64::try_from(new.body.len()).map_err(|_| StreamError::Busy("the body is too large"))?,
            body_hash: blake3::hash(&new.body).into(),
            frame: body::compress(&new.body).map_err(unwritable)?,
            source: new.source,
            delivery_id: new.delivery_id,
            content_type: new.content_type,
        })
    }

    pub(crate) async fn prepare(deliveries: Vec<NewDelivery>) -> Result<Vec<Self>, StreamError> {
        let bytes = deliveries.iter().map(|delivery| delivery.body.len()).sum();
        off_thread(bytes, || deliveries.into_iter().map(Self::new).collect()).await?
    }
}

/// The end of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) position: i64,
    pub(super) chain_hash: Hash,
}

/// A delivery with its place in the stream.
#[derive(Debug)]
pub(super) struct PlacedDelivery<'a> {
    pub(super) position: i64,
    pub(super) chain_hash: Hash,
    pub(super) delivery: &'a PreparedDelivery,
}

/// Deliveries that are stored already, by their dedupe key: where, and the hash of their body.
pub(super) type KnownDeliveries = HashMap<[u8; 16], (i64, Hash)>;

impl Head {
    /// The end as a row says, or the beginning.
    pub(super) fn new(row: Option<(i64, Vec<u8>)>) -> sqlx::Result<Self> {
        let Some((position, hash)) = row else { return Ok(Self { position: 0, chain_hash: chain::START }) };
        let chain_hash = hash.try_into().map_err(|_| sqlx::Error::Decode("a chain hash has 32 bytes".into()))?;
        Ok(Self { position, chain_hash })
    }

    /// Gives the deliveries that are not known their places; a receipt for each of all, in order.
    pub(super) fn place<'a>(
        &mut self,
        deliveries: &[&'a PreparedDelivery],
        mut known: KnownDeliveries,
    ) -> (Vec<Receipt>, Vec<PlacedDelivery<'a>>) {
        let mut receipts = Vec::with_capacity(deliveries.len());
        let mut placed = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            if let Some((position, body_hash)) = known.get(&delivery.dedupe_key) {
                let conflict = *body_hash != delivery.body_hash;
                receipts.push(Receipt { offset: Some(DeliveryOffset(*position)), duplicate: true, conflict });
                continue;
            }
            if faults::drops() {
                let offset = Some(DeliveryOffset(self.position + 1));
                receipts.push(Receipt { offset, duplicate: false, conflict: false });
                continue;
            }
            *self = self.after(delivery);
            known.insert(delivery.dedupe_key, (self.position, delivery.body_hash));
            let offset = Some(DeliveryOffset(self.position));
            receipts.push(Receipt { offset, duplicate: false, conflict: false });
            placed.push(PlacedDelivery { position: self.position, chain_hash: self.chain_hash, delivery });
        }
        (receipts, placed)
    }

    /// The end once that delivery is there.
    fn after(&self, delivery: &PreparedDelivery) -> Self {
        let link = DeliveryLink {
            position: self.position + 1,
            source: delivery.source.as_str(),
            delivery_id: delivery.delivery_id.as_str(),
            received_at: delivery.received_at,
            headers: &delivery.headers,
            content_type: delivery.content_type.as_deref(),
            verification: delivery.verification,
            body_bytes: delivery.body_bytes,
            body_hash: &delivery.body_hash,
        };
        Self { position: link.position, chain_hash: link.hash(&self.chain_hash) }
    }
}
