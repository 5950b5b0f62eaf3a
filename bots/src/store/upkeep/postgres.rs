//! Redriving and forgetting in PostgreSQL.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{MESSAGES_MAX, STATE_KEYS_MAX};
use crate::action::Action;
use crate::error::BotError;
use crate::runtime::record::RunId;
use crate::store::outbox::ActionId;
use crate::store::postgres::Postgres;
use crate::store::runs::Place;
use crate::store::{Reading, micros, storable};

impl Postgres {
    pub(super) async fn count_dead(&self, bot: &str, ids: Option<&[RunId]>) -> Result<[u64; 2], BotError> {
        let (runs, actions): (i64, i64) = sqlx::query_as(
            "select
                 (select count(*) from runs where bot = $1 and status = 'dead'
                     and ($2::bigint[] is null or id = any($2))),
                 (select count(*) from actions where bot = $1 and status = 'failed'
                     and ($2::bigint[] is null or run = any($2)))",
        )
        .bind(bot)
        .bind(list(ids))
        .fetch_one(&self.pool)
        .await?;
        Ok([runs.unsigned_abs(), actions.unsigned_abs()])
    }

    pub(super) async fn unplaced(&self, bot: &str, ids: Option<&[RunId]>) -> Result<Vec<(ActionId, Action)>, BotError> {
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "select id, action from actions where bot = $1 and status = 'failed' and client is null
                 and ($2::bigint[] is null or run = any($2)) order by id",
        )
        .bind(bot)
        .bind(list(ids))
        .fetch_all(&self.pool)
        .await?;
        let read =
            |(id, action): (i64, String)| Ok((ActionId(id), Reading::of("actions", &id).json("action", &action)?));
        rows.into_iter().map(read).collect()
    }

    pub(super) async fn redrive(
        &self,
        bot: &str,
        ids: Option<&[RunId]>,
        placed: &[(ActionId, Place)],
        now: DateTime<Utc>,
    ) -> Result<u64, BotError> {
        let ids = list(ids);
        let mut transaction = self.begin_by_hand(bot).await?;
        for (id, place) in placed {
            sqlx::query("update actions set client = $2, destination = $3, channel = $4 where id = $1")
                .bind(id.0)
                .bind(&place.lane.client)
                .bind(&place.lane.destination)
                .bind(place.channel.as_deref().map(storable))
                .execute(&mut *transaction)
                .await?;
        }
        let runs = redrive_runs(&mut transaction, bot, ids.as_deref(), now).await?;
        let actions = redrive_actions(&mut transaction, bot, ids.as_deref(), now).await?;
        transaction.commit().await?;
        Ok(runs + actions)
    }

    pub(super) async fn prune(&self, bot: &str, runs_kept: i64) -> Result<(), BotError> {
        let mut transaction = self.begin_held_of(bot).await?;
        let runs: Vec<i64> = sqlx::query_scalar(
            "delete from runs where bot = $1
                 and id <= coalesce((select id from runs where bot = $1 order by id desc limit 1 offset $2::bigint), 0)
                 and status in ('done', 'dead')
                 and (status = 'done'
                     or id <= coalesce((select id from runs where bot = $1 order by id desc limit 1 offset $2::bigint * 2), 0))
                 and not exists (select 1 from actions a where a.run = runs.id
                     and (a.status in ('pending', 'attempting') or not a.announced
                         or a.status = 'failed' and runs.id >
                             coalesce((select id from runs where bot = $1 order by id desc limit 1 offset $2::bigint * 2), 0)))
             returning id",
        )
        .bind(bot)
        .bind(runs_kept)
        .fetch_all(&mut *transaction)
        .await?;
        sqlx::query("delete from lookups where run = any($1)").bind(&runs).execute(&mut *transaction).await?;
        sqlx::query("delete from actions where run = any($1)").bind(&runs).execute(&mut *transaction).await?;
        sqlx::query(
            "delete from state where bot = $1 and written_at <
                 (select written_at from state where bot = $1 order by written_at desc limit 1 offset $2::bigint)",
        )
        .bind(bot)
        .bind(STATE_KEYS_MAX)
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "delete from messages where bot = $1 and written_at <
                 (select written_at from messages where bot = $1 order by written_at desc limit 1 offset $2::bigint)",
        )
        .bind(bot)
        .bind(MESSAGES_MAX)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }
}

/// The runs' numbers; none for all.
fn list(ids: Option<&[RunId]>) -> Option<Vec<i64>> {
    ids.map(|ids| ids.iter().map(|id| id.0).collect())
}

/// Per key the oldest is tried first, unless one of that key is tried already.
async fn redrive_runs(
    connection: &mut PgConnection,
    bot: &str,
    ids: Option<&[i64]>,
    now: DateTime<Utc>,
) -> Result<u64, BotError> {
    let redriven = sqlx::query(
        "update runs set status = 'waiting', tries = 0, by_hand = true, due_at = null, because = 'redriven by hand'
         where bot = $1 and status = 'dead' and ($2::bigint[] is null or id = any($2))",
    )
    .bind(bot)
    .bind(ids)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    sqlx::query(
        "update runs set status = 'retrying', due_at = $2 where id in (
             select min(id) from runs w where w.bot = $1 and w.status = 'waiting'
                 and not exists (select 1 from runs r
                     where r.bot = $1 and r.order_key = w.order_key and r.status = 'retrying')
             group by w.order_key)",
    )
    .bind(bot)
    .bind(micros(now))
    .execute(connection)
    .await?;
    Ok(redriven)
}

/// An old update is not put over a newer one of the same message.
async fn redrive_actions(
    connection: &mut PgConnection,
    bot: &str,
    ids: Option<&[i64]>,
    now: DateTime<Utc>,
) -> Result<u64, BotError> {
    sqlx::query(
        "update actions set status = 'superseded', reason = 'a later update came before it was sent'
         where bot = $1 and status = 'failed' and message is not null
             and ($2::bigint[] is null or run = any($2))
             and exists (select 1 from actions later where later.bot = $1 and later.message = actions.message
                 and later.id > actions.id and later.status <> 'recorded')",
    )
    .bind(bot)
    .bind(ids)
    .execute(&mut *connection)
    .await?;
    Ok(sqlx::query(
        "update actions set status = 'pending', tries = 0, due_at = $3, queued_at = $3, reason = 'redriven by hand'
         where bot = $1 and status = 'failed' and client is not null and destination is not null
             and ($2::bigint[] is null or run = any($2))",
    )
    .bind(bot)
    .bind(ids)
    .bind(micros(now))
    .execute(connection)
    .await?
    .rows_affected())
}
