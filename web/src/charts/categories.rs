//! Counts by category, such as rounds of review, as bars from 0 with their values.

use ledger::report::{Figure, Group};

use crate::charts::axis::{self, Slots};
use crate::charts::boxes::Groups;
use crate::charts::scale::Scale;
use crate::charts::{Anchor, Drawing, Mark, Paint, Shape, Size};
use crate::format;

/// Height of the plot.
const PLOT_HEIGHT: f64 = 150.0;

/// Draws counts by category.
pub(crate) fn draw(input: Groups<'_>, size: Size) -> Drawing {
    let slots = Slots::new(size, input.groups.len());
    let max = input.groups.iter().map(count).max().unwrap_or(0) as f64;
    let scale = Scale::counts(max, axis::TOP, axis::TOP + PLOT_HEIGHT);
    let mut back = axis::values(size, &scale, input.axis);
    let of = Shape::Text(axis::LEFT, scale.bottom + 36.0, Anchor::Start, Paint::Tick, input.of.to_owned());
    back.push(of);
    let marks = input.groups.iter().enumerate().map(|(index, group)| {
        let (x, width) = slots.bar(index);
        let y = scale.y(count(group) as f64);
        let middle = slots.middle(index);
        back.push(Shape::Text(middle, scale.bottom + 18.0, Anchor::Middle, Paint::Value, group.label.clone()));
        let value = format::count(count(group));
        Mark {
            href: (input.href)(&group.label),
            label: format!("{} {}: {value}", group.label, input.of),
            shapes: vec![
                slots.hit(index, axis::TOP, scale.bottom + 22.0),
                Shape::Rect(x, y, width, scale.bottom - y, Paint::Bar),
                Shape::Text(middle, y - 6.0, Anchor::Middle, Paint::Value, value),
            ],
        }
    });
    let marks = marks.collect();
    Drawing { size, height: scale.bottom + 42.0, back, marks, front: Vec::new() }
}

/// How many are in a category, whatever else is known of it.
pub(crate) fn count(group: &Group) -> u64 {
    match group.point.figure {
        Figure::Count { value } => value,
        Figure::Quantiles { .. } | Figure::Ratio { .. } | Figure::NoData | Figure::BeforeFirst | Figure::Withheld => {
            group.point.n
        }
    }
}
