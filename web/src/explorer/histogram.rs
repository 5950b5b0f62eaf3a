//! Events over time: sixty bars above the list, each a link that narrows the query to it.

use bus::query::{Condition, Query};
use bus::streams::Streams;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::row;
use crate::api::ApiError;

/// Bars of a histogram.
const BARS: u32 = 60;

/// The span that is shown if the query names none.
const DAYS_DEFAULT: i64 = 28;

/// Drawing: width and height of the coordinate system.
const WIDTH: u32 = 960;
const HEIGHT: u32 = 64;

/// A histogram.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Histogram {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) bars: Vec<DrawnBar>,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) summary: String,
}

/// One bar: what ended well stands below what failed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DrawnBar {
    pub(crate) x: u32,
    pub(crate) width: u32,
    pub(crate) ok_y: u32,
    pub(crate) ok_height: u32,
    pub(crate) failed_y: u32,
    pub(crate) failed_height: u32,
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    pub(crate) time: String,
    pub(crate) label: String,
    pub(crate) address: String,
}

/// Counts and draws the events of a query; none if there is nothing to draw.
pub(crate) async fn of(
    streams: &Streams,
    query: &Query,
    now: DateTime<Utc>,
    zone: Tz,
) -> Result<Option<Histogram>, ApiError> {
    let since = query
        .terms()
        .iter()
        .find_map(|term| if let Condition::Since(at) = &term.condition { Some(at.at()) } else { None });
    let before = query
        .terms()
        .iter()
        .find_map(|term| if let Condition::Before(at) = &term.condition { Some(at.at()) } else { None });
    let to = before.unwrap_or(now);
    let from = since.unwrap_or(to - TimeDelta::days(DAYS_DEFAULT));
    if to <= from {
        return Ok(None);
    }
    let bars = streams.histogram(query.clone(), from, to, BARS).await?;
    let highest = bars.iter().map(|bar| bar.ok + bar.failed).max().unwrap_or(0);
    if highest == 0 {
        return Ok(None);
    }
    let ends = bars.iter().skip(1).map(|bar| bar.from).chain([to]);
    let kept: Vec<String> = query
        .terms()
        .iter()
        .filter(|term| !matches!(term.condition, Condition::Since(_) | Condition::Before(_)))
        .map(ToString::to_string)
        .collect();
    let step = WIDTH / BARS;
    let heights = |count: u64| u32::try_from((count * u64::from(HEIGHT)).div_ceil(highest)).unwrap_or(HEIGHT);
    let drawn = bars.iter().zip(ends).zip(0..).map(|((bar, end), index)| {
        let (ok_height, failed_height) = (heights(bar.ok), heights(bar.failed));
        let ok_height = ok_height.min(HEIGHT - failed_height.min(HEIGHT));
        let stamp = |at: DateTime<Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let time = bar.from.with_timezone(&zone).format("%-d %b %Y %H:%M").to_string();
        let narrowed =
            [kept.clone(), vec![format!("since:{}", stamp(bar.from)), format!("before:{}", stamp(end))]].concat();
        DrawnBar {
            x: index * step,
            width: step - 2,
            ok_y: HEIGHT - ok_height,
            ok_height,
            failed_y: HEIGHT - ok_height - failed_height,
            failed_height,
            ok: bar.ok,
            failed: bar.failed,
            label: format!("From {time}: {} events, {} failed", bar.ok + bar.failed, bar.failed),
            time,
            address: row::address(&narrowed.join(" ")),
        }
    });
    let total: u64 = bars.iter().map(|bar| bar.ok + bar.failed).sum();
    let failed: u64 = bars.iter().map(|bar| bar.failed).sum();
    let minute = |at: DateTime<Utc>| at.with_timezone(&zone).format("%-d %b %Y %H:%M").to_string();
    Ok(Some(Histogram {
        width: WIDTH,
        height: HEIGHT,
        bars: drawn.collect(),
        summary: format!(
            "{total} events between {} and {}, {failed} of them failed; at most {highest} in one bar",
            minute(from),
            minute(to)
        ),
        from: minute(from),
        to: minute(to),
    }))
}
