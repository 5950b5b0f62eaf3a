//! The embedded engine: one SQLite file, one writer, many readers. This file opens and closes it and hands work to the
//! writer; what is written is in `write/sqlite.rs`, what is read in `read/sqlite.rs` and `search/sqlite.rs`.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tokio::sync::watch;

use super::search::GapCache;
use super::verify::Stream;
use super::write::queue::Queue;
use super::write::sqlite::State;
use super::{Reading, StreamError};
use crate::delivery::{NewDelivery, Receipt};
use crate::faults::{self, Lie};
use crate::ids::{DeliveryOffset, EventOffset, ReaderName};
use writer::{Shared, Trouble, Writer};

mod writer;

const DATABASE_FILE: &str = "devhose.db";
const LOCK_FILE: &str = "devhose.lock";

/// Earlier versions can corrupt a write-ahead log that two connections checkpoint: <https://www.sqlite.org/wal.html>.
const VERSION_MIN: [u32; 3] = [3, 51, 3];

/// Readers at the same time; pages are short, and two cores read no faster with more.
const READERS_MAX: u32 = 4;

/// A lock inside the one process is never held for longer than a commit or a checkpoint.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What every connection must answer after it was set up.
const PRAGMAS: &[(&str, &str)] = &[
    ("journal_mode", "wal"),
    ("synchronous", "2"),
    ("foreign_keys", "1"),
    ("trusted_schema", "0"),
    ("cell_size_check", "1"),
    ("mmap_size", "0"),
    ("temp_store", "2"),
    ("wal_autocheckpoint", "0"),
    ("busy_timeout", "5000"),
];

/// What is said while the disk is full.
const FULL: StreamError = StreamError::Busy("the disk is full");

/// The pages of the indexes that are written at random stay in memory up to some ten million events.
const WRITER_CACHE_KIB: i64 = 64 << 10;

/// The engine. Clones share one writer.
#[derive(Debug, Clone)]
pub(super) struct Sqlite {
    queue: Queue,
    delivery_head: watch::Receiver<DeliveryOffset>,
    event_head: watch::Receiver<EventOffset>,
    shared: Arc<Shared>,
    pub(super) readers: SqlitePool,
    pub(super) gaps: GapCache,
}

impl Sqlite {
    pub(super) async fn open(directory: &Path) -> Result<Self, StreamError> {
        let lock = lock(directory, LOCK_FILE)?;
        let path = directory.join(DATABASE_FILE);
        create_private(&path)?;
        let options = options(&path);
        let mut connection = connect(&options.clone().pragma("cache_size", format!("-{WRITER_CACHE_KIB}"))).await?;
        // `run` takes whatever gives a connection, in a way that makes this future one that cannot be spawned.
        sqlx::migrate!("../migrations/sqlite/streams").run_direct(None, &mut connection, false).await?;
        let checkpoint_connection = connect(&options).await?;
        sync_directory(directory)?;

        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_with(options.read_only(true).pragma("query_only", "on"))
            .await?;
        check_pragmas(&mut *readers.acquire().await?).await?;
        let state = State::load(&mut connection).await?;
        let (queue, jobs) = Queue::new();
        let (delivery_head, delivery_head_seen) = watch::channel(DeliveryOffset(state.deliveries.position));
        let (event_head, event_head_seen) = watch::channel(EventOffset(state.events.position));
        let shared = Arc::new(Shared::default());
        let checkpointer = tokio::spawn(writer::run_checkpointer(checkpoint_connection, Arc::clone(&shared)));
        let writer = Writer {
            connection,
            state,
            jobs,
            delivery_head,
            event_head,
            shared: Arc::clone(&shared),
            log_pages_max: writer::LOG_PAGES_MAX,
            readers: readers.clone(),
            checkpointer,
            lock,
            directory: directory.to_owned(),
        };
        // Not the caller's task: a request that is dropped must not stop a commit. It ends with the last handle.
        drop(tokio::spawn(writer.run()));
        Ok(Self {
            queue,
            delivery_head: delivery_head_seen,
            event_head: event_head_seen,
            shared,
            readers,
            gaps: GapCache::default(),
        })
    }

    pub(super) fn delivery_head(&self) -> watch::Receiver<DeliveryOffset> {
        self.delivery_head.clone()
    }

    pub(super) fn event_head(&self) -> watch::Receiver<EventOffset> {
        self.event_head.clone()
    }

    pub(super) fn unwritable(&self) -> Option<StreamError> {
        self.shared.trouble.borrow().map(|trouble| match trouble {
            Trouble::Full => FULL,
            Trouble::Broken => StreamError::Stopped,
        })
    }

    /// Waits until nothing can be written any more. Cancel-safe.
    pub(super) async fn broken(&self) {
        let mut trouble = self.shared.trouble.subscribe();
        // Whoever asks holds the sender too, so it cannot be gone.
        drop(trouble.wait_for(|trouble| *trouble == Some(Trouble::Broken)).await);
    }

    pub(super) async fn append(&self, delivery: NewDelivery) -> Result<Receipt, StreamError> {
        self.queue.append(delivery).await
    }

    pub(super) async fn append_all(&self, deliveries: Vec<NewDelivery>) -> Result<Vec<Receipt>, StreamError> {
        self.queue.append_all(deliveries).await
    }

    pub(super) async fn record(
        &self,
        reader: ReaderName,
        readings: Vec<Reading>,
    ) -> Result<Vec<EventOffset>, StreamError> {
        self.queue.record(Some(reader), readings).await
    }

    pub(super) async fn revise(&self, readings: Vec<Reading>) -> Result<Vec<EventOffset>, StreamError> {
        self.queue.record(None, readings).await
    }

    pub(super) async fn save_checkpoint(&self, reader: ReaderName, position: i64) -> Result<(), StreamError> {
        self.queue.save_checkpoint(reader, position).await
    }

    pub(super) async fn save_setting(&self, name: &str, value: String) -> Result<(), StreamError> {
        self.queue.save_setting(name, value).await
    }

    pub(super) async fn trim(&self, stream: Stream, through: i64) -> Result<bool, StreamError> {
        self.queue.trim(stream, through).await
    }

    pub(super) async fn close(&self) -> Result<(), StreamError> {
        match self.queue.close().await {
            // Another handle closed it.
            Err(StreamError::Stopped) if !self.shared.poisoned() => Ok(()),
            Err(error) => Err(error),
            Ok(()) => Ok(()),
        }
    }
}

/// Makes the directory and takes the lock that keeps every other process out until the file is closed.
pub(crate) fn lock(directory: &Path, name: &str) -> Result<File, StreamError> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|e| in_directory(directory, e))?;
    let path = directory.join(name);
    let file = create_private(&path)?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => StreamError::InUse(directory.display().to_string()),
        TryLockError::Error(source) => StreamError::File { path: path.display().to_string(), source },
    })?;
    Ok(file)
}

/// The names of new files are durable only once the directory is.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), StreamError> {
    File::open(directory).and_then(|d| d.sync_all()).map_err(|source| in_directory(directory, source))
}

fn in_directory(directory: &Path, source: std::io::Error) -> StreamError {
    StreamError::File { path: directory.display().to_string(), source }
}

/// Opens a file that nobody else may read, and makes it if need be. SQLite gives its log the same mode.
pub(crate) fn create_private(path: &Path) -> Result<File, StreamError> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    opened.map_err(|source| StreamError::File { path: path.display().to_string(), source })
}

pub(crate) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(if faults::lies(Lie::SynchronousNormal) {
            SqliteSynchronous::Normal
        } else {
            SqliteSynchronous::Full
        })
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("trusted_schema", "off")
        .pragma("cell_size_check", "on")
        .pragma("mmap_size", "0")
        .pragma("temp_store", "memory")
        .pragma("wal_autocheckpoint", "0")
}

pub(crate) async fn connect(options: &SqliteConnectOptions) -> Result<SqliteConnection, StreamError> {
    let mut connection = SqliteConnection::connect_with(options).await?;
    check_version(&mut connection).await?;
    check_pragmas(&mut connection).await?;
    Ok(connection)
}

async fn check_version(connection: &mut SqliteConnection) -> Result<(), StreamError> {
    let version: String = sqlx::query_scalar("select sqlite_version()").fetch_one(connection).await?;
    let parts: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    if parts.as_slice() < VERSION_MIN.as_slice() {
        let [major, minor, patch] = VERSION_MIN;
        return Err(StreamError::Setup(format!("SQLite {version} is linked, {major}.{minor}.{patch} is needed")));
    }
    Ok(())
}

/// A pragma that is misspelt, or that the engine will not follow on this disk, is ignored in silence: so ask.
async fn check_pragmas(connection: &mut SqliteConnection) -> Result<(), StreamError> {
    for (name, wanted) in PRAGMAS {
        let row = sqlx::query(AssertSqlSafe(format!("pragma {name}"))).fetch_one(&mut *connection).await?;
        let found = sqlx::Row::try_get_unchecked::<String, _>(&row, 0)?;
        if found != *wanted && !faults::lies(Lie::SynchronousNormal) {
            return Err(StreamError::Setup(format!("pragma {name} is {found}, {wanted} is needed")));
        }
    }
    Ok(())
}

pub(crate) async fn begin(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    sqlx::query("begin immediate").execute(connection).await?;
    Ok(())
}

pub(crate) async fn commit(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    sqlx::query("commit").execute(connection).await?;
    Ok(())
}

pub(crate) async fn roll_back(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    sqlx::query("rollback").execute(connection).await?;
    Ok(())
}

/// Copies what it can without waiting for anybody; the pages of the log, which stay there until a commit finds all of them
/// copied and nobody reading.
pub(crate) async fn checkpoint(connection: &mut SqliteConnection) -> sqlx::Result<i64> {
    let (_, log, _): (i64, i64, i64) = sqlx::query_as("pragma wal_checkpoint(passive)").fetch_one(connection).await?;
    Ok(log)
}

/// Copies what is left, and has the next commit begin the log anew: whether it could. It waits so long for those who read
/// what only the log has; whoever begins to read meanwhile reads the database and is not waited for.
pub(crate) async fn checkpoint_and_restart(
    connection: &mut SqliteConnection,
    patience: Duration,
) -> sqlx::Result<bool> {
    let wait = |time: Duration| AssertSqlSafe(format!("pragma busy_timeout = {}", time.as_millis()));
    sqlx::query(wait(patience)).execute(&mut *connection).await?;
    let done = sqlx::query_as("pragma wal_checkpoint(restart)").fetch_one(&mut *connection).await;
    sqlx::query(wait(BUSY_TIMEOUT)).execute(connection).await?;
    let (busy, _, _): (i64, i64, i64) = done?;
    Ok(busy == 0)
}

/// Copies everything and empties the log.
pub(crate) async fn checkpoint_all(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    sqlx::query("pragma wal_checkpoint(truncate)").execute(connection).await?;
    Ok(())
}
