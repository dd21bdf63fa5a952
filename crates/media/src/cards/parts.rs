//! What lies on a card: drawings with their places and entrances.

use super::{
    layer::{Clip, Layer, PAD, Placement},
    script::Direction,
    theme::Entrance,
};
use crate::Frame;

/// A drawing that arrives and stays.
#[derive(Debug)]
pub(super) struct Part {
    /// One drawing, or the steps of a count, the last of which stays.
    pub(super) steps: Vec<Step>,
    pub(super) arrival: Arrival,
    #[cfg_attr(not(test), expect(dead_code, reason = "rules of layout are tested by role"))]
    pub(super) role: Role,
}

/// What a part is, for rules about the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Text,
    LargeText,
    Ornament,
}

/// A drawing at its place.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) layer: Layer,
    /// The ink, in pixels of the frame.
    pub(super) ink: Clip,
}

/// When and how a part arrives. Times are in frames.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) start: f64,
    pub(super) length: f64,
    pub(super) manner: Manner,
    /// Pixels it travels.
    pub(super) distance: f64,
    pub(super) direction: Direction,
}

/// How a part arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Text(Entrance),
    /// Drawn from where reading starts.
    DrawnFromStart,
    /// Drawn from the middle to both sides.
    DrawnFromMiddle,
    Fade,
}

impl Step {
    /// A layer whose ink starts at a place; moved to whole pairs of pixels, so that it is laid without resampling.
    pub(super) fn new(layer: Layer, left: f32, top: f32) -> Self {
        let even = |value: f32| f64::from((value / 2.0).round() * 2.0);
        let (left, top) = (even(left), even(top));
        let ink = Clip {
            left,
            top,
            right: left + (layer.width - 2 * PAD) as f64,
            bottom: top + (layer.height - 2 * PAD) as f64,
        };
        Self { layer, ink }
    }
}

impl Part {
    /// Lays it as it is at a frame.
    pub(super) fn draw(&self, index: u32, frame: &mut Frame) {
        let progress = self.arrival.progress(index);
        let last = self.steps.len().saturating_sub(1);
        let step = (ease_out(progress) * last as f64).round() as usize;
        if let Some(step) = self.steps.get(step.min(last)) {
            step.layer.lay(frame, self.arrival.place(step.ink, progress));
        }
    }

    /// Where its ink rests.
    pub(super) fn rest(&self) -> Option<Clip> {
        self.steps.last().map(|step| step.ink)
    }
}

impl Arrival {
    fn progress(&self, index: u32) -> f64 {
        ((f64::from(index) - self.start) / self.length.max(1.0)).clamp(0.0, 1.0)
    }

    fn place(&self, ink: Clip, progress: f64) -> Placement {
        let arrived = ease_out(progress);
        let missing = 1.0 - arrived;
        let pad = PAD as f64;
        let mut at = Placement { x: ink.left - pad, y: ink.top - pad, opacity: fade(progress), clip: Clip::NONE };
        let forward = if self.direction == Direction::LeftToRight { 1.0 } else { -1.0 };
        match self.manner {
            Manner::Fade => {}
            Manner::Text(Entrance::Rise) => at.y += missing * self.distance,
            Manner::Text(Entrance::Slide) => at.x -= forward * missing * self.distance,
            Manner::Text(Entrance::Unveil) => {
                at.y += missing * (ink.bottom - ink.top + pad);
                at.opacity = if progress > 0.0 { 1.0 } else { 0.0 };
                at.clip = Clip { top: ink.top - pad, bottom: ink.bottom + pad, ..Clip::NONE };
            }
            Manner::Text(Entrance::Wipe) | Manner::DrawnFromStart => {
                at.opacity = if progress > 0.0 { 1.0 } else { 0.0 };
                let width = (ink.right - ink.left + 2.0 * pad) * arrived;
                at.clip = if forward > 0.0 {
                    Clip { right: ink.left - pad + width, ..Clip::NONE }
                } else {
                    Clip { left: ink.right + pad - width, ..Clip::NONE }
                };
            }
            Manner::DrawnFromMiddle => {
                at.opacity = if progress > 0.0 { 1.0 } else { 0.0 };
                let middle = f64::midpoint(ink.left, ink.right);
                let half = ((ink.right - ink.left) / 2.0 + pad) * arrived;
                at.clip = Clip { left: middle - half, right: middle + half, ..Clip::NONE };
            }
        }
        at
    }
}

/// Fast first, then settling: the fourth power of what is left.
fn ease_out(progress: f64) -> f64 {
    1.0 - (1.0 - progress).powi(4)
}

/// Fully there when a third of the way is still to go.
fn fade(progress: f64) -> f64 {
    (progress * 1.5).min(1.0)
}
