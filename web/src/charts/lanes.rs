//! What happened, in lanes over one time axis: things that happen now and then as marks, things that are counted as bars.
//!
//! A lane is divided into slots, so that a busy day stays readable and every mark is wide enough for a finger.

use crate::charts::{Anchor, Drawing, Mark, Paint, Shape, Size, px};
use crate::format;

/// Left and right of the plot: titles stand above their lanes, so it takes nearly the whole width.
const SIDE: f64 = 8.0;

/// From the top of a lane to its plot: the title.
const TITLE: f64 = 20.0;

/// Height of the plot of a lane with marks.
const MARKS_HEIGHT: f64 = 26.0;

/// Height of the plot of a lane with bars.
const BARS_HEIGHT: f64 = 56.0;

/// Below a lane.
const GAP: f64 = 12.0;

/// How a lane shows what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One mark for a slot in which something happened.
    Marks,
    /// A bar for the count of a slot, from 0.
    Bars,
}

/// One lane.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lane {
    /// What it holds, with the count in all.
    pub(crate) title: String,
    /// How.
    pub(crate) form: Form,
    /// Oldest first, equally wide; none if nobody would have told: then there is no data, not zero.
    pub(crate) slots: Option<Vec<Slot>>,
    /// From when to when something lasted, as shares of the axis.
    pub(crate) spans: Vec<(f64, f64)>,
}

/// One slot of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    /// How many.
    pub(crate) count: u64,
    /// How many of them failed.
    pub(crate) failed: u64,
    /// The event, or the events.
    pub(crate) href: String,
    /// When, what and how many, in a sentence.
    pub(crate) label: String,
}

/// Draws lanes under each other. `ticks` are the days: shares of the axis and their names.
pub(crate) fn draw(lanes: &[Lane], ticks: &[(f64, String)], size: Size) -> Drawing {
    let mut drawing = Drawing { size, height: 0.0, back: Vec::new(), marks: Vec::new(), front: Vec::new() };
    let bottom: f64 = lanes.iter().map(|lane| TITLE + lane.height() + GAP).sum();
    for (share, _) in ticks {
        drawing.back.push(Shape::Line(at(*share, size), TITLE, at(*share, size), bottom, Paint::Grid));
    }
    let mut top = 0.0;
    for lane in lanes {
        lane.draw(top, &mut drawing);
        top += TITLE + lane.height() + GAP;
    }
    let mut free_from = f64::MIN;
    for (share, name) in ticks {
        // Seven pixels a character is a little more than any system font needs at this size.
        let (x, half) = (at(*share, size), name.chars().count() as f64 * 3.5);
        if x - half >= free_from.max(0.0) && x + half <= size.width() {
            free_from = x + half + 6.0;
            drawing.back.push(Shape::Text(x, bottom + 8.0, Anchor::Middle, Paint::Tick, name.clone()));
        }
    }
    drawing.height = bottom + 14.0;
    drawing
}

fn at(share: f64, size: Size) -> f64 {
    SIDE + share.clamp(0.0, 1.0) * (size.width() - 2.0 * SIDE)
}

impl Lane {
    fn height(&self) -> f64 {
        match self.form {
            Form::Marks => MARKS_HEIGHT,
            Form::Bars => BARS_HEIGHT,
        }
    }

    fn draw(&self, top: f64, drawing: &mut Drawing) {
        let size = drawing.size;
        let (plot, base) = (top + TITLE, top + TITLE + self.height());
        let paint = if self.slots.is_some() { Paint::Axis } else { Paint::Empty };
        drawing.back.push(Shape::Text(SIDE, top + 13.0, Anchor::Start, Paint::Tick, self.title.clone()));
        drawing.back.push(Shape::Line(SIDE, base, size.width() - SIDE, base, paint));
        for (from, to) in &self.spans {
            let (left, right) = (at(*from, size), at(*to, size));
            drawing.back.push(Shape::Rect(left, base - 7.0, (right - left).max(2.0), 7.0, Paint::Box));
        }
        let slots = self.slots.as_deref().unwrap_or_default();
        let width = (size.width() - 2.0 * SIDE) / slots.len().max(1) as f64;
        let most = slots.iter().map(|slot| slot.count).max().unwrap_or_default().max(1);
        for (index, slot) in slots.iter().enumerate() {
            let left = SIDE + index as f64 * width;
            let middle = left + width / 2.0;
            if slot.count == 0 {
                if self.form == Form::Bars {
                    let zero = Shape::Text(middle, base - 3.0, Anchor::Middle, Paint::Small, "0".to_owned());
                    drawing.back.push(zero);
                }
                continue;
            }
            let mut shapes = match self.form {
                Form::Marks => slot.mark(middle, base),
                Form::Bars => slot.bar(middle, width, base, most),
            };
            shapes.push(Shape::Rect(left, plot, width, base - plot, Paint::Hit));
            let mark = Mark { href: slot.href.clone(), label: slot.label.clone(), shapes };
            drawing.marks.push(mark);
        }
        // Texts lie above their marks, outside of the links: what is seen must not differ from what a link is called.
        for mark in &mut drawing.marks {
            drawing.front.extend(mark.shapes.extract_if(.., |shape| matches!(shape, Shape::Text(..))));
        }
    }
}

impl Slot {
    /// A dot, or a cross where something failed, with the count where it is more than one.
    fn mark(&self, x: f64, base: f64) -> Vec<Shape> {
        let y = base - 8.0;
        let mut shapes = vec![if self.failed > 0 { cross(x, y) } else { Shape::Circle(x, y, 5.0, Paint::Dot) }];
        if self.count > 1 {
            let words = format::count(self.count);
            shapes.push(Shape::Text(x, y - 8.0, Anchor::Middle, Paint::Small, words));
        }
        shapes
    }

    fn bar(&self, x: f64, width: f64, base: f64, most: u64) -> Vec<Shape> {
        const TEXT: f64 = 14.0;
        let height = (self.count as f64 / most as f64 * (BARS_HEIGHT - TEXT)).max(2.0);
        let thick = (width * 0.7).min(28.0);
        vec![
            Shape::Rect(x - thick / 2.0, base - height, thick, height, Paint::Bar),
            Shape::Text(x, base - height - 3.0, Anchor::Middle, Paint::Value, format::count(self.count)),
        ]
    }
}

/// A cross as an area, so that it is painted like every other mark.
fn cross(x: f64, y: f64) -> Shape {
    let points = [
        (-5.0, -3.0),
        (-3.0, -5.0),
        (0.0, -2.0),
        (3.0, -5.0),
        (5.0, -3.0),
        (2.0, 0.0),
        (5.0, 3.0),
        (3.0, 5.0),
        (0.0, 2.0),
        (-3.0, 5.0),
        (-5.0, 3.0),
        (-2.0, 0.0),
    ];
    let corners: Vec<String> = points.iter().map(|(dx, dy)| format!("{} {}", px(x + dx), px(y + dy))).collect();
    Shape::Path(format!("M{}Z", corners.join("L")), Paint::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(count: u64, failed: u64) -> Slot {
        Slot { count, failed, href: "/events/x".to_owned(), label: format!("{count}, {failed} failed") }
    }

    fn texts(shapes: &[Shape]) -> Vec<&str> {
        let texts = shapes.iter();
        texts.filter_map(|shape| if let Shape::Text(.., text) = shape { Some(text.as_str()) } else { None }).collect()
    }

    fn lane(form: Form, slots: Option<Vec<Slot>>) -> Drawing {
        let lane = Lane { title: "Killed pods".to_owned(), form, slots, spans: Vec::new() };
        draw(&[lane], &[(0.5, "Tue 24 Nov".to_owned())], Size::Narrow)
    }

    #[test]
    fn a_slot_with_nothing_says_0_and_is_no_link() {
        let drawing = lane(Form::Bars, Some(vec![slot(0, 0), slot(3, 0)]));
        assert_eq!(texts(&drawing.back), ["Killed pods", "0", "Tue 24 Nov"]);
        assert_eq!(texts(&drawing.front), ["3"]);
        assert_eq!(drawing.marks.len(), 1);
    }

    #[test]
    fn without_data_there_is_a_dotted_line_and_no_0() {
        let drawing = lane(Form::Bars, None);
        assert_eq!(texts(&drawing.back), ["Killed pods", "Tue 24 Nov"]);
        assert!(drawing.back.iter().any(|shape| matches!(shape, Shape::Line(.., Paint::Empty))));
        assert!(drawing.marks.is_empty());
    }

    #[test]
    fn what_failed_has_another_shape_not_only_another_colour() {
        let shapes = |failed| lane(Form::Marks, Some(vec![slot(1, failed)])).marks[0].shapes.clone();
        assert!(matches!(shapes(0)[0], Shape::Circle(..)));
        assert!(matches!(shapes(1)[0], Shape::Path(_, Paint::Failed)));
    }

    #[test]
    fn marks_are_as_wide_as_a_finger_on_a_phone() {
        let drawing = lane(Form::Marks, Some(vec![slot(1, 0); 14]));
        for mark in &drawing.marks {
            assert!(
                mark.shapes
                    .iter()
                    .any(|shape| matches!(shape, Shape::Rect(_, _, width, _, Paint::Hit) if *width >= 24.0))
            );
        }
    }
}
