//! What the writer is handed, and the bounded queue before it. All work that needs no order (hashing, compressing,
//! writing JSON) is done here, in the caller's task, so that the one writer only writes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::body::{self, off_thread};
use super::chain::{self, Hash};
use super::{QUEUED_BYTES_MAX, Reading, StreamError};
use crate::delivery::{NewDelivery, Receipt};
use crate::event::Event;
use crate::ids::{DeliveryId, EventId, EventOffset, ReaderName, SourceName};

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

/// An event, ready to be written.
#[derive(Debug)]
pub(super) struct PreparedEvent {
    pub(super) id: EventId,
    pub(super) kind: String,
    pub(super) source: String,
    pub(super) subject: String,
    pub(super) order_key: String,
    pub(super) happened_at: i64,
    pub(super) repository: Option<String>,
    pub(super) service: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) outcome: Option<&'static str>,
    pub(super) data: Option<String>,
}

/// A reading, ready to be written.
#[derive(Debug)]
pub(super) struct PreparedReading {
    pub(super) delivery: i64,
    pub(super) source: SourceName,
    pub(super) outcome: Result<Vec<PreparedEvent>, String>,
}

/// The receipt, or whatever else, of a command. Whoever asked may have gone: nobody minds.
pub(super) type Answer<T> = oneshot::Sender<Result<T, StreamError>>;

/// One thing for the writer to do. Results are kept in the command until they are committed.
#[derive(Debug)]
pub(super) enum Command {
    Append { deliveries: Vec<PreparedDelivery>, receipts: Vec<Receipt>, answer: Answer<Vec<Receipt>> },
    Record { record: Record, offsets: Vec<EventOffset>, answer: Answer<Vec<EventOffset>> },
    SaveCheckpoint { reader: ReaderName, position: i64, answer: Answer<()> },
    SaveSetting { name: &'static str, value: String, answer: Answer<()> },
    Close { answer: Answer<()> },
}

/// Readings and what is to be done with them.
#[derive(Debug)]
pub(super) struct Record {
    /// Whose checkpoint moves to the last of them.
    pub(super) reader: Option<ReaderName>,
    /// True if an event that is recorded already gets a new revision.
    pub(super) revise: bool,
    pub(super) readings: Vec<PreparedReading>,
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
        let unwritable = |source| StreamError::File { path: format!("the body of {}", new.delivery_id), source };
        Ok(Self {
            dedupe_key: chain::dedupe_key(new.source.as_str(), new.delivery_id.as_str()),
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

impl PreparedReading {
    fn bytes(&self) -> usize {
        let events = self.outcome.as_ref().map(Vec::as_slice).unwrap_or_default();
        ROW_BYTES
            + events.iter().map(|e| 2 * ROW_BYTES + e.data.as_ref().map_or(0, String::len)).sum::<usize>()
            + self.outcome.as_ref().err().map_or(0, String::len)
    }

    fn new(reading: Reading) -> Result<Self, serde_json::Error> {
        let outcome = match reading.outcome {
            Ok(events) => Ok(events.into_iter().map(PreparedEvent::new).collect::<Result<_, _>>()?),
            Err(error) => Err(error),
        };
        Ok(Self { delivery: reading.delivery.0, source: reading.source, outcome })
    }

    pub(super) async fn prepare(readings: Vec<Reading>) -> Result<Vec<Self>, StreamError> {
        /// Typed data is about this long as JSON.
        const EVENT_BYTES: usize = 512;
        let events: usize = readings.iter().filter_map(|r| r.outcome.as_ref().ok()).map(Vec::len).sum();
        let prepared: Result<Vec<_>, serde_json::Error> =
            off_thread(events * EVENT_BYTES, || readings.into_iter().map(Self::new).collect()).await?;
        prepared.map_err(|e| StreamError::File { path: "the data of an event".to_owned(), source: e.into() })
    }
}

impl PreparedEvent {
    fn new(event: Event) -> Result<Self, serde_json::Error> {
        let data = event.data;
        Ok(Self {
            id: event.id,
            kind: event.kind.into(),
            source: event.source,
            subject: event.subject,
            order_key: event.key.0,
            happened_at: event.time.timestamp_micros(),
            repository: data.repository().map(str::to_owned),
            service: data.service().map(str::to_owned),
            environment: data.environment().map(str::to_owned),
            outcome: data.outcome().map(crate::data::Outcome::name),
            data: data.to_json()?,
        })
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
