//! Successful deployments: the north star.

use super::{Metric, Shape, World};
use crate::derive::DeploymentIx;
use crate::derive::deployments::Kind;
use crate::facts::Moment;
use crate::frames::{Part, Row, Subject};
use crate::report::{Definition, Unit};

pub(super) const METRIC: Metric =
    Metric { beside: &[ROLLBACKS, HOTFIXES, FAILED], ..Metric::plain(DEFINITION, Shape::Count, rows) };

const DEFINITION: Definition = Definition {
    name: "successful-deployments",
    title: "Successful deployments",
    unit: Unit::Count,
    text: "Deployments to production that ended with outcome success, by the time they ended. Rollbacks count and are \
           named beside; failed attempts stand beside and are never added. What several tools tell of the same \
           deployment counts once.",
    version: 1,
    needs_group: false,
};

const ROLLBACKS: &str = "rollbacks";
const HOTFIXES: &str = "hotfixes";
const FAILED: &str = "failed";
const CANCELLED: &str = "cancelled";

fn rows(world: &World<'_>) -> Vec<Row> {
    successes(world, |outcome| match outcome {
        bus::data::Outcome::Cancelled => CANCELLED,
        bus::data::Outcome::Success | bus::data::Outcome::Failure | bus::data::Outcome::Error => FAILED,
    })
}

/// One row for each successful deployment, and those apart that did not succeed or are told a second time.
pub(super) fn successes(world: &World<'_>, apart: fn(bus::data::Outcome) -> &'static str) -> Vec<Row> {
    let mut rows = Vec::with_capacity(world.derived.deployments.len());
    for (ix, deployment) in (0..).map(DeploymentIx).zip(&world.derived.deployments) {
        let moment = Moment { at: deployment.finished_at, event: deployment.event };
        let row = Row::counted(Subject::Deployment(ix), deployment.place, moment).resting_on(deployment.also.clone());
        if !deployment.succeeded() {
            rows.push(Row { part: Part::Beside(apart(deployment.outcome)), ..row });
            continue;
        }
        rows.push(row.named_beside(match deployment.kind {
            Kind::Deploy => None,
            Kind::Rollback => Some(ROLLBACKS),
            Kind::Hotfix => Some(HOTFIXES),
        }));
        for (number, (_, at, event)) in (0..).zip(&deployment.duplicates) {
            let moment = Moment { at: *at, event: *event };
            let told_again = Part::LeftOut("the same deployment, told by another tool");
            rows.push(Row::apart(Subject::Duplicate(ix, number), deployment.place, moment, told_again));
        }
    }
    rows
}
