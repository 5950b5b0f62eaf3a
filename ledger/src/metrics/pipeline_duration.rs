//! Pipeline duration: how long runs take, and how long they wait to begin.

use super::{Metric, Shape, World};
use crate::facts::{Moment, PipelineRun};
use crate::frames::{Part, Row, Subject, seconds_between};
use crate::report::{Definition, Unit};

pub(super) const METRIC: Metric = Metric {
    groups: |_| {
        ["default branch", "changes", "queue of default branch", "queue of changes"].map(str::to_owned).to_vec()
    },
    ..Metric::plain(DEFINITION, Shape::Quantiles, rows)
};

const DEFINITION: Definition = Definition {
    name: "pipeline-duration",
    title: "Pipeline duration",
    unit: Unit::Seconds,
    text: "From the start to the end of pipeline runs on the default branch and on changes, however they ended, by the \
           time they ended. The time from being asked for to the start stands apart.",
    version: 1,
    needs_group: false,
};

/// Number of the first group that tells waiting times.
const QUEUES: u32 = 2;

fn rows(world: &World<'_>) -> Vec<Row> {
    let runs = (0..).zip(world.runs.iter().zip(&world.derived.runs));
    let row = |(number, ((_, run), place)): (u32, (&(_, &PipelineRun), &crate::derive::places::Place))| {
        let finished = run.finished.as_ref()?;
        let end = Moment { at: finished.at, event: finished.event };
        let subject = Subject::Run(number);
        let apart = |reason| Some(vec![Row::apart(subject, *place, end, Part::LeftOut(reason))]);
        let Some(group) = group_of(run) else { return apart(OTHER_BRANCH) };
        let Some(started) = run.started else { return apart("start unknown") };
        let ran = Row::lasting(subject, *place, started.at, end).in_group(Some(group)).resting_on([started.event]);
        let waited = run.queued.and_then(|queued| {
            let seconds = seconds_between(queued.at, started.at)?;
            let row = Row::counted(subject, *place, end).with_value(seconds).in_group_only(QUEUES + group);
            Some(row.resting_on([queued.event, started.event]))
        });
        Some(std::iter::once(ran).chain(waited).collect())
    };
    runs.filter_map(row).flatten().collect()
}

pub(super) const OTHER_BRANCH: &str = "neither the default branch nor a change";

/// 0 for the default branch, 1 for a change.
pub(super) fn group_of(run: &PipelineRun) -> Option<u32> {
    match (run.change, run.on_default_branch) {
        (Some(_), _) => Some(1),
        (None, Some(true)) => Some(0),
        (None, Some(false) | None) => None,
    }
}
