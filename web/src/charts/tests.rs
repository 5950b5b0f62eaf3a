//! Golden charts: what small charts say in every state a figure can be in, as text that a reader can check by eye.

use askama::Template;
use chrono::{DateTime, Utc};
use ledger::report::{BucketPoint, Figure, Point, Unit};
use ledger::window::{Calendar, Window};

use crate::charts::bands::Singles;
use crate::charts::time::Series;
use crate::charts::{Drawing, Inline, Size, bands, bars, ratios};
use crate::testing;

fn window(from: &str, to: &str) -> Window {
    let now: DateTime<Utc> = "2027-01-06T09:16:00Z".parse().unwrap();
    Window {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        grain: ledger::window::Grain::Week,
        calendar: Calendar::default(),
        now,
    }
}

/// Four weeks around the year's edge: W52, W53, W01 and the next.
fn four() -> Window {
    window("2026-12-14", "2027-01-11")
}

fn points(window: &Window, figures: &[(Figure, u64)]) -> Vec<BucketPoint> {
    let point = |(bucket, (figure, n)): (_, &(Figure, u64))| BucketPoint {
        bucket,
        point: Point { figure: figure.clone(), n: *n, beside: Vec::new() },
    };
    window.buckets().into_iter().zip(figures).map(point).collect()
}

fn draw(window: &Window, figures: &[(Figure, u64)], unit: Unit) -> Drawing {
    let points = points(window, figures);
    let href = |bucket: &str| format!("/events?bucket={bucket}");
    let series = Series { points: &points, window, unit, axis: "per week", href: &href };
    let singles: Singles = [("2026-W51".to_owned(), vec![600.0, 90_000.0])].into();
    match unit {
        Unit::Count => bars::draw(series, &bars::ranges(&points), Size::Narrow),
        Unit::Ratio => ratios::draw(series, Size::Narrow),
        Unit::Seconds | Unit::Lines => bands::draw(series, &singles, Size::Narrow),
    }
}

/// The marks alone, one a line: label, then shapes.
fn marks(drawing: &Drawing) -> String {
    let svg = Inline { figure: "c", drawing }.render().unwrap();
    let lines = svg.lines().filter(|line| line.starts_with("<a ")).map(|line| {
        let line = line.replace(['\u{202f}', '\u{a0}'], " ");
        line.split_once("aria-label=").unwrap().1.trim_end_matches("</a>").to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn count(value: u64) -> (Figure, u64) {
    (Figure::Count { value }, value)
}

fn quantiles(n: u64) -> (Figure, u64) {
    (Figure::Quantiles { p25: 3_600.0, p50: 7_200.0, p75: 20_000.0, p90: 80_000.0 }, n)
}

#[test]
fn value_zero_gap_and_the_week_that_is_not_over_look_different() {
    let drawing = draw(&four(), &[count(7), count(0), (Figure::NoData, 0), count(3)], Unit::Count);
    insta::assert_snapshot!(marks(&drawing), @"");
}

#[test]
fn a_whole_chart_has_frame_labels_hatch_and_one_tab_stop() {
    let drawing = draw(&four(), &[count(7), count(2), count(4), count(3)], Unit::Count);
    let svg = Inline { figure: "c", drawing: &drawing }.render().unwrap();
    insta::assert_snapshot!(svg, @"");
    assert_eq!(svg.matches("<a ").count() - svg.matches(r#"tabindex="-1""#).count(), 1);
}

#[test]
fn all_zero_is_a_chart_of_digits() {
    let drawing = draw(&window("2026-12-14", "2026-12-28"), &[count(0), count(0)], Unit::Count);
    insta::assert_snapshot!(marks(&drawing), @"");
}

#[test]
fn one_point_is_one_mark() {
    let drawing = draw(&window("2026-12-28", "2027-01-04"), &[count(5)], Unit::Count);
    insta::assert_snapshot!(marks(&drawing), @"");
}

#[test]
fn small_samples_of_durations_say_so() {
    let figures = [quantiles(2), quantiles(7), quantiles(40), (Figure::NoData, 0)];
    let drawing = draw(&four(), &figures, Unit::Seconds);
    insta::assert_snapshot!(marks(&drawing), @"");
}

#[test]
fn no_line_leads_over_a_gap_or_into_the_week_that_is_not_over() {
    let whole = window("2026-11-23", "2027-01-11");
    let gap = (Figure::NoData, 0);
    let figures = [quantiles(40), quantiles(40), gap, quantiles(40), quantiles(40), quantiles(40), quantiles(40)];
    let drawing = draw(&whole, &figures, Unit::Seconds);
    let svg = Inline { figure: "c", drawing: &drawing }.render().unwrap();
    let lines: Vec<&str> = svg
        .split("<path ")
        .filter(|path| path.contains(r#"class="line""#))
        .map(|p| p.split('"').nth(1).unwrap())
        .collect();
    // Two weeks, a gap, three weeks; the seventh is not over.
    assert_eq!(lines.iter().map(|d| d.matches(['M', 'L']).count()).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn rates_tell_k_of_n_and_whether_they_can_be_compared() {
    let figures =
        [(testing::ratio(1, 6), 6), (testing::ratio(3, 40), 40), (Figure::NoData, 0), (testing::ratio(0, 12), 12)];
    insta::assert_snapshot!(marks(&draw(&four(), &figures, Unit::Ratio)), @"");
}

#[test]
fn an_empty_chart_has_axes_and_no_marks() {
    let drawing = draw(&four(), &[], Unit::Count);
    assert_eq!((drawing.marks.len(), drawing.back.is_empty()), (0, false));
}

#[test]
fn narrow_screens_get_the_latest_thirteen_periods() {
    let year = Window::latest(52, ledger::window::Grain::Week, Calendar::default(), testing::now());
    let figures: Vec<(Figure, u64)> = (0..53).map(count).collect();
    let drawing = draw(&year, &figures, Unit::Count);
    assert_eq!(drawing.marks.len(), crate::charts::NARROW_PERIODS);
    assert!(drawing.marks[12].label.contains("52 per week"));
}
