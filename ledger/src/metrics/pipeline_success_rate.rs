//! Pipeline success rate: how many runs succeeded.

use bus::data::Outcome;

use super::pipeline_duration::{OTHER_BRANCH, group_of};
use super::{Metric, Shape, World};
use crate::facts::{Moment, PipelineRun};
use crate::frames::{Part, Row, Subject};
use crate::report::{Definition, Unit};

pub(super) const METRIC: Metric = Metric {
    groups: |_| ["default branch", "changes"].map(str::to_owned).to_vec(),
    beside: &[CANCELLED],
    ..Metric::plain(DEFINITION, Shape::Ratio, rows)
};

const DEFINITION: Definition = Definition {
    name: "pipeline-success-rate",
    title: "Pipeline success rate",
    unit: Unit::Ratio,
    text: "Of the pipeline runs on the default branch and on changes that ended in success, failure or error, those \
           that ended in success, by the time they ended. Cancelled runs stand beside.",
    version: 1,
    needs_group: false,
};

const CANCELLED: &str = "cancelled";

fn rows(world: &World<'_>) -> Vec<Row> {
    let runs = (0..).zip(world.runs.iter().zip(&world.derived.runs));
    let row = |(number, ((_, run), place)): (u32, (&(_, &PipelineRun), &crate::derive::places::Place))| {
        let finished = run.finished.as_ref()?;
        let end = Moment { at: finished.at, event: finished.event };
        let group = group_of(run);
        let row = Row::counted(Subject::Run(number), *place, end).in_group(group);
        let row = row.resting_on(run.started.map(|started| started.event));
        Some(match (group, finished.value) {
            (None, _) => Row { part: Part::LeftOut(OTHER_BRANCH), ..row },
            (Some(_), Outcome::Success) => row.with_hit(true),
            (Some(_), Outcome::Failure | Outcome::Error) => row,
            (Some(_), Outcome::Cancelled) => Row { part: Part::Beside(CANCELLED), ..row },
        })
    };
    runs.filter_map(row).collect()
}
