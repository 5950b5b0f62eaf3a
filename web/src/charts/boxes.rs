//! Durations by category, such as size of a change: a box from the first to the third quartile, the median across it, a
//! whisker to the ninth decile, the sample size below.

use ledger::report::{Figure, Group, Unit};

use crate::charts::axis::{self, Slots};
use crate::charts::scale::Scale;
use crate::charts::time::{QUANTILES_MIN, SPREAD_MIN};
use crate::charts::{Anchor, Drawing, Mark, Paint, Shape, Size};
use crate::format;

/// Height of the plot.
const PLOT_HEIGHT: f64 = 210.0;

/// Categories with what is needed to draw them.
#[derive(Clone, Copy)]
pub(crate) struct Groups<'a> {
    /// In their own order.
    pub(crate) groups: &'a [Group],
    /// Unit of the values.
    pub(crate) unit: Unit,
    /// Title of the value axis.
    pub(crate) axis: &'a str,
    /// What the categories are, such as `lines changed`.
    pub(crate) of: &'a str,
    /// Address of the evidence of a category.
    pub(crate) href: &'a dyn Fn(&str) -> String,
}

/// Draws quantiles by category.
pub(crate) fn draw(input: Groups<'_>, size: Size) -> Drawing {
    let slots = Slots { width: (size.width() - axis::LEFT - axis::RIGHT) / input.groups.len().max(1) as f64 };
    let values: Vec<f64> = input.groups.iter().flat_map(drawn_values).collect();
    let scale = Scale::durations(values.iter().copied(), axis::TOP, axis::TOP + PLOT_HEIGHT);
    let mut back = axis::values(size, &scale, input.axis);
    for (index, group) in input.groups.iter().enumerate() {
        let x = slots.middle(index);
        let fits = group.label.chars().count() as f64 * 7.2 < slots.width;
        let paint = if fits { Paint::Value } else { Paint::Small };
        back.push(Shape::Text(x, scale.bottom + 18.0, Anchor::Middle, paint, group.label.clone()));
        let n = format!("n {}", format::count(group.point.n));
        back.push(Shape::Text(x, scale.bottom + 33.0, Anchor::Middle, Paint::Tick, n));
    }
    let of =
        Shape::Text(size.width() / 2.0 + 20.0, scale.bottom + 52.0, Anchor::Middle, Paint::Tick, input.of.to_owned());
    back.push(of);
    let marks = input.groups.iter().enumerate().map(|(index, group)| {
        let mut shapes = vec![slots.hit(index, axis::TOP, scale.bottom + 36.0)];
        shapes.extend(quartiles(group, (slots.middle(index), slots.width), &scale));
        Mark { href: (input.href)(&group.label), label: label(&input, group), shapes }
    });
    Drawing { size, height: scale.bottom + 58.0, marks: marks.collect(), back, front: Vec::new() }.with_words_in_front()
}

fn drawn_values(group: &Group) -> Vec<f64> {
    match group.point.figure {
        Figure::Quantiles { p25, p90, .. } if group.point.n >= SPREAD_MIN => vec![p25, p90],
        Figure::Quantiles { p50, .. } if group.point.n >= QUANTILES_MIN => vec![p50],
        Figure::Quantiles { .. }
        | Figure::Count { .. }
        | Figure::Ratio { .. }
        | Figure::NoData
        | Figure::BeforeFirst
        | Figure::Withheld => Vec::new(),
    }
}

fn quartiles(group: &Group, (x, width): (f64, f64), scale: &Scale) -> Vec<Shape> {
    const HALF: f64 = 20.0;
    // Narrower slots have no room beside the box: the median stands over it, in one unit.
    const BESIDE_WIDTH_MIN: f64 = 120.0;
    let Figure::Quantiles { p25, p50, p75, p90 } = group.point.figure else {
        return vec![Shape::Text(x, scale.bottom - 8.0, Anchor::Middle, Paint::Tick, "no data".to_owned())];
    };
    let y = |value| scale.y(value);
    let median = Shape::Line(x - HALF, y(p50), x + HALF, y(p50), Paint::Median);
    let text = if width < BESIDE_WIDTH_MIN {
        let top = if group.point.n < SPREAD_MIN { p50 } else { p90 };
        let words = format::briefly(p50);
        Shape::Text(x, y(top) - 6.0, Anchor::Middle, Paint::Value, words)
    } else {
        Shape::Text(x + HALF + 6.0, y(p50) + 4.0, Anchor::Start, Paint::Value, format::duration(p50))
    };
    if group.point.n < QUANTILES_MIN {
        let words = "too few".to_owned();
        return vec![Shape::Text(x, scale.bottom - 8.0, Anchor::Middle, Paint::Tick, words)];
    }
    if group.point.n < SPREAD_MIN {
        return vec![median, text];
    }
    vec![
        Shape::Line(x, y(p75), x, y(p90), Paint::Whisker),
        Shape::Line(x - HALF / 2.0, y(p90), x + HALF / 2.0, y(p90), Paint::Whisker),
        Shape::Rect(x - HALF, y(p75), 2.0 * HALF, y(p25) - y(p75), Paint::Box),
        median,
        text,
    ]
}

fn label(input: &Groups<'_>, group: &Group) -> String {
    let n = group.point.n;
    let head = format!("{} {}", group.label, input.of);
    let words = |value: f64| format::value(value, input.unit);
    match group.point.figure {
        Figure::Quantiles { .. } if n < QUANTILES_MIN => format!("{head}: {n} measured, too few for a median"),
        Figure::Quantiles { p50, .. } if n < SPREAD_MIN => format!("{head}: median {} of {n}", words(p50)),
        Figure::Quantiles { p25, p50, p75, p90 } => format!(
            "{head}: median {}, half between {} and {}, nine tenths within {}, of {}",
            words(p50),
            words(p25),
            words(p75),
            words(p90),
            format::count(n)
        ),
        Figure::Count { value } => format!("{head}: {}", format::count(value)),
        Figure::Ratio { hits, value, .. } => format!("{head}: {hits} of {n}, {}", format::percent(value)),
        Figure::NoData | Figure::BeforeFirst => format!("{head}: no data"),
        Figure::Withheld => format!("{head}: withheld"),
    }
}
