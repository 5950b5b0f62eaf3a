//! Reports as tables: one row a period or a category, the same for page and exports.

use std::collections::BTreeSet;

use ledger::report::{BucketPoint, Figure, Group, Report, Unit};
use ledger::window::{Grain, Window};

use crate::charts::time::{QUANTILES_MIN, SPREAD_MIN, period, progress};
use crate::state::Asked;
use crate::table::{Cell, Column, Table, Value};

/// What a metric's points are: decides the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Counts.
    Count,
    /// Distributions.
    Quantiles,
    /// Rates.
    Ratio,
}

impl Shape {
    /// The shape of figures; metrics of one unit all have the same unless a figure says otherwise.
    pub(crate) fn of<'a>(mut figures: impl Iterator<Item = &'a Figure>, unit: Unit) -> Self {
        let told = figures.find_map(|figure| match figure {
            Figure::Count { .. } => Some(Self::Count),
            Figure::Quantiles { .. } => Some(Self::Quantiles),
            Figure::Ratio { .. } => Some(Self::Ratio),
            Figure::NoData | Figure::BeforeFirst | Figure::Withheld => None,
        });
        told.unwrap_or(match unit {
            Unit::Count => Self::Count,
            Unit::Seconds | Unit::Lines => Self::Quantiles,
            Unit::Ratio => Self::Ratio,
        })
    }

    fn columns(self, unit: Unit) -> Vec<Column> {
        let suffix = match unit {
            Unit::Seconds => "_seconds",
            Unit::Count | Unit::Ratio | Unit::Lines => "",
        };
        let quantile = |name: &str, title: &str| Column::new(format!("{name}{suffix}"), title);
        match self {
            Self::Count => vec![Column::new("value", "Count")],
            Self::Quantiles => vec![
                quantile("p50", "Median"),
                quantile("p75", "75 % within"),
                quantile("p90", "90 % within"),
                Column::new("n", "n"),
            ],
            Self::Ratio => vec![
                Column::new("hits", "k"),
                Column::new("n", "of n"),
                Column::new("ratio", "Share"),
                Column::new("low", "95 % from"),
                Column::new("high", "to"),
            ],
        }
    }

    fn cells(self, figure: &Figure, n: u64, unit: Unit, href: &str) -> Vec<Cell> {
        let linked = |value| Cell::linked(value, href.to_owned());
        let quantile = |value: f64, n_min: u64| match unit {
            _ if n < n_min => Value::Missing("too few"),
            Unit::Seconds => Value::Seconds(value),
            Unit::Count | Unit::Lines | Unit::Ratio => Value::Number(value),
        };
        match *figure {
            Figure::Count { value } => vec![linked(Value::Count(value))],
            Figure::Quantiles { p50, p75, p90, .. } => vec![
                Cell::new(quantile(p50, QUANTILES_MIN)),
                Cell::new(quantile(p75, SPREAD_MIN)),
                Cell::new(quantile(p90, SPREAD_MIN)),
                linked(Value::Count(n)),
            ],
            Figure::Ratio { hits, value, low, high } => vec![
                linked(Value::Count(hits)),
                Cell::new(Value::Count(n)),
                Cell::new(Value::Share(value)),
                Cell::new(Value::Share(low)),
                Cell::new(Value::Share(high)),
            ],
            Figure::NoData | Figure::BeforeFirst | Figure::Withheld => {
                let words = if *figure == Figure::Withheld { "withheld" } else { "no data" };
                self.columns(unit).iter().map(|_| Cell::new(Value::Missing(words))).collect()
            }
        }
    }
}

/// The periods of a report, newest first.
pub(crate) fn periods(report: &Report, points: &[BucketPoint], asked: &Asked) -> Table {
    let unit = report.definition.unit;
    let window = &asked.ask.window;
    let shape = Shape::of(points.iter().map(|point| &point.point.figure), unit);
    let beside = beside_names(points);
    let mut columns =
        vec![Column::new("period", grain_title(window)), Column::export_only("from"), Column::export_only("to")];
    columns.extend(shape.columns(unit));
    columns.extend(beside.iter().map(|name| Column::new(name.replace(' ', "_"), *name)));
    columns.push(Column::new("state", "State"));
    let row = |point: &BucketPoint| {
        let href = asked.evidence(report.definition.name, Some(("bucket", &point.bucket.label)));
        let name = Value::Named { name: point.bucket.label.clone(), words: period(&point.bucket, window) };
        let mut cells = vec![
            Cell::linked(name, href.clone()),
            Cell::new(Value::Instant(point.bucket.from)),
            Cell::new(Value::Instant(point.bucket.to)),
        ];
        cells.extend(shape.cells(&point.point.figure, point.point.n, unit, &href));
        cells.extend(beside.iter().map(|name| Cell::new(beside_value(point, name))));
        cells.push(Cell::new(state(point, window)));
        cells
    };
    Table {
        name: report.definition.name.to_owned(),
        definition_version: Some(report.definition.version),
        columns,
        rows: points.iter().rev().map(row).collect(),
    }
}

/// The categories of a report.
pub(crate) fn groups(report: &Report, groups: &[Group], of: &str, asked: &Asked) -> Table {
    let unit = report.definition.unit;
    let shape = Shape::of(groups.iter().map(|group| &group.point.figure), unit);
    let mut columns = vec![Column::new("group", of)];
    columns.extend(shape.columns(unit));
    let row = |group: &Group| {
        let href = asked.evidence(report.definition.name, Some(("group", &group.label)));
        let mut cells = vec![Cell::linked(Value::Text(group.label.clone()), href.clone())];
        cells.extend(shape.cells(&group.point.figure, group.point.n, unit, &href));
        cells
    };
    Table {
        name: format!("{}-groups", report.definition.name),
        definition_version: Some(report.definition.version),
        columns,
        rows: groups.iter().map(row).collect(),
    }
}

/// Title of the column of periods.
pub(crate) fn grain_title(window: &Window) -> &'static str {
    match window.grain {
        Grain::Day => "Day",
        Grain::Week => "Week",
        Grain::Month => "Month",
    }
}

fn state(point: &BucketPoint, window: &Window) -> Value {
    let words = if point.point.figure == Figure::Withheld {
        "withheld".to_owned()
    } else if !point.bucket.complete {
        progress(&point.bucket, window)
    } else {
        match point.point.figure {
            Figure::NoData => "no data".to_owned(),
            Figure::BeforeFirst => "before the first event".to_owned(),
            Figure::Withheld => "withheld".to_owned(),
            Figure::Count { .. } | Figure::Quantiles { .. } | Figure::Ratio { .. } => "complete".to_owned(),
        }
    };
    Value::Text(words)
}

fn beside_names(points: &[BucketPoint]) -> Vec<&'static str> {
    let mut seen = BTreeSet::new();
    let names = points.iter().flat_map(|point| point.point.beside.iter().map(|(name, _)| *name));
    names.filter(|name| seen.insert(*name)).collect()
}

fn beside_value(point: &BucketPoint, name: &str) -> Value {
    let count = point.point.beside.iter().find(|(beside, _)| *beside == name).map(|(_, count)| *count);
    count.map_or(Value::Missing("–"), Value::Count)
}
