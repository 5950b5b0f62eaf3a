//! What is read of runs, actions and figures, the same from every engine.

use bus::mark::Mark;
use sqlx::FromRow;

use super::{Figures, Original};
use crate::clients::Receipt;
use crate::error::BotError;
use crate::runtime::record::{
    ActionRecord, ActionStatus, ActionSummary, AskedRecord, Attempt, DeadLetter, Outcomes, RunId, RunSummary, Toil,
};
use crate::store::Reading;

#[derive(Debug, FromRow)]
pub(super) struct RunRow {
    pub(super) id: i64,
    pub(super) bot: String,
    pub(super) version: i64,
    pub(super) mode: String,
    pub(super) event: Vec<u8>,
    pub(super) kind: String,
    pub(super) subject: String,
    pub(super) round: i64,
    pub(super) status: String,
    pub(super) because: String,
    pub(super) tries: i64,
    pub(super) recorded_at: i64,
    pub(super) began_at: Option<i64>,
    pub(super) millis: i64,
    pub(super) due_at: Option<i64>,
}

#[derive(Debug, FromRow)]
pub(super) struct ActionRow {
    pub(super) id: i64,
    pub(super) run: i64,
    pub(super) bot: String,
    pub(super) event: Vec<u8>,
    pub(super) round: i64,
    pub(super) ordinal: i64,
    pub(super) action: String,
    pub(super) client: Option<String>,
    pub(super) destination: Option<String>,
    pub(super) channel: Option<String>,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) attempts: String,
    pub(super) receipt: Option<String>,
    pub(super) in_doubt: bool,
    pub(super) toil_minutes: i64,
    pub(super) recorded_at: i64,
    pub(super) performed_at: Option<i64>,
    pub(super) due_at: Option<i64>,
}

/// Of a bot's figures by the hour.
#[derive(Debug, FromRow)]
pub(super) struct CountRow {
    pub(super) what: String,
    pub(super) n: i64,
    pub(super) minutes: i64,
    pub(super) day_n: i64,
    pub(super) week_n: i64,
    pub(super) week_minutes: i64,
}

#[derive(Debug, FromRow)]
pub(super) struct DeadRow {
    pub(super) run: i64,
    pub(super) bot: String,
    pub(super) event: Vec<u8>,
    pub(super) kind: String,
    pub(super) subject: String,
    pub(super) because: String,
    pub(super) tries: i64,
    pub(super) at: i64,
    pub(super) attempts: String,
    pub(super) name: Option<String>,
    pub(super) destination: Option<String>,
}

#[derive(Debug, FromRow)]
pub(super) struct OriginalRow {
    pub(super) id: i64,
    pub(super) round: i64,
    pub(super) note: Option<String>,
    pub(super) began_at: i64,
    pub(super) asked: Option<String>,
}

impl Figures {
    pub(super) fn take(&mut self, row: &CountRow) {
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

pub(super) fn summary(row: RunRow, actions: Vec<ActionSummary>) -> Result<RunSummary, BotError> {
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

pub(super) fn action(row: ActionRow) -> Result<ActionRecord, BotError> {
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

pub(super) fn original(row: OriginalRow) -> Result<Original, BotError> {
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

pub(super) fn in_a_line(record: &ActionRecord) -> ActionSummary {
    ActionSummary {
        name: record.action.name().to_owned(),
        destination: record.destination.clone(),
        status: record.status,
        reason: record.reason.clone(),
        url: record.receipt.as_ref().and_then(|receipt| receipt.url.clone()),
    }
}

pub(super) fn dead_letter(row: DeadRow) -> Result<DeadLetter, BotError> {
    let reading = Reading::of("runs", &row.run);
    let event = reading.event(row.event)?;
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
