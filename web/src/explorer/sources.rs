//! `/sources`: where events come from, how each source stands, what was rejected and what is in quarantine.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use bus::ids::DeliveryOffset;
use bus::streams::Quarantined;
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode, Uri};
use ingest::hooks::rejected::Rejected;

use super::{Failed, html, layout, row};
use crate::format;
use crate::layout::{Layout, Tab};
use crate::site::{App, Watched};
use crate::standing::{self, Standing, State as Stands};

/// Rows of each list.
const ROWS_MAX: usize = 50;

#[derive(Debug, Template)]
#[template(path = "explorer/sources.html")]
struct SourcesPage {
    layout: Layout,
    sentence: String,
    sources: Vec<SourceRow>,
    watched: Vec<WatchedRow>,
    rejected: Vec<RejectedRow>,
    quarantined: Vec<QuarantinedRow>,
    more_quarantined: bool,
}

#[derive(Debug)]
struct SourceRow {
    standing: Standing,
    state: &'static str,
    icon: &'static str,
    last: String,
    usual_gap: String,
    deliveries: String,
    events: String,
}

/// Something watched, on the organisation's clock.
#[derive(Debug)]
struct WatchedRow {
    since: String,
    last_change: String,
    objects: String,
    watched: Watched,
}

#[derive(Debug)]
struct RejectedRow {
    at: String,
    rejected: Rejected,
}

#[derive(Debug)]
struct QuarantinedRow {
    since: String,
    quarantined: Quarantined,
}

/// `GET /sources`
pub(super) async fn page(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Result<Response, Failed> {
    let now = (app.site.clock)();
    let zone = (app.site.ledger)().calendar().zone;
    let minute = |at: DateTime<Utc>| at.with_timezone(&zone).format("%-d %b %Y %H:%M:%S").to_string();
    let sources = standing::of_all(&app).await?;
    let quarantined = app.streams.quarantined(ROWS_MAX + 1).await?;
    let rejected = app.hooks.rejected().into_iter().take(ROWS_MAX);
    let page = SourcesPage {
        layout: layout(&app, "Sources", Tab::Sources, &uri, &headers),
        sentence: sentence(&sources, quarantined.len()),
        watched: (app.watches)().into_iter().map(|watched| watched_row(watched, now)).collect(),
        more_quarantined: quarantined.len() > ROWS_MAX,
        sources: sources.into_iter().map(|standing| source_row(standing, now)).collect(),
        rejected: rejected.map(|rejected| RejectedRow { at: minute(rejected.at), rejected }).collect(),
        quarantined: quarantined
            .into_iter()
            .take(ROWS_MAX)
            .map(|quarantined| QuarantinedRow { since: minute(quarantined.since), quarantined })
            .collect(),
    };
    html(StatusCode::OK, &page)
}

/// `POST /sources/quarantine/{offset}/retry`: the form of the page, for those without a script.
pub(super) async fn retry(State(app): State<App>, Path(offset): Path<i64>) -> Result<Response, Failed> {
    ingest::normalizer::retry(&app.streams, DeliveryOffset(offset)).await?;
    Ok(Redirect::to("/sources#quarantine").into_response())
}

fn source_row(standing: Standing, now: DateTime<Utc>) -> SourceRow {
    let (state, icon) = match standing.state {
        Stands::Delivering => ("delivering", "✓"),
        Stands::Silent => ("silent", "◷"),
        Stands::Waiting => ("never delivered", "–"),
        Stands::Imported => ("imported", "⇣"),
        Stands::Watched => ("watched", "✓"),
        Stands::Own => ("our own", "⇣"),
    };
    SourceRow {
        state,
        icon,
        last: standing.last_at.map_or_else(|| "never".to_owned(), |at| format::ago(at, now)),
        usual_gap: standing.usual_gap_seconds.map_or_else(|| "unknown".to_owned(), format::span),
        deliveries: format::count(standing.deliveries),
        events: row::address(&format!("source:{}", standing.source)),
        standing,
    }
}

fn watched_row(watched: Watched, now: DateTime<Utc>) -> WatchedRow {
    let ago = |at: Option<DateTime<Utc>>| at.map_or_else(|| "never".to_owned(), |at| format::ago(at, now));
    WatchedRow {
        since: watched.since.map_or_else(String::new, |since| format::ago(since, now)),
        last_change: ago(watched.last_change),
        objects: watched.objects.map_or_else(|| "unknown".to_owned(), format::count),
        watched,
    }
}

/// The state of everything in one sentence, what needs a look first.
fn sentence(sources: &[Standing], quarantined: usize) -> String {
    if sources.is_empty() {
        return "No source is configured and none ever delivered.".to_owned();
    }
    let count = |state| sources.iter().filter(|standing| standing.state == state).count();
    let mut parts = Vec::new();
    for (state, word) in [(Stands::Silent, "silent"), (Stands::Waiting, "never heard of")] {
        if count(state) > 0 {
            parts.push(format!("{} of {} sources {word}", count(state), sources.len()));
        }
    }
    if quarantined > 0 {
        parts.push(if quarantined > ROWS_MAX {
            format!("more than {ROWS_MAX} deliveries in quarantine")
        } else {
            format::plural(quarantined as u64, "delivery in quarantine", "deliveries in quarantine")
        });
    }
    if parts.is_empty() {
        match sources.len() {
            1 => "The one source is current.".to_owned(),
            count => format!("All {count} sources are current."),
        }
    } else {
        format!("{}.", parts.join("; "))
    }
}
