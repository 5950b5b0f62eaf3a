//! Standings, runs and state of bots in SQLite, as bots go on from them.

use std::collections::BTreeSet;

use bus::ids::{DeliveryOffset, EventId, EventOffset};
use chrono::{DateTime, Utc};

use super::rows::{RunRow, StandingRow, run, standing};
use super::{Place, Run, Standing};
use crate::contract::Mode;
use crate::error::BotError;
use crate::runtime::record::Paused;
use crate::store::sqlite::Sqlite;
use crate::store::{Lane, Reading, micros};

impl Sqlite {
    pub(super) async fn enrol(
        &self,
        bot: &str,
        head: EventOffset,
        deliveries: DeliveryOffset,
    ) -> Result<Standing, BotError> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "insert into bots (name, checkpoint, delivery, failures_in_row) values (?1, ?2, ?3, 0)
             on conflict (name) do nothing",
        )
        .bind(bot)
        .bind(head.0)
        .bind(deliveries.0)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(self.standing(bot).await?.unwrap_or_default())
    }

    pub(super) async fn standing(&self, bot: &str) -> Result<Option<Standing>, BotError> {
        let row: Option<StandingRow> = sqlx::query_as(
            "select checkpoint, delivery, failures_in_row, last_failure_at, last_failure, paused_at, paused_because
             from bots where name = ?1",
        )
        .bind(bot)
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        standing(bot, row).map(Some)
    }

    pub(super) async fn set_paused(&self, bot: &str, paused: Option<&Paused>) -> Result<(), BotError> {
        let mut transaction = self.begin().await?;
        sqlx::query("update bots set paused_at = ?2, paused_because = ?3, failures_in_row = 0 where name = ?1")
            .bind(bot)
            .bind(paused.map(|paused| micros(paused.since)))
            .bind(paused.map(|paused| &paused.because))
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    pub(super) async fn parked(&self, bot: &str) -> Result<BTreeSet<String>, BotError> {
        let keys: Vec<String> = sqlx::query_scalar(
            "select distinct order_key from runs where bot = ?1 and status in ('waiting', 'retrying')",
        )
        .bind(bot)
        .fetch_all(&self.readers)
        .await?;
        Ok(keys.into_iter().collect())
    }

    pub(super) async fn open_runs(&self, bot: &str) -> Result<u64, BotError> {
        let n: i64 =
            sqlx::query_scalar("select count(*) from runs where bot = ?1 and status in ('waiting', 'retrying')")
                .bind(bot)
                .fetch_one(&self.readers)
                .await?;
        Ok(n.unsigned_abs())
    }

    pub(super) async fn due(&self, bot: &str, now: DateTime<Utc>, limit: u32) -> Result<Vec<Run>, BotError> {
        let rows: Vec<RunRow> = sqlx::query_as(
            "select id, event, event_offset, round, order_key, kind, subject, status, because, tries, by_hand,
                 attempts, note, began_at, millis, due_at
             from runs where bot = ?1 and status in ('retrying', 'scheduled') and due_at <= ?2
             order by due_at, id limit ?3",
        )
        .bind(bot)
        .bind(micros(now))
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter().map(run).collect()
    }

    pub(super) async fn next_due(&self, bot: &str) -> Result<Option<DateTime<Utc>>, BotError> {
        let due: Option<i64> =
            sqlx::query_scalar("select min(due_at) from runs where bot = ?1 and status in ('retrying', 'scheduled')")
                .bind(bot)
                .fetch_one(&self.readers)
                .await?;
        Reading::of("runs", &bot).time_if("due_at", due)
    }

    pub(super) async fn has_run(&self, bot: &str, event: EventId) -> Result<bool, BotError> {
        Ok(sqlx::query_scalar("select exists (select 1 from runs where event = ?1 and bot = ?2 and round = 0)")
            .bind(event.as_bytes().as_slice())
            .bind(bot)
            .fetch_one(&self.readers)
            .await?)
    }

    pub(super) async fn state(&self, bot: &str, key: &str) -> Result<Option<String>, BotError> {
        Ok(sqlx::query_scalar("select value from state where bot = ?1 and key = ?2")
            .bind(bot)
            .bind(key)
            .fetch_optional(&self.readers)
            .await?)
    }

    pub(super) async fn place_of(&self, bot: &str, message: &str, mode: Mode) -> Result<Option<Place>, BotError> {
        // What was only recorded is nowhere for a live bot, and what was given up never came to be.
        let recorded: Option<(String, String, Option<String>)> = sqlx::query_as(
            "select client, destination, channel from actions
             where bot = ?1 and message = ?2 and client is not null and destination is not null
                 and case ?3 when 'live' then status not in ('recorded', 'failed') else status = 'recorded' end
             order by id desc limit 1",
        )
        .bind(bot)
        .bind(message)
        .bind(mode.name())
        .fetch_optional(&self.readers)
        .await?;
        let found = match (recorded, mode) {
            (None, Mode::Live) => {
                sqlx::query_as("select client, destination, channel from messages where bot = ?1 and message = ?2")
                    .bind(bot)
                    .bind(message)
                    .fetch_optional(&self.readers)
                    .await?
            }
            (recorded, Mode::Live | Mode::DryRun) => recorded,
        };
        Ok(found.map(|(client, destination, channel)| Place { lane: Lane { client, destination }, channel }))
    }

    pub(super) async fn new_actions(
        &self,
        bot: &str,
        key: &str,
        [since, until]: [DateTime<Utc>; 2],
    ) -> Result<u64, BotError> {
        let n: i64 = sqlx::query_scalar(
            "select count(*) from actions
             where bot = ?1 and order_key = ?2 and event_time > ?3 and event_time <= ?4 and is_new = 1",
        )
        .bind(bot)
        .bind(key)
        .bind(micros(since))
        .bind(micros(until))
        .fetch_one(&self.readers)
        .await?;
        Ok(n.unsigned_abs())
    }
}
