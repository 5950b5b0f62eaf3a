//! What is read of the outbox, the same from every engine.

use bus::mark::Mark;
use sqlx::FromRow;

use super::{ActionId, Announcement, OpenAction, Thread};
use crate::clients::Receipt;
use crate::error::BotError;
use crate::store::{Lane, Reading};

#[derive(Debug, FromRow)]
pub(super) struct OpenRow {
    pub(super) id: i64,
    pub(super) bot: String,
    pub(super) event: Vec<u8>,
    pub(super) round: i64,
    pub(super) ordinal: i64,
    pub(super) action: String,
    pub(super) channel: Option<String>,
    pub(super) message: Option<String>,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) tries: i64,
    pub(super) attempts: String,
    pub(super) in_doubt: bool,
    pub(super) queued_at: i64,
    pub(super) due_at: Option<i64>,
    pub(super) earlier: Option<String>,
    pub(super) thread: Option<String>,
    pub(super) thread_receipt: Option<String>,
    pub(super) thread_status: Option<String>,
}

#[derive(Debug, FromRow)]
pub(super) struct AnnouncementRow {
    pub(super) id: i64,
    pub(super) bot: String,
    pub(super) event: Vec<u8>,
    pub(super) round: i64,
    pub(super) ordinal: i64,
    pub(super) name: String,
    pub(super) destination: Option<String>,
    pub(super) repository: Option<String>,
    pub(super) service: Option<String>,
    pub(super) receipt: Option<String>,
    pub(super) in_doubt: bool,
    pub(super) toil_minutes: i64,
    pub(super) performed_at: i64,
}

pub(super) fn open_action(lane: &Lane, row: OpenRow) -> Result<OpenAction, BotError> {
    let reading = Reading::of("actions", &row.id);
    let receipt = |column, text: Option<String>| text.map(|text| reading.json::<Receipt>(column, &text)).transpose();
    let thread = match (receipt("thread", row.thread_receipt)?, row.thread, row.thread_status.as_deref()) {
        (Some(receipt), Some(_), _) => Thread::Of(receipt),
        (None, Some(_), Some("failed")) => Thread::Lost,
        // The other message was only recorded, or is not known any more: this one stands for itself.
        (_, None, _) | (None, Some(_), _) => Thread::None,
    };
    let mark = Mark {
        bot: row.bot,
        event: reading.event(row.event)?,
        round: reading.number("round", row.round)?,
        index: reading.number("ordinal", row.ordinal)?,
    };
    let queued_at = reading.time("queued_at", row.queued_at)?;
    Ok(OpenAction {
        id: ActionId(row.id),
        mark,
        action: reading.json("action", &row.action)?,
        lane: lane.clone(),
        channel: row.channel,
        message: row.message,
        status: reading.action_status(&row.status)?,
        reason: row.reason,
        tries: reading.number("tries", row.tries)?,
        attempts: reading.json("attempts", &row.attempts)?,
        in_doubt: row.in_doubt,
        queued_at,
        due_at: reading.time_if("due_at", row.due_at)?.unwrap_or(queued_at),
        earlier: receipt("earlier", row.earlier)?,
        thread,
    })
}

pub(super) fn announcement(row: AnnouncementRow) -> Result<Announcement, BotError> {
    let reading = Reading::of("actions", &row.id);
    let mark = Mark {
        bot: row.bot,
        event: reading.event(row.event)?,
        round: reading.number("round", row.round)?,
        index: reading.number("ordinal", row.ordinal)?,
    };
    let receipt = row.receipt.map(|text| reading.json("receipt", &text)).transpose()?;
    Ok(Announcement {
        id: ActionId(row.id),
        mark,
        name: row.name,
        destination: row.destination,
        repository: row.repository,
        service: row.service,
        receipt: receipt.unwrap_or_default(),
        in_doubt: row.in_doubt,
        toil_minutes: reading.number("toil_minutes", row.toil_minutes)?,
        performed_at: reading.time("performed_at", row.performed_at)?,
    })
}
