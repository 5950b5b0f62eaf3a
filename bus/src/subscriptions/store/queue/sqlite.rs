//! The queue in the tables. Both engines understand these statements.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use sqlx::FromRow;

use super::{Fate, KeyHash, NewWork, Room, Settlements, Step, Work, WorkId};
use crate::ids::{EventId, EventOffset};
use crate::lease::Epoch;
use crate::subscriptions::store::{Result, Store, SubscriptionId, Transaction, Value, assembled, corrupt, values};

/// Rows in one statement: eight values each, of 32,766 that SQLite takes.
const ROWS_MAX: usize = 500;

#[derive(Debug, FromRow)]
pub(in crate::subscriptions::store) struct WorkRow {
    id: i64,
    event_offset: i64,
    event: Vec<u8>,
    key_hash: i64,
    attempts: i64,
    replay: i64,
}

impl Store {
    /// Queues what a reader found on its way, and where it stands now; false if another has read on meanwhile.
    pub(in crate::subscriptions) async fn feed(
        &self,
        epoch: Option<Epoch>,
        id: SubscriptionId,
        step: Step,
        work: &[NewWork],
    ) -> Result<bool> {
        let mut transaction = match epoch {
            Some(epoch) => self.begin_as(epoch, id).await?,
            None => self.begin_on(id).await?,
        };
        let moved = transaction
            .execute(
                "update subscriptions set position = $2 where id = $1 and position = $3",
                values![id, step.to.0, step.from.0],
            )
            .await?;
        if moved == 0 {
            return Ok(false);
        }
        transaction.enqueue(id, step, 0, work).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Queues events once more; they are of a replay of their own.
    pub(in crate::subscriptions) async fn replay(
        &self,
        id: SubscriptionId,
        step: Step,
        work: &[NewWork],
    ) -> Result<()> {
        let mut transaction = self.begin_on(id).await?;
        let Some(replay) = transaction.next_serial(id).await? else { return Ok(()) };
        transaction.enqueue(id, step, replay, work).await?;
        transaction.raise_version(id).await?;
        transaction.commit().await
    }

    pub(in crate::subscriptions) async fn room(&self, id: SubscriptionId) -> Result<Room> {
        let row: Option<(i64, i64, i64)> = self
            .row(
                "select (select count(*) from work where subscription = $1),
                     (select count(*) from work where subscription = $1 and blocked = 0 and attempts = 0),
                     (select count(*) from dead_letters where subscription = $1)",
                values![id],
            )
            .await?;
        let (queued, ready, dead) = row.unwrap_or_default();
        let number = |n: i64| usize::try_from(n).unwrap_or_default();
        Ok(Room { queued: number(queued), ready: number(ready), dead: number(dead) })
    }

    /// What may be tried now, the longest waiting first: of each key the first.
    pub(in crate::subscriptions) async fn due(
        &self,
        id: SubscriptionId,
        now: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Work>> {
        let rows: Vec<WorkRow> = self
            .rows(
                "select id, event_offset, event, key_hash, attempts, replay from work
                 where subscription = $1 and blocked = 0 and due_at <= $2 order by due_at, id limit $3",
                values![id, now, i64::try_from(limit).unwrap_or(i64::MAX)],
            )
            .await?;
        rows.into_iter().map(WorkRow::into_work).collect()
    }

    /// When something that is not due yet will be.
    pub(in crate::subscriptions) async fn next_due(
        &self,
        id: SubscriptionId,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>> {
        let row: Option<(Option<i64>,)> = self
            .row(
                "select min(due_at) from work where subscription = $1 and blocked = 0 and due_at > $2",
                values![id, now],
            )
            .await?;
        Ok(row.and_then(|(due,)| due).and_then(DateTime::from_timestamp_micros))
    }

    /// Notes what attempts led to; false if the subscription is gone.
    pub(in crate::subscriptions) async fn settle(
        &self,
        epoch: Epoch,
        id: SubscriptionId,
        settlements: &Settlements,
    ) -> Result<bool> {
        let mut transaction = self.begin_as(epoch, id).await?;
        let there: Option<(i64,)> = transaction.row("select id from subscriptions where id = $1", values![id]).await?;
        if there.is_none() {
            return Ok(false);
        }
        for settlement in &settlements.all {
            transaction.seal(id, &settlement.work, &settlement.fate, settlements.at).await?;
            if let Some(attempt) = &settlement.attempt {
                transaction.note_attempt(id, &settlement.work, attempt).await?;
            }
        }
        if let Some(held) = settlements.held {
            transaction.hold(id, held).await?;
        }
        if let Some(because) = &settlements.disable {
            transaction.disable(id, because).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }
}

impl Transaction {
    pub(in crate::subscriptions::store) async fn enqueue(
        &mut self,
        id: SubscriptionId,
        step: Step,
        replay: i64,
        work: &[NewWork],
    ) -> Result<()> {
        if work.is_empty() {
            return Ok(());
        }
        let (last,): (i64,) = self
            .row("select coalesce(max(id), 0) from work where subscription = $1", values![id])
            .await?
            .unwrap_or_default();
        let blocked = i64::from(step.ordered);
        for part in work.chunks(ROWS_MAX) {
            let mut sql = "insert into work (subscription, due_at, replay, blocked, attempts, event_offset, event, \
                           key_hash, partition_number) values "
                .to_owned();
            let mut values = values![id, step.at, replay, blocked];
            for (index, new) in part.iter().enumerate() {
                let comma = if index > 0 { ", " } else { "" };
                let n = values.len();
                // Writing to a string cannot fail.
                write!(sql, "{comma}($1, $2, $3, $4, 0, ${}, ${}, ${}, ${})", n + 1, n + 2, n + 3, n + 4).ok();
                values.extend(values![new.event.0, new.event_id.as_bytes().as_slice(), new.key.0, new.key.partition()]);
            }
            self.execute_text(assembled(sql), values, false).await?;
        }
        if step.ordered {
            self.execute(
                "update work set blocked = 0 where subscription = $1 and id > $2 and blocked = 1 and not exists (
                     select 1 from work e
                     where e.subscription = work.subscription and e.key_hash = work.key_hash and e.id < work.id)",
                values![id, last],
            )
            .await?;
        }
        Ok(())
    }

    /// Does with something queued what is to become of it. One attempt more was made.
    pub(in crate::subscriptions::store) async fn seal(
        &mut self,
        id: SubscriptionId,
        work: &Work,
        fate: &Fate,
        now: DateTime<Utc>,
    ) -> Result<()> {
        match fate {
            Fate::Again(due_at) => {
                self.execute(
                    "update work set attempts = $2, due_at = $3, token = null where id = $1",
                    values![work.id, i64::from(work.attempts) + 1, *due_at],
                )
                .await?;
                return Ok(());
            }
            Fate::Dead(because) => {
                self.execute(
                    "insert into dead_letters (subscription, event_offset, event, key_hash, partition_number, attempts,
                         at, because, replay)
                     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                    values![
                        id,
                        work.event.0,
                        work.event_id.as_bytes().as_slice(),
                        work.key.0,
                        work.key.partition(),
                        i64::from(work.attempts) + 1,
                        now,
                        because.as_str(),
                        work.replay,
                    ],
                )
                .await?;
            }
            Fate::Done => {}
        }
        self.execute("delete from work where id = $1", values![work.id]).await?;
        self.unblock(id, work.key).await
    }

    /// Lets the next of a key go on.
    async fn unblock(&mut self, id: SubscriptionId, key: KeyHash) -> Result<()> {
        self.execute(
            "update work set blocked = 0
             where id = (select min(id) from work where subscription = $1 and key_hash = $2) and blocked = 1",
            values![id, key.0],
        )
        .await
        .map(drop)
    }
}

impl WorkRow {
    pub(in crate::subscriptions::store) fn into_work(self) -> Result<Work> {
        const TABLE: &str = "work";
        let attempts = u32::try_from(self.attempts).map_err(|why| corrupt(TABLE, self.id, "attempts", why))?;
        Ok(Work {
            id: WorkId(self.id),
            event: EventOffset(self.event_offset),
            event_id: event_id(TABLE, self.id, self.event)?,
            key: KeyHash(self.key_hash),
            attempts,
            replay: self.replay,
        })
    }
}

pub(in crate::subscriptions::store) fn event_id(table: &'static str, row: i64, bytes: Vec<u8>) -> Result<EventId> {
    let bytes = <[u8; 16]>::try_from(bytes).map_err(|_| corrupt(table, row, "event", "16 bytes are needed"))?;
    Ok(EventId::from_bytes(bytes))
}

impl From<WorkId> for Value {
    fn from(id: WorkId) -> Self {
        Self::from(id.0)
    }
}
