//! Groups of consumers in the tables. Both engines understand these statements.

use std::collections::{BTreeMap, HashMap};

use super::{Answer, Asking, CONSUMERS_MAX, Handed};
use crate::ids::EventOffset;
use crate::subscriptions::partitions::{self, Share};
use crate::subscriptions::store::queue::sqlite::WorkRow;
use crate::subscriptions::store::queue::{Fate, Work};
use crate::subscriptions::store::{Result, Store, SubscriptionId, Transaction, values};
use crate::subscriptions::{SubscriptionError, outcome};

impl Store {
    /// Hands a consumer what is due of its share; nothing if there is nothing, but it lives on.
    pub(in crate::subscriptions) async fn hand_out(
        &self,
        id: SubscriptionId,
        asking: &Asking,
        max: usize,
    ) -> Result<Option<Handed>> {
        let mut transaction = self.begin_on(id).await?;
        transaction.live(id, asking).await?;
        let mut due = Vec::new();
        while due.len() < max {
            let found = transaction.due_of(id, asking, max - due.len()).await?;
            if found.is_empty() {
                break;
            }
            for work in found {
                // It was handed out as often as it may be, and never acknowledged.
                if outcome::is_last(&asking.retry, work.attempts.saturating_sub(1)) && work.attempts > 0 {
                    let because = format!("it was handed out {} times and not acknowledged", work.attempts);
                    transaction.seal(id, &counted(work), &Fate::Dead(because), asking.at).await?;
                } else {
                    transaction.lease(&work, asking).await?;
                    due.push(work);
                }
            }
        }
        let serial = if due.is_empty() { None } else { transaction.next_serial(id).await? };
        if let Some(serial) = serial {
            for work in &due {
                transaction.execute("update work set token = $2 where id = $1", values![work.id, serial]).await?;
            }
        }
        transaction.commit().await?;
        Ok(serial.map(|serial| Handed { serial, events: due.into_iter().map(|work| work.event).collect() }))
    }

    /// Does with what was handed out under a token what its consumer says, or with some of it; false if some of it is not its own any more.
    pub(in crate::subscriptions) async fn answer(
        &self,
        id: SubscriptionId,
        asking: &Asking,
        handed: &Handed,
        answer: Answer,
    ) -> Result<bool> {
        let mut transaction = self.begin_on(id).await?;
        let rows: Vec<WorkRow> = transaction
            .rows(
                "select id, event_offset, event, key_hash, attempts, replay from work
                 where subscription = $1 and token = $2",
                values![id, handed.serial],
            )
            .await?;
        let mut held: HashMap<EventOffset, Work> = HashMap::new();
        for row in rows {
            let work = row.into_work()?;
            held.insert(work.event, work);
        }
        let mut whole = true;
        for event in &handed.events {
            let Some(work) = held.remove(event) else {
                whole = false;
                continue;
            };
            let fate = match answer {
                Answer::Acknowledged => Fate::Done,
                Answer::Released => outcome::after_release(&work, asking),
            };
            transaction.seal(id, &counted(work), &fate, asking.at).await?;
        }
        // What is left is worked on still.
        transaction
            .execute(
                "update work set due_at = $3 where subscription = $1 and token = $2",
                values![id, handed.serial, asking.leased_until()],
            )
            .await?;
        transaction
            .execute(
                "update consumers set lives_until = $3 where subscription = $1 and consumer = $2",
                values![id, asking.consumer.as_str(), asking.leased_until()],
            )
            .await?;
        transaction.commit().await?;
        Ok(whole)
    }
}

/// The attempt was counted when it was handed out, and would be counted again.
const fn counted(mut work: Work) -> Work {
    work.attempts = work.attempts.saturating_sub(1);
    work
}

impl Transaction {
    /// Notes that the consumer lives, and gives it its share.
    async fn live(&mut self, id: SubscriptionId, asking: &Asking) -> Result<()> {
        self.execute("delete from consumers where subscription = $1 and lives_until <= $2", values![id, asking.at])
            .await?;
        self.execute(
            "insert into consumers (subscription, consumer, lives_until) values ($1, $2, $3)
             on conflict (subscription, consumer) do update set lives_until = excluded.lives_until",
            values![id, asking.consumer.as_str(), asking.leased_until()],
        )
        .await?;
        if !asking.ordered {
            return Ok(());
        }
        let living: Vec<(String,)> =
            self.rows("select consumer from consumers where subscription = $1", values![id]).await?;
        if living.len() > CONSUMERS_MAX {
            return Err(SubscriptionError::Conflict(format!("there are {CONSUMERS_MAX} consumers, which is the most")));
        }
        let mut living: Vec<String> = living.into_iter().map(|(consumer,)| consumer).collect();
        // Not by the engine, which may sort by the rules of some language.
        living.sort_unstable();
        let rows: Vec<(i64, String)> =
            self.rows("select partition_number, consumer from partitions where subscription = $1", values![id]).await?;
        let owners: BTreeMap<usize, String> =
            rows.into_iter().filter_map(|(number, owner)| Some((usize::try_from(number).ok()?, owner))).collect();
        self.reassign(id, &asking.consumer, partitions::share(&owners, &living, &asking.consumer)).await
    }

    async fn reassign(&mut self, id: SubscriptionId, consumer: &str, share: Share) -> Result<()> {
        let number = |partition: usize| i64::try_from(partition).unwrap_or_default();
        for partition in share.given {
            self.execute(
                "delete from partitions where subscription = $1 and partition_number = $2",
                values![id, number(partition)],
            )
            .await?;
        }
        for partition in share.taken {
            self.execute(
                "insert into partitions (subscription, partition_number, consumer) values ($1, $2, $3)
                 on conflict (subscription, partition_number) do update set consumer = excluded.consumer",
                values![id, number(partition), consumer],
            )
            .await?;
        }
        Ok(())
    }

    /// What is due of a consumer's share. What another holds still is not due, whosever its partition is.
    async fn due_of(&mut self, id: SubscriptionId, asking: &Asking, limit: usize) -> Result<Vec<Work>> {
        const OF_SHARE: &str = "select id, event_offset, event, key_hash, attempts, replay from work
             where subscription = $1 and blocked = 0 and due_at <= $2 and partition_number in (
                 select partition_number from partitions where subscription = $1 and consumer = $4)
             order by id limit $3";
        const OF_ALL: &str = "select id, event_offset, event, key_hash, attempts, replay from work
             where subscription = $1 and blocked = 0 and due_at <= $2 and ($4 is not null) order by id limit $3";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = values![id, asking.at, limit, asking.consumer.as_str()];
        let rows: Vec<WorkRow> = self.rows(if asking.ordered { OF_SHARE } else { OF_ALL }, values).await?;
        rows.into_iter().map(WorkRow::into_work).collect()
    }

    async fn lease(&mut self, work: &Work, asking: &Asking) -> Result<()> {
        self.execute(
            "update work set attempts = attempts + 1, due_at = $2 where id = $1",
            values![work.id, asking.leased_until()],
        )
        .await
        .map(drop)
    }
}
