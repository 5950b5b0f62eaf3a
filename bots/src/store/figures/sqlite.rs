//! Figures and records in SQLite.

use std::collections::HashMap;

use bus::ids::{EventId, EventOffset};
use chrono::{DateTime, TimeDelta, Utc};

use super::rows::{
    ActionRow, CountRow, DeadRow, OriginalRow, RunRow, action, dead_letter, in_a_line, original, summary,
};
use super::{Figures, Original, Which};
use crate::error::BotError;
use crate::runtime::record::{ActionRecord, DeadLetter, RunId, RunRecord, RunSummary};
use crate::store::sqlite::Sqlite;
use crate::store::{Reading, hours_since, json};

impl Sqlite {
    pub(super) async fn figures(&self, bot: &str, now: DateTime<Utc>) -> Result<Figures, BotError> {
        let counts: Vec<CountRow> = sqlx::query_as(
            "select what, sum(n) as n, sum(minutes) as minutes,
                 sum(case when hour >= ?2 then n else 0 end) as day_n,
                 sum(case when hour >= ?3 then n else 0 end) as week_n,
                 sum(case when hour >= ?3 then minutes else 0 end) as week_minutes
             from counts where bot = ?1 group by what",
        )
        .bind(bot)
        .bind(hours_since(now, TimeDelta::days(1)))
        .bind(hours_since(now, TimeDelta::days(7)))
        .fetch_all(&self.readers)
        .await?;
        let mut figures = Figures::default();
        counts.iter().for_each(|row| figures.take(row));
        let (dead, failed, open_runs, oldest, called): (i64, i64, i64, Option<i64>, bool) = sqlx::query_as(
            "select (select count(*) from runs where bot = ?1 and status = 'dead'),
                 (select count(*) from actions where bot = ?1 and status = 'failed'),
                 (select count(*) from runs where bot = ?1 and status in ('waiting', 'retrying')),
                 (select min(recorded_at) from runs where bot = ?1 and status in ('waiting', 'retrying')),
                 exists (select 1 from runs where bot = ?1)",
        )
        .bind(bot)
        .fetch_one(&self.readers)
        .await?;
        figures.dead_letters = dead.unsigned_abs() + failed.unsigned_abs();
        figures.open_runs = open_runs.unsigned_abs();
        figures.oldest_open = Reading::of("runs", &bot).time_if("recorded_at", oldest)?;
        figures.called = called;
        figures.open_actions = self.open_actions_of(bot).await?;
        Ok(figures)
    }

    async fn open_actions_of(&self, bot: &str) -> Result<u64, BotError> {
        let open: i64 =
            sqlx::query_scalar("select count(*) from actions where bot = ?1 and status in ('pending', 'attempting')")
                .bind(bot)
                .fetch_one(&self.readers)
                .await?;
        Ok(open.unsigned_abs())
    }

    pub(super) async fn runs(&self, which: Which<'_>) -> Result<Vec<RunSummary>, BotError> {
        let rows = self.run_rows(which).await?;
        let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        let mut actions: HashMap<i64, Vec<ActionRecord>> = HashMap::new();
        for (run, record) in self.actions_of(&ids).await? {
            actions.entry(run).or_default().push(record);
        }
        rows.into_iter()
            .map(|row| {
                let of_run = actions.remove(&row.id).unwrap_or_default();
                summary(row, of_run.iter().map(in_a_line).collect())
            })
            .collect()
    }

    async fn run_rows(&self, which: Which<'_>) -> Result<Vec<RunRow>, BotError> {
        macro_rules! columns {
            ($rest:literal) => {
                concat!(
                    "select id, bot, version, mode, event, kind, subject, round, status, because, tries, recorded_at,
                         began_at, millis, due_at from runs ",
                    $rest
                )
            };
        }
        let query = match which {
            Which::Of { bot, before, limit } => {
                sqlx::query_as(columns!("where bot = ?1 and id < ?2 order by id desc limit ?3"))
                    .bind(bot.to_owned())
                    .bind(before.map_or(i64::MAX, |before| before.0))
                    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            }
            Which::Event(event) => {
                sqlx::query_as(columns!("where event = ?1 order by id")).bind(event.as_bytes().to_vec())
            }
            Which::One(id) => sqlx::query_as(columns!("where id = ?1")).bind(id.0),
        };
        Ok(query.fetch_all(&self.readers).await?)
    }

    /// The actions of these runs, in order, with the run they are of.
    async fn actions_of(&self, runs: &[i64]) -> Result<Vec<(i64, ActionRecord)>, BotError> {
        let rows: Vec<ActionRow> = sqlx::query_as(
            "select id, run, bot, event, round, ordinal, action, client, destination, channel, status, reason, attempts,
                 receipt, in_doubt, toil_minutes, recorded_at, performed_at, due_at
             from actions where run in (select value from json_each(?1)) order by run, ordinal",
        )
        .bind(json("numbers of runs", &runs)?)
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter().map(|row| Ok((row.run, action(row)?))).collect()
    }

    pub(super) async fn run_record(&self, id: RunId) -> Result<Option<RunRecord>, BotError> {
        let Some(row) = self.run_rows(Which::One(id)).await?.pop() else { return Ok(None) };
        let (key, note, attempts, asked): (String, Option<String>, String, Option<String>) = sqlx::query_as(
            "select order_key, note, attempts, (select asked from lookups where run = id) from runs where id = ?1",
        )
        .bind(id.0)
        .fetch_one(&self.readers)
        .await?;
        let reading = Reading::of("runs", &id);
        let actions: Vec<ActionRecord> =
            self.actions_of(&[id.0]).await?.into_iter().map(|(_, record)| record).collect();
        Ok(Some(RunRecord {
            run: summary(row, actions.iter().map(in_a_line).collect())?,
            key,
            note,
            attempts: reading.json("attempts", &attempts)?,
            asked: asked.map(|asked| reading.json("asked", &asked)).transpose()?.unwrap_or_default(),
            actions,
        }))
    }

    pub(super) async fn originals(&self, bot: &str, event: EventId) -> Result<Vec<Original>, BotError> {
        let rows: Vec<OriginalRow> = sqlx::query_as(
            "select id, round, note, began_at, (select asked from lookups where run = id) as asked from runs
             where event = ?1 and bot = ?2 and began_at is not null order by round",
        )
        .bind(event.as_bytes().as_slice())
        .bind(bot)
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter().map(original).collect()
    }

    pub(super) async fn dead_letters(&self, bot: Option<&str>, limit: usize) -> Result<Vec<DeadLetter>, BotError> {
        // Indexes over dead runs and failed actions begin with the bot, so bots are named, not left open.
        let rows: Vec<DeadRow> = sqlx::query_as(
            "with of_bots as (select name from bots where ?1 is null or name = ?1)
             select * from (
                 select r.id as run, r.bot, r.event, r.kind, r.subject, r.because, r.tries,
                     r.recorded_at as at, r.attempts, null as name, null as destination
                 from of_bots b join runs r indexed by runs_dead on r.bot = b.name and r.status = 'dead'
                 union all
                 select r.id, r.bot, r.event, r.kind, r.subject, coalesce(a.reason, ''), a.tries,
                     a.recorded_at, a.attempts, a.name, a.destination
                 from of_bots b join actions a indexed by actions_failed on a.bot = b.name and a.status = 'failed'
                     join runs r on r.id = a.run)
             order by run desc limit ?2",
        )
        .bind(bot)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter().map(dead_letter).collect()
    }

    pub(super) async fn is_deciding(&self, bot: &str, upto: EventOffset) -> Result<bool, BotError> {
        Ok(sqlx::query_scalar(
            "select exists (select 1 from runs
                     where bot = ?1 and status in ('waiting', 'retrying') and event_offset <= ?2)",
        )
        .bind(bot)
        .bind(upto.0)
        .fetch_one(&self.readers)
        .await?)
    }
}
