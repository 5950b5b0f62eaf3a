//! The bounded queue before a writer, and how each command gets into it and its answer back.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::events::{PreparedReading, Record};
use super::{Command, PreparedDelivery};
use crate::delivery::{NewDelivery, Receipt};
use crate::faults::{self, Phase};
use crate::ids::{EventOffset, ReaderName};
use crate::kafka::postgres::Advance;
use crate::streams::body::Effort;
use crate::streams::verify::Stream;
use crate::streams::{QUEUED_BYTES_MAX, Reading, StreamError};

/// One commit takes at most this many commands, so that the first of them does not wait long for the last.
pub(crate) const BATCH_COMMANDS_MAX: usize = 512;

/// One commit takes commands of about this many bytes: a disk writes them in a few milliseconds.
pub(crate) const BATCH_BYTES_MAX: usize = 8 << 20;

/// The queue holds at most this many commands: several commits' worth, less than a second of work.
const QUEUED_COMMANDS_MAX: usize = 4_096;

/// More than this, waiting or being committed, are not the few that come during a commit of a quiet installation: some
/// forty compressed bodies.
const CROWDED_BYTES: usize = 64 << 10;

/// A command in the queue, with the room it takes there.
#[derive(Debug)]
pub(in crate::streams) struct Job {
    pub(in crate::streams) command: Command,
    pub(in crate::streams) bytes: usize,
    /// Held until the command is answered.
    pub(in crate::streams) room: OwnedSemaphorePermit,
}

/// The way to a writer.
#[derive(Debug, Clone)]
pub(in crate::streams) struct Queue {
    jobs: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
}

type Receiver<T> = oneshot::Receiver<Result<T, StreamError>>;

async fn answer<T>(receiver: Receiver<T>) -> Result<T, StreamError> {
    receiver.await.map_err(|_| StreamError::Stopped)?
}

impl Queue {
    pub(in crate::streams) fn new() -> (Self, mpsc::Receiver<Job>) {
        let (jobs, receiver) = mpsc::channel(QUEUED_COMMANDS_MAX);
        (Self { jobs, room: Arc::new(Semaphore::new(QUEUED_BYTES_MAX)) }, receiver)
    }

    pub(in crate::streams) async fn append(&self, delivery: NewDelivery) -> Result<Receipt, StreamError> {
        let prepared = PreparedDelivery::prepare(vec![delivery], self.effort()).await?;
        let queued = self.offer_deliveries(prepared)?;
        faults::reached(Phase::AfterEnqueue);
        let receipts = answer(queued).await?;
        receipts.first().copied().ok_or(StreamError::Stopped)
    }

    /// While one part is committed the next is prepared.
    pub(in crate::streams) async fn append_all(
        &self,
        deliveries: Vec<NewDelivery>,
    ) -> Result<Vec<Receipt>, StreamError> {
        const PARTS_AHEAD: usize = 2;
        let mut receipts = Vec::with_capacity(deliveries.len());
        let mut waiting = VecDeque::new();
        let mut deliveries = deliveries.into_iter().peekable();
        while deliveries.peek().is_some() {
            let mut bytes = 0;
            let mut part = Vec::new();
            while part.len() < BATCH_COMMANDS_MAX && bytes < BATCH_BYTES_MAX {
                let Some(delivery) = deliveries.next() else { break };
                bytes += delivery.body.len();
                part.push(delivery);
            }
            waiting.push_back(self.offer_deliveries(PreparedDelivery::prepare(part, Effort::Usual).await?)?);
            if waiting.len() > PARTS_AHEAD
                && let Some(oldest) = waiting.pop_front()
            {
                receipts.extend(answer(oldest).await?);
            }
        }
        for receiver in waiting {
            receipts.extend(answer(receiver).await?);
        }
        Ok(receipts)
    }

    /// Bodies are compressed less while they come faster than they are written.
    fn effort(&self) -> Effort {
        let waiting = QUEUED_BYTES_MAX - self.room.available_permits();
        if waiting > CROWDED_BYTES { Effort::Quick } else { Effort::Usual }
    }

    fn offer_deliveries(&self, deliveries: Vec<PreparedDelivery>) -> Result<Receiver<Vec<Receipt>>, StreamError> {
        let (answer, receiver) = oneshot::channel();
        self.offer(Command::Append { deliveries, receipts: Vec::new(), answer })?;
        Ok(receiver)
    }

    /// Appends what was read up to some places, if it was read from where those are.
    pub(in crate::streams) async fn take(
        &self,
        deliveries: Vec<NewDelivery>,
        advances: Vec<Advance>,
    ) -> Result<Option<Vec<Receipt>>, StreamError> {
        let deliveries = PreparedDelivery::prepare(deliveries, Effort::Usual).await?;
        self.ask(|answer| Command::Take { deliveries, advances, expected: true, receipts: Vec::new(), answer }).await
    }

    /// Without a reader it is a correction.
    pub(in crate::streams) async fn record(
        &self,
        reader: Option<ReaderName>,
        readings: Vec<Reading>,
    ) -> Result<Vec<EventOffset>, StreamError> {
        if readings.is_empty() {
            return Ok(Vec::new());
        }
        let readings = PreparedReading::prepare(readings).await?;
        let record = Record { revise: reader.is_none(), reader, readings };
        self.ask(|answer| Command::Record { record, offsets: Vec::new(), answer }).await
    }

    pub(in crate::streams) async fn save_checkpoint(
        &self,
        reader: ReaderName,
        position: i64,
    ) -> Result<(), StreamError> {
        self.ask(|answer| Command::SaveCheckpoint { reader, position, answer }).await
    }

    pub(in crate::streams) async fn save_setting(&self, name: &str, value: String) -> Result<(), StreamError> {
        self.ask(|answer| Command::SaveSetting { name: name.to_owned(), value, answer }).await
    }

    pub(in crate::streams) async fn trim(&self, stream: Stream, through: i64) -> Result<bool, StreamError> {
        self.ask(|answer| Command::Trim { stream, through, more: false, answer }).await
    }

    /// Ends the writer once it has committed what is queued.
    pub(in crate::streams) async fn close(&self) -> Result<(), StreamError> {
        self.ask(|answer| Command::Close { answer }).await
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, StreamError>>) -> Command,
    ) -> Result<T, StreamError> {
        let (sender, receiver) = oneshot::channel();
        self.put(command(sender)).await?;
        answer(receiver).await
    }

    /// Queues a sender's command, or refuses it at once: the sender comes again, memory does not.
    fn offer(&self, command: Command) -> Result<(), StreamError> {
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
    async fn put(&self, command: Command) -> Result<(), StreamError> {
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
pub(in crate::streams) async fn next_batch(jobs: &mut mpsc::Receiver<Job>) -> Option<Vec<Job>> {
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
