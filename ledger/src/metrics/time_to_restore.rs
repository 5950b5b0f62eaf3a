//! Time to restore: how long incidents lasted.

use super::{Metric, Sample, Shape, World};
use crate::frames::{Part, Row, Subject};
use crate::report::{Definition, Unit};

pub(super) const METRIC: Metric = Metric { notes, ..Metric::plain(DEFINITION, Shape::Quantiles, rows) };

const DEFINITION: Definition = Definition {
    name: "time-to-restore",
    title: "Time to restore",
    unit: Unit::Seconds,
    text: "From the detection of an incident in production to its resolution, by the time of resolution. Open \
           incidents are told beside.",
    version: 1,
    needs_group: false,
};

fn rows(world: &World<'_>) -> Vec<Row> {
    let incidents = (0..).zip(world.incidents.iter().zip(&world.derived.incidents));
    let row =
        |(number, ((_, incident), attributed)): (u32, (&(_, &crate::facts::Incident), &crate::derive::Attributed))| {
            let (subject, place) = (Subject::Incident(number), attributed.place);
            let blamed = attributed.deployment.and_then(|ix| world.derived.deployment(ix)).map(|blamed| blamed.event);
            let row = match (incident.detected, incident.resolved) {
                (Some(detected), Some(resolved)) => {
                    Row::lasting(subject, place, detected.at, resolved).resting_on([detected.event])
                }
                (Some(detected), None) => Row::apart(subject, place, detected, Part::Open("still open")),
                (None, Some(resolved)) => Row::apart(subject, place, resolved, Part::LeftOut("detection unknown")),
                (None, None) => return None,
            };
            Some(row.resting_on(blamed))
        };
    incidents.filter_map(row).collect()
}

fn notes(sample: &Sample<'_>) -> Vec<(&'static str, f64)> {
    sample.open_notes("open", "longest open seconds, at least")
}
