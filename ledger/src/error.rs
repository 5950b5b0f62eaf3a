//! Why Ledger could not do what was asked.

use bus::streams::StreamError;

/// Why Ledger could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The streams failed.
    #[error("the streams cannot be used")]
    Streams(#[from] StreamError),
    /// The engine that keeps the facts failed.
    #[error("the facts cannot be read or written")]
    Engine(#[from] sqlx::Error),
    /// A migration could not be applied.
    #[error("the facts could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The engine refused to work as promised, such as another journal mode than asked for.
    #[error("the storage engine is not set up as needed: {0}")]
    Setup(String),
    /// A stored row is not what was written.
    #[error("{table} {key:?}: column {column} cannot be read; rebuild the facts")]
    Corrupt {
        /// Table.
        table: &'static str,
        /// Key of the row.
        key: String,
        /// Column.
        column: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A fact cannot be written as JSON.
    #[error("a fact of table {table} cannot be written")]
    Unwritable {
        /// Table.
        table: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// A file of facts could not be handled.
    #[error("{path}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The setting that names the live generation is not a number.
    #[error(
        "setting {name} is {value:?}, which is no generation; set it to the number in the name of the newest file of facts"
    )]
    Generation {
        /// Name of the setting.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// Folding or building a view ended abruptly.
    #[error("a computation ended abruptly")]
    Abrupt(#[from] tokio::task::JoinError),
    /// The projector is not running: it was stopped, or never started, or runs already.
    #[error("the projector is {0}")]
    Projector(&'static str),
    /// Another process holds the lease on the facts now. What this one did not save, that one folds and saves itself.
    #[error("another process saves the facts now")]
    LeaseLost,
    /// Only the process that saves facts can rebuild them.
    #[error(
        "this process only follows the facts, another one saves them: ask that one to rebuild, or stop it and ask again once this one has taken over"
    )]
    NotTheHolder,
    /// A catalog entry or a file of the catalog cannot be used.
    #[error(transparent)]
    Catalog(#[from] crate::catalog::CatalogError),
}

impl LedgerError {
    /// Whether a disk is full: later perhaps.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Streams(error) => matches!(error, StreamError::Busy(_)),
            Self::Engine(error) => bus::storage::is_full(error),
            Self::Migrate(_)
            | Self::Setup(_)
            | Self::Corrupt { .. }
            | Self::Unwritable { .. }
            | Self::File { .. }
            | Self::Generation { .. }
            | Self::Abrupt(_)
            | Self::Projector(_)
            | Self::Catalog(_) => false,
        }
    }
}
