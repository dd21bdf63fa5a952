//! Blocks stacked in the safe area, with the time at which each part arrives.

use super::{
    compose::Stage,
    layer::{Layer, PAD},
    layout::Area,
    parts::{Arrival, Manner, Part, Role, Step},
    script::Direction,
    theme::TextAlign,
};

/// Seconds before the first part arrives.
const LEAD_IN_S: f32 = 0.1;
/// Lines of one block follow each other faster than blocks do.
const LINE_STAGGER: f32 = 0.6;
/// A number takes this long to count up, at least.
const COUNT_S: f32 = 1.3;

/// A part of the stack. Lengths in pixels.
pub(super) struct Block {
    pub(super) rows: Vec<Row>,
    pub(super) height: f32,
    /// Space above, in units.
    pub(super) gap: f32,
    /// Frame at which it arrives, where the card says so.
    pub(super) at: Option<u32>,
}

/// A line or an ornament of a block.
pub(super) struct Row {
    /// Drawings one after the other, each with its shift down; the last stays.
    pub(super) steps: Vec<(Layer, f32)>,
    /// Below the top of the block.
    pub(super) top: f32,
    /// Set for what hangs on the markers of a list: the distance from where markers start.
    pub(super) hanging: Option<f32>,
    pub(super) manner: Manner,
    pub(super) role: Role,
    /// Parts of one beat arrive together.
    pub(super) beat: usize,
}

/// Stacks the blocks and gives every part its time.
pub(super) fn stack(mut blocks: Vec<Block>, stage: Stage<'_>, direction: Direction) -> Vec<Part> {
    let (unit, area, motion) = (stage.unit(), stage.area, stage.theme.motion);
    if let Some(first) = blocks.first_mut() {
        first.gap = 0.0;
    }
    let side = Side::of(&blocks, stage, direction);
    let content: f32 = blocks.iter().map(|block| block.height).sum();
    let gaps: f32 = blocks.iter().map(|block| block.gap * unit).sum();
    // Gaps give way before anything leaves the safe area.
    let squeeze = ((area.height - content) / gaps.max(1.0)).clamp(0.0, 1.0);
    let mut top = area.top + (area.height - content - gaps * squeeze).max(0.0) * stage.anchor;
    let fps = stage.fps as f32;
    let mut beat = 0.0;
    let mut parts = Vec::new();
    for block in blocks {
        top += block.gap * unit * squeeze;
        let beats = block.rows.iter().map(|row| row.beat + 1).max().unwrap_or(1);
        for row in block.rows {
            let start = block.at.map_or((LEAD_IN_S + beat * motion.stagger_s) * fps, |frame| frame as f32);
            let start = start + row.beat as f32 * motion.stagger_s * LINE_STAGGER * fps;
            let counts = row.steps.len() > 1;
            let seconds = if counts { motion.seconds.max(COUNT_S) } else { motion.seconds };
            let arrival = Arrival {
                start: f64::from(start),
                length: f64::from(seconds * fps),
                manner: if counts { Manner::Fade } else { row.manner },
                distance: f64::from(motion.distance * unit),
                direction,
            };
            let (row_top, hanging) = (top + row.top, row.hanging);
            let place = |(layer, shift): (Layer, f32)| {
                let left = side.left(ink_width(&layer), hanging);
                Step::new(layer, left, row_top + shift)
            };
            parts.push(Part { steps: row.steps.into_iter().map(place).collect(), arrival, role: row.role });
        }
        beat += 1.0 + (beats as f32 - 1.0) * LINE_STAGGER;
        top += block.height;
    }
    parts
}

/// Where lines start.
struct Side {
    area: Area,
    align: TextAlign,
    direction: Direction,
    /// Width of a list with its markers.
    list_width: f32,
}

impl Side {
    fn of(blocks: &[Block], stage: Stage<'_>, direction: Direction) -> Self {
        let mut list_width = 0.0_f32;
        for row in blocks.iter().flat_map(|block| &block.rows) {
            let width = row.steps.last().map_or(0.0, |(layer, _)| ink_width(layer));
            list_width = list_width.max(row.hanging.map_or(0.0, |indent| indent + width));
        }
        Self { area: stage.area, align: stage.theme.details.align, direction, list_width }
    }

    fn left(&self, width: f32, hanging: Option<f32>) -> f32 {
        let Area { left, width: room, .. } = self.area;
        // A list stands in the middle as a whole, its lines under each other.
        let (inset, room_left) = match (self.align, hanging) {
            (TextAlign::Centre, None) => return left + (room - width) / 2.0,
            (TextAlign::Centre, Some(indent)) => ((room - self.list_width) / 2.0 + indent, room),
            (TextAlign::Start, indent) => (indent.unwrap_or(0.0), room),
        };
        match self.direction {
            Direction::LeftToRight => left + inset,
            Direction::RightToLeft => left + room_left - inset - width,
        }
    }
}

fn ink_width(layer: &Layer) -> f32 {
    (layer.width - 2 * PAD) as f32
}
