//! From rows and a question to the answer: the same for every metric.
//!
//! Counting and quantiles are polars queries over the selected table; what a figure means where there is nothing to
//! count is decided here.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use polars::prelude::{Column, DataFrame, DataType, Expr, IntoLazy, PolarsResult, QuantileMethod, col, len, lit};

use crate::frames::{Frame, Part, Row, Selected, Span};
use crate::metrics::{Metric, Sample, Shape, count_of};
use crate::report::{BucketPoint, Figure, Group, LeftOut, Point};
use crate::window::Calendar;

/// 97.5th percentile of the standard normal distribution: what makes an interval a 95 % one.
const Z_95: f64 = 1.959_963_984_540_054;

/// The parts of a report that depend on the facts.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) points: Vec<BucketPoint>,
    pub(crate) total: Point,
    pub(crate) groups: Vec<Group>,
    pub(crate) notes: Vec<(&'static str, f64)>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// What is asked of the selected rows.
pub(crate) struct Question<'q> {
    pub(crate) metric: &'static Metric,
    pub(crate) frame: &'q Frame,
    pub(crate) selected: &'q Selected,
    pub(crate) span: &'q Span<'q>,
    pub(crate) groups: Vec<String>,
    pub(crate) calendar: Calendar,
    /// Time of the first event of the scope.
    pub(crate) first_event_at: Option<DateTime<Utc>>,
}

/// Answers it.
///
/// # Errors
/// If polars cannot run one of the queries below: a fault of the program, not of the question.
pub(crate) fn answer(question: &Question<'_>) -> PolarsResult<Answer> {
    let table = question.frame.table(question.selected)?;
    let metric = question.metric;
    let counted = col("counted").and(col("in_points"));
    let by_bucket = tallies(&table, counted.clone().and(col("bucket").is_not_null()), "bucket", metric.shape)?;
    let mut total = tallies(&table, counted.and(col("headline")), "whole", metric.shape)?;
    let in_group = col("counted").and(col("headline")).and(col("group").is_not_null());
    let by_group = tallies(&table, in_group, "group", metric.group_shape)?;

    let (beside, total_beside) = question.beside();
    let buckets = (0_u32..).zip(question.span.buckets).zip(beside);
    let points = buckets.map(|((number, bucket), beside)| {
        let tally = by_bucket.get(&number).copied().unwrap_or_default();
        let figure = if tally.n > 0 {
            tally.figure(metric.shape)
        } else if question.first_event_at.is_none_or(|first| bucket.to <= first) {
            Figure::BeforeFirst
        } else {
            question.empty(question.span.now < bucket.from)
        };
        BucketPoint { bucket: bucket.clone(), point: Point { figure, n: tally.n, beside: beside.named() } }
    });
    let whole = total.remove(&0).unwrap_or_default();
    let figure = if whole.n > 0 { whole.figure(metric.shape) } else { question.empty_total() };
    let groups = (0_u32..).zip(&question.groups).map(|(number, label)| {
        let tally = by_group.get(&number).copied().unwrap_or_default();
        let figure = match (tally.n, metric.group_shape) {
            (0, Shape::Quantiles | Shape::Ratio) => Figure::NoData,
            (_, shape) => tally.figure(shape),
        };
        Group { label: label.clone(), point: Point { figure, n: tally.n, beside: Vec::new() } }
    });
    Ok(Answer {
        points: points.collect(),
        total: Point { figure, n: whole.n, beside: total_beside.named() },
        groups: groups.collect(),
        notes: (metric.notes)(&question.sample()),
        left_out: question.left_out(),
    })
}

impl Question<'_> {
    /// What a place without any of the sample says: zero where things are counted and some ever were, else nothing.
    fn empty(&self, in_future: bool) -> Figure {
        match self.metric.shape {
            Shape::Count if self.selected.any && !in_future => Figure::Count { value: 0 },
            Shape::Count | Shape::Quantiles | Shape::Ratio => Figure::NoData,
        }
    }

    fn empty_total(&self) -> Figure {
        let begun = |first: DateTime<Utc>| self.span.buckets.iter().any(|bucket| bucket.complete && first < bucket.to);
        match self.first_event_at {
            Some(first) if begun(first) => self.empty(self.span.now < self.span.from),
            Some(_) => Figure::BeforeFirst,
            None => Figure::NoData,
        }
    }

    fn in_headline(&self, index: usize) -> bool {
        self.selected.headline.get(index).copied().unwrap_or(false)
    }

    fn rows(&self, chosen: impl Fn(usize) -> bool) -> impl Iterator<Item = &Row> {
        self.frame.rows().iter().enumerate().filter(move |(index, _)| chosen(*index)).map(|(_, row)| row)
    }

    /// Counts beside each bucket, and last those beside the headline: one pass over the rows, however many buckets.
    fn beside(&self) -> (Vec<Beside>, Beside) {
        let mut by_bucket = vec![Beside::of(self.metric); self.span.buckets.len()];
        let mut total = Beside::of(self.metric);
        let with_bucket = self.frame.rows().iter().zip(&self.selected.bucket).enumerate();
        for (index, (row, bucket)) in with_bucket {
            let Some(own) = bucket.and_then(|bucket| by_bucket.get_mut(bucket as usize)) else { continue };
            own.add(row, self.calendar);
            if self.in_headline(index) {
                total.add(row, self.calendar);
            }
        }
        (by_bucket, total)
    }

    fn left_out(&self) -> Vec<LeftOut> {
        let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
        for row in self.rows(|index| self.in_headline(index)).filter(|row| row.in_points) {
            match row.part {
                Part::LeftOut(reason) => *counts.entry(reason).or_default() += 1,
                Part::Counted | Part::Beside(_) | Part::Open(_) => {}
            }
        }
        counts.into_iter().map(|(reason, count)| LeftOut { reason: reason.to_owned(), count }).collect()
    }

    fn sample(&self) -> Sample<'_> {
        let headline = || self.rows(|index| self.in_headline(index));
        Sample {
            counted: headline().filter(|row| row.part == Part::Counted && row.in_points).collect(),
            beside: headline().filter(|row| matches!(row.part, Part::Beside(_))).collect(),
            open: self.selected.open.iter().filter_map(|index| self.frame.row(*index)).collect(),
            now: self.span.now,
        }
    }
}

/// What is counted beside a point.
#[derive(Debug, Clone)]
struct Beside {
    metric: &'static Metric,
    counts: Vec<(&'static str, u64)>,
    days: BTreeSet<NaiveDate>,
}

impl Beside {
    fn of(metric: &'static Metric) -> Self {
        let names = metric.beside.iter().chain(metric.groups_beside);
        Self { metric, counts: names.map(|name| (*name, 0)).collect(), days: BTreeSet::new() }
    }

    fn add(&mut self, row: &Row, calendar: Calendar) {
        let counted = row.part == Part::Counted && row.in_points;
        let own = match row.part {
            Part::Beside(name) => Some(name),
            Part::Counted => row.beside,
            Part::LeftOut(_) | Part::Open(_) => None,
        };
        let group = row.group.filter(|_| counted);
        let of_group = group.and_then(|group| self.metric.groups_beside.get(group as usize)).copied();
        for name in own.into_iter().chain(of_group) {
            if let Some((_, count)) = self.counts.iter_mut().find(|(known, _)| *known == name) {
                *count += 1;
            }
        }
        if counted && self.metric.days_beside.is_some() {
            self.days.insert(calendar.day_of(row.at));
        }
    }

    fn named(mut self) -> Vec<(&'static str, u64)> {
        let days = self.days.len() as u64;
        self.counts.extend(self.metric.days_beside.map(|name| (name, days)));
        self.counts
    }
}

/// What polars counted of one bucket, category or whole.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    n: u64,
    hits: u64,
    quantiles: [f64; 4],
}

impl Tally {
    fn figure(&self, shape: Shape) -> Figure {
        let [p25, p50, p75, p90] = self.quantiles;
        match shape {
            Shape::Count => Figure::Count { value: self.n },
            Shape::Quantiles => Figure::Quantiles { p25, p50, p75, p90 },
            Shape::Ratio => ratio(self.hits, self.n),
        }
    }
}

/// k of n with the 95 % interval of Wilson (1927); nothing of nothing is no data.
pub(crate) fn ratio(hits: u64, n: u64) -> Figure {
    let count = |number: u64| usize::try_from(number).map_or(f64::MAX, count_of);
    if n == 0 {
        return Figure::NoData;
    }
    let (k, n) = (count(hits), count(n));
    let share = k / n;
    let z2 = Z_95 * Z_95;
    let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z_95 / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    // At 0 and n of n the ends are exactly 0 and 1; rounding must not say otherwise.
    let low = if hits == 0 { 0.0 } else { (middle - half).max(0.0) };
    let high = if k >= n { 1.0 } else { (middle + half).min(1.0) };
    Figure::Ratio { hits, value: share, low, high }
}

/// Counts the rows that `chosen` holds of, by a column of numbers.
fn tallies(table: &DataFrame, chosen: Expr, by: &str, shape: Shape) -> PolarsResult<BTreeMap<u32, Tally>> {
    let mut figures = vec![len().alias("n"), col("hit").cast(DataType::UInt32).sum().alias("hits")];
    if shape == Shape::Quantiles {
        let quantile = |share: f64, name| col("value").quantile(lit(share), QuantileMethod::Linear).alias(name);
        figures.extend([quantile(0.25, "p25"), quantile(0.5, "p50"), quantile(0.75, "p75"), quantile(0.9, "p90")]);
    }
    let key = if by == "whole" { lit(0_u32) } else { col(by) };
    let key = key.cast(DataType::UInt32).alias("key");
    let counted = table.clone().lazy().filter(chosen).with_column(key).group_by([col("key")]).agg(figures).collect()?;
    let numbers = |name: &str| -> PolarsResult<Vec<u32>> {
        Ok(counted.column(name)?.u32()?.iter().map(Option::unwrap_or_default).collect())
    };
    let (keys, n, hits) = (numbers("key")?, numbers("n")?, numbers("hits")?);
    let mut by_key: BTreeMap<u32, Tally> = keys
        .iter()
        .zip(n.iter().zip(&hits))
        .map(|(key, (n, hits))| (*key, Tally { n: u64::from(*n), hits: u64::from(*hits), quantiles: [0.0; 4] }))
        .collect();
    if shape == Shape::Quantiles {
        for (place, name) in ["p25", "p50", "p75", "p90"].into_iter().enumerate() {
            fill(&mut by_key, &keys, counted.column(name)?, place)?;
        }
    }
    Ok(by_key)
}

fn fill(by_key: &mut BTreeMap<u32, Tally>, keys: &[u32], column: &Column, place: usize) -> PolarsResult<()> {
    for (key, value) in keys.iter().zip(column.f64()?.iter()) {
        if let Some(slot) = by_key.get_mut(key).and_then(|tally| tally.quantiles.get_mut(place)) {
            *slot = value.unwrap_or_default();
        }
    }
    Ok(())
}
