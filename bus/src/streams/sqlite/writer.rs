//! The one writer: takes everything that is queued, commits it once, answers all. It holds the database's lock, and
//! gives it up when it ends.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use chrono::Utc;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::faults::{self, Lie, Phase};
use crate::ids::{DeliveryOffset, EventOffset};
use crate::storage::is_full;
use crate::streams::StreamError;
use crate::streams::sqlite::{self as engine, FULL};
use crate::streams::trim::sqlite as trim;
use crate::streams::write::Command;
use crate::streams::write::events::sqlite as events;
use crate::streams::write::queue::{Job, next_batch};
use crate::streams::write::sqlite::{self as write, State};

/// The checkpointer is woken each time about so many bytes were handed to the writer: with indexes that is some 16 MB
/// of write-ahead log, which any disk copies in a fraction of a second.
const CHECKPOINT_AFTER_BYTES: usize = 4 << 20;

/// Pages of write-ahead log (256 MB) at which the writer itself has it begun anew, so that it cannot grow for ever under
/// load: only when the writer stands still can a checkpoint reach the end of the log, and a log is begun anew only when
/// nobody reads it.
pub(super) const LOG_PAGES_MAX: i64 = 65_536;

/// The writer waits so long for readers of the log. Their pages are short; one that is not costs commits no more than this.
const READERS_PATIENCE: Duration = Duration::from_millis(200);

/// After readers were waited for in vain, so much more is written (64 MB of log) before they are waited for again.
const LOG_PAGES_MORE: i64 = 16_384;

/// While the disk is full one looks this often whether there is room again.
const FULL_PAUSE: Duration = Duration::from_secs(1);

/// There is room again once so many bytes can be written: a few usual batches, so that not every other one fails.
const ROOM_BYTES: usize = 1 << 20;

/// The file that is written to find out whether there is room. It is removed at once.
const ROOM_FILE: &str = "devhose.room";

/// What keeps the writer from writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The disk is full. It is tried again.
    Full,
    /// The engine failed in a way after which nothing it says can be trusted.
    Broken,
}

/// What the writer shares with the engine's handles.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) trouble: watch::Sender<Option<Trouble>>,
    /// Set when the checkpointer is to end.
    closing: AtomicBool,
    /// Wakes the checkpointer.
    pub(super) checkpoint: Notify,
    /// Pages in the write-ahead log when the checkpointer last looked.
    log_pages: AtomicI64,
}

impl Shared {
    pub(super) fn poisoned(&self) -> bool {
        *self.trouble.borrow() == Some(Trouble::Broken)
    }

    fn full(&self) -> bool {
        *self.trouble.borrow() == Some(Trouble::Full)
    }

    /// A broken engine stays one.
    fn set(&self, trouble: Option<Trouble>) {
        self.trouble.send_if_modified(|now| {
            let changes = *now != Some(Trouble::Broken) && *now != trouble;
            if changes {
                *now = trouble;
            }
            changes
        });
    }
}

/// Copies the write-ahead log into the database, off the way of commits, until the writer ends.
pub(super) async fn run_checkpointer(mut connection: SqliteConnection, shared: Arc<Shared>) {
    loop {
        shared.checkpoint.notified().await;
        if shared.closing.load(Ordering::Relaxed) {
            break;
        }
        match engine::checkpoint(&mut connection).await {
            Ok(pages) => shared.log_pages.store(pages, Ordering::Relaxed),
            // The writer meets the same disk and decides what it means.
            Err(error) => tracing::warn!(error = %error, "the write-ahead log could not be checkpointed"),
        }
    }
    // Whatever it could not do is done by the connection that closes last.
    drop(connection.close().await);
}

/// The writer's task.
pub(super) struct Writer {
    pub(super) connection: SqliteConnection,
    pub(super) state: State,
    pub(super) jobs: mpsc::Receiver<Job>,
    pub(super) delivery_head: watch::Sender<DeliveryOffset>,
    pub(super) event_head: watch::Sender<EventOffset>,
    pub(super) shared: Arc<Shared>,
    /// With more pages than these the write-ahead log is begun anew: [`LOG_PAGES_MAX`] at first.
    pub(super) log_pages_max: i64,
    pub(super) readers: SqlitePool,
    pub(super) checkpointer: tokio::task::JoinHandle<()>,
    pub(super) lock: File,
    pub(super) directory: PathBuf,
}

/// What to do about an error of the engine.
enum Verdict {
    /// The disk is full: nothing was written, later perhaps.
    Full,
    /// The disk or the file is broken: stop before something wrong is acknowledged.
    Fatal,
    /// It concerns this transaction only.
    Transaction,
}

impl Writer {
    /// Works until every handle is gone or one asked to close, and everything queued is committed.
    pub(super) async fn run(mut self) {
        let mut closers = Vec::new();
        let mut bytes = 0;
        while let Some(batch) = self.next_batch().await {
            bytes += batch.iter().map(|job| job.bytes).sum::<usize>();
            let mut work = Vec::with_capacity(batch.len());
            for job in batch {
                if matches!(job.command, Command::Close { .. }) {
                    // What is queued already is still written.
                    self.jobs.close();
                    closers.push(job);
                } else {
                    work.push(job);
                }
            }
            self.write(work).await;
            if self.shared.poisoned() {
                break;
            }
            bytes = self.checkpoint(bytes).await;
        }
        self.finish(closers).await;
    }

    /// Waits for work. While the disk is full it also looks for room now and then.
    async fn next_batch(&mut self) -> Option<Vec<Job>> {
        while self.shared.full() {
            let Ok(batch) = tokio::time::timeout(FULL_PAUSE, next_batch(&mut self.jobs)).await else {
                self.look_for_room().await;
                continue;
            };
            return batch;
        }
        next_batch(&mut self.jobs).await
    }

    async fn look_for_room(&self) {
        let path = self.directory.join(ROOM_FILE);
        let written = tokio::fs::write(&path, vec![0; ROOM_BYTES]).await;
        // What could be written in part takes room too.
        let removed = tokio::fs::remove_file(&path).await;
        if written.and(removed).is_ok() {
            tracing::info!("there is room on the disk again");
            self.shared.set(None);
        }
    }

    /// Commits a batch and answers it. A batch that fails for a reason of its own is tried again one by one, so that
    /// one bad command harms no other.
    async fn write(&mut self, mut batch: Vec<Job>) {
        if batch.is_empty() {
            return;
        }
        match self.transact(&mut batch).await {
            Ok(()) => self.committed(batch),
            Err(error) if batch.len() > 1 && matches!(verdict(&error), Verdict::Transaction) => {
                self.roll_back().await;
                for job in batch {
                    let mut alone = vec![job];
                    match self.transact(&mut alone).await {
                        Ok(()) => self.committed(alone),
                        Err(error) => self.failed(alone, error).await,
                    }
                }
            }
            Err(error) => self.failed(batch, error).await,
        }
    }

    async fn transact(&mut self, batch: &mut [Job]) -> sqlx::Result<()> {
        let now = Utc::now().timestamp_micros();
        engine::begin(&mut self.connection).await?;
        self.append(batch).await?;
        for job in batch.iter_mut() {
            let (connection, state) = (&mut self.connection, &mut self.state);
            match &mut job.command {
                Command::Append { .. } | Command::Close { .. } => {}
                // Nobody reads from elsewhere into an embedded log.
                Command::Take { expected, .. } => *expected = false,
                Command::Record { record, offsets, .. } => {
                    *offsets = events::record(connection, state, record, now).await?;
                }
                Command::SaveCheckpoint { reader, position, .. } => {
                    write::save_checkpoint(connection, reader, *position).await?;
                }
                Command::SaveSetting { name, value, .. } => write::save_setting(connection, name, value).await?,
                Command::Trim { stream, through, more, .. } => {
                    *more = trim::trim(connection, state, *stream, *through).await?;
                }
            }
        }
        write::save_sources(&mut self.connection, &mut self.state).await?;
        if faults::lies(Lie::AckBeforeFsync) {
            acknowledge_before(batch).await;
        }
        engine::commit(&mut self.connection).await
    }

    /// Appends the deliveries of all commands together, before anything else: nothing else in the batch can depend on
    /// a delivery that is not acknowledged yet.
    async fn append(&mut self, batch: &mut [Job]) -> sqlx::Result<()> {
        let mut deliveries = Vec::new();
        for job in batch.iter() {
            if let Command::Append { deliveries: more, .. } = &job.command {
                deliveries.extend(more);
            }
        }
        if deliveries.is_empty() {
            return Ok(());
        }
        let all = write::append(&mut self.connection, &mut self.state, &deliveries).await?;
        faults::reached(Phase::InsideTransaction);
        let mut all = faults::told(all).into_iter();
        for job in batch {
            if let Command::Append { deliveries, receipts, .. } = &mut job.command {
                *receipts = all.by_ref().take(deliveries.len()).collect();
            }
        }
        Ok(())
    }

    /// Moves the heads before answering: whoever holds a receipt finds the record.
    fn committed(&self, batch: Vec<Job>) {
        faults::reached(Phase::AfterCommit);
        let (deliveries, events) = (self.state.deliveries.position, self.state.events.position);
        move_head(&self.delivery_head, DeliveryOffset(deliveries));
        move_head(&self.event_head, EventOffset(events));
        for job in batch {
            job.command.committed();
            drop(job.room);
        }
    }

    async fn failed(&mut self, batch: Vec<Job>, error: sqlx::Error) {
        let verdict = verdict(&error);
        // A full disk is told once, whoever knocks meanwhile.
        if !self.shared.full() {
            tracing::error!(error = %error, commands = batch.len(), "the log could not be written");
        }
        match verdict {
            Verdict::Full => self.shared.set(Some(Trouble::Full)),
            Verdict::Fatal => self.shared.set(Some(Trouble::Broken)),
            Verdict::Transaction => {}
        }
        self.roll_back().await;
        let mut error = Some(error);
        for job in batch {
            job.command.failed(match verdict {
                Verdict::Full => FULL,
                Verdict::Fatal => StreamError::Stopped,
                Verdict::Transaction => error.take().map_or(StreamError::Stopped, StreamError::Engine),
            });
        }
    }

    /// Undoes the transaction and forgets what it had put into memory. If that fails too, nothing can be trusted.
    async fn roll_back(&mut self) {
        // SQLite may have rolled back by itself, so an error here says nothing; loading tells.
        drop(engine::roll_back(&mut self.connection).await);
        match State::load(&mut self.connection).await {
            Ok(state) => self.state = state,
            Err(error) => {
                tracing::error!(error = %error, "the end of the log cannot be read after a failed transaction");
                self.shared.set(Some(Trouble::Broken));
            }
        }
    }

    /// Has the write-ahead log copied after enough was written, or when there is nothing else to do.
    async fn checkpoint(&mut self, bytes: usize) -> usize {
        let pages = self.shared.log_pages.load(Ordering::Relaxed);
        if pages > self.log_pages_max {
            self.log_pages_max = LOG_PAGES_MAX;
            match engine::checkpoint_and_restart(&mut self.connection, READERS_PATIENCE).await {
                Ok(true) => self.shared.log_pages.store(0, Ordering::Relaxed),
                Ok(false) => self.log_pages_max = pages + LOG_PAGES_MORE,
                Err(error) => tracing::warn!(error = %error, "the write-ahead log could not be checkpointed"),
            }
        }
        if bytes < CHECKPOINT_AFTER_BYTES {
            return bytes;
        }
        self.shared.checkpoint.notify_one();
        0
    }

    async fn finish(mut self, closers: Vec<Job>) {
        self.jobs.close();
        while let Some(job) = self.jobs.recv().await {
            job.command.failed(StreamError::Stopped);
        }
        self.shared.closing.store(true, Ordering::Relaxed);
        self.shared.checkpoint.notify_one();
        drop(self.checkpointer.await);
        self.readers.close().await;
        let poisoned = self.shared.poisoned();
        let closed = async {
            if !poisoned {
                engine::checkpoint_all(&mut self.connection).await?;
            }
            self.connection.close().await
        };
        let result = closed.await;
        // The next process may have it from here on.
        drop(self.lock);
        if let Err(error) = &result {
            tracing::warn!(error = %error, "the log was not closed cleanly; it is recovered when it is opened next");
        }
        for job in closers {
            if poisoned { job.command.failed(StreamError::Stopped) } else { job.command.committed() }
        }
    }
}

/// Tells senders what is not so yet: see [`Lie::AckBeforeFsync`].
async fn acknowledge_before(batch: &mut [Job]) {
    for job in batch {
        if let Command::Append { receipts, answer, .. } = &mut job.command {
            let answer = std::mem::replace(answer, oneshot::channel().0);
            drop(answer.send(Ok(receipts.clone())));
        }
    }
    tokio::time::sleep(faults::ACKNOWLEDGED_BEFORE).await;
}

/// Signals a head that moved, and no other.
fn move_head<T: PartialEq>(head: &watch::Sender<T>, to: T) {
    head.send_if_modified(|at| {
        let moved = *at != to;
        *at = to;
        moved
    });
}

/// Reads SQLite's result code: <https://www.sqlite.org/rescode.html>.
fn verdict(error: &sqlx::Error) -> Verdict {
    const READONLY: i32 = 8;
    const IOERR: i32 = 10;
    const CORRUPT: i32 = 11;
    const CANTOPEN: i32 = 14;
    const NOTADB: i32 = 26;
    if is_full(error) {
        return Verdict::Full;
    }
    let Some(error) = error.as_database_error() else {
        // The worker thread crashed or a row could not be decoded: not what a working engine does.
        return Verdict::Fatal;
    };
    let extended: Option<i32> = error.code().and_then(|code| code.parse().ok());
    // The low byte is the primary code.
    match extended.map(|code| code & 0xff) {
        Some(READONLY | IOERR | CORRUPT | CANTOPEN | NOTADB) | None => Verdict::Fatal,
        Some(_) => Verdict::Transaction,
    }
}
