//! The local durable spool: takes deliveries in a few milliseconds, whatever the brokers do, and hands them on in order.
//!
//! One writer takes everything that is queued, commits it once and answers all, as the writer of an embedded log does.
//! The same delivery may stand here twice: duplicates are found where the log is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot, watch};

use super::wire::Parcel;
use crate::delivery::{NewDelivery, Verification};
use crate::storage::SpoolSettings;
use crate::streams::StreamError;
use crate::streams::body::{Effort, decompress};
use crate::streams::write::PreparedDelivery;
use crate::streams::write::queue::{BATCH_BYTES_MAX, BATCH_COMMANDS_MAX};

pub(super) mod sqlite;

/// Commands that wait for the writer: several commits' worth, less than a second of work. What they hold in bytes is
/// bounded with all the rest of the spool.
const QUEUED_COMMANDS_MAX: usize = 4_096;

const FULL: StreamError = StreamError::Busy("the spool before the brokers is full");

/// The spool. Clones share one writer.
#[derive(Debug, Clone)]
pub(super) struct Spool {
    jobs: mpsc::Sender<Job>,
    room: Room,
    newest: watch::Receiver<i64>,
    reader: sqlx::SqlitePool,
}

/// How much is in it, on disk and on the way there.
#[derive(Debug, Clone)]
struct Room {
    bytes: Arc<AtomicU64>,
    bytes_max: u64,
    stopped: Arc<AtomicBool>,
}

/// A delivery in the spool.
#[derive(Debug)]
pub(super) struct Spooled {
    /// Its place; later ones have higher numbers.
    pub(super) position: i64,
    /// What it takes.
    pub(super) bytes: u64,
    /// What it is, or what is left of it.
    pub(super) parcel: Result<Parcel, Damaged>,
}

/// A delivery that is not what was written.
#[derive(Debug)]
pub(super) struct Damaged {
    pub(super) error: StreamError,
    pub(super) source: String,
    /// The body as it stands there.
    pub(super) frame: Vec<u8>,
}

type Answer = oneshot::Sender<Result<(), StreamError>>;

/// One thing for the writer to do.
#[derive(Debug)]
enum Job {
    Put {
        rows: Vec<PreparedDelivery>,
        bytes: u64,
        answer: Answer,
    },
    /// Everything up to that position is with the brokers.
    Remove {
        up_to: i64,
        bytes: u64,
        answer: Answer,
    },
    Close {
        answer: Answer,
    },
}

impl Spool {
    /// Opens, or creates, the spool of this process.
    pub(super) async fn open(settings: &SpoolSettings) -> Result<Self, StreamError> {
        let opened = sqlite::open(&settings.directory).await?;
        let room = Room {
            bytes: Arc::new(AtomicU64::new(opened.bytes)),
            bytes_max: settings.bytes_max,
            stopped: Arc::default(),
        };
        let (jobs, waiting) = mpsc::channel(QUEUED_COMMANDS_MAX);
        let (newest, newest_seen) = watch::channel(opened.newest);
        if opened.bytes > 0 {
            tracing::info!(spool.bytes = opened.bytes, "deliveries of an earlier run wait for the brokers");
        }
        let writer = Writer { files: opened.files, jobs: waiting, newest, room: room.clone() };
        // Not the caller's task: a request that is dropped must not stop a commit. It ends with the last handle.
        drop(tokio::spawn(writer.run()));
        Ok(Self { jobs, room, newest: newest_seen, reader: opened.reader })
    }

    /// Keeps deliveries, all or none. They are durable when this returns.
    pub(super) async fn put(&self, deliveries: Vec<NewDelivery>) -> Result<(), StreamError> {
        let rows = PreparedDelivery::prepare(deliveries, Effort::Usual).await?;
        let bytes = rows.iter().map(|row| row.bytes() as u64).sum();
        let slot = self.jobs.try_reserve().map_err(|error| match error {
            mpsc::error::TrySendError::Full(()) => StreamError::Busy("too many deliveries wait to be written"),
            mpsc::error::TrySendError::Closed(()) => StreamError::Stopped,
        })?;
        self.room.take(bytes)?;
        let (answer, answered) = oneshot::channel();
        slot.send(Job::Put { rows, bytes, answer });
        answered.await.map_err(|_| StreamError::Stopped)?
    }

    /// Deliveries after a position, oldest first: at most `limit`, and about 8 MB of them.
    pub(super) async fn after(&self, position: i64, limit: usize) -> Result<Vec<Spooled>, StreamError> {
        let rows = sqlite::after(&self.reader, position, limit, BATCH_BYTES_MAX).await?;
        Ok(rows.into_iter().map(Row::into_spooled).collect())
    }

    /// Forgets everything up to a position: `bytes` in all, and with the brokers.
    pub(super) async fn remove(&self, up_to: i64, bytes: u64) -> Result<(), StreamError> {
        self.order(|answer| Job::Remove { up_to, bytes, answer }).await
    }

    /// The position of the newest delivery, and of every later one.
    pub(super) fn newest(&self) -> watch::Receiver<i64> {
        self.newest.clone()
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> u64 {
        self.room.bytes.load(Ordering::Relaxed)
    }

    /// Why nothing can be kept now.
    pub(super) fn unwritable(&self) -> Option<StreamError> {
        if self.room.stopped.load(Ordering::Relaxed) {
            Some(StreamError::Stopped)
        } else {
            (self.bytes() >= self.room.bytes_max).then_some(FULL)
        }
    }

    /// Commits what is queued and closes the files. Closing twice is closing once.
    pub(super) async fn close(&self) -> Result<(), StreamError> {
        match self.order(|answer| Job::Close { answer }).await {
            Err(StreamError::Stopped) if !self.room.stopped.load(Ordering::Relaxed) => Ok(()),
            closed => closed,
        }
    }

    async fn order(&self, job: impl FnOnce(Answer) -> Job) -> Result<(), StreamError> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send(job(answer)).await.map_err(|_| StreamError::Stopped)?;
        answered.await.map_err(|_| StreamError::Stopped)?
    }
}

impl Room {
    fn take(&self, bytes: u64) -> Result<(), StreamError> {
        let fits = |held: u64| held.checked_add(bytes).filter(|held| *held <= self.bytes_max);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map(drop).map_err(|_| FULL)
    }

    fn give(&self, bytes: u64) {
        let less = |held: u64| Some(held.saturating_sub(bytes));
        // It never fails: there is always a number to give.
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok();
    }
}

/// A row of the spool.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Row {
    position: i64,
    source: String,
    delivery_id: String,
    received_at: i64,
    headers: String,
    content_type: Option<String>,
    verification: String,
    body_bytes: i64,
    body_hash: Vec<u8>,
    body: Vec<u8>,
}

impl Row {
    fn into_spooled(self) -> Spooled {
        let bytes = PreparedDelivery::bytes_of(&self.headers, &self.body) as u64;
        let parcel = self.parcel().map_err(|error| Damaged { error, source: self.source, frame: self.body });
        Spooled { position: self.position, bytes, parcel }
    }

    fn parcel(&self) -> Result<Parcel, StreamError> {
        let row = self.position;
        let corrupt = |column: &'static str, why: String| StreamError::Corrupt { table: "spool", row, column, why };
        let body_bytes = usize::try_from(self.body_bytes).map_err(|e| corrupt("body_bytes", e.to_string()))?;
        let unknown = || corrupt("verification", format!("{:?} is none", self.verification));
        let received_at = chrono::DateTime::from_timestamp_micros(self.received_at);
        let parcel = Parcel::new(NewDelivery {
            source: self.source.parse().map_err(|e: crate::ids::InvalidId| corrupt("source", e.to_string()))?,
            delivery_id: self
                .delivery_id
                .parse()
                .map_err(|e: crate::ids::InvalidId| corrupt("delivery_id", e.to_string()))?,
            received_at: received_at
                .ok_or_else(|| corrupt("received_at", format!("{} is no time", self.received_at)))?,
            headers: serde_json::from_str(&self.headers).map_err(|e| corrupt("headers", e.to_string()))?,
            content_type: self.content_type.clone(),
            verification: Verification::parse(&self.verification).ok_or_else(unknown)?,
            body: decompress(&self.body, body_bytes).map_err(|e| corrupt("body", e.to_string()))?,
        })?;
        if parcel.body_hash.as_bytes().as_slice() != self.body_hash {
            return Err(corrupt("body", "it is not the one that was written".to_owned()));
        }
        Ok(parcel)
    }
}

/// The writer's task.
struct Writer {
    files: sqlite::Files,
    jobs: mpsc::Receiver<Job>,
    newest: watch::Sender<i64>,
    room: Room,
}

impl Writer {
    /// Works until every handle is gone or one asked to close, and everything queued is committed.
    async fn run(mut self) {
        let mut closers = Vec::new();
        while let Some(first) = self.jobs.recv().await {
            let mut batch = Vec::new();
            let mut bytes = 0;
            let mut next = Some(first);
            while let Some(job) = next {
                match job {
                    Job::Close { answer } => {
                        // What is queued already is still written.
                        self.jobs.close();
                        closers.push(answer);
                    }
                    job @ (Job::Put { .. } | Job::Remove { .. }) => {
                        bytes += job.bytes();
                        batch.push(job);
                    }
                }
                let full = batch.len() >= BATCH_COMMANDS_MAX || bytes >= BATCH_BYTES_MAX as u64;
                next = if full { None } else { self.jobs.try_recv().ok() };
            }
            self.write(batch, bytes).await;
            if self.room.stopped.load(Ordering::Relaxed) {
                break;
            }
        }
        self.finish(closers).await;
    }

    async fn write(&mut self, batch: Vec<Job>, bytes: u64) {
        if batch.is_empty() {
            return;
        }
        let rows = batch.iter().flat_map(Job::rows).collect::<Vec<_>>();
        let removed = batch.iter().filter_map(Job::removed).max();
        let last = *self.newest.borrow();
        match self.files.commit(last, &rows, removed).await {
            Ok(newest) => {
                // Before the answers: whoever has one finds the delivery.
                self.newest.send_if_modified(|at| std::mem::replace(at, newest) != newest);
                batch.into_iter().for_each(|job| job.committed(&self.room));
                self.files.checkpoint_after(bytes).await;
            }
            Err(error) => {
                let full = sqlite::is_full(&error);
                tracing::error!(error = %error, commands = batch.len(), "the spool before the brokers cannot be written");
                let undone = self.files.roll_back().await;
                if !full || undone.is_err() {
                    self.room.stopped.store(true, Ordering::Relaxed);
                }
                let why = || if full { StreamError::Busy("the disk is full") } else { StreamError::Stopped };
                batch.into_iter().for_each(|job| job.failed(why(), &self.room));
            }
        }
    }

    async fn finish(mut self, closers: Vec<Answer>) {
        self.jobs.close();
        while let Some(job) = self.jobs.recv().await {
            job.failed(StreamError::Stopped, &self.room);
        }
        let stopped = self.room.stopped.load(Ordering::Relaxed);
        if let Err(error) = self.files.close(!stopped).await {
            tracing::warn!(error = %error, "the spool was not closed cleanly; it is recovered when it is opened next");
        }
        for answer in closers {
            // Whoever asked may have gone.
            drop(answer.send(if stopped { Err(StreamError::Stopped) } else { Ok(()) }));
        }
    }
}

impl Job {
    fn bytes(&self) -> u64 {
        match self {
            Self::Put { bytes, .. } => *bytes,
            Self::Remove { .. } | Self::Close { .. } => 0,
        }
    }

    fn rows(&self) -> &[PreparedDelivery] {
        match self {
            Self::Put { rows, .. } => rows,
            Self::Remove { .. } | Self::Close { .. } => &[],
        }
    }

    fn removed(&self) -> Option<i64> {
        match self {
            Self::Remove { up_to, .. } => Some(*up_to),
            Self::Put { .. } | Self::Close { .. } => None,
        }
    }

    // An error of an answer means only that nobody waits for it any more.
    fn committed(self, room: &Room) {
        match self {
            Self::Put { answer, .. } | Self::Close { answer } => drop(answer.send(Ok(()))),
            Self::Remove { bytes, answer, .. } => {
                room.give(bytes);
                drop(answer.send(Ok(())));
            }
        }
    }

    fn failed(self, error: StreamError, room: &Room) {
        match self {
            Self::Put { bytes, answer, .. } => {
                room.give(bytes);
                drop(answer.send(Err(error)));
            }
            Self::Remove { answer, .. } | Self::Close { answer } => drop(answer.send(Err(error))),
        }
    }
}

#[cfg(test)]
mod tests;
