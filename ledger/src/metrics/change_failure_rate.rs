//! Change failure rate: how many deployments had to be made good.

use super::{Metric, Shape, World};
use crate::derive::DeploymentIx;
use crate::facts::Moment;
use crate::frames::{Part, Row, Subject};
use crate::report::{Definition, Unit};

pub(super) const METRIC: Metric = Metric::plain(DEFINITION, Shape::Ratio, rows);

const DEFINITION: Definition = Definition {
    name: "change-failure-rate",
    title: "Change failure rate",
    unit: Unit::Ratio,
    text: "Of the successful deployments to production, those that a rollback, a hotfix or a revert followed within \
           the set time, or that an incident is blamed on. Rollbacks and hotfixes are not themselves in the sample \
           unless the rules say so.",
    version: 1,
    needs_group: false,
};

fn rows(world: &World<'_>) -> Vec<Row> {
    let deployments = (0..).map(DeploymentIx).zip(&world.derived.deployments);
    let successful = deployments.filter(|(_, deployment)| deployment.succeeded());
    let row = |(ix, deployment): (DeploymentIx, &crate::derive::deployments::Logical)| {
        let moment = Moment { at: deployment.finished_at, event: deployment.event };
        let row = Row::counted(Subject::Deployment(ix), deployment.place, moment).resting_on(deployment.also.clone());
        if deployment.only_remediates() && !world.rules.remediations_in_denominator {
            return Row { part: Part::LeftOut("only makes another deployment good"), ..row };
        }
        let remedy = deployment.remediated_by.and_then(|ix| world.derived.deployment(ix)).map(|remedy| remedy.event);
        let incidents = deployment.incidents.iter().filter_map(|number| world.incidents.get(*number));
        let detected = incidents.filter_map(|(_, incident)| incident.detected).map(|moment| moment.event);
        row.with_hit(deployment.remediated_by.is_some() || !deployment.incidents.is_empty())
            .resting_on(remedy.into_iter().chain(detected).collect::<Vec<_>>())
    };
    successful.map(row).collect()
}
