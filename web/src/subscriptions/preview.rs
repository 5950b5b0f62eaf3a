//! Which of the newest events a filter would let through, shown before anybody relies on it.

use bus::subscriptions::Filter;
use serde_json::Value;

use super::words;
use crate::api::ApiError;
use crate::bots::Told;
use crate::format;
use crate::redact;
use crate::sentence;
use crate::site::App;

/// Events that are looked at: some days of a busy installation, read in a moment.
const LAST: usize = 1_000;

/// Events that are shown.
const SHOWN: usize = 5;

/// Longest filter that a page takes from its address, in bytes.
const FILTER_BYTES_MAX: usize = 8 << 10;

/// What a filter would have let through.
#[derive(Debug)]
pub(super) struct Preview {
    /// The filter as it is written.
    pub(super) written: String,
    /// In words; empty if it cannot be used.
    pub(super) words: String,
    /// What is wrong with it; empty if nothing is.
    pub(super) mistake: String,
    /// `12 of the newest 1 000 events match`
    pub(super) counted: String,
    pub(super) lines: Vec<Line>,
    /// Set if it is not the subscription's own.
    pub(super) tried: bool,
}

/// An event in a line.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) href: String,
    pub(super) sentence: String,
    pub(super) at: String,
}

impl Preview {
    /// Of the filter that was written into the form, or the subscription's own.
    pub(super) async fn of(app: &App, own: &Filter, tried: Option<String>) -> Result<Self, ApiError> {
        let Some(text) = tried else {
            let written = Value::Array(own.expressions().to_vec());
            return Self::counted(app, own, format!("{written:#}"), false).await;
        };
        match read(app, &text) {
            Ok(filter) => Self::counted(app, &filter, text, true).await,
            Err(mistake) => Ok(Self {
                written: text,
                words: String::new(),
                mistake,
                counted: String::new(),
                lines: Vec::new(),
                tried: true,
            }),
        }
    }

    async fn counted(app: &App, filter: &Filter, written: String, tried: bool) -> Result<Self, ApiError> {
        let run = app.subscriptions.would_match(filter, LAST).await?;
        let told = Told::of(app);
        let line = |recorded: &bus::event::Recorded| Line {
            href: format!("/events/{}", recorded.event.id),
            sentence: redact::text(&sentence::of(&recorded.event)).0,
            at: told.moment(recorded.event.time),
        };
        Ok(Self {
            written,
            words: words::filter(filter),
            mistake: String::new(),
            counted: format!(
                "{} of the newest {} match",
                format::count(run.matched),
                format::plural(run.looked_at, "event", "events")
            ),
            lines: run.sample.iter().take(SHOWN).map(line).collect(),
            tried,
        })
    }
}

fn read(app: &App, text: &str) -> Result<Filter, String> {
    if text.len() > FILTER_BYTES_MAX {
        return Err(format!("A page tries filters of at most {FILTER_BYTES_MAX} bytes; the API takes longer ones."));
    }
    let value: Value = serde_json::from_str(text).map_err(|error| format!("This is no JSON: {error}."))?;
    Filter::parse(&value, (app.site.clock)()).map_err(|error| format!("{error}."))
}
