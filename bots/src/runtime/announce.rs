//! Tells the bus what bots did: each performed action becomes a delivery under its mark, however often it is told.

use std::sync::Arc;
use std::time::Duration;

use bus::data::Outcome;
use bus::data::work::Action;
use bus::delivery::{NewDelivery, Verification};
use bus::ids::SourceName;
use bus::stop::stopped;
use bus::streams::StreamError;
use serde::Serialize;
use tokio::sync::watch;

use super::shared::Core;
use crate::error::BotError;
use crate::store::outbox::{ActionId, Announcement};

/// The source that these deliveries come through.
const SOURCE: &str = "devhose/bots";

/// Actions told of at once.
const ANNOUNCED_AT_ONCE: u32 = 100;

/// When the log cannot take more, it is asked again after this.
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// The body of such a delivery.
#[derive(Debug, Serialize)]
struct Body<'a> {
    kind: &'static str,
    time: chrono::DateTime<chrono::Utc>,
    data: &'a Action,
}

/// Tells until `stop` turns true. What is not told then is told at the next start.
pub(crate) async fn run(core: Arc<Core>, mut stop: watch::Receiver<bool>) -> Result<(), BotError> {
    while !*stop.borrow() {
        let actions = core.store.to_announce(ANNOUNCED_AT_ONCE).await?;
        if actions.is_empty() {
            tokio::select! {
                () = core.to_announce.notified() => {}
                () = stopped(&mut stop) => {}
            }
            continue;
        }
        let deliveries = actions.iter().map(|action| delivery(&core, action)).collect::<Result<Vec<_>, _>>()?;
        match core.streams.append_all(deliveries).await {
            Ok(_) => {
                let ids: Vec<ActionId> = actions.iter().map(|action| action.id).collect();
                core.store.announced(&ids).await?;
                core.stepped();
            }
            Err(StreamError::Busy(_)) => {
                tokio::select! {
                    () = tokio::time::sleep(BUSY_WAIT) => {}
                    () = stopped(&mut stop) => {}
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn delivery(core: &Core, action: &Announcement) -> Result<NewDelivery, BotError> {
    let invalid = |why: &dyn std::fmt::Display| BotError::Corrupt {
        table: "actions",
        row: action.mark.to_string(),
        column: "bot",
        why: why.to_string(),
    };
    let source: SourceName = SOURCE.parse().map_err(|error| invalid(&error))?;
    let data = Action {
        id: action.mark.to_string(),
        bot: Some(action.mark.bot.clone()),
        action: Some(action.name.clone()),
        target: action.destination.clone(),
        url: action.receipt.url.clone(),
        toil_minutes: (action.toil_minutes > 0).then_some(action.toil_minutes),
        in_doubt: action.in_doubt,
        cause: Some(action.mark.event),
        repository: action.repository.clone(),
        service: action.service.clone(),
        outcome: Some(Outcome::Success),
    };
    let body = Body { kind: "action.performed", time: action.performed_at, data: &data };
    let body = serde_json::to_vec(&body).map_err(|source| BotError::Unwritable { what: "an announcement", source })?;
    Ok(NewDelivery {
        source,
        delivery_id: action.mark.to_string().parse().map_err(|error| invalid(&error))?,
        received_at: core.now(),
        headers: Vec::new(),
        content_type: Some("application/json".to_owned()),
        body,
        verification: Verification::Local,
    })
}
