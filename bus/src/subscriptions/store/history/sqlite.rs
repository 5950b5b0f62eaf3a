//! The delivery log and dead letters in the tables. Both engines understand these statements.

use chrono::{DateTime, Utc};
use sqlx::FromRow;

use super::NewAttempt;
use crate::ids::EventOffset;
use crate::subscriptions::store::queue::sqlite::event_id;
use crate::subscriptions::store::queue::{KeyHash, NewWork, Step, Work};
use crate::subscriptions::store::{Result, Store, SubscriptionId, Transaction, corrupt, time, values};
use crate::subscriptions::{Attempt, AttemptId, DeadLetter, DeadLetterId, SubscriptionError, Verdict};

/// Dead letters are redriven so many in one transaction.
const REDRIVEN_MAX: i64 = 1_000;

#[derive(Debug, FromRow)]
struct AttemptRow {
    id: i64,
    name: String,
    event_offset: i64,
    event: Vec<u8>,
    webhook_id: String,
    number: i64,
    replay: i64,
    verdict: String,
    next_at: Option<i64>,
    seen: String,
}

#[derive(Debug, FromRow)]
struct DeadRow {
    id: i64,
    event_offset: i64,
    event: Vec<u8>,
    key_hash: i64,
    attempts: i64,
    at: i64,
    because: String,
    replay: i64,
}

impl Store {
    pub(in crate::subscriptions) async fn attempts(
        &self,
        id: SubscriptionId,
        before: Option<AttemptId>,
        limit: i64,
    ) -> Result<Vec<Attempt>> {
        let rows: Vec<AttemptRow> = self
            .rows(
                "select a.id, s.name, a.event_offset, a.event, a.webhook_id, a.number, a.replay, a.verdict, a.next_at,
                     a.seen
                 from attempts a join subscriptions s on s.id = a.subscription
                 where a.subscription = $1 and a.id < $2 order by a.id desc limit $3",
                values![id, before.map_or(i64::MAX, |before| before.0), limit],
            )
            .await?;
        rows.into_iter().map(AttemptRow::into_attempt).collect()
    }

    pub(in crate::subscriptions) async fn attempt(&self, id: AttemptId) -> Result<Option<Attempt>> {
        let row: Option<AttemptRow> = self
            .row(
                "select a.id, s.name, a.event_offset, a.event, a.webhook_id, a.number, a.replay, a.verdict, a.next_at,
                     a.seen
                 from attempts a join subscriptions s on s.id = a.subscription where a.id = $1",
                values![id.0],
            )
            .await?;
        row.map(AttemptRow::into_attempt).transpose()
    }

    /// Forgets all but the newest `kept` attempts.
    pub(in crate::subscriptions) async fn trim_attempts(&self, id: SubscriptionId, kept: i64) -> Result<()> {
        let mut transaction = self.begin().await?;
        transaction
            .execute(
                "delete from attempts where subscription = $1 and id <= (
                     select id from attempts where subscription = $1 order by id desc limit 1 offset $2)",
                values![id, kept],
            )
            .await?;
        transaction.commit().await
    }

    pub(in crate::subscriptions) async fn dead_letters(
        &self,
        id: SubscriptionId,
        limit: i64,
    ) -> Result<Vec<DeadLetter>> {
        let rows: Vec<DeadRow> = self
            .rows(
                "select id, event_offset, event, key_hash, attempts, at, because, replay from dead_letters
                 where subscription = $1 order by id desc limit $2",
                values![id, limit],
            )
            .await?;
        rows.into_iter().map(DeadRow::into_letter).collect()
    }

    /// Queues dead letters anew, oldest first; says how many. What is done before an error stays done.
    pub(in crate::subscriptions) async fn redrive_all(&self, id: SubscriptionId, step: Step) -> Result<u64> {
        let mut redriven = 0;
        loop {
            let mut transaction = self.begin_on(id).await?;
            let rows: Vec<DeadRow> = transaction
                .rows(
                    "select id, event_offset, event, key_hash, attempts, at, because, replay from dead_letters
                     where subscription = $1 order by id limit $2",
                    values![id, REDRIVEN_MAX],
                )
                .await?;
            if rows.is_empty() {
                return Ok(redriven);
            }
            redriven += transaction.redrive(id, step, rows).await?;
            transaction.commit().await?;
        }
    }

    pub(in crate::subscriptions) async fn redrive_these(
        &self,
        id: SubscriptionId,
        step: Step,
        letters: &[DeadLetterId],
    ) -> Result<u64> {
        let mut transaction = self.begin_on(id).await?;
        let mut rows: Vec<DeadRow> = Vec::new();
        for letter in letters {
            let row = transaction.row(
                "select id, event_offset, event, key_hash, attempts, at, because, replay from dead_letters
                 where subscription = $1 and id = $2",
                values![id, letter.0],
            );
            rows.extend(row.await?);
        }
        let redriven = transaction.redrive(id, step, rows).await?;
        transaction.commit().await?;
        Ok(redriven)
    }
}

impl Transaction {
    async fn redrive(&mut self, id: SubscriptionId, step: Step, rows: Vec<DeadRow>) -> Result<u64> {
        let mut redriven = 0;
        for row in rows {
            redriven += self.execute("delete from dead_letters where id = $1", values![row.id]).await?;
            let new = NewWork {
                event: EventOffset(row.event_offset),
                event_id: event_id("dead_letters", row.id, row.event)?,
                key: KeyHash(row.key_hash),
            };
            self.enqueue(id, step, row.replay, &[new]).await?;
        }
        self.raise_version(id).await?;
        Ok(redriven)
    }

    pub(in crate::subscriptions::store) async fn note_attempt(
        &mut self,
        id: SubscriptionId,
        work: &Work,
        attempt: &NewAttempt,
    ) -> Result<()> {
        let seen = serde_json::to_string(&attempt.seen).map_err(|error| SubscriptionError::Store(error.to_string()))?;
        self.execute(
            "insert into attempts (subscription, event_offset, event, webhook_id, number, replay, verdict, next_at, seen)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            values![
                id,
                work.event.0,
                work.event_id.as_bytes().as_slice(),
                attempt.webhook_id.as_str(),
                i64::from(work.attempts) + 1,
                work.replay,
                attempt.verdict.name(),
                attempt.next_at,
                seen,
            ],
        )
        .await
        .map(drop)
    }
}

impl AttemptRow {
    fn into_attempt(self) -> Result<Attempt> {
        const TABLE: &str = "attempts";
        let id = self.id;
        let verdict = Verdict::ALL.into_iter().find(|verdict| verdict.name() == self.verdict);
        let next_at = |micros: Option<i64>| -> Result<Option<DateTime<Utc>>> {
            micros.map(|micros| time(TABLE, id, "next_at", micros)).transpose()
        };
        Ok(Attempt {
            id: AttemptId(id),
            subscription: self.name.parse()?,
            event: EventOffset(self.event_offset),
            event_id: event_id(TABLE, id, self.event)?,
            webhook_id: self.webhook_id,
            number: u32::try_from(self.number).map_err(|why| corrupt(TABLE, id, "number", why))?,
            replay: self.replay != 0,
            verdict: verdict
                .ok_or_else(|| corrupt(TABLE, id, "verdict", format_args!("{:?} is none", self.verdict)))?,
            next_at: next_at(self.next_at)?,
            seen: serde_json::from_str(&self.seen).map_err(|why| corrupt(TABLE, id, "seen", why))?,
        })
    }
}

impl DeadRow {
    fn into_letter(self) -> Result<DeadLetter> {
        const TABLE: &str = "dead_letters";
        let id = self.id;
        Ok(DeadLetter {
            id: DeadLetterId(id),
            event: EventOffset(self.event_offset),
            event_id: event_id(TABLE, id, self.event)?,
            attempts: u32::try_from(self.attempts).map_err(|why| corrupt(TABLE, id, "attempts", why))?,
            at: time(TABLE, id, "at", self.at)?,
            because: self.because,
            replay: self.replay != 0,
        })
    }
}
