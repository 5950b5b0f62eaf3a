//! Figures and records in SQLite.

use std::collections::HashMap;

use bus::ids::{EventId, EventOffset};
use bus::mark::Mark;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::FromRow;

use super::{Figures, Original, Which};
use crate::clients::Receipt;
use crate::error::BotError;
use crate::runtime::record::{
    ActionRecord, ActionStatus, ActionSummary, AskedRecord, Attempt, DeadLetter, Outcomes, RunId, RunRecord,
    RunSummary, Toil,
};
use crate::store::sqlite::Sqlite;
use crate::store::{Reading, hours_since, json};

#[derive(Debug, FromRow)]
struct RunRow {
    id: i64,
    bot: String,
    version: i64,
    mode: String,
    event: Vec<u8>,
    kind: String,
    subject: String,
    round: i64,
    status: String,
    because: String,
    tries: i64,
    recorded_at: i64,
    began_at: Option<i64>,
    millis: i64,
    due_at: Option<i64>,
}

#[derive(Debug, FromRow)]
struct ActionRow {
    id: i64,
    run: i64,
    bot: String,
    event: Vec<u8>,
    round: i64,
    ordinal: i64,
    action: String,
    client: Option<String>,
    destination: Option<String>,
    channel: Option<String>,
    status: String,
    reason: Option<String>,
    attempts: String,
    receipt: Option<String>,
    in_doubt: bool,
    toil_minutes: i64,
    recorded_at: i64,
    performed_at: Option<i64>,
    due_at: Option<i64>,
}

/// Of a bot's figures by the hour.
#[derive(Debug, FromRow)]
struct CountRow {
    what: String,
    n: i64,
    minutes: i64,
    day_n: i64,
    week_n: i64,
    week_minutes: i64,
}

#[derive(Debug, FromRow)]
struct DeadRow {
    run: i64,
    bot: String,
    event: Vec<u8>,
    kind: String,
    subject: String,
    because: String,
    tries: i64,
    at: i64,
    attempts: String,
    name: Option<String>,
    destination: Option<String>,
}

#[derive(Debug, FromRow)]
struct OriginalRow {
    id: i64,
    round: i64,
    note: Option<String>,
    began_at: i64,
    asked: Option<String>,
}

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

impl Figures {
    fn take(&mut self, row: &CountRow) {
        match row.what.as_str() {
            "run/ok" => self.day = Outcomes { ok: row.day_n.unsigned_abs(), ..self.day },
            "run/failed" => self.day = Outcomes { failed: row.day_n.unsigned_abs(), ..self.day },
            "toil" => {
                self.toil = Toil {
                    week_minutes: row.week_minutes.unsigned_abs(),
                    all_minutes: row.minutes.unsigned_abs(),
                    week_actions: row.week_n.unsigned_abs(),
                    all_actions: row.n.unsigned_abs(),
                };
            }
            other => {
                if let Some(action) = other.strip_prefix("action/") {
                    self.performed.insert(action.to_owned(), row.n.unsigned_abs());
                }
            }
        }
    }
}

fn summary(row: RunRow, actions: Vec<ActionSummary>) -> Result<RunSummary, BotError> {
    let reading = Reading::of("runs", &row.id);
    Ok(RunSummary {
        id: RunId(row.id),
        version: reading.number("version", row.version)?,
        mode: reading.mode(&row.mode)?,
        event: reading.event(row.event)?,
        round: reading.number("round", row.round)?,
        status: reading.run_status(&row.status)?,
        tries: reading.number("tries", row.tries)?,
        recorded_at: reading.time("recorded_at", row.recorded_at)?,
        began_at: reading.time_if("began_at", row.began_at)?,
        millis: reading.number("millis", row.millis)?,
        due_at: reading.time_if("due_at", row.due_at)?,
        bot: row.bot,
        kind: row.kind,
        subject: row.subject,
        because: row.because,
        actions,
    })
}

fn action(row: ActionRow) -> Result<ActionRecord, BotError> {
    let reading = Reading::of("actions", &row.id);
    let receipt: Option<Receipt> = row.receipt.map(|text| reading.json("receipt", &text)).transpose()?;
    Ok(ActionRecord {
        mark: Mark {
            bot: row.bot,
            event: reading.event(row.event)?,
            round: reading.number("round", row.round)?,
            index: reading.number("ordinal", row.ordinal)?,
        },
        action: reading.json("action", &row.action)?,
        client: row.client,
        destination: row.destination,
        channel: row.channel,
        status: reading.action_status(&row.status)?,
        reason: row.reason,
        attempts: reading.json("attempts", &row.attempts)?,
        receipt,
        in_doubt: row.in_doubt,
        recorded_at: reading.time("recorded_at", row.recorded_at)?,
        performed_at: reading.time_if("performed_at", row.performed_at)?,
        due_at: reading.time_if("due_at", row.due_at)?,
        toil_minutes: reading.number("toil_minutes", row.toil_minutes)?,
    })
}

fn original(row: OriginalRow) -> Result<Original, BotError> {
    let reading = Reading::of("runs", &row.id);
    let asked: Option<Vec<AskedRecord>> = row.asked.map(|asked| reading.json("asked", &asked)).transpose()?;
    Ok(Original {
        run: RunId(row.id),
        round: reading.number("round", row.round)?,
        note: row.note,
        began_at: reading.time("began_at", row.began_at)?,
        asked: asked.unwrap_or_default().into_iter().map(|record| record.asked).collect(),
    })
}

fn in_a_line(record: &ActionRecord) -> ActionSummary {
    ActionSummary {
        name: record.action.name().to_owned(),
        destination: record.destination.clone(),
        status: record.status,
        reason: record.reason.clone(),
        url: record.receipt.as_ref().and_then(|receipt| receipt.url.clone()),
    }
}

fn dead_letter(row: DeadRow) -> Result<DeadLetter, BotError> {
    let reading = Reading::of("runs", &row.run);
    let event: EventId = reading.event(row.event)?;
    let attempts: Vec<Attempt> = reading.json("attempts", &row.attempts)?;
    let recorded_at = reading.time("recorded_at", row.at)?;
    let action = row.name.map(|name| ActionSummary {
        name,
        destination: row.destination,
        status: ActionStatus::Failed,
        reason: Some(row.because.clone()),
        url: None,
    });
    Ok(DeadLetter {
        run: RunId(row.run),
        bot: row.bot,
        event,
        kind: row.kind,
        subject: row.subject,
        action,
        reason: row.because,
        tries: reading.number("tries", row.tries)?,
        at: attempts.last().map_or(recorded_at, |attempt| attempt.at),
    })
}
