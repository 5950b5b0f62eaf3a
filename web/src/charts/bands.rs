//! Durations per period: the median as a line, the way from it to the third quartile and the ninth decile as bands, on a
//! logarithmic axis, so that no outlier needs to be dropped.
//!
//! Small samples say so: under five the measurements themselves, from five to nine the median alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ledger::report::{BucketPoint, Figure, Unit};

use crate::charts::axis::{self, Slots};
use crate::charts::scale::Scale;
use crate::charts::time::{QUANTILES_MIN, SPREAD_MIN, Series};
use crate::charts::{Anchor, Drawing, Mark, Paint, Shape, Size, px};

/// Height of the plot.
const PLOT_HEIGHT: f64 = 190.0;

/// The single measurements of buckets with few of them, by label of the bucket.
pub(crate) type Singles = BTreeMap<String, Vec<f64>>;

/// Draws durations.
pub(crate) fn draw(series: Series<'_>, singles: &Singles, size: Size) -> Drawing {
    let series = series.fit(size);
    let slots = Slots::new(size, series.points.len());
    let values: Vec<f64> = series.points.iter().flat_map(|point| drawn_values(point, singles)).collect();
    let (top, bottom) = (axis::TOP, axis::TOP + PLOT_HEIGHT);
    let scale = match series.unit {
        Unit::Seconds => Scale::durations(values.iter().copied(), top, bottom),
        Unit::Count | Unit::Lines | Unit::Ratio => {
            Scale::counts(values.iter().copied().fold(0.0, f64::max), top, bottom)
        }
    };

    let mut back = axis::values(size, &scale, series.axis);
    back.extend(series.incomplete_key(size));
    back.extend(series.labels(slots, scale.bottom + 17.0));
    back.extend(series.sample_sizes(slots, scale.bottom + 32.0));
    for run in runs(series.points) {
        back.extend(bands(&run, slots, &scale));
    }
    let marks = series.points.iter().enumerate().map(|(index, point)| {
        let mut shapes = vec![slots.hit(index, 0.0, scale.bottom + 36.0)];
        shapes.extend(dots(point, singles, (index, slots), &scale));
        Mark { href: (series.href)(&point.bucket.label), label: series.label(point), shapes }
    });
    Drawing { size, height: scale.bottom + 38.0, marks: marks.collect(), back, front: Vec::new() }
}

/// The quantiles of a point that are shown at its sample size.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shown {
    index: usize,
    p50: f64,
    /// Third quartile and ninth decile, from ten measurements on.
    spread: Option<(f64, f64)>,
}

fn shown(index: usize, point: &BucketPoint) -> Option<Shown> {
    match point.point.figure {
        Figure::Quantiles { p50, p75, p90, .. } if point.point.n >= QUANTILES_MIN => {
            Some(Shown { index, p50, spread: (point.point.n >= SPREAD_MIN).then_some((p75, p90)) })
        }
        Figure::Quantiles { .. }
        | Figure::Count { .. }
        | Figure::Ratio { .. }
        | Figure::NoData
        | Figure::BeforeFirst
        | Figure::Withheld => None,
    }
}

fn drawn_values(point: &BucketPoint, singles: &Singles) -> Vec<f64> {
    match shown(0, point) {
        Some(Shown { p50, spread: Some((_, p90)), .. }) => vec![p50, p90],
        Some(Shown { p50, .. }) => vec![p50],
        None => singles.get(&point.bucket.label).cloned().unwrap_or_default(),
    }
}

/// Unbroken runs of complete periods with a median: no line leads over a gap or into a period that is not over.
fn runs(points: &[BucketPoint]) -> Vec<Vec<Shown>> {
    let mut runs: Vec<Vec<Shown>> = vec![Vec::new()];
    for (index, point) in points.iter().enumerate() {
        match (shown(index, point).filter(|_| point.bucket.complete), runs.last_mut()) {
            (Some(shown), Some(run)) => run.push(shown),
            (Some(_) | None, _) => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| run.len() > 1);
    runs
}

fn bands(run: &[Shown], slots: Slots, scale: &Scale) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for part in run.chunk_by(|a, b| a.spread.is_some() == b.spread.is_some()) {
        let edges: Vec<(f64, f64, f64, f64)> = part
            .iter()
            .filter_map(|s| {
                s.spread.map(|(p75, p90)| (slots.middle(s.index), scale.y(s.p50), scale.y(p75), scale.y(p90)))
            })
            .collect();
        if edges.len() > 1 {
            shapes.push(area(&edges, |e| e.2, |e| e.3, Paint::Band90));
            shapes.push(area(&edges, |e| e.1, |e| e.2, Paint::Band75));
        }
    }
    let line = run.iter().map(|s| (slots.middle(s.index), scale.y(s.p50)));
    shapes.push(Shape::Path(path(line), Paint::Line));
    shapes
}

type Edge = (f64, f64, f64, f64);

fn area(edges: &[Edge], low: impl Fn(&Edge) -> f64, high: impl Fn(&Edge) -> f64, paint: Paint) -> Shape {
    let there = edges.iter().map(|e| (e.0, high(e)));
    let back = edges.iter().rev().map(|e| (e.0, low(e)));
    Shape::Path(format!("{}Z", path(there.chain(back))), paint)
}

fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut d = String::new();
    for (index, (x, y)) in points.enumerate() {
        // Writing to a string cannot fail.
        let _ok = write!(d, "{}{} {}", if index == 0 { 'M' } else { 'L' }, px(x), px(y));
    }
    d
}

fn dots(point: &BucketPoint, singles: &Singles, (index, slots): (usize, Slots), scale: &Scale) -> Vec<Shape> {
    let x = slots.middle(index);
    let Some(shown) = shown(index, point) else {
        let values = singles.get(&point.bucket.label).map_or(&[][..], Vec::as_slice);
        if values.is_empty() && point.point.n == 0 {
            let left = slots.left(index);
            return vec![Shape::Line(
                left + 1.0,
                scale.bottom - 3.0,
                left + slots.width - 1.0,
                scale.bottom - 3.0,
                Paint::Empty,
            )];
        }
        return values.iter().flat_map(|value| single(x, *value, scale)).collect();
    };
    let mut shapes = Vec::new();
    if let Some((p75, p90)) = shown.spread.filter(|_| !point.bucket.complete) {
        shapes.push(Shape::Line(x, scale.y(shown.p50), x, scale.y(p90.max(p75)), Paint::Empty));
    }
    let (radius, paint) = match shown.spread {
        _ if !point.bucket.complete => (5.0, Paint::Incomplete),
        Some(_) => (3.5, Paint::Dot),
        None => (3.5, Paint::Hollow),
    };
    shapes.push(Shape::Circle(x, scale.y(shown.p50), radius, paint));
    shapes
}

/// One measurement; beyond the axis, a triangle at its edge.
pub(crate) fn single(x: f64, value: f64, scale: &Scale) -> Vec<Shape> {
    if scale.is_above(value) {
        return vec![Shape::Text(x, scale.top + 4.0, Anchor::Middle, Paint::Value, "▲".to_owned())];
    }
    vec![Shape::Circle(x, scale.y(value), 2.5, Paint::Hollow)]
}
