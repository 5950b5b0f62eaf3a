//! Charts as plain shapes: geometry is computed here, in Rust, and one template writes any chart as SVG.
//!
//! A chart knows nothing of HTTP, of metrics by name, or of colours: a shape carries a [`Paint`], which a page renders as
//! a class of the stylesheet and a stand-alone file as literal attributes. Every mark is a link with a full sentence as
//! its label, because a chart must be readable without being seen.

use std::borrow::Borrow;

use askama::Template;

pub(crate) mod axis;
pub(crate) mod bands;
pub(crate) mod bars;
pub(crate) mod boxes;
pub(crate) mod categories;
pub(crate) mod lanes;
pub(crate) mod phases;
pub(crate) mod ratios;
pub(crate) mod recovery;
pub(crate) mod routine;
pub(crate) mod scale;
pub(crate) mod shares;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod time;

/// Periods on a narrow screen: a quarter of weeks, each wide enough for a finger.
pub(crate) const NARROW_PERIODS: usize = 13;

/// The two drawings of every chart: one for screens from 720 px on, one below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// All periods.
    Wide,
    /// The latest [`NARROW_PERIODS`].
    Narrow,
}

impl Size {
    /// Width of the coordinate system.
    pub(crate) fn width(self) -> f64 {
        match self {
            Self::Wide => 960.0,
            Self::Narrow => 360.0,
        }
    }

    /// Suffix of ids and class of the drawing.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Narrow => "narrow",
        }
    }
}

/// What a shape is, from which follows how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// A line across the plot at a tick.
    Grid,
    /// The baseline.
    Axis,
    /// A slot without a measurement.
    Empty,
    /// Text at an axis.
    Tick,
    /// Small text under a mark: its sample size.
    Small,
    /// Text of a value.
    Value,
    /// A value.
    Bar,
    /// Something that failed.
    Failed,
    /// A period that is not over.
    Incomplete,
    /// Routine range.
    Range,
    /// Mean of a routine range.
    Mean,
    /// Median over time.
    Line,
    /// From the median to the third quartile.
    Band75,
    /// From the third quartile to the ninth decile.
    Band90,
    /// A single measurement or a median.
    Dot,
    /// The same on few measurements.
    Hollow,
    /// Interval or whisker.
    Whisker,
    /// From the first to the third quartile.
    Box,
    /// Median across a box.
    Median,
    /// Points outside of the routine range, or beyond the axis.
    Outside,
    /// Part of a whole, by position.
    Share(u8),
    /// The area of a mark that answers to the pointer.
    Hit,
}

impl Paint {
    /// Class of the stylesheet.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Grid => "grid",
            Self::Axis => "axis",
            Self::Empty => "empty",
            Self::Tick => "tick",
            Self::Small => "small",
            Self::Value => "value",
            Self::Bar => "bar",
            Self::Failed => "failed",
            Self::Incomplete => "incomplete",
            Self::Range => "range",
            Self::Mean => "mean",
            Self::Line => "line",
            Self::Band75 => "band75",
            Self::Band90 => "band90",
            Self::Dot => "dot",
            Self::Hollow => "hollow",
            Self::Whisker => "whisker",
            Self::Box => "box",
            Self::Median => "median",
            Self::Outside => "outside",
            Self::Share(0) => "share s0",
            Self::Share(1) => "share s1",
            Self::Share(2) => "share s2",
            Self::Share(3) => "share s3",
            Self::Share(4) => "share s4",
            Self::Share(_) => "share s5",
            Self::Hit => "hit",
        }
    }

    /// Literal attributes, in the light colours, for files that no stylesheet reaches.
    fn literal(self) -> &'static str {
        const TEXT: &str = r##"fill="#59606c" font-size="12" font-family="system-ui, sans-serif""##;
        match self {
            Self::Grid => r##"stroke="#16181d" stroke-opacity=".09""##,
            Self::Axis => r##"stroke="#7b838f""##,
            Self::Empty => r##"stroke="#7b838f" stroke-dasharray="1 3""##,
            Self::Tick => TEXT,
            Self::Small => r##"fill="#59606c" font-size="9.5" font-family="system-ui, sans-serif""##,
            Self::Value => r##"fill="#16181d" font-size="12" font-family="system-ui, sans-serif""##,
            Self::Bar => r##"fill="#3572c6""##,
            Self::Failed => r##"fill="#b3261e""##,
            Self::Incomplete => r##"stroke="#3572c6" stroke-dasharray="4 2""##,
            Self::Range => r##"fill="#16181d" fill-opacity=".07""##,
            Self::Mean => r##"stroke="#59606c" stroke-dasharray="6 4" fill="none""##,
            Self::Line => r##"stroke="#1f5fbf" stroke-width="2" fill="none" stroke-linejoin="round""##,
            Self::Band75 => r##"fill="#3572c6" fill-opacity=".34""##,
            Self::Band90 => r##"fill="#3572c6" fill-opacity=".16""##,
            Self::Dot => r##"fill="#3572c6""##,
            Self::Hollow => r##"fill="#ffffff" stroke="#3572c6" stroke-width="1.5""##,
            Self::Whisker => r##"stroke="#59606c" stroke-width="1.5" fill="none""##,
            Self::Box => r##"fill="#3572c6" fill-opacity=".34""##,
            Self::Median => r##"stroke="#1f5fbf" stroke-width="3""##,
            Self::Outside => r##"stroke="#16181d" stroke-width="1.5" fill="#ffffff""##,
            Self::Share(0) => r##"fill="#cfe0f5""##,
            Self::Share(1) => r##"fill="#94b9e8""##,
            Self::Share(2) => r##"fill="#5c92d8""##,
            Self::Share(3) => r##"fill="#2f69b8""##,
            Self::Share(4) => r##"fill="#1b437c""##,
            Self::Share(_) => r##"fill="#0f2747""##,
            Self::Hit => r#"fill="none""#,
        }
    }
}

/// Where a text is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// At its left end.
    Start,
    /// In its middle.
    Middle,
    /// At its right end.
    End,
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// One shape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    /// A rectangle: x, y, width, height.
    Rect(f64, f64, f64, f64, Paint),
    /// A line: x1, y1, x2, y2.
    Line(f64, f64, f64, f64, Paint),
    /// A circle: x, y, radius.
    Circle(f64, f64, f64, Paint),
    /// A path in SVG's notation.
    Path(String, Paint),
    /// Text: x, y of its baseline.
    Text(f64, f64, Anchor, Paint, String),
}

/// One mark: a link to the events behind it, with its shapes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mark {
    /// Where its evidence is.
    pub(crate) href: String,
    /// Period, value, unit and state in one sentence.
    pub(crate) label: String,
    /// What it looks like.
    pub(crate) shapes: Vec<Shape>,
}

/// One chart, ready to be written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Drawing {
    /// Which of the two.
    pub(crate) size: Size,
    /// Height of the coordinate system.
    pub(crate) height: f64,
    /// What lies behind the marks.
    pub(crate) back: Vec<Shape>,
    /// The marks, in reading order.
    pub(crate) marks: Vec<Mark>,
    /// What lies over the marks and never takes the pointer.
    pub(crate) front: Vec<Shape>,
}

/// A drawing as part of a page.
#[derive(Debug, Template)]
#[template(path = "charts/inline.svg")]
pub(crate) struct Inline<'a> {
    /// Id of the figure; `-caption` and `-summary` name its title and description.
    pub(crate) figure: &'a str,
    /// What is drawn.
    pub(crate) drawing: &'a Drawing,
}

/// A drawing as a file of its own.
#[derive(Debug, Template)]
#[template(path = "charts/file.svg")]
pub(crate) struct File<'a> {
    /// Its title.
    pub(crate) title: &'a str,
    /// One sentence about what it shows.
    pub(crate) summary: &'a str,
    /// Where the links of its marks lead to, such as `https://devhose.example`.
    pub(crate) drawing: &'a Drawing,
}

impl Drawing {
    /// The same with the texts of its marks above them, outside of the links: a link that shows other words than its
    /// label says cannot be called by what is seen (WCAG 2.5.3).
    fn with_words_in_front(mut self) -> Self {
        for mark in &mut self.marks {
            let is_text = |shape: &mut Shape| matches!(shape, Shape::Text(..));
            self.front.extend(mark.shapes.extract_if(.., is_text));
        }
        self
    }

    /// True if the stop of the Tab key within the chart is at this mark: the last one, which is the newest.
    fn is_tab_stop(&self, index: &usize) -> bool {
        index + 1 == self.marks.len()
    }

    fn is_hatched(&self) -> bool {
        self.back.iter().chain(self.marks.iter().flat_map(|mark| &mark.shapes)).any(|shape| match shape {
            Shape::Rect(.., paint) | Shape::Circle(.., paint) => *paint == Paint::Incomplete,
            Shape::Line(..) | Shape::Path(..) | Shape::Text(..) => false,
        })
    }
}

/// A coordinate with at most one decimal: a tenth of a pixel is invisible, and more digits are bytes.
///
/// Borrowed or not, because templates pass both.
pub(crate) fn px(value: impl Borrow<f64>) -> String {
    let tenths = (value.borrow() * 10.0).round() / 10.0;
    // A negative zero would be written with its sign.
    if tenths.fract() == 0.0 { format!("{:.0}", tenths + 0.0) } else { format!("{tenths:.1}") }
}
