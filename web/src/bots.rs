//! The pages of bots: how each stands, what it did and why, and the few things a person does with one.
//!
//! A message that a bot wrote may name people; what is shown of it goes through [`people`] like everything else.

use std::collections::HashMap;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use bots::runtime::record::RunSummary;
use bus::event::Recorded;
use bus::ids::EventId;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::api::{ApiError, same_origin};
use crate::error::PageError;
use crate::explorer::Failed;
use crate::format;
use crate::nearest::nearest;
use crate::site::App;
use crate::state::segment;

mod deeds;
mod line;
mod list;
mod one;
pub(crate) mod people;
mod preview;
mod run;
mod saved;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use line::RunLine;

/// The routes.
pub(crate) fn router() -> Router<App> {
    let deeds = Router::new()
        .route("/bots/{bot}/pause", post(deeds::pause))
        .route("/bots/{bot}/resume", post(deeds::resume))
        .route("/bots/{bot}/redrive", post(deeds::redrive))
        .layer(from_fn(same_origin));
    Router::new()
        .route("/bots", get(list::page))
        .route("/bots/{bot}", get(one::page))
        .route("/bots/{bot}/runs/{run}", get(run::page))
        .merge(deeds)
}

/// The page of a bot.
pub(crate) fn address(bot: &str) -> String {
    format!("/bots/{}", segment(bot))
}

/// There is no bot of that name; one that may have been meant.
async fn unknown(app: &App, name: &str) -> Failed {
    let known = match app.bots.list().await {
        Ok(known) => known,
        Err(error) => return ApiError::from(error).into(),
    };
    let meant = nearest(name, known.iter().map(|bot| bot.manifest.name)).map(|name| (name.to_owned(), address(name)));
    PageError::NotFound { kind: "bot", name: name.to_owned(), meant }.into()
}

/// The events of runs, by id.
pub(crate) async fn events_of(
    app: &App,
    runs: impl IntoIterator<Item = &RunSummary>,
) -> Result<HashMap<EventId, Recorded>, ApiError> {
    let mut ids: Vec<EventId> = runs.into_iter().map(|run| run.event).collect();
    ids.sort_unstable();
    ids.dedup();
    let events = app.streams.events_by_id(ids).await?;
    Ok(events.into_iter().map(|recorded| (recorded.event.id, recorded)).collect())
}

/// The moment and the zone that times are told by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    pub(crate) now: DateTime<Utc>,
    pub(crate) zone: Tz,
}

impl Told {
    pub(crate) fn of(app: &App) -> Self {
        Self { now: (app.site.clock)(), zone: (app.site.ledger)().calendar().zone }
    }

    /// `25 Nov 2026 09:16:02, 12 min ago`
    pub(crate) fn moment(self, at: DateTime<Utc>) -> String {
        format!("{}, {}", self.second(at), format::ago(at, self.now))
    }

    /// `25 Nov 2026 09:16:02`
    pub(crate) fn second(self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%-d %b %Y %H:%M:%S").to_string()
    }
}
