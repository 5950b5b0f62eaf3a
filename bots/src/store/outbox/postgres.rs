//! The outbox in PostgreSQL.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::rows::{AnnouncementRow, OpenRow, announcement, open_action};
use super::{ActionId, Announcement, OpenAction, Performed};
use crate::error::BotError;
use crate::runtime::record::ActionStatus;
use crate::store::commit::postgres::add;
use crate::store::postgres::Postgres;
use crate::store::{Lane, hour, json, micros, storable};

impl Postgres {
    pub(super) async fn open_lanes(&self) -> Result<BTreeSet<Lane>, BotError> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "select distinct client, destination from actions
             where status in ('pending', 'attempting') and client is not null and destination is not null",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(client, destination)| Lane { client, destination }).collect())
    }

    pub(super) async fn open_actions(&self, bot: &str) -> Result<u64, BotError> {
        let n: i64 =
            sqlx::query_scalar("select count(*) from actions where bot = $1 and status in ('pending', 'attempting')")
                .bind(bot)
                .fetch_one(&self.pool)
                .await?;
        Ok(n.unsigned_abs())
    }

    pub(super) async fn first_action(&self, lane: &Lane, bot: &str) -> Result<Option<OpenAction>, BotError> {
        let row: Option<OpenRow> = sqlx::query_as(
            "select a.id, a.bot, a.event, a.round, a.ordinal, a.action, a.channel, a.message, a.status, a.reason,
                 a.tries, a.attempts, a.in_doubt, a.queued_at, a.due_at, m.receipt as earlier, a.thread,
                 t.receipt as thread_receipt,
                 (select p.status from actions p where p.bot = a.bot and p.message = a.thread order by p.id desc limit 1)
                     as thread_status
             from actions a
             left join messages m on m.bot = a.bot and m.message = a.message
             left join messages t on t.bot = a.bot and t.message = a.thread
             where a.client = $1 and a.destination = $2 and a.bot = $3 and a.status in ('pending', 'attempting')
                 and (a.thread is null or t.receipt is not null or not exists (
                     select 1 from actions p
                     where p.bot = a.bot and p.message = a.thread and p.status in ('pending', 'attempting')))
             order by a.position limit 1",
        )
        .bind(&lane.client)
        .bind(&lane.destination)
        .bind(bot)
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| open_action(lane, row)).transpose()
    }

    pub(super) async fn begin_attempt(&self, id: ActionId) -> Result<bool, BotError> {
        let mut transaction = self.begin_held().await?;
        let changed = sqlx::query(
            "update actions set status = 'attempting' where id = $1 and status in ('pending', 'attempting')",
        )
        .bind(id.0)
        .execute(&mut *transaction)
        .await?
        .rows_affected();
        transaction.commit().await?;
        Ok(changed > 0)
    }

    pub(super) async fn settle(&self, action: &OpenAction, performed: Option<&Performed>) -> Result<(), BotError> {
        let mut transaction = self.begin_held_of(&action.mark.bot).await?;
        let open = matches!(action.status, ActionStatus::Pending | ActionStatus::Attempting);
        let receipt = performed.map(|performed| json("a receipt", &performed.receipt)).transpose()?;
        sqlx::query(
            "update actions set status = $2, reason = $3, tries = $4, attempts = $5, in_doubt = $6, due_at = $7,
                 performed_at = $8, receipt = $9, toil_minutes = $10, announced = $11
             where id = $1",
        )
        .bind(action.id.0)
        .bind(action.status.name())
        .bind(action.reason.as_deref().map(storable))
        .bind(i64::from(action.tries))
        .bind(json("the attempts of an action", &action.attempts)?)
        .bind(action.in_doubt)
        .bind(open.then(|| micros(action.due_at)))
        .bind(performed.map(|performed| micros(performed.at)))
        .bind(&receipt)
        .bind(performed.and_then(|performed| performed.toil_minutes).map_or(0, i64::from))
        .bind(performed.is_none())
        .execute(&mut *transaction)
        .await?;
        if let (Some(performed), Some(receipt)) = (performed, receipt) {
            note_performed(&mut transaction, action, performed, &receipt).await?;
        }
        if action.status == ActionStatus::Pending {
            give_way(&mut transaction, action).await?;
        }
        Ok(transaction.commit().await?)
    }

    pub(super) async fn to_announce(&self, limit: u32) -> Result<Vec<Announcement>, BotError> {
        let rows: Vec<AnnouncementRow> = sqlx::query_as(
            "select id, bot, event, round, ordinal, name, destination, repository, service, receipt, in_doubt,
                 toil_minutes, coalesce(performed_at, recorded_at) as performed_at
             from actions where not announced order by id limit $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(announcement).collect()
    }

    pub(super) async fn announced(&self, ids: &[ActionId]) -> Result<(), BotError> {
        let mut transaction = self.begin_held().await?;
        sqlx::query("update actions set announced = true where id = any($1)")
            .bind(ids.iter().map(|id| id.0).collect::<Vec<_>>())
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    pub(super) async fn unannounced(&self) -> Result<u64, BotError> {
        let n: i64 =
            sqlx::query_scalar("select count(*) from actions where not announced").fetch_one(&self.pool).await?;
        Ok(n.unsigned_abs())
    }
}

/// The action's message is what it became now, and the figures know of it.
async fn note_performed(
    connection: &mut PgConnection,
    action: &OpenAction,
    performed: &Performed,
    receipt: &str,
) -> Result<(), BotError> {
    if let Some(message) = &action.message {
        sqlx::query(
            "insert into messages (bot, message, client, destination, channel, receipt, written_at)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (bot, message) do update set client = excluded.client, destination = excluded.destination,
                 channel = excluded.channel, receipt = excluded.receipt, written_at = excluded.written_at",
        )
        .bind(&action.mark.bot)
        .bind(storable(message))
        .bind(&action.lane.client)
        .bind(&action.lane.destination)
        .bind(action.channel.as_deref().map(storable))
        .bind(receipt)
        .bind(micros(performed.at))
        .execute(&mut *connection)
        .await?;
    }
    let what = format!("action/{}", action.action.name());
    add(&mut *connection, (&action.mark.bot, &what), hour(performed.at), [1, 0]).await?;
    if let Some(minutes) = performed.toil_minutes {
        add(connection, (&action.mark.bot, "toil"), hour(performed.at), [1, minutes.into()]).await?;
    }
    Ok(())
}

/// If a later update of the same message came while the tool was called, that one takes this one's place.
async fn give_way(connection: &mut PgConnection, action: &OpenAction) -> Result<(), BotError> {
    let Some(message) = &action.message else { return Ok(()) };
    let taken = sqlx::query(
        "update actions set position = (select position from actions where id = $3)
         where id = (select max(id) from actions
             where bot = $1 and message = $2 and status = 'pending' and id > $3)",
    )
    .bind(&action.mark.bot)
    .bind(storable(message))
    .bind(action.id.0)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    if taken > 0 {
        sqlx::query(
            "update actions set status = 'superseded', due_at = null, reason = 'a later update came before it was sent'
             where id = $1",
        )
        .bind(action.id.0)
        .execute(connection)
        .await?;
    }
    Ok(())
}
