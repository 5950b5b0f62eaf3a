//! Ends that somebody wanted: they are counted, and nobody is told.

use std::collections::BTreeMap;

use super::cause::Verdict;
use crate::action::Action;
use crate::contract::Decision;
use crate::lookups::Lookups;

/// Under which key they are counted, by cause.
const KEY: &str = "suppressed";

/// Counts an end that somebody wanted.
pub(super) fn counted(verdict: &Verdict, lookups: &Lookups<'_>) -> Decision {
    let stored = lookups.state(KEY).and_then(|text| serde_json::from_str(&text).ok());
    let mut counts: BTreeMap<String, u64> = stored.unwrap_or_default();
    *counts.entry(verdict.cause.name().to_owned()).or_default() += 1;
    let value = serde_json::to_string(&counts).ok();
    let because = format!("{} ({}): nobody is told", verdict.sentence, verdict.cause.name());
    Decision::act(vec![Action::SaveState { key: KEY.to_owned(), value }], because)
}
