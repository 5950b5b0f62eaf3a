//! Since when an application that is healthy again was degraded.
//!
//! Argo CD notes on every application what it has notified of: a JSON object whose keys are, for our triggers,
//! `INSTANT:TRIGGER:[0].HASH:devhose:`, with the instant that the trigger's `oncePer` gives; see
//! `pkg/controller/state.go` of argoproj/notifications-engine. The note that comes with a recovery does not hold that
//! recovery yet.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::application::Application;
use crate::senders::reading::instant;

/// The trigger whose notification began an incident, as it stands in a key.
pub(super) const DEGRADED: &str = ":devhose-on-health-degraded:";

/// The trigger whose notification ended one.
pub(super) const HEALTHY: &str = ":devhose-on-healthy:";

/// When the degradation began that this recovery ends, as the application's health told it then. None if nobody was told
/// of one, or if an earlier recovery has ended it: an application becomes healthy after every deployment.
pub(super) fn degraded_before(application: &Application) -> Option<String> {
    let now = instant(&application.changed_at()?)?;
    let notes: BTreeMap<String, Value> = serde_json::from_str(application.notified.as_deref()?).ok()?;
    let told = |trigger: &'static str| {
        notes.keys().filter_map(move |key| {
            let text = key.split_once(trigger)?.0;
            Some((instant(text)?, text))
        })
    };
    let (began, text) = told(DEGRADED).filter(|(at, _)| *at <= now).max()?;
    let over = |at: DateTime<Utc>| began <= at && at < now;
    (!told(HEALTHY).any(|(at, _)| over(at))).then(|| text.to_owned())
}
