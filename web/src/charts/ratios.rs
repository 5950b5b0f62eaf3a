//! Rates per period as dots with their 95 % intervals. There is no line: a line through small samples shows chance.

use ledger::report::{BucketPoint, Figure};

use crate::charts::axis::{self, Slots};
use crate::charts::scale::Scale;
use crate::charts::time::{SPREAD_MIN, Series};
use crate::charts::{Drawing, Mark, Paint, Shape, Size};

/// Height of the plot.
const PLOT_HEIGHT: f64 = 150.0;

/// Draws rates.
pub(crate) fn draw(series: Series<'_>, size: Size) -> Drawing {
    let series = series.fit(size);
    let slots = Slots::new(size, series.points.len());
    let highest = |point: &BucketPoint| {
        let (value, _, high) = ratio(point)?;
        Some(if is_comparable(point) { high } else { value })
    };
    let max = series.points.iter().filter_map(highest).fold(0.0, f64::max);
    let scale = Scale::shares(max, axis::TOP, axis::TOP + PLOT_HEIGHT);

    let mut back = axis::values(size, &scale, series.axis);
    back.extend(series.incomplete_key(size));
    back.extend(series.labels(slots, scale.bottom + 17.0));
    back.extend(series.sample_sizes(slots, scale.bottom + 32.0));
    let marks = series.points.iter().enumerate().map(|(index, point)| {
        let mut shapes = vec![slots.hit(index, 0.0, scale.bottom + 36.0)];
        shapes.extend(dot(point, index, slots, &scale));
        Mark { href: (series.href)(&point.bucket.label), label: series.label(point), shapes }
    });
    Drawing { size, height: scale.bottom + 38.0, marks: marks.collect(), back, front: Vec::new() }
}

/// True for complete periods with enough to compare: only they have an interval.
fn is_comparable(point: &BucketPoint) -> bool {
    point.bucket.complete && point.point.n >= SPREAD_MIN
}

fn ratio(point: &BucketPoint) -> Option<(f64, f64, f64)> {
    match point.point.figure {
        Figure::Ratio { value, low, high, .. } if point.point.n > 0 => Some((value, low, high)),
        Figure::Ratio { .. }
        | Figure::Count { .. }
        | Figure::Quantiles { .. }
        | Figure::NoData
        | Figure::BeforeFirst
        | Figure::Withheld => None,
    }
}

fn dot(point: &BucketPoint, index: usize, slots: Slots, scale: &Scale) -> Vec<Shape> {
    let x = slots.middle(index);
    let Some((value, low, high)) = ratio(point) else {
        let left = slots.left(index);
        return vec![Shape::Line(
            left + 1.0,
            scale.bottom - 3.0,
            left + slots.width - 1.0,
            scale.bottom - 3.0,
            Paint::Empty,
        )];
    };
    if !point.bucket.complete {
        return vec![Shape::Circle(x, scale.y(value), 5.0, Paint::Incomplete)];
    }
    if !is_comparable(point) {
        return vec![Shape::Circle(x, scale.y(value), 3.0, Paint::Hollow)];
    }
    vec![
        Shape::Line(x, scale.y(low), x, scale.y(high), Paint::Whisker),
        Shape::Circle(x, scale.y(value), 4.0, Paint::Dot),
    ]
}
