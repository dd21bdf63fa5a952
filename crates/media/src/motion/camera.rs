//! A camera path over a picture: from one rectangle to another, eased, on a straight line.

use crate::yuv::View;

/// A square-on look at a picture: the middle, and how much of the widest look it sees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    pub(super) x: f64,
    pub(super) y: f64,
    /// One sees the widest look, less is nearer.
    pub(super) scale: f64,
}

/// A way between two looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path {
    pub(super) from: Look,
    pub(super) to: Look,
    /// Sides of the widest look, in fractions of the picture.
    pub(super) widest: (f64, f64),
}

impl Path {
    /// The look at `progress`, 0 to 1. Nearness changes by equal ratios, which the eye takes for constant speed, and the
    /// middle moves in step with it, so that a zoom has one fixed point and its way is straight.
    pub(super) fn at(&self, progress: f64) -> View {
        let eased = ease(progress);
        let scale = self.from.scale * (self.to.scale / self.from.scale).powf(eased);
        let span = self.to.scale - self.from.scale;
        let share = if span.abs() < 1e-6 { eased } else { (scale - self.from.scale) / span };
        let x = self.from.x + (self.to.x - self.from.x) * share;
        let y = self.from.y + (self.to.y - self.from.y) * share;
        let (width, height) = (self.widest.0 * scale, self.widest.1 * scale);
        View { left: x - width / 2.0, top: y - height / 2.0, width, height }
    }

    /// The smallest rectangle that holds the whole way: both ends do, as the way is straight.
    pub(super) fn bounds(&self) -> View {
        let (a, b) = (self.at(0.0), self.at(1.0));
        let (left, top) = (a.left.min(b.left), a.top.min(b.top));
        let right = (a.left + a.width).max(b.left + b.width);
        let bottom = (a.top + a.height).max(b.top + b.height);
        View { left, top, width: right - left, height: bottom - top }
    }

    /// The same way in fractions of `bounds` instead of the whole picture.
    pub(super) fn within(&self, bounds: View) -> Self {
        let look = |look: Look| Look {
            x: (look.x - bounds.left) / bounds.width,
            y: (look.y - bounds.top) / bounds.height,
            ..look
        };
        let widest = (self.widest.0 / bounds.width, self.widest.1 / bounds.height);
        Self { from: look(self.from), to: look(self.to), widest }
    }
}

/// Starts and ends gently but never stands: half steady, half a smooth step.
pub(super) fn ease(progress: f64) -> f64 {
    let t = progress.clamp(0.0, 1.0);
    0.5 * t + 0.5 * t * t * (3.0 - 2.0 * t)
}
