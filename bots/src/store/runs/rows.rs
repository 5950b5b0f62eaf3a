//! What is read of standings and runs, the same from every engine.

use bus::ids::{DeliveryOffset, EventOffset};
use sqlx::FromRow;

use super::{Run, Standing};
use crate::error::BotError;
use crate::runtime::record::{Failure, Paused, RunId};
use crate::store::Reading;

#[derive(Debug, FromRow)]
pub(super) struct StandingRow {
    pub(super) checkpoint: i64,
    pub(super) delivery: i64,
    pub(super) failures_in_row: i64,
    pub(super) last_failure_at: Option<i64>,
    pub(super) last_failure: Option<String>,
    pub(super) paused_at: Option<i64>,
    pub(super) paused_because: Option<String>,
}

#[derive(Debug, FromRow)]
pub(super) struct RunRow {
    pub(super) id: i64,
    pub(super) event: Vec<u8>,
    pub(super) event_offset: i64,
    pub(super) round: i64,
    pub(super) order_key: String,
    pub(super) kind: String,
    pub(super) subject: String,
    pub(super) status: String,
    pub(super) because: String,
    pub(super) tries: i64,
    pub(super) by_hand: bool,
    pub(super) attempts: String,
    pub(super) note: Option<String>,
    pub(super) began_at: Option<i64>,
    pub(super) millis: i64,
    pub(super) due_at: Option<i64>,
}

pub(super) fn standing(bot: &str, row: StandingRow) -> Result<Standing, BotError> {
    let reading = Reading::of("bots", &bot);
    let last_failure = reading.time_if("last_failure_at", row.last_failure_at)?.zip(row.last_failure);
    let paused = reading.time_if("paused_at", row.paused_at)?.zip(row.paused_because);
    Ok(Standing {
        checkpoint: EventOffset(row.checkpoint),
        delivery: DeliveryOffset(row.delivery),
        failures_in_row: reading.number("failures_in_row", row.failures_in_row)?,
        last_failure: last_failure.map(|(at, reason)| Failure { at, reason }),
        paused: paused.map(|(since, because)| Paused { since, because }),
    })
}

pub(super) fn run(row: RunRow) -> Result<Run, BotError> {
    let reading = Reading::of("runs", &row.id);
    Ok(Run {
        id: Some(RunId(row.id)),
        event: reading.event(row.event)?,
        event_offset: EventOffset(row.event_offset),
        round: reading.number("round", row.round)?,
        key: row.order_key,
        kind: row.kind,
        subject: row.subject,
        status: reading.run_status(&row.status)?,
        because: row.because,
        tries: reading.number("tries", row.tries)?,
        by_hand: row.by_hand,
        attempts: reading.json("attempts", &row.attempts)?,
        note: row.note,
        began_at: reading.time_if("began_at", row.began_at)?,
        millis: reading.number("millis", row.millis)?,
        due_at: reading.time_if("due_at", row.due_at)?,
    })
}
