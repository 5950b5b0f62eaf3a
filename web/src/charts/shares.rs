//! Parts of a whole per month as stacked bars of 100 %, at most six parts, told apart by shade, order and label.

use crate::charts::axis::{self, Slots};
use crate::charts::scale::Scale;
use crate::charts::{Anchor, Drawing, Mark, NARROW_PERIODS, Paint, Shape, Size};
use crate::format;

/// More parts than this cannot be told apart; the rest are drawn as the last.
pub(crate) const PARTS_MAX: u8 = 6;

/// Height of the plot.
const PLOT_HEIGHT: f64 = 170.0;

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    /// Under the bar: `Nov`.
    pub(crate) label: String,
    /// In full: `Nov 2026`.
    pub(crate) period: String,
    /// How many are in each part, in the order of the parts.
    pub(crate) counts: Vec<u64>,
    /// False for the month that is not over.
    pub(crate) complete: bool,
    /// Its evidence.
    pub(crate) href: String,
}

/// Draws shares; `parts` names them from the bottom up.
pub(crate) fn draw(columns: &[Column], parts: &[String], axis_title: &str, size: Size) -> Drawing {
    let columns = match size {
        Size::Wide => columns,
        Size::Narrow => columns.get(columns.len().saturating_sub(NARROW_PERIODS)..).unwrap_or_default(),
    };
    let (legend, legend_height) = legend(parts, size);
    let slots = Slots::new(size, columns.len());
    let top = axis::TOP + legend_height;
    let scale = Scale::shares(1.0, top, top + PLOT_HEIGHT);
    let mut back = axis::values(size, &scale, axis_title);
    back.extend(legend);
    // Names of months need 26 pixels; where they have fewer, every second one is named, from the newest back.
    let step = if slots.width < 26.0 { 2 } else { 1 };
    for (index, column) in columns.iter().enumerate() {
        let n = format::count(column.counts.iter().sum());
        if (columns.len() - 1 - index).is_multiple_of(step) {
            let (x, y) = (slots.middle(index), scale.bottom + 17.0);
            back.push(Shape::Text(x, y, Anchor::Middle, Paint::Tick, column.label.clone()));
        }
        back.push(Shape::Text(slots.middle(index), scale.bottom + 32.0, Anchor::Middle, Paint::Small, n));
    }
    let marks = columns.iter().enumerate().map(|(index, column)| {
        let mut shapes = vec![slots.hit(index, top, scale.bottom + 36.0)];
        shapes.extend(stack(column, index, slots, &scale));
        Mark { href: column.href.clone(), label: label(column, parts), shapes }
    });
    Drawing { size, height: scale.bottom + 38.0, marks: marks.collect(), back, front: Vec::new() }
}

fn stack(column: &Column, index: usize, slots: Slots, scale: &Scale) -> Vec<Shape> {
    let total = column.counts.iter().sum::<u64>() as f64;
    let (x, width) = slots.bar(index);
    let left = slots.left(index);
    if total == 0.0 {
        return vec![Shape::Line(
            left + 1.0,
            scale.bottom - 3.0,
            left + slots.width - 1.0,
            scale.bottom - 3.0,
            Paint::Empty,
        )];
    }
    let mut shapes = Vec::new();
    let mut below = 0.0;
    for (count, part) in column.counts.iter().zip(0u8..) {
        let share = *count as f64 / total;
        let (bottom, top) = (scale.y(below), scale.y(below + share));
        if *count > 0 {
            shapes.push(Shape::Rect(x, top, width, bottom - top, Paint::Share(part.min(PARTS_MAX - 1))));
        }
        below += share;
    }
    if !column.complete {
        shapes.push(Shape::Rect(x, scale.top, width, scale.bottom - scale.top, Paint::Incomplete));
    }
    shapes
}

/// The parts by name, over the plot, in as many rows as they need.
fn legend(parts: &[String], size: Size) -> (Vec<Shape>, f64) {
    const ROW: f64 = 18.0;
    let mut shapes = Vec::new();
    let (mut x, mut y) = (axis::LEFT, 22.0);
    for (name, part) in parts.iter().zip(0u8..) {
        let width = 26.0 + name.chars().count() as f64 * 7.2;
        if x + width > size.width() {
            (x, y) = (axis::LEFT, y + ROW);
        }
        shapes.push(Shape::Rect(x, y, 11.0, 11.0, Paint::Share(part.min(PARTS_MAX - 1))));
        shapes.push(Shape::Text(x + 16.0, y + 10.0, Anchor::Start, Paint::Tick, name.clone()));
        x += width;
    }
    (shapes, y)
}

fn label(column: &Column, parts: &[String]) -> String {
    let total: u64 = column.counts.iter().sum();
    if total == 0 {
        return format!("{}: no data", column.period);
    }
    let shares = column.counts.iter().zip(parts).map(|(count, part)| {
        format!("{part} {} ({})", format::percent(*count as f64 / total as f64), format::count(*count))
    });
    let state = if column.complete { "" } else { "; not over yet" };
    format!("{}: {}, of {}{state}", column.period, shares.collect::<Vec<_>>().join(", "), format::count(total))
}
