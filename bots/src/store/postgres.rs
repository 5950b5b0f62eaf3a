//! A schema in PostgreSQL, which any number of processes read and people change from any of them, but where only the
//! process that holds the lease writes what follows from events. The statements are in the engine files of the areas
//! beside it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bus::lease::Epoch;
use bus::storage::PostgresSettings;
use bus::streams::StreamError;
use sqlx::postgres::PgPool;
use sqlx::{PgConnection, Postgres as Database, Transaction};

use super::LEASE;
use crate::error::BotError;

pub(super) const SCHEMA: &str = "devhose_bots";

/// No holder of a lease has it.
const NO_EPOCH: i64 = -1;

#[derive(Debug, Clone)]
pub(super) struct Postgres {
    pub(super) pool: PgPool,
    /// The epoch in which this process holds, or held last, the lease.
    holder: Arc<AtomicI64>,
}

impl Postgres {
    pub(super) async fn open(settings: &PostgresSettings) -> Result<Self, BotError> {
        let migrations = sqlx::migrate!("../migrations/postgres/bots");
        let pool = bus::postgres::open(settings, SCHEMA, &migrations).await?;
        Ok(Self { pool, holder: Arc::new(AtomicI64::new(NO_EPOCH)) })
    }

    pub(super) fn hold(&self, epoch: Epoch) {
        self.holder.store(epoch.0, Ordering::Release);
    }

    /// Begins what only the holder of the lease may do, and may go on doing until it is committed.
    pub(super) async fn begin_held(&self) -> Result<Transaction<'static, Database>, BotError> {
        let mut transaction = self.pool.begin().await?;
        let epoch = Epoch(self.holder.load(Ordering::Acquire));
        match bus::postgres::fence(&mut transaction, LEASE, epoch).await {
            Ok(()) => Ok(transaction),
            Err(StreamError::Fenced(_)) => Err(BotError::LeaseLost),
            Err(error) => Err(error.into()),
        }
    }

    /// The same, for what changes runs or queues of a bot: one transaction at a time, as people change them too.
    pub(super) async fn begin_held_of(&self, bot: &str) -> Result<Transaction<'static, Database>, BotError> {
        let mut transaction = self.begin_held().await?;
        lock(&mut transaction, bot).await?;
        Ok(transaction)
    }

    /// Begins what somebody does to a bot by hand, whichever process he asks.
    pub(super) async fn begin_by_hand(&self, bot: &str) -> Result<Transaction<'static, Database>, BotError> {
        let mut transaction = self.pool.begin().await?;
        lock(&mut transaction, bot).await?;
        sqlx::query("update bots set by_hand = by_hand + 1 where name = $1")
            .bind(bot)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction)
    }

    pub(super) async fn by_hand(&self) -> Result<BTreeMap<String, i64>, BotError> {
        let rows: Vec<(String, i64)> = sqlx::query_as("select name, by_hand from bots").fetch_all(&self.pool).await?;
        Ok(rows.into_iter().collect())
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

async fn lock(connection: &mut PgConnection, bot: &str) -> Result<(), BotError> {
    sqlx::query("select 1 from bots where name = $1 for update").bind(bot).execute(connection).await?;
    Ok(())
}
