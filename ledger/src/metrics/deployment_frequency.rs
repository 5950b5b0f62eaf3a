//! Deployment frequency: how often, and on how many days.

use super::successful_deployments::successes;
use super::{Metric, Shape};
use crate::report::{Definition, Unit};

pub(super) const METRIC: Metric = Metric {
    days_beside: Some("days with one"),
    ..Metric::plain(DEFINITION, Shape::Count, |world| successes(world, |_| "failed"))
};

const DEFINITION: Definition = Definition {
    name: "deployment-frequency",
    title: "Deployment frequency",
    unit: Unit::Count,
    text: "Successful deployments to production, and beside them the days with at least one.",
    version: 1,
    needs_group: false,
};
