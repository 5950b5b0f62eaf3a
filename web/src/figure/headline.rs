//! The numbers that are read first, and the sentence that tells a chart to those who do not see it.

use ledger::report::{BucketPoint, Figure, Point, Report, Unit};

use crate::charts::bars::count;
use crate::charts::recovery::median;
use crate::charts::routine::Segment;
use crate::charts::time::{self, QUANTILES_MIN, SPREAD_MIN};
use crate::figure::Kpi;
use crate::figure::tables::grain_title;
use crate::format;
use crate::state::Asked;

/// What the headline of counts says: the last complete period, the median of the range, the current one so far.
pub(crate) fn counts(
    report: &Report,
    points: &[BucketPoint],
    asked: &Asked,
    same_point: Option<(f64, usize)>,
) -> Vec<Kpi> {
    let window = &asked.ask.window;
    let period = grain_title(window).to_lowercase();
    let evidence =
        |point: &BucketPoint| Some(asked.evidence(report.definition.name, Some(("bucket", &point.bucket.label))));
    let mut kpis = Vec::new();
    if let Some((point, value)) = last_complete(points) {
        kpis.push(Kpi {
            name: format!("last complete {period}"),
            value: format::decimal(value),
            raw: value.to_string(),
            beside: time::period(&point.bucket, window),
            href: evidence(point),
        });
    }
    let mut values = complete(points);
    values.sort_by(f64::total_cmp);
    if let Some(median) = median(&values).filter(|_| values.len() as u64 >= QUANTILES_MIN) {
        kpis.push(Kpi {
            name: format!("median of {} complete {period}s", values.len()),
            value: format::decimal(median),
            raw: median.to_string(),
            beside: format!("{} in all", format::decimal(values.iter().sum())),
            href: Some(asked.evidence(report.definition.name, None)),
        });
    }
    if let Some((point, value)) = points.iter().rev().find(|p| !p.bucket.complete).and_then(|p| Some((p, count(p)?))) {
        let usual = same_point.map(|(median, weeks)| {
            format!("median by the same weekday and hour: {} (last {weeks} weeks)", format::decimal(median))
        });
        kpis.push(Kpi {
            name: format!("this {period} so far"),
            value: format::decimal(value),
            raw: value.to_string(),
            beside: usual.unwrap_or_else(|| time::progress(&point.bucket, window)),
            href: evidence(point),
        });
    }
    kpis
}

/// What the headline of durations and rates says: the whole range as one.
pub(crate) fn whole(report: &Report, asked: &Asked) -> Vec<Kpi> {
    let Point { figure, n, .. } = &report.total;
    let unit = report.definition.unit;
    let evidence = Some(asked.evidence(report.definition.name, None));
    let kpi = |name: &str, value: f64, beside: String| Kpi {
        name: name.to_owned(),
        value: format::value(value, unit),
        raw: value.to_string(),
        beside,
        href: evidence.clone(),
    };
    match *figure {
        Figure::Quantiles { .. } if *n < QUANTILES_MIN => vec![Kpi {
            name: "measured".to_owned(),
            value: format::count(*n),
            raw: n.to_string(),
            beside: format!("a median is shown from {QUANTILES_MIN} on"),
            href: evidence,
        }],
        Figure::Quantiles { p50, p75, p90, .. } => {
            let mut kpis = vec![kpi("median", p50, format!("n {}", format::count(*n)))];
            if *n >= SPREAD_MIN {
                kpis.push(kpi("75 % within", p75, String::new()));
                kpis.push(kpi("90 % within", p90, String::new()));
            }
            kpis
        }
        Figure::Ratio { hits, value, low, high } => {
            let of = format!("{} of {}", format::count(hits), format::count(*n));
            let interval = if *n < SPREAD_MIN {
                format!("{of}; too few to compare")
            } else {
                format!("{of}; 95 % interval {} to {}", format::percent(low), format::percent(high))
            };
            vec![kpi("of the range", value, interval)]
        }
        Figure::Count { value } => vec![kpi("in the range", value as f64, String::new())],
        Figure::NoData | Figure::BeforeFirst | Figure::Withheld => Vec::new(),
    }
}

/// `52 → 61 (+9); both inside the routine range 46–79`: the last two complete periods, without praise or blame.
pub(crate) fn comparison(points: &[BucketPoint], segments: &[Segment], asked: &Asked) -> Option<String> {
    let complete: Vec<(usize, f64)> = points
        .iter()
        .enumerate()
        .filter(|(_, point)| point.bucket.complete)
        .filter_map(|(index, point)| Some((index, count(point)?)))
        .collect();
    let [.., (_, before), (index, last)] = complete.as_slice() else { return None };
    let sign = if last > before { "+" } else { "" };
    let change = if last == before { "±0".to_owned() } else { format!("{sign}{}", format::decimal(last - before)) };
    let period = grain_title(&asked.ask.window).to_lowercase();
    let words = format!(
        "The last two complete {period}s: {} → {} ({})",
        format::decimal(*before),
        format::decimal(*last),
        change.replace('-', "−")
    );
    let Some(segment) = segments.iter().find(|s| (s.first..=s.last).contains(index)) else {
        return Some(format!("{words}."));
    };
    let place = match (segment.excludes(*before), segment.excludes(*last)) {
        (false, false) => "both inside",
        (true, true) => "both outside",
        (_, true) => "the last outside",
        (true, false) => "the last inside",
    };
    Some(format!("{words}; {place} the routine range {}.", segment.words()))
}

/// One sentence about a chart over time.
pub(crate) fn summary(points: &[BucketPoint], unit: Unit, asked: &Asked) -> String {
    let values: Vec<(&BucketPoint, f64)> = points
        .iter()
        .filter(|point| point.bucket.complete)
        .filter_map(|point| Some((point, main_value(point)?)))
        .collect();
    let period = grain_title(&asked.ask.window).to_lowercase();
    let Some((last, value)) = values.last() else {
        return format!("No complete {period} has a value in this range.");
    };
    let min = values.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
    let max = values.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    format!(
        "Between {} and {} a {period} over {} with a value; the last complete one, {}, has {}.",
        format::value(min, unit),
        format::value(max, unit),
        format::plural(values.len() as u64, &period, &format!("{period}s")),
        time::period(&last.bucket, &asked.ask.window),
        format::value(*value, unit),
    )
}

fn main_value(point: &BucketPoint) -> Option<f64> {
    match point.point.figure {
        Figure::Count { value } => Some(value as f64),
        Figure::Quantiles { p50, .. } => (point.point.n >= QUANTILES_MIN).then_some(p50),
        Figure::Ratio { value, .. } => (point.point.n > 0).then_some(value),
        Figure::NoData | Figure::BeforeFirst | Figure::Withheld => None,
    }
}

fn last_complete(points: &[BucketPoint]) -> Option<(&BucketPoint, f64)> {
    points.iter().rev().filter(|point| point.bucket.complete).find_map(|point| Some((point, count(point)?)))
}

fn complete(points: &[BucketPoint]) -> Vec<f64> {
    points.iter().filter(|point| point.bucket.complete).filter_map(count).collect()
}
