//! Change lead time: from the first commit to production, with its phases.

use chrono::{DateTime, Utc};

use super::{Metric, Sample, Shape, World};
use crate::derive::Reach;
use crate::derive::deployments::Logical;
use crate::facts::{Change, Moment};
use crate::frames::{Part, Row, Subject};
use crate::report::{Definition, Unit};

pub(super) const METRIC: Metric = Metric {
    groups: |_| PHASES.map(str::to_owned).to_vec(),
    beside: &[BY_TIME],
    notes,
    ..Metric::plain(DEFINITION, Shape::Quantiles, rows)
};

const DEFINITION: Definition = Definition {
    name: "lead-time",
    title: "Change lead time",
    unit: Unit::Seconds,
    text: "For each change, from its first commit to the end of the first successful deployment to production that \
           contains it, by the time of that deployment. Medians of phases do not add up to the median of the whole.",
    version: 1,
    needs_group: false,
};

const PHASES: [&str; 5] = ["coding", "draft", "pickup", "review", "waiting"];
const BY_TIME: &str = "found by time of merging";

fn rows(world: &World<'_>) -> Vec<Row> {
    let mut rows: Vec<Row> =
        world.derived.reached.iter().filter_map(|reach| delivered(world, reach)).flatten().collect();
    let waiting = world.derived.waiting.iter().filter_map(|waiting| {
        let merged = world.changes.get(waiting.change.index())?.1.merged?;
        let repository = world.derived.changes.get(waiting.change.index())?.repository;
        let place = crate::derive::places::Place { service: waiting.service, repository, tier: waiting.tier };
        Some(Row::apart(Subject::Change(waiting.change), place, merged, Part::Open("waiting for a deployment")))
    });
    rows.extend(waiting);
    rows
}

/// The whole of one change, and its phases.
fn delivered(world: &World<'_>, reach: &Reach) -> Option<Vec<Row>> {
    let deployment = world.derived.deployment(reach.deployment)?;
    let (_, change) = world.changes.get(reach.change.index())?;
    let merged = change.merged?;
    // The change is what is counted; the deployment only says when.
    let moment = Moment { at: deployment.finished_at, event: merged.event };
    let subject = Subject::Change(reach.change);
    let info = world.derived.changes.get(reach.change.index())?;
    let place = crate::derive::places::Place { repository: info.repository, ..deployment.place };
    let events = events_of(change, info.first_commit, deployment);
    if reach.unknown_base {
        let part = Part::LeftOut("first deployment of the service");
        return Some(vec![Row::apart(subject, place, moment, part).resting_on(events)]);
    }
    let Some(first_commit) = info.first_commit else {
        let part = Part::LeftOut("time of the first commit unknown");
        return Some(vec![Row::apart(subject, place, moment, part).resting_on(events)]);
    };
    let by_time = (reach.by == crate::derive::ReachedBy::Time).then_some(BY_TIME);
    let whole = Row::lasting(subject, place, first_commit.at, moment).named_beside(by_time).resting_on(events.clone());
    if whole.part != Part::Counted {
        return Some(vec![whole]);
    }
    let phases = (0..).zip(phases(change, first_commit.at, merged.at, deployment.finished_at));
    let known = phases.filter_map(|(number, span)| span.map(|(from, to)| (number, from, to)));
    let row = |(number, from, to): (u32, DateTime<Utc>, DateTime<Utc>)| {
        let seconds = crate::frames::seconds_between(from, to)?;
        let row = Row::counted(subject, place, moment).with_value(seconds).in_group_only(number);
        Some(row.resting_on(events.clone()))
    };
    Some(std::iter::once(whole).chain(known.filter_map(row)).collect())
}

/// Beginning and end of each phase, in the order of [`PHASES`], where both are known.
fn phases(
    change: &Change,
    first_commit: DateTime<Utc>,
    merged: DateTime<Utc>,
    deployed: DateTime<Utc>,
) -> [Option<(DateTime<Utc>, DateTime<Utc>)>; 5] {
    let at = |moment: Option<Moment>| moment.map(|moment| moment.at);
    let (opened, ready) = (at(change.opened), at(change.ready));
    let first_review = at(change.first_review());
    [
        opened.map(|opened| (first_commit, opened)),
        opened.zip(ready),
        at(change.reviewable()).zip(first_review),
        first_review.map(|first_review| (first_review, merged)),
        Some((merged, deployed)),
    ]
}

fn events_of(change: &Change, first_commit: Option<Moment>, deployment: &Logical) -> Vec<bus::ids::EventId> {
    let own = [first_commit, change.opened].into_iter().flatten().map(|moment| moment.event);
    own.chain([deployment.event]).chain(deployment.also.iter().copied()).collect()
}

fn notes(sample: &Sample<'_>) -> Vec<(&'static str, f64)> {
    sample.open_notes("waiting now", "oldest waiting seconds")
}
