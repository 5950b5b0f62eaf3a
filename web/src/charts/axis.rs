//! The frame that every chart shares: lines and labels of the value axis, the baseline, the axis title.

use crate::charts::scale::Scale;
use crate::charts::{Anchor, Paint, Shape, Size};

/// Space left of the plot, for the labels of the value axis.
pub(crate) const LEFT: f64 = 52.0;

/// Space right of the plot.
pub(crate) const RIGHT: f64 = 12.0;

/// Space above the plot, for the axis title.
pub(crate) const TOP: f64 = 30.0;

/// Grid, labels and title of a value axis.
pub(crate) fn values(size: Size, scale: &Scale, title: &str) -> Vec<Shape> {
    let right = size.width() - RIGHT;
    let mut shapes = vec![Shape::Text(0.0, 12.0, Anchor::Start, Paint::Tick, title.to_owned())];
    for (value, text) in &scale.ticks {
        let y = scale.y(*value);
        let paint = if y >= scale.bottom - 0.05 { Paint::Axis } else { Paint::Grid };
        shapes.push(Shape::Line(LEFT, y, right, y, paint));
        shapes.push(Shape::Text(LEFT - 8.0, y + 4.0, Anchor::End, Paint::Tick, text.clone()));
    }
    shapes
}

/// Equal slots along the plot, one for each period or category.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Slots {
    /// Width of one.
    pub(crate) width: f64,
}

impl Slots {
    /// So many slots over the whole width. A few are not stretched beyond what reads as a bar.
    pub(crate) fn new(size: Size, count: usize) -> Self {
        const WIDTH_MAX: f64 = 96.0;
        let plot = size.width() - LEFT - RIGHT;
        Self { width: (plot / count.max(1) as f64).min(WIDTH_MAX) }
    }

    /// Left edge of a slot.
    pub(crate) fn left(self, index: usize) -> f64 {
        LEFT + index as f64 * self.width
    }

    /// Middle of a slot.
    pub(crate) fn middle(self, index: usize) -> f64 {
        self.left(index) + self.width / 2.0
    }

    /// Left edge and width of a bar in a slot.
    pub(crate) fn bar(self, index: usize) -> (f64, f64) {
        const SHARE: f64 = 0.74;
        const WIDTH_MAX: f64 = 48.0;
        let width = (self.width * SHARE).min(WIDTH_MAX);
        (self.middle(index) - width / 2.0, width)
    }

    /// The area of a slot that answers to the pointer.
    pub(crate) fn hit(self, index: usize, top: f64, bottom: f64) -> Shape {
        Shape::Rect(self.left(index), top, self.width, bottom - top, Paint::Hit)
    }
}
