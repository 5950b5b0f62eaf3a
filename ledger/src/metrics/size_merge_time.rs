//! Change size × time to merge.

use super::{Metric, Sample, Shape, World, count_of};
use crate::derive::ChangeIx;
use crate::derive::places::Place;
use crate::facts::{Change, Moment};
use crate::frames::{Part, Row, Subject};
use crate::report::{Definition, Unit};
use crate::rules::Rules;

pub(super) const METRIC: Metric = Metric {
    groups: |rules| labels(rules),
    groups_beside: &SHARES,
    beside: &[CLOSED, FROM_FIRST_COMMIT],
    notes,
    ..Metric::plain(DEFINITION, Shape::Quantiles, rows)
};

const DEFINITION: Definition = Definition {
    name: "size-merge-time",
    title: "Change size and time to merge",
    unit: Unit::Seconds,
    text: "Merged changes by lines added and deleted; from opened to merged, by the time of merging. Where nobody knows \
           when a change was opened, from its first commit, and that is said. Direct pushes and changes by bots are \
           left out; open and closed unmerged ones stand beside.",
    version: 1,
    needs_group: true,
};

const CLOSED: &str = "closed unmerged";
const FROM_FIRST_COMMIT: &str = "from first commit";

/// Names under which a point counts its changes by size, in the order of the groups: the edges are a rule, the names of
/// the groups follow from them, and these stay.
const SHARES: [&str; crate::rules::SIZE_EDGES_MAX + 1] = [
    "size 1", "size 2", "size 3", "size 4", "size 5", "size 6", "size 7", "size 8", "size 9", "size 10", "size 11",
    "size 12", "size 13",
];

fn labels(rules: &Rules) -> Vec<String> {
    let lower = std::iter::once(1).chain(rules.size_edges.iter().map(|edge| edge + 1));
    let spans = lower
        .zip(&rules.size_edges)
        .map(|(from, to)| if from == *to { to.to_string() } else { format!("{from}–{to}") });
    let above = rules.size_edges.last().map(|edge| format!("> {edge}"));
    spans.chain(above).collect()
}

fn rows(world: &World<'_>) -> Vec<Row> {
    world.requests().filter_map(|(ix, change, place)| row(world.rules, ix, change, place)).collect()
}

fn row(rules: &Rules, ix: ChangeIx, change: &Change, place: Place) -> Option<Row> {
    let subject = Subject::Change(ix);
    let left_out = |at: Moment, reason| Some(Row::apart(subject, place, at, Part::LeftOut(reason)));
    let Some(merged) = change.merged else {
        return match (change.closed_unmerged(), change.opened) {
            _ if change.author_is_bot => None,
            (Some(closed), _) => Some(Row::apart(subject, place, closed, Part::Beside(CLOSED))),
            (None, Some(opened)) => Some(Row::apart(subject, place, opened, Part::Open("open"))),
            (None, None) => None,
        };
    };
    if change.author_is_bot {
        return left_out(merged, "by a bot");
    }
    let Some(size) = change.size.as_ref().map(|size| size.value.additions.saturating_add(size.value.deletions)) else {
        return left_out(merged, "size unknown");
    };
    let Some(from) = change.opened.or(change.first_commit) else {
        return left_out(merged, "neither opening nor first commit known");
    };
    let group = rules.size_edges.partition_point(|edge| *edge < size);
    let row = Row::lasting(subject, place, from.at, merged)
        .in_group(u32::try_from(group).ok())
        .compared_with(usize::try_from(size).map_or(f64::MAX, count_of))
        .named_beside(change.opened.is_none().then_some(FROM_FIRST_COMMIT));
    Some(row.resting_on([from.event].into_iter().chain(change.size.as_ref().map(|size| size.event))))
}

fn notes(sample: &Sample<'_>) -> Vec<(&'static str, f64)> {
    let pairs: Vec<(f64, f64)> = sample.counted.iter().filter_map(|row| row.against.zip(row.value)).collect();
    let from_first_commit = sample.counted.iter().filter(|row| row.beside == Some(FROM_FIRST_COMMIT)).count();
    let mut notes = vec![("spearman n", count_of(pairs.len()))];
    notes.extend(spearman(&pairs).map(|rho| ("spearman rho", rho)));
    if !pairs.is_empty() {
        notes.push((FROM_FIRST_COMMIT, count_of(from_first_commit) / count_of(pairs.len())));
    }
    notes.push(("open now", count_of(sample.open.len())));
    notes.push((CLOSED, count_of(sample.beside.iter().filter(|row| row.part == Part::Beside(CLOSED)).count())));
    notes
}

/// Spearman's rank correlation, equal values sharing the mean of their ranks; none where one side does not vary.
pub(super) fn spearman(pairs: &[(f64, f64)]) -> Option<f64> {
    let left = ranks(&pairs.iter().map(|pair| pair.0).collect::<Vec<_>>());
    let right = ranks(&pairs.iter().map(|pair| pair.1).collect::<Vec<_>>());
    // Both lists of ranks have the same mean, whatever the ties.
    let mean = (count_of(pairs.len()) + 1.0) / 2.0;
    let sum = |one: &[f64], other: &[f64]| {
        one.iter().zip(other).map(|(one, other)| (one - mean) * (other - mean)).sum::<f64>()
    };
    let spread = (sum(&left, &left) * sum(&right, &right)).sqrt();
    (spread > 0.0).then(|| (sum(&left, &right) / spread).clamp(-1.0, 1.0))
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = values.iter().copied().enumerate().collect();
    order.sort_by(|left, right| left.1.total_cmp(&right.1));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for ties in order.chunk_by(|left, right| left.1 == right.1) {
        let rank = count_of(before) + (count_of(ties.len()) + 1.0) / 2.0;
        for (index, _) in ties {
            if let Some(slot) = ranks.get_mut(*index) {
                *slot = rank;
            }
        }
        before += ties.len();
    }
    ranks
}
