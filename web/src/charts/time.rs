//! Charts over time: which periods are drawn, how they are called, where their labels stand, and what a screen reader
//! hears of each.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use ledger::report::{BucketPoint, Figure, Unit};
use ledger::window::{Bucket, Grain, Window};

use crate::charts::axis::Slots;
use crate::charts::{Anchor, NARROW_PERIODS, Paint, Shape, Size};
use crate::format;

/// No quantiles under this sample size: the measurements themselves are shown.
pub(crate) const QUANTILES_MIN: u64 = 5;

/// Only the median under this sample size; and a rate on fewer is too few to compare.
pub(crate) const SPREAD_MIN: u64 = 10;

/// Points over time with what is needed to draw them.
#[derive(Clone, Copy)]
pub(crate) struct Series<'a> {
    /// Oldest first, without those before the first event.
    pub(crate) points: &'a [BucketPoint],
    /// The window they are of.
    pub(crate) window: &'a Window,
    /// Unit of the values.
    pub(crate) unit: Unit,
    /// Title of the value axis, such as `deployments per week`.
    pub(crate) axis: &'a str,
    /// Address of the evidence of a bucket.
    pub(crate) href: &'a dyn Fn(&str) -> String,
}

impl std::fmt::Debug for Series<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Series").field("points", &self.points).field("axis", &self.axis).finish_non_exhaustive()
    }
}

impl<'a> Series<'a> {
    /// The same with only as many periods as a drawing holds.
    pub(crate) fn fit(self, size: Size) -> Self {
        match size {
            Size::Wide => self,
            Size::Narrow => Self { points: self.points.get(self.skipped(size)..).unwrap_or_default(), ..self },
        }
    }

    /// How many of the oldest periods a drawing does not hold.
    pub(crate) fn skipped(&self, size: Size) -> usize {
        match size {
            Size::Wide => 0,
            Size::Narrow => self.points.len().saturating_sub(NARROW_PERIODS),
        }
    }

    /// Labels along the time axis at a height.
    pub(crate) fn labels(&self, slots: Slots, y: f64) -> Vec<Shape> {
        let days: Vec<NaiveDate> = self.points.iter().map(|p| self.first_day(&p.bucket)).collect();
        let mut shapes = Vec::new();
        let mut free_from = f64::MIN;
        for (index, day) in days.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|i| days.get(i));
            let Some(text) = axis_label(*day, before.copied(), self.window.grain, days.len()) else { continue };
            let x = slots.middle(index);
            // Seven pixels a character is a little more than any system font needs at this size.
            let width = text.chars().count() as f64 * 7.0;
            if x - width / 2.0 >= free_from {
                free_from = x + width / 2.0 + 6.0;
                shapes.push(Shape::Text(x, y, Anchor::Middle, Paint::Tick, text));
            }
        }
        shapes
    }

    /// Sample sizes under the slots at a height, if they fit.
    pub(crate) fn sample_sizes(&self, slots: Slots, y: f64) -> Vec<Shape> {
        let texts = self.points.iter().map(|p| format::count(p.point.n)).collect::<Vec<_>>();
        let widest = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0) as f64;
        if widest * 5.4 > slots.width {
            return Vec::new();
        }
        let mut shapes =
            vec![Shape::Text(crate::charts::axis::LEFT - 8.0, y, Anchor::End, Paint::Small, "n".to_owned())];
        shapes.extend(
            texts
                .into_iter()
                .enumerate()
                .map(|(index, text)| Shape::Text(slots.middle(index), y, Anchor::Middle, Paint::Small, text)),
        );
        shapes
    }

    /// How far the period that holds now has come, in the corner over the plot: `3 of 7 days`, with its hatch as a key.
    pub(crate) fn incomplete_key(&self, size: Size) -> Vec<Shape> {
        let Some(current) = self.points.iter().find(|point| !point.bucket.complete) else { return Vec::new() };
        let words = progress(&current.bucket, self.window);
        let right = size.width() - crate::charts::axis::RIGHT;
        let left = right - words.chars().count() as f64 * 6.6 - 18.0;
        vec![
            Shape::Rect(left, 2.0, 11.0, 11.0, Paint::Incomplete),
            Shape::Text(right, 12.0, Anchor::End, Paint::Tick, words),
        ]
    }

    fn first_day(&self, bucket: &Bucket) -> NaiveDate {
        self.window.calendar.day_of(bucket.from)
    }

    /// A bucket in words: `W47, 16–22 Nov 2026`.
    pub(crate) fn period(&self, bucket: &Bucket) -> String {
        period(bucket, self.window)
    }

    /// What a mark says: period, value with unit, named counts, state.
    pub(crate) fn label(&self, point: &BucketPoint) -> String {
        let mut parts = vec![format!("{}: {}", self.period(&point.bucket), self.figure_words(point))];
        parts.extend(point.point.beside.iter().map(|(name, count)| format!("{} {name}", format::count(*count))));
        if !point.bucket.complete {
            parts.push(format!("not over yet, {}", progress(&point.bucket, self.window)));
        }
        parts.join("; ")
    }

    fn figure_words(&self, point: &BucketPoint) -> String {
        let n = point.point.n;
        match &point.point.figure {
            Figure::Count { value } => format!("{} {}", format::count(*value), self.axis),
            Figure::Quantiles { .. } if n < QUANTILES_MIN => format!("{n} measured, too few for a median"),
            Figure::Quantiles { p50, .. } if n < SPREAD_MIN => {
                format!("median {} of {n}", format::value(*p50, self.unit))
            }
            Figure::Quantiles { p50, p75, p90, .. } => format!(
                "median {}, three quarters within {}, nine tenths within {}, of {}",
                format::value(*p50, self.unit),
                format::value(*p75, self.unit),
                format::value(*p90, self.unit),
                format::count(n)
            ),
            Figure::Ratio { hits, value, .. } if n < SPREAD_MIN => {
                format!("{hits} of {n}, {}, too few to compare", format::percent(*value))
            }
            Figure::Ratio { hits, value, low, high } => format!(
                "{} of {}, {}, 95 % interval {} to {}",
                format::count(*hits),
                format::count(n),
                format::percent(*value),
                format::percent(*low),
                format::percent(*high)
            ),
            Figure::NoData => "no data".to_owned(),
            Figure::BeforeFirst => "before the first event".to_owned(),
            Figure::Withheld => "withheld".to_owned(),
        }
    }
}

/// A bucket in words: `W47, 16–22 Nov 2026`, `25 Nov 2026`, `Nov 2026`.
pub(crate) fn period(bucket: &Bucket, window: &Window) -> String {
    let first = window.calendar.day_of(bucket.from);
    let last = window.calendar.day_of(bucket.to).pred_opt().unwrap_or(first);
    match window.grain {
        Grain::Day => format::day(first),
        Grain::Month => first.format("%b %Y").to_string(),
        Grain::Week => {
            let week = bucket.label.rsplit_once('-').map_or(bucket.label.as_str(), |(_, week)| week);
            let days = if first.year() != last.year() {
                format!("{} – {}", format::day(first), format::day(last))
            } else if first.month() != last.month() {
                format!("{} – {}", first.format("%-d %b"), format::day(last))
            } else {
                format!("{}–{}", first.day(), format::day(last))
            };
            format!("{week}, {days}")
        }
    }
}

/// How much of the bucket that holds now has passed: `3 of 7 days`.
pub(crate) fn progress(bucket: &Bucket, window: &Window) -> String {
    let day = |at: DateTime<Utc>| window.calendar.day_of(at);
    let total = (day(bucket.to) - day(bucket.from)).num_days();
    let passed = (day(window.now) - day(bucket.from)).num_days() + 1;
    match window.grain {
        Grain::Day => {
            let hours = (bucket.to - bucket.from).num_hours();
            format!("{} of {hours} hours", (window.now - bucket.from).num_hours() + 1)
        }
        Grain::Week | Grain::Month => format!("{passed} of {total} days"),
    }
}

/// The label of a slot, or none where the axis says enough already.
fn axis_label(day: NaiveDate, before: Option<NaiveDate>, grain: Grain, slots: usize) -> Option<String> {
    const WEEKS_NAMED_MAX: usize = 20;
    let month = || {
        if day.month() == 1 || before.is_none() {
            day.format("%b %Y").to_string()
        } else {
            day.format("%b").to_string()
        }
    };
    let new_month = before.is_none_or(|before| before.month() != day.month() || before.year() != day.year());
    match grain {
        Grain::Month => Some(month()),
        Grain::Day if slots <= 2 * WEEKS_NAMED_MAX => Some(day.format("%-d %b").to_string()),
        Grain::Week if slots <= WEEKS_NAMED_MAX => Some(day.format("%-d %b").to_string()),
        Grain::Day | Grain::Week => new_month.then(month),
    }
}
