//! The part of the frame a card may use.

use crate::Size;

/// A rectangle in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) left: f32,
    pub(super) top: f32,
    pub(super) width: f32,
    pub(super) height: f32,
}

/// The title-safe area less the zone of the captions: in tall frames captions stand at 68 to 84 % of the height (players of
/// short videos cover what is lower), in others on the lowest fifth.
pub(super) fn safe_area(size: Size) -> Area {
    let (width, height) = (size.width as f32, size.height as f32);
    let ratio = width / height.max(1.0);
    let (margin, top, bottom) = if ratio < 0.7 {
        (0.085, 0.11, 0.645)
    } else if ratio < 1.3 {
        (0.085, 0.085, 0.775)
    } else {
        (0.075, 0.1, 0.77)
    };
    let wide = (width * (1.0 - 2.0 * margin)).floor();
    Area {
        left: (width * margin).ceil(),
        top: (height * top).ceil(),
        width: wide,
        height: (height * (bottom - top)).floor(),
    }
}

/// The part of a cover its title may use: nothing is laid over a cover.
pub(super) fn cover_area(size: Size) -> Area {
    let area = safe_area(size);
    let height = size.height as f32;
    let top = (height * 0.36).ceil();
    Area { top, height: (height * 0.92 - top).floor(), ..area }
}
