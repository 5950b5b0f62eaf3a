//! From the name of a metric to its figure: asks Ledger, picks the chart that suits the values, and tells where they
//! come from.

use chrono::{DateTime, Utc};
use ledger::report::{BucketPoint, Evidence, Figure as Answer, Group, Report, Unit};
use ledger::view::AskError;
use ledger::window::{Bucket, Grain, Window};

use crate::charts::bands::Singles;
use crate::charts::boxes::Groups;
use crate::charts::recovery::Dot;
use crate::charts::time::{QUANTILES_MIN, Series};
use crate::charts::{Drawing, Size, bands, bars, boxes, categories, phases, ratios, recovery};
use crate::error::PageError;
use crate::figure::tables::{self, Shape, grain_title};
use crate::figure::{Body, Figure, Provenance, headline, so_far};
use crate::format;
use crate::request::Request;
use crate::state::Asked;

/// Metrics of which every single fact is a dot.
const OF_SINGLE_FACTS: [&str; 2] = ["time-to-restore", "recovery-time"];

/// Names of counts by category; charts of categories show them, charts over time do not.
const CATEGORY_COUNT: &str = "size ";

/// Asks a metric; none if this installation has no such metric.
pub(crate) fn report(request: &Request, asked: &Asked, metric: &str) -> Result<Option<Report>, PageError> {
    match request.view().report(metric, &asked.ask) {
        Ok(report) => Ok(Some(report)),
        Err(AskError::NoMetric(_)) => Ok(None),
        Err(error) => Err(PageError::asked(error, request)),
    }
}

/// A metric over time.
pub(crate) fn over_time(request: &Request, asked: &Asked, id: &str, report: &Report) -> Figure {
    let definition = report.definition;
    let points = visible(&report.points);
    let mut figure = frame(request, asked, id, report);
    figure.table = tables::periods(report, &points, asked);
    if figure.is_withheld() {
        return figure;
    }
    let Some(first) = points.first() else {
        figure.body = Body::Nothing(
            "Nothing has happened here in this range: no data, which is not the same as zero.".to_owned(),
        );
        return figure;
    };
    if points.len() < report.points.len() {
        let since = format::day(asked.ask.window.calendar.day_of(first.bucket.from));
        figure.notes.push(format!("The axis begins on {since}, with the first event of this scope."));
    }
    let unit = definition.unit;
    figure.summary = headline::summary(&points, unit, asked);
    let axis = axis_title(report, &asked.ask.window);
    let href = |bucket: &str| asked.evidence(definition.name, Some(("bucket", bucket)));
    let series = Series { points: &points, window: &asked.ask.window, unit, axis: &axis, href: &href };
    match Shape::of(points.iter().map(|point| &point.point.figure), unit) {
        Shape::Count => {
            let segments = bars::ranges(&points);
            figure.headline = headline::counts(report, &points, asked, same_point(request, asked, report, &points));
            figure.notes.extend(headline::comparison(&points, &segments, asked));
            figure.body = chart(|size| bars::draw(series, &segments, size));
        }
        Shape::Ratio => {
            figure.headline = headline::whole(report, asked);
            figure.body = chart(|size| ratios::draw(series, size));
        }
        Shape::Quantiles if OF_SINGLE_FACTS.contains(&definition.name) => {
            figure.headline = headline::whole(report, asked);
            let dots = dots(request, asked, report, &points);
            figure.body = chart(|size| recovery::draw(&dots, &within(&asked.ask.window, size), &axis, size));
        }
        Shape::Quantiles => {
            figure.headline = headline::whole(report, asked);
            let singles = singles(request, asked, report, &points);
            figure.body = chart(|size| bands::draw(series, &singles, size));
        }
    }
    figure
}

/// A metric by category; `of` says what the categories are.
pub(crate) fn by_group(request: &Request, asked: &Asked, id: &str, report: &Report, of: &str) -> Figure {
    let name = report.definition.name;
    let mut figure = frame(request, asked, id, report);
    if !figure.title.to_lowercase().contains(of) {
        figure.title = format!("{}, by {of}", report.definition.title);
    }
    figure.table = tables::groups(report, &report.groups, of, asked);
    if figure.is_withheld() {
        return figure;
    }
    if report.groups.iter().all(|group| group.point.n == 0) {
        figure.body = Body::Nothing(
            "No complete period of this range has any: no data, which is not the same as zero.".to_owned(),
        );
        return figure;
    }
    let href = |group: &str| asked.evidence(name, Some(("group", group)));
    let axis = match report.definition.unit {
        Unit::Seconds => "duration, log scale",
        Unit::Count | Unit::Ratio | Unit::Lines => "how many",
    };
    let groups = Groups { groups: &report.groups, unit: report.definition.unit, axis, of, href: &href };
    figure.summary = group_summary(&report.groups, report.definition.unit, of);
    let shape = Shape::of(report.groups.iter().map(|group| &group.point.figure), report.definition.unit);
    figure.body = match shape {
        Shape::Quantiles if of == "phase" => chart(|size| phases::draw(groups, size)),
        Shape::Quantiles => chart(|size| boxes::draw(groups, size)),
        Shape::Count | Shape::Ratio => chart(|size| categories::draw(groups, size)),
    };
    figure
}

/// What the categories of a metric are.
pub(crate) fn categories_of(metric: &str) -> &'static str {
    match metric {
        "lead-time" => "phase",
        "size-merge-time" => "lines changed",
        "review-rounds" => "rounds",
        _ => "group",
    }
}

/// Title, provenance and reason of withholding: what any figure of a report has.
pub(crate) fn frame(request: &Request, asked: &Asked, id: &str, report: &Report) -> Figure {
    let definition = report.definition;
    let metric_path = format!("/metrics/{}", definition.name);
    let reason = match &report.withheld {
        Some(withheld) => withheld.reason.clone(),
        None => String::new(),
    };
    Figure {
        id: id.to_owned(),
        title: definition.title.to_owned(),
        href: (asked.path != metric_path).then(|| asked.to(&metric_path)),
        headline: Vec::new(),
        body: Body::Nothing(reason.clone()),
        summary: reason,
        notes: Vec::new(),
        table: crate::table::Table::default(),
        provenance: provenance(request, asked, report),
    }
}

/// Both sizes of a chart.
pub(crate) fn chart(draw: impl Fn(Size) -> Drawing) -> Body {
    Body::Chart { wide: draw(Size::Wide), narrow: draw(Size::Narrow) }
}

/// The points from the first event on, without the counts by category.
fn visible(points: &[BucketPoint]) -> Vec<BucketPoint> {
    let mut points: Vec<BucketPoint> =
        points.iter().skip_while(|point| point.point.figure == Answer::BeforeFirst).cloned().collect();
    for point in &mut points {
        point.point.beside.retain(|(name, _)| !name.starts_with(CATEGORY_COUNT));
    }
    points
}

fn axis_title(report: &Report, window: &Window) -> String {
    let period = grain_title(window).to_lowercase();
    let title = report.definition.title.to_lowercase();
    match report.definition.unit {
        Unit::Count if report.definition.needs_group => title,
        Unit::Count => format!("{} per {period}", title.trim_end_matches(" per week")),
        Unit::Seconds => format!("{}, by {period}", format::unit(Unit::Seconds)),
        Unit::Ratio => format!("share, by {period}"),
        Unit::Lines => format!("lines, by {period}"),
    }
}

/// On a narrow screen, the last quarter of a window.
fn within(window: &Window, size: Size) -> Window {
    match size {
        Size::Wide => window.clone(),
        Size::Narrow => {
            let buckets = window.buckets();
            let first = buckets.get(buckets.len().saturating_sub(crate::charts::NARROW_PERIODS));
            let from = first.map_or(window.from, |bucket| window.calendar.day_of(bucket.from));
            Window { from, ..window.clone() }
        }
    }
}

fn same_point(request: &Request, asked: &Asked, report: &Report, points: &[BucketPoint]) -> Option<(f64, usize)> {
    let window = &asked.ask.window;
    let current = points.last().filter(|point| !point.bucket.complete && window.grain == Grain::Week)?;
    let first = points.first()?;
    let mut ask = asked.ask.clone();
    ask.window = Window::latest(so_far::WEEKS, Grain::Week, window.calendar, window.now);
    let weeks: Vec<Bucket> =
        ask.window.buckets().into_iter().filter(|week| week.complete && week.from >= first.bucket.from).collect();
    let evidence = request.view().evidence(report.definition.name, &ask, None, None).ok()?;
    let at: Vec<DateTime<Utc>> = counted(&evidence).map(|evidence| evidence.at).collect();
    so_far::median_at_same_point(&weeks, &at, &current.bucket, window.calendar, window.now)
}

/// The measurements of periods that have too few for a median: read at once, however many periods there are.
fn singles(request: &Request, asked: &Asked, report: &Report, points: &[BucketPoint]) -> Singles {
    let few: Vec<&Bucket> =
        points.iter().filter(|point| (1..QUANTILES_MIN).contains(&point.point.n)).map(|point| &point.bucket).collect();
    let (name, view) = (report.definition.name, request.view());
    let read = |bucket| view.evidence(name, &asked.ask, bucket, None).unwrap_or_default();
    let mut evidence = if few.iter().any(|bucket| bucket.complete) { read(None) } else { Vec::new() };
    evidence.extend(few.iter().filter(|bucket| !bucket.complete).flat_map(|bucket| read(Some(&bucket.label))));
    let mut singles = Singles::new();
    for one in counted(&evidence) {
        let next = few.partition_point(|bucket| bucket.to <= one.at);
        if let (Some(bucket), Some(value)) = (few.get(next).filter(|bucket| bucket.from <= one.at), one.value) {
            singles.entry(bucket.label.clone()).or_default().push(value);
        }
    }
    singles
}

fn dots(request: &Request, asked: &Asked, report: &Report, points: &[BucketPoint]) -> Vec<Dot> {
    let name = report.definition.name;
    let mut evidence = request.view().evidence(name, &asked.ask, None, None).unwrap_or_default();
    if let Some(current) = points.last().filter(|point| !point.bucket.complete) {
        let label = Some(current.bucket.label.as_str());
        evidence.extend(request.view().evidence(name, &asked.ask, label, None).unwrap_or_default());
    }
    let dot = |evidence: &Evidence| {
        let open = evidence.left_out.as_deref().is_some_and(|reason| reason.contains("open"));
        let so_far = (asked.ask.window.now - evidence.at).num_seconds() as f64;
        let seconds = if open { Some(so_far) } else { evidence.value.filter(|_| evidence.left_out.is_none()) };
        Some(Dot { at: evidence.at, seconds: seconds?, open, href: format!("/events/{}", evidence.event) })
    };
    let mut dots: Vec<Dot> = evidence.iter().filter_map(dot).collect();
    dots.sort_by_key(|dot| dot.at);
    dots
}

fn counted(evidence: &[Evidence]) -> impl Iterator<Item = &Evidence> {
    evidence.iter().filter(|evidence| evidence.left_out.is_none())
}

fn provenance(request: &Request, asked: &Asked, report: &Report) -> Provenance {
    let name = report.definition.name;
    let left_out: u64 = report.left_out.iter().map(|left_out| left_out.count).sum();
    let mut counted = Vec::new();
    if report.withheld.is_none() {
        let n = format::count(report.total.n);
        let left_out = if left_out == 0 { "none".to_owned() } else { format::count(left_out) };
        counted.push(format!("{n} counted in the complete periods; {left_out} left out in the range."));
        counted.extend(
            report.left_out.iter().map(|one| format!("Left out: {} {}.", format::count(one.count), one.reason)),
        );
    }
    let metric = |suffix: &str| asked.to(&format!("/metrics/{name}{suffix}"));
    Provenance {
        text: report.definition.text.to_owned(),
        version: report.definition.version,
        counted,
        data_through: request.data_through(),
        docs: format!("/docs/metrics/{name}"),
        forms: vec![("CSV", metric(".csv")), ("JSON", metric(".json")), ("SVG", metric(".svg"))],
        command: format!("devhose metrics get {name}{}", asked.flags()),
    }
}

fn group_summary(groups: &[Group], unit: Unit, of: &str) -> String {
    let words = groups.iter().filter(|group| group.point.n > 0).map(|group| match group.point.figure {
        Answer::Quantiles { p50, .. } if group.point.n >= QUANTILES_MIN => {
            format!("{} {}", group.label, format::value(p50, unit))
        }
        Answer::Quantiles { .. }
        | Answer::Count { .. }
        | Answer::Ratio { .. }
        | Answer::NoData
        | Answer::BeforeFirst
        | Answer::Withheld => format!("{} {}", group.label, format::count(group.point.n)),
    });
    format!("By {of}: {}.", words.collect::<Vec<_>>().join(", "))
}

impl Figure {
    fn is_withheld(&self) -> bool {
        matches!(&self.body, Body::Nothing(reason) if !reason.is_empty())
    }
}
