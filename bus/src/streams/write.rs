//! What the writer is handed, and the bounded queue before it. All work that needs no order (hashing, compressing,
//! writing JSON) is done here, in the caller's task, so that the one writer only writes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::body::{self, off_thread};
use super::chain::{self, Hash};
use super::{QUEUED_BYTES_MAX, StreamError};
use crate::delivery::{NewDelivery, Receipt};
use crate::faults;
use crate::ids::{DeliveryId, EventOffset, ReaderName, SourceName};
use events::{PreparedReading, Record};

pub(super) mod events;
pub(super) mod sqlite;

/// One commit takes at most this many commands, so that the first of them does not wait long for the last.
pub(super) const BATCH_COMMANDS_MAX: usize = 512;

/// One commit takes commands of about this many bytes: a disk writes them in a few milliseconds.
pub(super) const BATCH_BYTES_MAX: usize = 8 << 20;

/// The queue holds at most this many commands: several commits' worth, less than a second of work.
const QUEUED_COMMANDS_MAX: usize = 4_096;

/// What a row takes in memory beside its texts.
const ROW_BYTES: usize = 256;

/// A delivery, ready to be written.
#[derive(Debug)]
pub(super) struct PreparedDelivery {
    pub(super) source: SourceName,
    pub(super) delivery_id: DeliveryId,
    pub(super) dedupe_key: [u8; 16],
    pub(super) received_at: i64,
    pub(super) headers: String,
    pub(super) content_type: Option<String>,
    pub(super) verification: &'static str,
    pub(super) body_bytes: i64,
    pub(super) body_hash: Hash,
    /// The compressed body.
    pub(super) frame: Vec<u8>,
}

/// The receipt, or whatever else, of a command. Whoever asked may have gone: nobody minds.
pub(super) type Answer<T> = oneshot::Sender<Result<T, StreamError>>;

/// One thing for the writer to do. Results are kept in the command until they are committed.
#[derive(Debug)]
pub(super) enum Command {
    Append { deliveries: Vec<PreparedDelivery>, receipts: Vec<Receipt>, answer: Answer<Vec<Receipt>> },
    Record { record: Record, offsets: Vec<EventOffset>, answer: Answer<Vec<EventOffset>> },
    SaveCheckpoint { reader: ReaderName, position: i64, answer: Answer<()> },
    SaveSetting { name: String, value: String, answer: Answer<()> },
    Close { answer: Answer<()> },
}

impl Command {
    /// Hands the results over. They must be durable.
    pub(super) fn committed(self) {
        // An error here means only that nobody waits for the answer any more.
        match self {
            Self::Append { receipts, answer, .. } => drop(answer.send(Ok(receipts))),
            Self::Record { offsets, answer, .. } => drop(answer.send(Ok(offsets))),
            Self::SaveCheckpoint { answer, .. } | Self::SaveSetting { answer, .. } | Self::Close { answer } => {
                drop(answer.send(Ok(())));
            }
        }
    }

    /// Says why it was not done.
    pub(super) fn failed(self, error: StreamError) {
        match self {
            Self::Append { answer, .. } => drop(answer.send(Err(error))),
            Self::Record { answer, .. } => drop(answer.send(Err(error))),
            Self::SaveCheckpoint { answer, .. } | Self::SaveSetting { answer, .. } | Self::Close { answer } => {
                drop(answer.send(Err(error)));
            }
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Append { deliveries, .. } => deliveries.iter().map(PreparedDelivery::bytes).sum(),
            Self::Record { record, .. } => record.readings.iter().map(PreparedReading::bytes).sum(),
            Self::SaveSetting { value, .. } => ROW_BYTES + value.len(),
            Self::SaveCheckpoint { .. } | Self::Close { .. } => ROW_BYTES,
        }
    }
}

impl PreparedDelivery {
    pub(super) fn bytes(&self) -> usize {
        ROW_BYTES + self.headers.len() + self.frame.len()
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

    pub(super) async fn prepare(deliveries: Vec<NewDelivery>) -> Result<Vec<Self>, StreamError> {
        let bytes = deliveries.iter().map(|delivery| delivery.body.len()).sum();
        off_thread(bytes, || deliveries.into_iter().map(Self::new).collect()).await?
    }
}

/// A command in the queue, with the room it takes there.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) command: Command,
    pub(super) bytes: usize,
    /// Held until the command is answered.
    pub(super) room: OwnedSemaphorePermit,
}

/// The way to the writer.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    jobs: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
}

impl Queue {
    pub(super) fn new() -> (Self, mpsc::Receiver<Job>) {
        let (jobs, receiver) = mpsc::channel(QUEUED_COMMANDS_MAX);
        (Self { jobs, room: Arc::new(Semaphore::new(QUEUED_BYTES_MAX)) }, receiver)
    }

    /// Queues a sender's command, or refuses it at once: the sender comes again, memory does not.
    pub(super) fn offer(&self, command: Command) -> Result<(), StreamError> {
        const FULL: StreamError = StreamError::Busy("too many deliveries wait to be written");
        let slot = self.jobs.try_reserve().map_err(|error| match error {
            mpsc::error::TrySendError::Full(()) => FULL,
            mpsc::error::TrySendError::Closed(()) => StreamError::Stopped,
        })?;
        let bytes = command.bytes();
        let room = Arc::clone(&self.room).try_acquire_many_owned(permits(bytes)).map_err(|_| FULL)?;
        slot.send(Job { command, bytes, room });
        Ok(())
    }

    /// Queues a command of the program's own as soon as there is room. Cancel-safe: it is queued whole or not at all.
    pub(super) async fn put(&self, command: Command) -> Result<(), StreamError> {
        let bytes = command.bytes();
        let room = Arc::clone(&self.room).acquire_many_owned(permits(bytes)).await;
        let room = room.map_err(|_| StreamError::Stopped)?;
        self.jobs.send(Job { command, bytes, room }).await.map_err(|_| StreamError::Stopped)
    }
}

/// A command larger than the whole queue takes the whole queue.
fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes.min(QUEUED_BYTES_MAX)).unwrap_or(u32::MAX)
}

/// Waits for work and takes all there is, up to the limits of one commit; none once the queue is closed and empty.
pub(super) async fn next_batch(jobs: &mut mpsc::Receiver<Job>) -> Option<Vec<Job>> {
    let first = jobs.recv().await?;
    let mut bytes = first.bytes;
    let mut batch = vec![first];
    while batch.len() < BATCH_COMMANDS_MAX && bytes < BATCH_BYTES_MAX {
        let Ok(job) = jobs.try_recv() else { break };
        bytes += job.bytes;
        batch.push(job);
    }
    Some(batch)
}
