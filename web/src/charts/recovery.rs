//! Times to recover: one dot for each incident at its own time, open ones as arrows, and the median of each month as a
//! tick where there are enough of them.

use chrono::{DateTime, Datelike, Utc};
use ledger::window::Window;

use crate::charts::axis;
use crate::charts::bands;
use crate::charts::scale::Scale;
use crate::charts::time::QUANTILES_MIN;
use crate::charts::{Anchor, Drawing, Mark, Paint, Shape, Size};
use crate::format;

/// Height of the plot.
const PLOT_HEIGHT: f64 = 150.0;

/// More dots than this are not told apart; the newest are drawn.
pub(crate) const DOTS_MAX: usize = 400;

/// One incident.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dot {
    /// When it counts.
    pub(crate) at: DateTime<Utc>,
    /// How long it took, or has taken so far.
    pub(crate) seconds: f64,
    /// True if it is not over.
    pub(crate) open: bool,
    /// The event behind it.
    pub(crate) href: String,
}

/// Draws recoveries, oldest first, between the ends of the window.
pub(crate) fn draw(dots: &[Dot], window: &Window, axis_title: &str, size: Size) -> Drawing {
    // The window of a narrow drawing begins later than that of the wide one.
    let first = window.calendar.day_start(window.from);
    let dots = dots.get(dots.partition_point(|dot| dot.at < first)..).unwrap_or_default();
    let dots = dots.get(dots.len().saturating_sub(DOTS_MAX)..).unwrap_or_default();
    let scale = Scale::durations(dots.iter().map(|dot| dot.seconds), axis::TOP, axis::TOP + PLOT_HEIGHT);
    let line = TimeLine::new(window, size);
    let mut back = axis::values(size, &scale, axis_title);
    back.extend(line.months(scale.bottom + 17.0));
    back.extend(line.medians(dots, &scale));
    let marks = dots.iter().map(|dot| {
        let x = line.x(dot.at);
        let mut shapes = vec![Shape::Rect(x - 6.0, scale.y(dot.seconds) - 6.0, 12.0, 12.0, Paint::Hit)];
        if dot.open {
            let top = scale.y(dot.seconds);
            shapes.push(Shape::Line(x, scale.bottom, x, top, Paint::Empty));
            shapes.push(Shape::Text(x, top + 4.0, Anchor::Middle, Paint::Value, "▲".to_owned()));
        } else {
            shapes.extend(bands::single(x, dot.seconds, &scale));
        }
        let day = format::day(window.calendar.day_of(dot.at));
        let state = if dot.open { "open for " } else { "took " };
        Mark { href: dot.href.clone(), label: format!("{day}: {state}{}", format::duration(dot.seconds)), shapes }
    });
    Drawing { size, height: scale.bottom + 24.0, marks: marks.collect(), back, front: Vec::new() }
}

/// From instants to pixels.
struct TimeLine<'a> {
    window: &'a Window,
    from: f64,
    to: f64,
    right: f64,
    size: Size,
}

impl<'a> TimeLine<'a> {
    fn new(window: &'a Window, size: Size) -> Self {
        let start = |day| window.calendar.day_start(day).timestamp() as f64;
        let (from, to) = (start(window.from), start(window.to));
        Self { window, from, to: to.max(from + 1.0), right: size.width() - axis::RIGHT, size }
    }

    fn x(&self, at: DateTime<Utc>) -> f64 {
        let share = (at.timestamp() as f64 - self.from) / (self.to - self.from);
        axis::LEFT + share.clamp(0.0, 1.0) * (self.right - axis::LEFT)
    }

    fn months(&self, y: f64) -> Vec<Shape> {
        let days = self.window.from.iter_days().take_while(|day| *day < self.window.to);
        let firsts: Vec<_> = days.filter(|day| day.day() == 1).collect();
        let step = match self.size {
            Size::Wide => firsts.len().div_ceil(14),
            Size::Narrow => firsts.len().div_ceil(6),
        };
        let label = |day: &chrono::NaiveDate| {
            let text = if day.month() == 1 { day.format("%b %Y") } else { day.format("%b") };
            let x = self.x(self.window.calendar.day_start(*day));
            Shape::Text(x, y, Anchor::Middle, Paint::Tick, text.to_string())
        };
        firsts.iter().step_by(step.max(1)).map(label).collect()
    }

    fn medians(&self, dots: &[Dot], scale: &Scale) -> Vec<Shape> {
        let month = |dot: &Dot| self.window.calendar.day_of(dot.at).with_day(1);
        let closed: Vec<&Dot> = dots.iter().filter(|dot| !dot.open).collect();
        closed
            .chunk_by(|a, b| month(a) == month(b))
            .filter(|dots| dots.len() as u64 >= QUANTILES_MIN)
            .filter_map(|dots| {
                let mut seconds: Vec<f64> = dots.iter().map(|dot| dot.seconds).collect();
                seconds.sort_by(f64::total_cmp);
                let median = median(&seconds)?;
                let first = dots.first().and_then(|dot| month(dot))?;
                let next = self.window.calendar.next_start(first, ledger::window::Grain::Month);
                let edge = |day| self.x(self.window.calendar.day_start(day));
                Some(Shape::Line(edge(first), scale.y(median), edge(next), scale.y(median), Paint::Median))
            })
            .collect()
    }
}

/// The middle of sorted values, or the mean of the two in the middle.
pub(crate) fn median(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len().is_multiple_of(2) {
        Some(f64::midpoint(*sorted.get(sorted.len() / 2 - 1)?, upper))
    } else {
        Some(upper)
    }
}
