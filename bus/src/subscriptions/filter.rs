//! Which events a subscription is for: the filter dialects of CloudEvents Subscriptions, and the explorer's query.

use serde::{Deserialize, Serialize};

use crate::event::Recorded;

/// Why a filter cannot be used, in words that name the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FilterError(pub String);

/// A filter as it is written in JSON: a list of expressions of which all must hold. The empty one lets everything pass.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Filter(pub Vec<serde_json::Value>);

impl Filter {
    /// Whether an event passes.
    #[must_use]
    pub fn matches(&self, _event: &Recorded) -> bool {
        self.0.is_empty()
    }
}
