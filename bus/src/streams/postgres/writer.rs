//! A writer: takes everything that is queued, commits it once, answers all. There is one for deliveries and one for
//! everything else. While the database is away it holds on to its batch for a while and tries again.
//!
//! The outcome of a commit whose connection broke is unknown. Whether it took effect shows under the lock of the head:
//! then the record it wrote last stands there with the hash it was given.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::heads::Heads;
use crate::ids::{DeliveryOffset, EventOffset};
use crate::kafka::postgres as kafka;
use crate::postgres::{self as server, Pauses, is_transient};
use crate::streams::StreamError;
use crate::streams::postgres as engine;
use crate::streams::verify::Stream;
use crate::streams::write::events::postgres as events;
use crate::streams::write::postgres::{self as write, Known};
use crate::streams::write::queue::{Job, next_batch};
use crate::streams::write::{Command, Head};

/// A sender waits no longer than this for a database that is away, as GitHub gives up after 10 seconds.
const SENDERS_PATIENCE: Duration = Duration::from_secs(5);

/// What the program writes itself can wait until a server that was killed is back.
const OWN_PATIENCE: Duration = Duration::from_secs(60);

/// A transaction that takes longer is given up: a lock or the network stands still.
const ATTEMPT_MAX: Duration = Duration::from_secs(12);

/// The same while the database is known to be away, so that senders hear of it soon.
const ATTEMPT_WHILE_AWAY_MAX: Duration = Duration::from_secs(1);

const AWAY: &str = "the database is away";

/// A writer's task.
pub(super) struct Writer {
    stream: Stream,
    patience: Duration,
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    known: Known,
    jobs: mpsc::Receiver<Job>,
    heads: Arc<Heads>,
    /// The end of a transaction of which nobody knows whether it was committed.
    in_doubt: Option<Head>,
    /// Set while attempts fail.
    away: bool,
}

/// What to do about an error.
enum Verdict {
    /// It passes: try again.
    Transient,
    /// The disk is full: nothing was written, later perhaps.
    Full,
    /// It concerns this transaction only.
    Transaction,
}

/// A transaction that was given up.
struct Failed {
    error: StreamError,
    verdict: Verdict,
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        let verdict = verdict(&error);
        Self { error: error.into(), verdict }
    }
}

impl Writer {
    pub(super) fn of_deliveries(options: PgConnectOptions, jobs: mpsc::Receiver<Job>, heads: Arc<Heads>) -> Self {
        Self::new(Stream::Deliveries, SENDERS_PATIENCE, options, jobs, heads)
    }

    pub(super) fn of_events(options: PgConnectOptions, jobs: mpsc::Receiver<Job>, heads: Arc<Heads>) -> Self {
        Self::new(Stream::Events, OWN_PATIENCE, options, jobs, heads)
    }

    fn new(
        stream: Stream,
        patience: Duration,
        options: PgConnectOptions,
        jobs: mpsc::Receiver<Job>,
        heads: Arc<Heads>,
    ) -> Self {
        let known = Known::default();
        Self { stream, patience, options, connection: None, known, jobs, heads, in_doubt: None, away: false }
    }

    /// Works until every handle is gone or one asked to close, and everything queued is committed.
    pub(super) async fn run(mut self) {
        let mut closers = Vec::new();
        while let Some(batch) = next_batch(&mut self.jobs).await {
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
            if !work.is_empty() {
                self.write(work).await;
            }
        }
        if let Some(connection) = self.connection.take() {
            // The server notices a connection that is not closed politely, too.
            drop(sqlx::Connection::close(connection).await);
        }
        for job in closers {
            job.command.committed();
        }
    }

    /// Commits a batch and answers it. A batch that fails for a reason of its own is tried again one by one, so that
    /// one bad command harms no other.
    async fn write(&mut self, mut batch: Vec<Job>) {
        match self.persist(&mut batch).await {
            Ok(()) => committed(batch),
            Err(failed) if batch.len() > 1 && matches!(failed.verdict, Verdict::Transaction) => {
                for job in batch {
                    let mut alone = vec![job];
                    match self.persist(&mut alone).await {
                        Ok(()) => committed(alone),
                        Err(failed) => give_up(alone, failed),
                    }
                }
            }
            Err(failed) => give_up(batch, failed),
        }
    }

    /// Tries to commit a batch for as long as it makes sense.
    async fn persist(&mut self, batch: &mut [Job]) -> Result<(), Failed> {
        let impatient = self.away && self.stream == Stream::Deliveries;
        let mut pauses = Pauses::lasting(if impatient { Duration::ZERO } else { self.patience });
        self.in_doubt = None;
        loop {
            let limit = if impatient { ATTEMPT_WHILE_AWAY_MAX } else { ATTEMPT_MAX };
            let attempt = timeout(limit, self.attempt(batch)).await;
            let result = attempt.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut.into()));
            let failed = match result {
                Ok(()) => {
                    self.away = false;
                    return Ok(());
                }
                Err(failed) => failed,
            };
            self.leave(&failed.verdict).await;
            if !matches!(failed.verdict, Verdict::Transient) {
                return Err(failed);
            }
            if !self.away {
                tracing::warn!(error = %failed.error, log = self.stream.name(), "the database is away; trying again");
                self.away = true;
            }
            if !pauses.pause().await {
                return Err(failed);
            }
        }
    }

    /// One transaction. Not cancel-safe: whoever drops it must drop the connection, too.
    async fn attempt(&mut self, batch: &mut [Job]) -> Result<(), Failed> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            slot => slot.insert(server::connect(&self.options).await.map_err(unreachable_server)?),
        };
        self.known.learn_sources(connection, batch.iter().flat_map(|job| job.command.sources())).await?;
        engine::begin(connection).await?;
        let start = write::lock_head(connection, self.stream).await?;
        if let Some(end) = self.in_doubt
            && write::is_written(connection, self.stream, end).await?
        {
            engine::roll_back(connection).await?;
            self.moved_to(end.position);
            return Ok(());
        }
        self.in_doubt = None;
        let mut head = start;
        work(connection, &mut self.known, &mut head, batch).await?;
        if head.position > start.position {
            write::save_head(connection, self.stream, head).await?;
            self.in_doubt = Some(head);
        }
        engine::commit(connection).await?;
        self.in_doubt = None;
        self.moved_to(head.position);
        Ok(())
    }

    /// Moves the head before anything is answered: whoever holds a receipt finds the record.
    fn moved_to(&self, position: i64) {
        match self.stream {
            Stream::Deliveries => self.heads.delivered(DeliveryOffset(position)),
            Stream::Events => self.heads.recorded(EventOffset(position)),
        }
    }

    /// Ends a transaction that failed.
    async fn leave(&mut self, verdict: &Verdict) {
        // Some of it stood in that transaction only; and another server may be behind the address from now on.
        self.known = Known::default();
        let Some(mut connection) = self.connection.take() else { return };
        match verdict {
            // Whatever is left of the connection is not worth knowing.
            Verdict::Transient => drop(connection),
            Verdict::Full | Verdict::Transaction => {
                if matches!(timeout(ATTEMPT_MAX, engine::roll_back(&mut connection)).await, Ok(Ok(()))) {
                    self.connection = Some(connection);
                }
            }
        }
    }
}

/// Does what the commands say. Deliveries first and all together: nothing else in the batch can depend on one that is
/// not acknowledged yet.
async fn work(
    connection: &mut PgConnection,
    known: &mut Known,
    head: &mut Head,
    batch: &mut [Job],
) -> sqlx::Result<()> {
    let now = Utc::now().timestamp_micros();
    for job in batch.iter_mut() {
        if let Command::Take { advances, expected, .. } = &mut job.command {
            *expected = kafka::advance(connection, advances).await?;
        }
    }
    let deliveries: Vec<_> = batch.iter().flat_map(|job| job.command.deliveries()).collect();
    let mut all = write::append(connection, known, head, &deliveries).await?.into_iter();
    for job in batch {
        match &mut job.command {
            Command::Take { expected: false, .. } => {}
            Command::Append { deliveries, receipts, .. } | Command::Take { deliveries, receipts, .. } => {
                *receipts = all.by_ref().take(deliveries.len()).collect();
            }
            Command::Record { record, offsets, .. } => {
                *offsets = events::record(connection, known, head, record, now).await?;
            }
            Command::SaveCheckpoint { reader, position, .. } => {
                write::save_checkpoint(connection, reader, *position).await?;
            }
            Command::SaveSetting { name, value, .. } => write::save_setting(connection, name, value).await?,
            // Trimming needs no writer here.
            Command::Trim { .. } | Command::Close { .. } => {}
        }
    }
    Ok(())
}

fn committed(batch: Vec<Job>) {
    for job in batch {
        job.command.committed();
        drop(job.room);
    }
}

fn give_up(batch: Vec<Job>, failed: Failed) {
    tracing::error!(error = %failed.error, commands = batch.len(), "the log could not be written");
    let mut error = Some(failed.error);
    for job in batch {
        let answer = match failed.verdict {
            Verdict::Full => StreamError::Busy("the disk of the database is full"),
            // A sender comes again; what the program did itself it wants to see fail for what it was.
            Verdict::Transient if matches!(job.command, Command::Append { .. }) => StreamError::Busy(AWAY),
            Verdict::Transient | Verdict::Transaction => error.take().unwrap_or(StreamError::Busy(AWAY)),
        };
        job.command.failed(answer);
    }
}

/// A server that cannot be reached may come back; one that would lose records must not be written to.
fn unreachable_server(error: StreamError) -> Failed {
    if let StreamError::Engine(error) = error { error.into() } else { Failed { error, verdict: Verdict::Transaction } }
}

fn verdict(error: &sqlx::Error) -> Verdict {
    const DISK_FULL: &str = "53100";
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    if code.is_some_and(|code| code == DISK_FULL) {
        Verdict::Full
    } else if is_transient(error) {
        Verdict::Transient
    } else {
        Verdict::Transaction
    }
}
