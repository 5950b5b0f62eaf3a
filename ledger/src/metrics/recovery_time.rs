//! Failed-deployment recovery time: how long a failed deployment stayed.

use super::{Metric, Sample, Shape, World};
use crate::derive::DeploymentIx;
use crate::derive::deployments::Logical;
use crate::facts::Moment;
use crate::frames::{Part, Row, Subject};
use crate::report::{Definition, Unit};

pub(super) const METRIC: Metric = Metric { notes, ..Metric::plain(DEFINITION, Shape::Quantiles, rows) };

const DEFINITION: Definition = Definition {
    name: "recovery-time",
    title: "Failed-deployment recovery time",
    unit: Unit::Seconds,
    text: "For each deployment that failed by the rule of the change failure rate, from its end to the end of what \
           made it good or to the resolution of its incident, whichever came first, by the time of recovery. Those \
           still open are told as \"at least\".",
    version: 1,
    needs_group: false,
};

fn rows(world: &World<'_>) -> Vec<Row> {
    let deployments = (0..).map(DeploymentIx).zip(&world.derived.deployments);
    let failed = deployments.filter(|(_, deployment)| {
        let fails = deployment.remediated_by.is_some() || !deployment.incidents.is_empty();
        let in_sample = !deployment.only_remediates() || world.rules.remediations_in_denominator;
        deployment.succeeded() && fails && in_sample
    });
    let row = |(ix, deployment): (DeploymentIx, &Logical)| {
        let failed = Moment { at: deployment.finished_at, event: deployment.event };
        let (subject, place) = (Subject::Deployment(ix), deployment.place);
        match recovered(world, deployment) {
            // The failed deployment is what is counted; the recovery only says when.
            Some(end) => {
                let counted = Moment { at: end.at, event: failed.event };
                Row::lasting(subject, place, failed.at, counted).resting_on([end.event])
            }
            None => Row::apart(subject, place, failed, Part::Open("still open")),
        }
    };
    failed.map(row).collect()
}

fn recovered(world: &World<'_>, deployment: &Logical) -> Option<Moment> {
    let remedy = deployment.remediated_by.and_then(|ix| world.derived.deployment(ix));
    let remedy = remedy.map(|remedy| Moment { at: remedy.finished_at, event: remedy.event });
    let incidents = deployment.incidents.iter().filter_map(|number| world.incidents.get(*number));
    incidents.filter_map(|(_, incident)| incident.resolved).chain(remedy).min()
}

fn notes(sample: &Sample<'_>) -> Vec<(&'static str, f64)> {
    sample.open_notes("open", "longest open seconds, at least")
}
