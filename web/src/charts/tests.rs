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
    insta::assert_snapshot!(marks(&drawing), @r#"
    "W51, 14–20 Dec 2026: 7 per week" tabindex="-1"><g aria-hidden="true"><rect x="52" y="0" width="74" height="220" class="hit"/><rect x="65" y="53.8" width="48" height="166.3" class="bar"/></g>
    "W52, 21–27 Dec 2026: 0 per week" tabindex="-1"><g aria-hidden="true"><rect x="126" y="0" width="74" height="220" class="hit"/></g>
    "W53, 28 Dec 2026 – 3 Jan 2027: no data" tabindex="-1"><g aria-hidden="true"><rect x="200" y="0" width="74" height="220" class="hit"/><line x1="201" y1="217" x2="273" y2="217" class="empty"/></g>
    "W01, 4–10 Jan 2027: 3 per week; not over yet, 3 of 7 days"><g aria-hidden="true"><rect x="274" y="0" width="74" height="220" class="hit"/><rect x="287" y="148.8" width="48" height="71.3" class="incomplete" fill="url(#c-narrow-hatch)"/></g>
    "#);
}

#[test]
fn a_whole_chart_has_frame_labels_hatch_and_one_tab_stop() {
    let drawing = draw(&four(), &[count(7), count(2), count(4), count(3)], Unit::Count);
    let svg = Inline { figure: "c", drawing: &drawing }.render().unwrap();
    insta::assert_snapshot!(svg, @r#"
    <svg class="chart narrow" viewBox="0 0 360 246" role="group" aria-labelledby="c-caption" aria-describedby="c-summary"><defs><pattern id="c-narrow-hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><line x1="0" y1="0" x2="0" y2="6" class="hatch-line"/></pattern></defs><g aria-hidden="true"><text x="0" y="12" class="tick">per week</text><line x1="52" y1="220" x2="348" y2="220" class="axis"/><text x="44" y="224" class="tick" text-anchor="end">0</text><line x1="52" y1="172.5" x2="348" y2="172.5" class="grid"/><text x="44" y="176.5" class="tick" text-anchor="end">2</text><line x1="52" y1="125" x2="348" y2="125" class="grid"/><text x="44" y="129" class="tick" text-anchor="end">4</text><line x1="52" y1="77.5" x2="348" y2="77.5" class="grid"/><text x="44" y="81.5" class="tick" text-anchor="end">6</text><line x1="52" y1="30" x2="348" y2="30" class="grid"/><text x="44" y="34" class="tick" text-anchor="end">8</text><rect x="257.4" y="2" width="11" height="11" class="incomplete" fill="url(#c-narrow-hatch)"/><text x="348" y="12" class="tick" text-anchor="end">3 of 7 days</text><text x="89" y="237" class="tick" text-anchor="middle">14 Dec</text><text x="163" y="237" class="tick" text-anchor="middle">21 Dec</text><text x="237" y="237" class="tick" text-anchor="middle">28 Dec</text><text x="311" y="237" class="tick" text-anchor="middle">4 Jan</text></g>
    <a href="/events?bucket=2026-W51" class="mark" aria-label="W51, 14–20 Dec 2026: 7 per week" tabindex="-1"><g aria-hidden="true"><rect x="52" y="0" width="74" height="220" class="hit"/><rect x="65" y="53.8" width="48" height="166.3" class="bar"/></g></a>
    <a href="/events?bucket=2026-W52" class="mark" aria-label="W52, 21–27 Dec 2026: 2 per week" tabindex="-1"><g aria-hidden="true"><rect x="126" y="0" width="74" height="220" class="hit"/><rect x="139" y="172.5" width="48" height="47.5" class="bar"/></g></a>
    <a href="/events?bucket=2026-W53" class="mark" aria-label="W53, 28 Dec 2026 – 3 Jan 2027: 4 per week" tabindex="-1"><g aria-hidden="true"><rect x="200" y="0" width="74" height="220" class="hit"/><rect x="213" y="125" width="48" height="95" class="bar"/></g></a>
    <a href="/events?bucket=2027-W01" class="mark" aria-label="W01, 4–10 Jan 2027: 3 per week; not over yet, 3 of 7 days"><g aria-hidden="true"><rect x="274" y="0" width="74" height="220" class="hit"/><rect x="287" y="148.8" width="48" height="71.3" class="incomplete" fill="url(#c-narrow-hatch)"/></g></a>
    <g aria-hidden="true" class="front"><text x="89" y="45.8" class="value" text-anchor="middle">7</text><text x="163" y="164.5" class="value" text-anchor="middle">2</text><text x="237" y="117" class="value" text-anchor="middle">4</text><text x="348" y="140.8" class="value" text-anchor="end">3</text></g></svg>
    "#);
    assert_eq!(svg.matches("<a ").count() - svg.matches(r#"tabindex="-1""#).count(), 1);
}

#[test]
fn all_zero_is_a_chart_of_digits() {
    let drawing = draw(&window("2026-12-14", "2026-12-28"), &[count(0), count(0)], Unit::Count);
    insta::assert_snapshot!(marks(&drawing), @r#"
    "W51, 14–20 Dec 2026: 0 per week" tabindex="-1"><g aria-hidden="true"><rect x="52" y="0" width="96" height="220" class="hit"/></g>
    "W52, 21–27 Dec 2026: 0 per week"><g aria-hidden="true"><rect x="148" y="0" width="96" height="220" class="hit"/></g>
    "#);
}

#[test]
fn one_point_is_one_mark() {
    let drawing = draw(&window("2026-12-28", "2027-01-04"), &[count(5)], Unit::Count);
    insta::assert_snapshot!(marks(&drawing), @r#""W53, 28 Dec 2026 – 3 Jan 2027: 5 per week"><g aria-hidden="true"><rect x="52" y="0" width="96" height="220" class="hit"/><rect x="76" y="30" width="48" height="190" class="bar"/></g>"#);
}

#[test]
fn small_samples_of_durations_say_so() {
    let figures = [quantiles(2), quantiles(7), quantiles(40), (Figure::NoData, 0)];
    let drawing = draw(&four(), &figures, Unit::Seconds);
    insta::assert_snapshot!(marks(&drawing), @r#"
    "W51, 14–20 Dec 2026: 2 measured, too few for a median" tabindex="-1"><g aria-hidden="true"><rect x="52" y="0" width="74" height="256" class="hit"/><circle cx="89" cy="200.5" r="2.5" class="hollow"/><circle cx="89" cy="59.7" r="2.5" class="hollow"/></g>
    "W52, 21–27 Dec 2026: median 2 h of 7" tabindex="-1"><g aria-hidden="true"><rect x="126" y="0" width="74" height="256" class="hit"/><circle cx="163" cy="130.7" r="3.5" class="hollow"/></g>
    "W53, 28 Dec 2026 – 3 Jan 2027: median 2 h, three quarters within 5 h 33 min, nine tenths within 22 h 13 min, of 40" tabindex="-1"><g aria-hidden="true"><rect x="200" y="0" width="74" height="256" class="hit"/><circle cx="237" cy="130.7" r="3.5" class="dot"/></g>
    "W01, 4–10 Jan 2027: no data; not over yet, 3 of 7 days"><g aria-hidden="true"><rect x="274" y="0" width="74" height="256" class="hit"/><line x1="275" y1="217" x2="347" y2="217" class="empty"/></g>
    "#);
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
    insta::assert_snapshot!(marks(&draw(&four(), &figures, Unit::Ratio)), @r#"
    "W51, 14–20 Dec 2026: 1 of 6, 17 %, too few to compare" tabindex="-1"><g aria-hidden="true"><rect x="52" y="0" width="74" height="216" class="hit"/><circle cx="89" cy="55" r="3" class="hollow"/></g>
    "W52, 21–27 Dec 2026: 3 of 40, 7.5 %, 95 % interval 2.6 % to 20 %" tabindex="-1"><g aria-hidden="true"><rect x="126" y="0" width="74" height="216" class="hit"/><line x1="163" y1="160.6" x2="163" y2="31" class="whisker"/><circle cx="163" cy="123.8" r="4" class="dot"/></g>
    "W53, 28 Dec 2026 – 3 Jan 2027: no data" tabindex="-1"><g aria-hidden="true"><rect x="200" y="0" width="74" height="216" class="hit"/><line x1="201" y1="177" x2="273" y2="177" class="empty"/></g>
    "W01, 4–10 Jan 2027: 0 of 12, 0 %, 95 % interval 0 % to 24 %; not over yet, 3 of 7 days"><g aria-hidden="true"><rect x="274" y="0" width="74" height="216" class="hit"/><circle cx="311" cy="180" r="5" class="incomplete" fill="url(#c-narrow-hatch)"/></g>
    "#);
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
