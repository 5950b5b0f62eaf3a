//! Why the runtime of bots could not do what was asked.

use bus::query::QueryError;
use bus::streams::StreamError;

/// Why the runtime of bots could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BotError {
    /// The streams failed.
    #[error("the streams cannot be used")]
    Streams(#[from] StreamError),
    /// The engine that keeps runs and actions failed.
    #[error("the runs of bots cannot be read or written")]
    Engine(#[from] sqlx::Error),
    /// A migration could not be applied.
    #[error("the runs of bots could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The engine refused to work as promised, such as another journal mode than asked for.
    #[error("the storage engine is not set up as needed: {0}")]
    Setup(String),
    /// A stored row is not what was written.
    #[error("{table} {row}: column {column} cannot be read: {why}")]
    Corrupt {
        /// Table.
        table: &'static str,
        /// Its key.
        row: String,
        /// Column.
        column: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// Something that is to be kept cannot be written as JSON.
    #[error("{what} cannot be written as JSON")]
    Unwritable {
        /// What.
        what: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// A bot's subscription is no query.
    #[error("the subscription of bot {bot} cannot be read")]
    Subscription {
        /// Which bot.
        bot: String,
        /// Why.
        source: QueryError,
    },
    /// There is no bot of that name.
    #[error("there is no bot {name:?}; there are {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// A bot's function, or the task around it, ended abruptly.
    #[error("a task of the runtime ended abruptly")]
    Abrupt(#[from] tokio::task::JoinError),
    /// Another process holds the lease on the bots now, and goes on where this one was.
    #[error("another process runs the bots now")]
    LeaseLost,
    /// A test asked for a crash here.
    #[error("stopped dead {0}, as asked")]
    Crashed(&'static str),
}

impl BotError {
    /// Whether a disk is full: later perhaps.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Streams(error) => matches!(error, StreamError::Busy(_)),
            Self::Engine(error) => bus::storage::is_full(error),
            Self::Migrate(_)
            | Self::Setup(_)
            | Self::Corrupt { .. }
            | Self::Unwritable { .. }
            | Self::Subscription { .. }
            | Self::Unknown { .. }
            | Self::Abrupt(_)
            | Self::Crashed(_) => false,
        }
    }
}
