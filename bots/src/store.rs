//! Keeps what bots decided, what is still to be done of it, and what they keep for themselves.
//!
//! What follows from one event is written in one transaction with the checkpoint. The store knows nothing of why
//! something is decided or done.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bus::ids::EventId;
use bus::lease::Epoch;
use bus::migrate::Set;
use bus::storage::Tables;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::contract::Mode;
use crate::error::BotError;
use crate::runtime::record::{ActionStatus, RunStatus};

/// The lease of the process that runs bots.
pub(crate) const LEASE: &str = "bots";

/// What bots keep, for moving it from one engine to another.
pub const TABLES: Set = Set {
    file: sqlite::DATABASE_FILE,
    schema: postgres::SCHEMA,
    tables: &["bots", "runs", "lookups", "actions", "messages", "state", "counts"],
    apart: &["bots.by_hand"],
    exact: false,
};

/// Makes the tables of bots where they are not there yet.
///
/// # Errors
/// If they cannot be made or brought up to date.
pub async fn prepare(tables: &Tables) -> Result<(), BotError> {
    Store::open(tables).await?.close().await;
    Ok(())
}

/// Asks whichever engine there is the same question.
macro_rules! ask {
    ($store:expr, $engine:ident => $question:expr) => {
        match &$store.engine {
            crate::store::Engine::Sqlite($engine) => $question,
            crate::store::Engine::Postgres($engine) => $question,
        }
    };
}

pub(crate) mod commit;
pub(crate) mod figures;
pub(crate) mod outbox;
mod postgres;
pub(crate) mod runs;
mod sqlite;
mod upkeep;

/// The store of an installation. Clones share its connections.
///
/// What follows from events and from attempts is written by the process that runs bots, and by no other: see
/// [`Store::hold`]. What people do is written by any process.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    engine: Engine,
}

/// The engines.
#[derive(Debug, Clone)]
enum Engine {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

impl Store {
    /// Opens, or creates, the store in some tables.
    pub(crate) async fn open(tables: &Tables) -> Result<Self, BotError> {
        let engine = match tables {
            Tables::Sqlite(directory) => Engine::Sqlite(sqlite::Sqlite::open(directory).await?),
            Tables::Postgres(settings) => Engine::Postgres(postgres::Postgres::open(settings).await?),
        };
        Ok(Self { engine })
    }

    /// From now on what only the process that runs bots may write is written in this epoch of its lease, and not at all
    /// once another process holds it.
    pub(crate) fn hold(&self, epoch: Epoch) {
        match &self.engine {
            // Its process is the only one.
            Engine::Sqlite(_) => {}
            Engine::Postgres(engine) => engine.hold(epoch),
        }
    }

    /// How often people paused, resumed or redrove each bot; none if only this process can have done it.
    pub(crate) async fn by_hand(&self) -> Result<Option<BTreeMap<String, i64>>, BotError> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(None),
            Engine::Postgres(engine) => engine.by_hand().await.map(Some),
        }
    }

    /// Closes it once nobody reads or writes any more.
    pub(crate) async fn close(&self) {
        ask!(self, engine => engine.close().await);
    }
}

/// Where actions have their effect, in order: one tool and one place there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Lane {
    /// The client's name.
    pub(crate) client: String,
    /// The destination's name.
    pub(crate) destination: String,
}

/// A text that every engine can store: without U+0000.
fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// Hours since 1970.
fn hour(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(3600)
}

fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// Reads what one row of a table holds.
#[derive(Clone, Copy)]
struct Reading<'a> {
    table: &'static str,
    row: &'a (dyn std::fmt::Display + Sync),
}

impl<'a> Reading<'a> {
    const fn of(table: &'static str, row: &'a (impl std::fmt::Display + Sync + 'a)) -> Self {
        Self { table, row }
    }

    fn corrupt(&self, column: &'static str, why: impl std::fmt::Display) -> BotError {
        BotError::Corrupt { table: self.table, row: self.row.to_string(), column, why: why.to_string() }
    }

    fn json<T: DeserializeOwned>(&self, column: &'static str, text: &str) -> Result<T, BotError> {
        serde_json::from_str(text).map_err(|why| self.corrupt(column, why))
    }

    fn time(&self, column: &'static str, micros: i64) -> Result<DateTime<Utc>, BotError> {
        DateTime::from_timestamp_micros(micros).ok_or_else(|| self.corrupt(column, format_args!("{micros} is no time")))
    }

    fn time_if(&self, column: &'static str, micros: Option<i64>) -> Result<Option<DateTime<Utc>>, BotError> {
        micros.map(|micros| self.time(column, micros)).transpose()
    }

    fn number<T: TryFrom<i64>>(&self, column: &'static str, number: i64) -> Result<T, BotError> {
        T::try_from(number).map_err(|_| self.corrupt(column, format_args!("{number} is out of range")))
    }

    fn event(&self, bytes: Vec<u8>) -> Result<EventId, BotError> {
        let bytes = <[u8; 16]>::try_from(bytes).map_err(|_| self.corrupt("event", "16 bytes are needed"))?;
        Ok(EventId::from_bytes(bytes))
    }

    fn mode(&self, name: &str) -> Result<Mode, BotError> {
        let known = [Mode::DryRun, Mode::Live].into_iter().find(|mode| mode.name() == name);
        known.ok_or_else(|| self.corrupt("mode", format_args!("{name:?} is no mode")))
    }

    fn run_status(&self, name: &str) -> Result<RunStatus, BotError> {
        let known = RunStatus::ALL.into_iter().find(|status| status.name() == name);
        known.ok_or_else(|| self.corrupt("status", format_args!("{name:?} is no status of a run")))
    }

    fn action_status(&self, name: &str) -> Result<ActionStatus, BotError> {
        let known = ActionStatus::ALL.into_iter().find(|status| status.name() == name);
        known.ok_or_else(|| self.corrupt("status", format_args!("{name:?} is no status of an action")))
    }
}

fn json(what: &'static str, value: &impl Serialize) -> Result<String, BotError> {
    serde_json::to_string(value).map_err(|source| BotError::Unwritable { what, source })
}

/// The start of the hours that a span before `now` touches.
fn hours_since(now: DateTime<Utc>, span: TimeDelta) -> i64 {
    hour(now - span) + 1
}
