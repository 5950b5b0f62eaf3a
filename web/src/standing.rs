//! How each source stands: delivering, silent beyond its usual gap, or never heard of.

use bus::ids::SourceName;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::api::ApiError;
use crate::site::App;

/// A source is called silent after so many of its usual longest gaps.
const GAPS: i64 = 4;

/// The sender by which this program tells what it did itself.
const OWN_SENDER: &str = "devhose";

/// No source is called silent sooner.
const SILENT_AFTER_MIN: TimeDelta = TimeDelta::hours(1);

/// How a source stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Delivers within its usual gaps.
    Delivering,
    /// Quiet for longer than usual.
    Silent,
    /// Is configured and never delivered.
    Waiting,
    /// Is read on demand, so that quiet means nothing.
    Imported,
    /// Is watched by this program; how the watch stands says more than when something last changed.
    Watched,
    /// What this program itself did.
    Own,
}

/// A source with its figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Standing {
    pub(crate) source: String,
    pub(crate) sender: &'static str,
    pub(crate) state: State,
    pub(crate) deliveries: u64,
    pub(crate) bytes: u64,
    pub(crate) first_at: Option<DateTime<Utc>>,
    pub(crate) last_at: Option<DateTime<Utc>>,
    /// The gap between two deliveries that 99 of 100 stay below, over the last 28 days.
    pub(crate) usual_gap_seconds: Option<i64>,
    pub(crate) quarantined: u64,
    /// Requests that were not taken lately.
    pub(crate) rejected: usize,
    /// Set for a source that takes requests from anybody.
    pub(crate) insecure: bool,
    pub(crate) configured: bool,
}

/// Every source that is configured or ever delivered, by name.
pub(crate) async fn of_all(app: &App) -> Result<Vec<Standing>, ApiError> {
    let now = (app.site.clock)();
    let figures = app.streams.sources().await?;
    let rejected = app.hooks.rejected();
    let watched: Vec<String> = (app.watches)().into_iter().map(|watched| watched.name).collect();
    let mut all: Vec<Standing> = figures
        .iter()
        .map(|figures| {
            let sender = ingest::source::sender_of(&figures.source);
            let local = sender.is_some_and(|sender| sender.scheme == ingest::sender::Scheme::Local);
            let state = if local {
                local_state(&figures.source, &watched)
            } else if is_silent(figures.last_at, figures.gap_p99_seconds, now) {
                State::Silent
            } else {
                State::Delivering
            };
            Standing {
                source: figures.source.to_string(),
                sender: sender.map_or("unknown", |sender| sender.title),
                state,
                deliveries: figures.deliveries,
                bytes: figures.bytes,
                first_at: Some(figures.first_at),
                last_at: Some(figures.last_at),
                usual_gap_seconds: figures.gap_p99_seconds,
                quarantined: figures.quarantined,
                rejected: 0,
                insecure: false,
                configured: local,
            }
        })
        .collect();
    for source in app.hooks.sources().iter() {
        let name = source.name.as_str();
        if let Some(known) = all.iter_mut().find(|standing| standing.source == name) {
            (known.insecure, known.configured) = (source.insecure, true);
        } else {
            all.push(Standing {
                source: name.to_owned(),
                sender: source.sender.title,
                state: State::Waiting,
                deliveries: 0,
                bytes: 0,
                first_at: None,
                last_at: None,
                usual_gap_seconds: None,
                quarantined: 0,
                rejected: 0,
                insecure: source.insecure,
                configured: true,
            });
        }
    }
    for standing in &mut all {
        standing.rejected = rejected.iter().filter(|rejected| rejected.source == standing.source).count();
    }
    all.sort_by(|a, b| a.source.cmp(&b.source));
    Ok(all)
}

/// How a source stands that nobody sends to.
fn local_state(source: &SourceName, watched: &[String]) -> State {
    let (sender, rest) = source.as_str().split_once('/').unwrap_or((source.as_str(), ""));
    if sender == OWN_SENDER {
        State::Own
    } else if watched.iter().any(|name| name == rest) {
        State::Watched
    } else {
        State::Imported
    }
}

/// After four times its usual longest gap, and at least an hour.
fn is_silent(last_at: DateTime<Utc>, usual_gap_seconds: Option<i64>, now: DateTime<Utc>) -> bool {
    let usual = usual_gap_seconds.and_then(|gap| TimeDelta::try_seconds(gap.saturating_mul(GAPS)));
    // Without two deliveries nothing is usual; a day without a third is not told from an end.
    let allowed = usual.unwrap_or(TimeDelta::days(1)).max(SILENT_AFTER_MIN);
    now - last_at > allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_measured_by_the_sources_own_habit() {
        let now: DateTime<Utc> = "2026-11-21T12:00:00Z".parse().unwrap();
        let quiet = |hours| now - TimeDelta::hours(hours);
        assert!(!is_silent(quiet(5), Some(2 * 3600), now));
        assert!(is_silent(quiet(9), Some(2 * 3600), now));
        assert!(!is_silent(now - TimeDelta::minutes(50), Some(10), now), "never within the first hour");
        assert!(!is_silent(quiet(20), None, now));
        assert!(is_silent(quiet(30), None, now));
    }
}
