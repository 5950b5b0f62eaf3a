//! Counts per period as bars from 0, with their routine range, and what failed as a thin row below that shares the time
//! axis: stacked, the bars could not be read from 0.

use ledger::report::{BucketPoint, Figure};

use crate::charts::axis::{self, Slots};
use crate::charts::routine::{self, Segment};
use crate::charts::scale::Scale;
use crate::charts::time::Series;
use crate::charts::{Anchor, Drawing, Mark, Paint, Shape, Size};
use crate::format;

/// Name of the count beside a point that gets the row below.
const FAILED: &str = "failed";

/// Above so many bars, only those that stand out carry their value; the rest are read off the axis or the table.
const VALUES_MAX: usize = 20;

/// Heights of the parts.
const PLOT_HEIGHT: f64 = 190.0;
const FAILED_HEIGHT: f64 = 26.0;

/// Draws counts.
pub(crate) fn draw(series: Series<'_>, segments: &[Segment], size: Size) -> Drawing {
    let skipped = series.skipped(size);
    let series = series.fit(size);
    let slots = Slots::new(size, series.points.len());
    let scale = Scale::counts(highest(series.points, segments, skipped), axis::TOP, axis::TOP + PLOT_HEIGHT);
    let failed = FailedRow::new(series.points, scale.bottom + 26.0);

    let mut back = routine_ranges(segments, skipped, slots, &scale, Part::Band);
    back.extend(axis::values(size, &scale, series.axis));
    back.extend(series.incomplete_key(size));
    back.extend(series.labels(slots, scale.bottom + 17.0));
    back.extend(failed.iter().flat_map(|row| row.frame(size)));
    let bottom = failed.as_ref().map_or(scale.bottom, |row| row.bottom());
    let all_values = series.points.len() <= VALUES_MAX;

    let mut front = routine_ranges(segments, skipped, slots, &scale, Part::Mean);
    let mut marks = Vec::with_capacity(series.points.len());
    for (index, point) in series.points.iter().enumerate() {
        let segment = segments.iter().find(|s| (s.first..=s.last).contains(&(index + skipped)));
        let outside = is_outside(point, segment);
        let mut shapes = vec![slots.hit(index, 0.0, bottom)];
        shapes.extend(bar(point, index, slots, &scale));
        if outside {
            shapes.extend(outside_mark(point, index, slots, &scale));
        }
        shapes.extend(failed.iter().flat_map(|row| row.bar(point, index, slots)));
        // Over the line of the mean, which would strike them through.
        front.extend(value(point, (index, slots), &scale, all_values || outside));
        marks.push(Mark { href: (series.href)(&point.bucket.label), label: label(&series, point, segment), shapes });
    }
    let height = bottom + if failed.is_some() { 6.0 } else { 26.0 };
    Drawing { size, height, back, marks, front }
}

/// The routine ranges of the complete periods of a series.
pub(crate) fn ranges(points: &[BucketPoint]) -> Vec<Segment> {
    let values: Vec<(usize, f64)> = points
        .iter()
        .enumerate()
        .filter(|(_, point)| point.bucket.complete)
        .filter_map(|(index, point)| count(point).map(|value| (index, value)))
        .collect();
    routine::segments(&values)
}

/// The value of a point, where it has one.
pub(crate) fn count(point: &BucketPoint) -> Option<f64> {
    match point.point.figure {
        Figure::Count { value } => Some(value as f64),
        Figure::Quantiles { .. } | Figure::Ratio { .. } | Figure::NoData | Figure::BeforeFirst | Figure::Withheld => {
            None
        }
    }
}

fn highest(points: &[BucketPoint], segments: &[Segment], skipped: usize) -> f64 {
    let limits = segments.iter().filter(|segment| segment.last >= skipped).map(|segment| segment.high);
    points.iter().filter_map(count).chain(limits).fold(0.0, f64::max)
}

fn is_outside(point: &BucketPoint, segment: Option<&Segment>) -> bool {
    point.bucket.complete && segment.zip(count(point)).is_some_and(|(segment, value)| segment.excludes(value))
}

fn label(series: &Series<'_>, point: &BucketPoint, segment: Option<&Segment>) -> String {
    let label = series.label(point);
    match segment.filter(|_| point.bucket.complete && count(point).is_some()) {
        Some(segment) if is_outside(point, Some(segment)) => {
            format!("{label}; outside the routine range {}", segment.words())
        }
        Some(segment) => format!("{label}; inside the routine range {}", segment.words()),
        None => label,
    }
}

fn bar(point: &BucketPoint, index: usize, slots: Slots, scale: &Scale) -> Option<Shape> {
    let (x, width) = slots.bar(index);
    let Some(value) = count(point) else {
        let left = slots.left(index);
        return Some(Shape::Line(
            left + 1.0,
            scale.bottom - 3.0,
            left + slots.width - 1.0,
            scale.bottom - 3.0,
            Paint::Empty,
        ));
    };
    let y = scale.y(value);
    let paint = if point.bucket.complete { Paint::Bar } else { Paint::Incomplete };
    (value > 0.0).then_some(Shape::Rect(x, y, width, scale.bottom - y, paint))
}

/// The value over its bar. A true zero always carries its digit, because a sliver on the baseline is missed.
fn value(point: &BucketPoint, (index, slots): (usize, Slots), scale: &Scale, shown: bool) -> Option<Shape> {
    // Clear of the diamond that may stand on the bar.
    const ABOVE: f64 = 8.0;
    let number = count(point)?;
    let y = scale.y(number) - ABOVE;
    let text = format::decimal(number);
    if !point.bucket.complete {
        let right = slots.left(index) + slots.width;
        return Some(Shape::Text(right, y, Anchor::End, Paint::Value, text));
    }
    let fits = text.chars().count() as f64 * 7.0 < slots.width + 6.0;
    (number == 0.0 || (shown && fits)).then_some(Shape::Text(
        slots.middle(index),
        y,
        Anchor::Middle,
        Paint::Value,
        text,
    ))
}

/// A small open diamond on the bar: a shape, because colour alone says nothing to some.
fn outside_mark(point: &BucketPoint, index: usize, slots: Slots, scale: &Scale) -> Option<Shape> {
    let (x, y) = (slots.middle(index), scale.y(count(point)?));
    let at = |dx: f64, dy: f64| format!("{} {}", crate::charts::px(x + dx), crate::charts::px(y + dy));
    Some(Shape::Path(
        format!("M{}L{}L{}L{}Z", at(0.0, -4.5), at(4.5, 0.0), at(0.0, 4.5), at(-4.5, 0.0)),
        Paint::Outside,
    ))
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Band,
    Mean,
}

fn routine_ranges(segments: &[Segment], skipped: usize, slots: Slots, scale: &Scale, part: Part) -> Vec<Shape> {
    let visible = segments.iter().filter(|segment| segment.last >= skipped);
    visible
        .map(|segment| {
            let left = slots.left(segment.first.saturating_sub(skipped));
            let right = slots.left(segment.last - skipped) + slots.width;
            match part {
                Part::Band => {
                    let (top, bottom) = (scale.y(segment.high), scale.y(segment.low));
                    Shape::Rect(left, top, right - left, bottom - top, Paint::Range)
                }
                Part::Mean => Shape::Line(left, scale.y(segment.mean), right, scale.y(segment.mean), Paint::Mean),
            }
        })
        .collect()
}

/// The thin row of what failed.
#[derive(Debug, Clone, Copy)]
struct FailedRow {
    top: f64,
    max: f64,
}

impl FailedRow {
    fn new(points: &[BucketPoint], top: f64) -> Option<Self> {
        let counts: Vec<u64> = points.iter().filter_map(failed).collect();
        let max = counts.iter().copied().max()?;
        Some(Self { top: top + 12.0, max: max.max(1) as f64 })
    }

    fn bottom(&self) -> f64 {
        self.top + FAILED_HEIGHT
    }

    fn frame(&self, size: Size) -> Vec<Shape> {
        let right = size.width() - axis::RIGHT;
        let x = axis::LEFT - 8.0;
        vec![
            Shape::Line(axis::LEFT, self.bottom(), right, self.bottom(), Paint::Axis),
            Shape::Text(x, self.bottom() - 8.0, Anchor::End, Paint::Tick, FAILED.to_owned()),
        ]
    }

    fn bar(&self, point: &BucketPoint, index: usize, slots: Slots) -> Vec<Shape> {
        let Some(count) = failed(point).filter(|count| *count > 0) else { return Vec::new() };
        // Twelve pixels above the highest bar are for its number.
        let height = (FAILED_HEIGHT - 11.0) * count as f64 / self.max;
        let (x, width) = slots.bar(index);
        let top = self.bottom() - height;
        vec![
            Shape::Rect(x, top, width, height, Paint::Failed),
            Shape::Text(slots.middle(index), top - 2.0, Anchor::Middle, Paint::Small, format::count(count)),
        ]
    }
}

fn failed(point: &BucketPoint) -> Option<u64> {
    point.point.beside.iter().find(|(name, _)| *name == FAILED).map(|(_, count)| *count)
}
