//! Deployment success rate: how many attempts succeeded.

use bus::data::Outcome;

use super::{Metric, Shape, World};
use crate::derive::DeploymentIx;
use crate::facts::Moment;
use crate::frames::{Part, Row, Subject};
use crate::report::{Definition, Unit};

pub(super) const METRIC: Metric = Metric { beside: &[CANCELLED], ..Metric::plain(DEFINITION, Shape::Ratio, rows) };

const DEFINITION: Definition = Definition {
    name: "deployment-success-rate",
    title: "Deployment success rate",
    unit: Unit::Ratio,
    text: "Of the attempts to deploy to production that ended in success, failure or error, those that ended in \
           success. Cancelled attempts stand beside.",
    version: 1,
    needs_group: false,
};

const CANCELLED: &str = "cancelled";

fn rows(world: &World<'_>) -> Vec<Row> {
    let deployments = (0..).map(DeploymentIx).zip(&world.derived.deployments);
    let row = |(ix, deployment): (DeploymentIx, &crate::derive::deployments::Logical)| {
        let moment = Moment { at: deployment.finished_at, event: deployment.event };
        let row = Row::counted(Subject::Deployment(ix), deployment.place, moment).resting_on(deployment.also.clone());
        match deployment.outcome {
            Outcome::Success => row.with_hit(true),
            Outcome::Failure | Outcome::Error => row,
            Outcome::Cancelled => Row { part: Part::Beside(CANCELLED), ..row },
        }
    };
    deployments.map(row).collect()
}
