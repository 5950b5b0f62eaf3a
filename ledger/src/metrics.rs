//! The metrics: one file each, and this list.
//!
//! A metric says what it is ([`Definition`]), which rows the facts contribute, and the shape of its figure. Selecting
//! by scope and window, buckets, quantiles, intervals, evidence and privacy are the same for all and done elsewhere.
//!
//! To add one, copy the file that is nearest to it and add a line to [`LIST`].

use crate::derive::places::Place;
use crate::derive::{ChangeIx, Derived};
use crate::facts::{Change, FactKey, Facts, Incident, PipelineRun};
use crate::frames::Row;
use crate::report::Definition;
use crate::rules::Rules;

mod change_failure_rate;
mod deployment_frequency;
mod deployment_success_rate;
mod lead_time;
mod pipeline_duration;
mod pipeline_success_rate;
mod recovery_time;
mod review_rounds;
mod size_merge_time;
mod successful_deployments;
#[cfg(test)]
mod tests;
mod time_to_first_review;
mod time_to_restore;

/// The metrics, in the order of pages.
pub(crate) const LIST: &[Metric] = &[
    successful_deployments::METRIC,
    deployment_frequency::METRIC,
    lead_time::METRIC,
    change_failure_rate::METRIC,
    recovery_time::METRIC,
    time_to_restore::METRIC,
    deployment_success_rate::METRIC,
    size_merge_time::METRIC,
    time_to_first_review::METRIC,
    review_rounds::METRIC,
    pipeline_duration::METRIC,
    pipeline_success_rate::METRIC,
];

/// One metric.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Metric {
    pub(crate) definition: Definition,
    /// What a point says.
    pub(crate) shape: Shape,
    /// The rows that the facts contribute, in any order.
    pub(crate) rows: fn(&World<'_>) -> Vec<Row>,
    /// Names of the categories, by number.
    pub(crate) groups: fn(&Rules) -> Vec<String>,
    /// What a category says.
    pub(crate) group_shape: Shape,
    /// Names that are counted beside every point, in this order, zero or not.
    pub(crate) beside: &'static [&'static str],
    /// Set to count, beside every point, the days with at least one of the sample.
    pub(crate) days_beside: Option<&'static str>,
    /// Set to count, beside every point, the rows of each category by number.
    pub(crate) groups_beside: &'static [&'static str],
    /// Single figures.
    pub(crate) notes: fn(&Sample<'_>) -> Vec<(&'static str, f64)>,
}

/// What a figure of a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// How many rows there are.
    Count,
    /// How their values are distributed.
    Quantiles,
    /// Which share of them is a hit.
    Ratio,
}

/// Everything that metrics are computed from.
pub(crate) struct World<'v> {
    pub(crate) derived: &'v Derived,
    pub(crate) rules: &'v Rules,
    /// In order of keys.
    pub(crate) changes: Vec<(&'v FactKey, &'v Change)>,
    /// In order of keys.
    pub(crate) incidents: Vec<(&'v FactKey, &'v Incident)>,
    /// In order of keys.
    pub(crate) runs: Vec<(&'v FactKey, &'v PipelineRun)>,
}

/// The rows of one question, for its single figures.
pub(crate) struct Sample<'f> {
    /// The sample of the headline.
    pub(crate) counted: Vec<&'f Row>,
    /// What the headline counts beside.
    pub(crate) beside: Vec<&'f Row>,
    /// What is open now.
    pub(crate) open: Vec<&'f Row>,
    /// The instant that counts as now.
    pub(crate) now: chrono::DateTime<chrono::Utc>,
}

impl Metric {
    /// A metric without categories, counts beside or single figures.
    pub(crate) const fn plain(definition: Definition, shape: Shape, rows: fn(&World<'_>) -> Vec<Row>) -> Self {
        Self {
            definition,
            shape,
            rows,
            groups: |_| Vec::new(),
            group_shape: shape,
            beside: &[],
            days_beside: None,
            groups_beside: &[],
            notes: |_| Vec::new(),
        }
    }
}

impl<'v> World<'v> {
    pub(crate) fn new(facts: &'v Facts, derived: &'v Derived, rules: &'v Rules) -> Self {
        Self {
            derived,
            rules,
            changes: facts.changes.iter().collect(),
            incidents: facts.incidents.iter().collect(),
            runs: facts.pipeline_runs.iter().collect(),
        }
    }

    /// Changes that went through a request, each once for every service that it touches; direct pushes are not among
    /// them.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (ChangeIx, &'v Change, Place)> {
        let changes = (0..).map(ChangeIx).zip(self.changes.iter().zip(&self.derived.changes));
        let requests = changes.filter(|(_, ((_, change), _))| !change.direct);
        requests.flat_map(|(ix, ((_, change), info))| {
            let at = move |service| Place { service, repository: info.repository, tier: None };
            let nowhere = info.services.is_empty().then_some(None);
            let change: &'v Change = change;
            info.services.iter().copied().map(Some).chain(nowhere).map(move |service| (ix, change, at(service)))
        })
    }
}

impl Sample<'_> {
    /// How many are open, and the longest of them so far in seconds, under these names.
    pub(crate) fn open_notes(&self, count: &'static str, longest: &'static str) -> Vec<(&'static str, f64)> {
        let longest_seconds =
            self.open.iter().filter_map(|row| crate::frames::seconds_between(row.at, self.now)).reduce(f64::max);
        let count_note = (count, count_of(self.open.len()));
        std::iter::once(count_note).chain(longest_seconds.map(|seconds| (longest, seconds))).collect()
    }
}

/// A number of things as a figure.
#[expect(clippy::cast_precision_loss, reason = "there are never 2^52 facts")]
pub(crate) fn count_of(count: usize) -> f64 {
    count as f64
}
