//! Which generations of facts there are, and which of them is live, whatever engine keeps them.
//!
//! Anybody may read. Only the process that holds the lease on the facts writes, and where there may be several
//! processes each of its transactions makes sure of that by the lease's epoch.

use bus::lease::Epoch;
use bus::storage::Tables;
use bus::streams::Streams;

use super::{Position, Snapshot, Store, postgres, sqlite};
use crate::error::LedgerError;
use crate::facts::Facts;

/// Name of the setting that says which generation of facts is live, where the facts are files.
const GENERATION: &str = "ledger.generation";

/// The live generation changes hands while it is read at most so often before that is an error.
const READ_ATTEMPTS_MAX: u32 = 5;

/// The generations of an installation. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) enum Generations {
    Sqlite(sqlite::Directory),
    Postgres(postgres::Database),
}

impl Generations {
    pub(crate) async fn open(tables: &Tables) -> Result<Self, LedgerError> {
        Ok(match tables {
            Tables::Sqlite(directory) => Self::Sqlite(sqlite::Directory::new(directory)),
            Tables::Postgres(settings) => Self::Postgres(postgres::Database::open(settings).await?),
        })
    }

    /// Which one is live; the first where nothing was ever saved.
    pub(crate) async fn live(&self, streams: &Streams) -> Result<u64, LedgerError> {
        match self {
            Self::Sqlite(_) => match streams.setting(GENERATION).await? {
                None => Ok(1),
                Some(value) => value.parse().map_err(|_| LedgerError::Generation { name: GENERATION, value }),
            },
            Self::Postgres(database) => Ok(database.live().await?.unwrap_or(1)),
        }
    }

    /// Makes a generation the live one.
    pub(crate) async fn make_live(&self, streams: &Streams, number: u64, holder: Epoch) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(_) => Ok(streams.save_setting(GENERATION, number.to_string()).await?),
            Self::Postgres(database) => database.make_live(number, holder).await,
        }
    }

    /// The live generation: its number, what it includes, and its facts, all of one moment.
    pub(crate) async fn load_live(&self, streams: &Streams) -> Result<(u64, Position, Facts), LedgerError> {
        for _ in 0..READ_ATTEMPTS_MAX {
            let number = self.live(streams).await?;
            match self.load(number).await {
                Ok((position, facts)) => return Ok((number, position, facts)),
                // Removed while it was read: another one is live by now.
                Err(_) if self.live(streams).await? != number => {}
                Err(error) => return Err(error),
            }
        }
        Err(LedgerError::Setup("the live generation changed again and again while it was read".to_owned()))
    }

    async fn load(&self, number: u64) -> Result<(Position, Facts), LedgerError> {
        let Some(mut snapshot) = self.snapshot(number).await? else { return Ok(Default::default()) };
        let loaded = (snapshot.position().await?, snapshot.load().await?);
        snapshot.close().await?;
        Ok(loaded)
    }

    /// A generation as it is now; none if nothing was ever saved.
    async fn snapshot(&self, number: u64) -> Result<Option<Snapshot>, LedgerError> {
        Ok(match self {
            Self::Sqlite(directory) => Some(Snapshot::Sqlite(directory.open(number).await?)),
            Self::Postgres(database) => database.snapshot(number).await?.map(Snapshot::Postgres),
        })
    }

    /// A copy of a generation as it is now, for reading at leisure. Readers and writers go on meanwhile.
    pub(crate) async fn copy(&self, number: u64) -> Result<Snapshot, LedgerError> {
        Ok(match self {
            Self::Sqlite(directory) => Snapshot::SqliteCopy(directory.copy(number).await?),
            Self::Postgres(database) => Snapshot::PostgresCopy(database.copy(number).await?),
        })
    }

    /// Where the holder of the lease writes a generation, which is made if it is not there.
    pub(crate) async fn writer(&self, number: u64, holder: Epoch) -> Result<Store, LedgerError> {
        Ok(match self {
            Self::Sqlite(directory) => Store::Sqlite(directory.file(number).await?),
            Self::Postgres(database) => Store::Postgres(database.writer(number, holder).await?),
        })
    }

    /// Makes an empty one; what is left of an earlier attempt is removed.
    pub(crate) async fn create(&self, number: u64, holder: Epoch) -> Result<Store, LedgerError> {
        match self {
            Self::Sqlite(directory) => directory.remove(number)?,
            Self::Postgres(database) => database.remove(number, holder).await?,
        }
        self.writer(number, holder).await
    }

    /// Removes files that an earlier program left unfinished. An embedded store does it when it is opened: there is no
    /// other process that could still be at work on them.
    pub(crate) fn tidy_files(&self, live: u64) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(directory) => directory.remove_others(live),
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Begins to save where somebody else saved before: what is live is written down, and every other generation is
    /// removed: what an earlier one left, and what a rebuild that was cut short did.
    pub(crate) async fn take_over(&self, live: u64, holder: Epoch) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(database) => database.take_over(live, holder).await,
        }
    }
}
