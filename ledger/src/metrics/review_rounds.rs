//! Review rounds: how often a change went back to its author.

use super::{Metric, Shape, World, count_of};
use crate::frames::{Part, Row, Subject};
use crate::report::{Definition, Unit};

pub(super) const METRIC: Metric = Metric {
    groups: |_| LABELS.map(str::to_owned).to_vec(),
    group_shape: Shape::Count,
    ..Metric::plain(DEFINITION, Shape::Quantiles, rows)
};

const DEFINITION: Definition = Definition {
    name: "review-rounds",
    title: "Review rounds",
    unit: Unit::Count,
    text: "For each merged change that was reviewed: pushes after the first review that requested changes, plus one; \
           by the time of merging. Direct pushes and changes by bots are left out.",
    version: 1,
    needs_group: true,
};

const LABELS: [&str; 5] = ["1", "2", "3", "4", "5 or more"];

fn rows(world: &World<'_>) -> Vec<Row> {
    let merged = world.requests().filter_map(|(ix, change, place)| Some((ix, change, place, change.merged?)));
    let row = |(ix, change, place, merged): (_, &crate::facts::Change, _, _)| {
        let row = Row::counted(Subject::Change(ix), place, merged);
        if change.author_is_bot {
            return Row { part: Part::LeftOut("by a bot"), ..row };
        }
        if change.first_review().is_none() {
            return Row { part: Part::LeftOut("merged without a review"), ..row };
        }
        let rounds = change.review_rounds();
        let group = u32::try_from(rounds.min(LABELS.len()).saturating_sub(1)).ok();
        row.with_value(count_of(rounds)).in_group(group).resting_on(change.reviews.keys().copied())
    };
    merged.map(row).collect()
}
