//! Time to first review: how long a change waits until somebody looks at it.

use super::{Metric, Sample, Shape, World};
use crate::derive::ChangeIx;
use crate::derive::places::Place;
use crate::facts::Change;
use crate::frames::{Part, Row, Subject};
use crate::report::{Definition, Unit};

pub(super) const METRIC: Metric = Metric { notes, ..Metric::plain(DEFINITION, Shape::Quantiles, rows) };

const DEFINITION: Definition = Definition {
    name: "time-to-first-review",
    title: "Time to first review",
    unit: Unit::Seconds,
    text: "From the moment a change left draft (or was opened) to the first review or comment on its code by somebody \
           else, bots excluded, by the time of that review. Changes by bots are left out.",
    version: 1,
    needs_group: true,
};

fn rows(world: &World<'_>) -> Vec<Row> {
    world.requests().filter_map(|(ix, change, place)| row(ix, change, place)).collect()
}

fn row(ix: ChangeIx, change: &Change, place: Place) -> Option<Row> {
    let subject = Subject::Change(ix);
    let left_out = |at, reason| Some(Row::apart(subject, place, at, Part::LeftOut(reason)));
    let Some(review) = change.first_review() else {
        return match (change.merged, change.closed_unmerged(), change.reviewable()) {
            _ if change.author_is_bot => None,
            (Some(merged), _, _) => left_out(merged, "merged without a review"),
            (None, None, Some(reviewable)) => {
                Some(Row::apart(subject, place, reviewable, Part::Open("waiting for a review")))
            }
            (None, Some(_), _) | (None, None, None) => None,
        };
    };
    if change.author_is_bot {
        return left_out(review, "by a bot");
    }
    let Some(reviewable) = change.reviewable() else {
        return left_out(review, "opening unknown");
    };
    Some(Row::lasting(subject, place, reviewable.at, review).resting_on([reviewable.event]))
}

fn notes(sample: &Sample<'_>) -> Vec<(&'static str, f64)> {
    sample.open_notes("waiting now", "oldest waiting seconds")
}
