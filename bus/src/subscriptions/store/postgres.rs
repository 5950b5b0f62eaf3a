//! What PostgreSQL needs beside the statements that both engines share.

use sqlx::{PgPool, Postgres, Transaction};

use super::{Result, SubscriptionId};
use crate::lease::{Epoch, Lease};
use crate::storage::PostgresSettings;
use crate::subscriptions::SubscriptionError;

pub(super) const SCHEMA: &str = "devhose_subscriptions";

pub(super) async fn open(settings: &PostgresSettings) -> Result<PgPool> {
    let migrations = sqlx::migrate!("../migrations/postgres/subscriptions");
    Ok(crate::postgres::open(settings, SCHEMA, &migrations).await?)
}

/// Waits until nobody else changes the subscription.
pub(super) async fn lock(transaction: &mut Transaction<'static, Postgres>, id: SubscriptionId) -> Result<()> {
    sqlx::query("select 1 from subscriptions where id = $1 for update").bind(id.0).execute(&mut **transaction).await?;
    Ok(())
}

/// Refuses whoever does not hold the lease any more. Until the transaction ends nobody else gets it.
pub(super) async fn fence(transaction: &mut Transaction<'static, Postgres>, epoch: Epoch) -> Result<()> {
    if epoch == Lease::sole().epoch() {
        return Ok(());
    }
    let held = sqlx::query("select 1 from devhose.epochs where name = $1 and epoch = $2 for share")
        .bind(crate::subscriptions::LEASE)
        .bind(epoch.0)
        .fetch_optional(&mut **transaction)
        .await?;
    held.map(drop).ok_or(SubscriptionError::Fenced)
}
