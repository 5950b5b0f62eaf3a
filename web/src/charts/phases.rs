//! Medians of phases, one bar a row, each from 0 on its own: medians do not add up, so the bars are never stacked.

use ledger::report::{Figure, Group};

use crate::charts::boxes::Groups;
use crate::charts::time::QUANTILES_MIN;
use crate::charts::{Anchor, Drawing, Mark, Paint, Shape, Size};
use crate::format;

/// Height of a row.
const ROW: f64 = 34.0;

/// Space for the names of the phases and for their values.
const LEFT: f64 = 104.0;
const RIGHT: f64 = 150.0;

/// Draws medians by phase.
pub(crate) fn draw(input: Groups<'_>, size: Size) -> Drawing {
    let longest = input.groups.iter().filter_map(median).fold(0.0, f64::max).max(1.0);
    let plot = size.width() - LEFT - RIGHT;
    let marks = input.groups.iter().zip(0u32..).map(|(group, row)| {
        let top = f64::from(row) * ROW;
        let middle = top + ROW / 2.0 + 4.0;
        let mut shapes = vec![
            Shape::Rect(0.0, top, size.width(), ROW, Paint::Hit),
            Shape::Text(LEFT - 10.0, middle, Anchor::End, Paint::Value, group.label.clone()),
        ];
        let n = format::count(group.point.n);
        let words = match median(group) {
            Some(median) => {
                let width = plot * median / longest;
                shapes.push(Shape::Rect(LEFT, top + 8.0, width.max(1.0), ROW - 16.0, Paint::Bar));
                let text = format!("{}, n {n}", format::duration(median));
                shapes.push(Shape::Text(LEFT + width + 8.0, middle, Anchor::Start, Paint::Tick, text));
                format!("{}: median {} of {n}", group.label, format::duration(median))
            }
            None => {
                let text = if group.point.n == 0 { "no data".to_owned() } else { format!("too few, n {n}") };
                shapes.push(Shape::Text(LEFT + 4.0, middle, Anchor::Start, Paint::Tick, text.clone()));
                format!("{}: {text}", group.label)
            }
        };
        Mark { href: (input.href)(&group.label), label: words, shapes }
    });
    let marks: Vec<Mark> = marks.collect();
    let height = marks.len().max(1) as f64 * ROW;
    let back = vec![Shape::Line(LEFT, 0.0, LEFT, height, Paint::Axis)];
    Drawing { size, height, back, marks, front: Vec::new() }.with_words_in_front()
}

fn median(group: &Group) -> Option<f64> {
    match group.point.figure {
        Figure::Quantiles { p50, .. } if group.point.n >= QUANTILES_MIN => Some(p50),
        Figure::Quantiles { .. }
        | Figure::Count { .. }
        | Figure::Ratio { .. }
        | Figure::NoData
        | Figure::BeforeFirst
        | Figure::Withheld => None,
    }
}
