//! The drawn shapes of backdrops, each a layer that drifts on its own slow round.

use std::f64::consts::TAU;

use tiny_skia::{Color, FillRule, LineCap, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, Transform};

use super::{
    layer::{Clip, Layer, PAD, Placement},
    theme::{Shape, ShapeKind},
};
use crate::{Frame, MediaError, Size};

/// Shapes at least this opaque are kept from behind the text.
const SOLID: f32 = 0.3;

/// A shape with its layer.
#[derive(Debug)]
pub(super) struct Drifting {
    layer: Layer,
    /// Place of the top left corner at rest, in pixels.
    rest: (f64, f64),
    /// Reach of the drift, in pixels.
    drift: (f64, f64),
    /// Rounds a frame.
    pace: f64,
    turn: f64,
    /// Whether letters could not be read on it.
    is_solid: bool,
}

impl Drifting {
    /// Draws a shape for frames of `size`.
    pub(super) fn new(shape: &Shape, size: Size, fps: f64, turn: f64) -> Result<Self, MediaError> {
        let unit = f64::from(size.width.min(size.height)) / 100.0;
        let drawing = draw(shape, (f64::from(shape.size) * unit) as f32)?;
        let layer = Layer::of(&drawing);
        let middle = (f64::from(size.width) * f64::from(shape.x), f64::from(size.height) * f64::from(shape.y));
        Ok(Self {
            rest: (middle.0 - f64::from(drawing.width()) / 2.0, middle.1 - f64::from(drawing.height()) / 2.0),
            drift: (f64::from(shape.drift.0) * unit, f64::from(shape.drift.1) * unit),
            pace: 1.0 / (f64::from(shape.period_s.max(1.0)) * fps.max(1.0)),
            turn,
            is_solid: shape.opacity >= SOLID,
            layer,
        })
    }

    /// Moves a solid shape away from the middle of the frame until it lies behind none of the texts, wherever it drifts.
    pub(super) fn keep_clear(&mut self, inks: &[Clip], size: Size) {
        if !self.is_solid {
            return;
        }
        let (width, height) = (self.layer.width as f64, self.layer.height as f64);
        let middle = (f64::from(size.width) / 2.0, f64::from(size.height) / 2.0);
        let (dx, dy) = (self.rest.0 + width / 2.0 - middle.0, self.rest.1 + height / 2.0 - middle.1);
        let distance = dx.hypot(dy);
        let step = f64::from(size.width.min(size.height)) / 100.0;
        let (dx, dy) = if distance > 1.0 { (dx / distance * step, dy / distance * step) } else { (0.0, -step) };
        let air = step * 1.5;
        for _ in 0..200 {
            let (reach_x, reach_y) = (self.drift.0.abs() + air, self.drift.1.abs() + air);
            let touches = |ink: &Clip| {
                self.rest.0 - reach_x < ink.right
                    && self.rest.0 + width + reach_x > ink.left
                    && self.rest.1 - reach_y < ink.bottom
                    && self.rest.1 + height + reach_y > ink.top
            };
            if !inks.iter().any(touches) {
                return;
            }
            self.rest.0 += dx;
            self.rest.1 += dy;
        }
    }

    /// Lays it where it is at a frame.
    pub(super) fn draw(&self, index: u32, frame: &mut Frame) {
        let round = TAU * (f64::from(index) * self.pace + self.turn);
        let x = self.rest.0 + self.drift.0 * round.sin();
        let y = self.rest.1 + self.drift.1 * (round * 0.7).cos();
        self.layer.lay(frame, Placement { x, y, opacity: 1.0, clip: Clip::NONE });
    }
}

/// Height of a shape's box over its width.
fn aspect(kind: ShapeKind) -> f32 {
    match kind {
        ShapeKind::HalfDisc => 0.5,
        ShapeKind::Pill { height } | ShapeKind::Bar { height } => height / 100.0,
        ShapeKind::Hill { .. } => 0.24,
        _ => 1.0,
    }
}

fn draw(shape: &Shape, width: f32) -> Result<Pixmap, MediaError> {
    let height = (width * aspect(shape.kind)).max(1.0);
    let (sin, cos) = shape.turn.to_radians().sin_cos();
    let outer = (width * cos.abs() + height * sin.abs(), width * sin.abs() + height * cos.abs());
    let pad = 2.0 * PAD as f32;
    let (outer_width, outer_height) = ((outer.0 + pad).ceil() as u32, (outer.1 + pad).ceil() as u32);
    let mut pixmap = Pixmap::new(outer_width, outer_height)
        .ok_or_else(|| MediaError::Invalid(format!("a shape of {outer_width} × {outer_height} is too large")))?;
    let middle = (outer_width as f32 / 2.0, outer_height as f32 / 2.0);
    let transform = Transform::from_translate(-width / 2.0, -height / 2.0)
        .post_concat(Transform::from_rotate(shape.turn))
        .post_translate(middle.0, middle.1);
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    let [r, g, b] = shape.colour;
    paint.set_color(Color::from_rgba8(r, g, b, (shape.opacity.clamp(0.0, 1.0) * 255.0).round() as u8));
    let mut brush = Brush { pixmap: &mut pixmap, paint, transform };
    brush.shape(shape.kind, width, height);
    Ok(pixmap)
}

struct Brush<'a> {
    pixmap: &'a mut Pixmap,
    paint: Paint<'a>,
    transform: Transform,
}

impl Brush<'_> {
    fn shape(&mut self, kind: ShapeKind, width: f32, height: f32) {
        let middle = width / 2.0;
        match kind {
            ShapeKind::Disc => self.fill(PathBuilder::from_circle(middle, middle, middle)),
            ShapeKind::Ring { width: line } => self.ring(middle, middle * 0.98, width * line / 100.0),
            ShapeKind::Ripples { count } => {
                for index in 1..=count.max(1) {
                    let radius = middle * 0.98 * f32::from(index) / f32::from(count.max(1));
                    self.ring(middle, radius, width / 220.0);
                }
            }
            ShapeKind::HalfDisc => self.fill(arc(middle, height, middle, 180.0, 360.0)),
            ShapeKind::QuarterDisc => self.fill(arc(0.0, 0.0, width, 0.0, 90.0)),
            ShapeKind::Dots { side } => self.dots(width, side.max(2)),
            ShapeKind::Pill { .. } => self.fill(pill(width, height)),
            ShapeKind::Bar { .. } => self.fill(Rect::from_xywh(0.0, 0.0, width, height).map(PathBuilder::from_rect)),
            ShapeKind::Stripes { count } => self.stripes(width, count.max(1)),
            ShapeKind::Cross => {
                let arm = width * 0.3;
                for rect in [
                    Rect::from_xywh((width - arm) / 2.0, 0.0, arm, width),
                    Rect::from_xywh(0.0, (width - arm) / 2.0, (width - arm) / 2.0, arm),
                    Rect::from_xywh(width.midpoint(arm), (width - arm) / 2.0, (width - arm) / 2.0, arm),
                ] {
                    self.fill(rect.map(PathBuilder::from_rect));
                }
            }
            ShapeKind::Hill { seed } => self.fill(hill(width, height, seed)),
            ShapeKind::Fibres { count } => self.fibres(width, count),
            ShapeKind::Grid { cells } => self.grid(width, cells.max(1)),
        }
    }

    fn fill(&mut self, path: Option<Path>) {
        if let Some(path) = path {
            self.pixmap.fill_path(&path, &self.paint, FillRule::Winding, self.transform, None);
        }
    }

    fn stroke(&mut self, path: Option<Path>, width: f32) {
        if let Some(path) = path {
            let stroke = Stroke { width: width.max(1.0), line_cap: LineCap::Round, ..Stroke::default() };
            self.pixmap.stroke_path(&path, &self.paint, &stroke, self.transform, None);
        }
    }

    fn ring(&mut self, middle: f32, radius: f32, line: f32) {
        self.stroke(PathBuilder::from_circle(middle, middle, (radius - line / 2.0).max(0.5)), line);
    }

    fn dots(&mut self, width: f32, side: u8) {
        let pitch = width / f32::from(side);
        for row in 0..side {
            for column in 0..side {
                let (x, y) = ((f32::from(column) + 0.5) * pitch, (f32::from(row) + 0.5) * pitch);
                self.fill(PathBuilder::from_circle(x, y, pitch * 0.13));
            }
        }
    }

    fn stripes(&mut self, width: f32, count: u8) {
        let pitch = width / f32::from(count);
        for index in 0..count {
            let left = f32::from(index) * pitch;
            self.fill(Rect::from_xywh(left, 0.0, pitch * 0.5, width).map(PathBuilder::from_rect));
        }
    }

    fn grid(&mut self, width: f32, cells: u8) {
        let pitch = width / f32::from(cells);
        let line = (width / 900.0).max(1.0);
        for index in 0..=cells {
            let at = (f32::from(index) * pitch).min(width - line);
            self.fill(Rect::from_xywh(at, 0.0, line, width).map(PathBuilder::from_rect));
            self.fill(Rect::from_xywh(0.0, at, width, line).map(PathBuilder::from_rect));
        }
    }

    fn fibres(&mut self, width: f32, count: u8) {
        let mut noise = Noise(u32::from(count) + 7);
        for _ in 0..count {
            let (x, y) = (noise.next() * width, noise.next() * width);
            let (dx, dy) = ((noise.next() - 0.5) * width * 0.09, (noise.next() - 0.5) * width * 0.09);
            let (bend_x, bend_y) = ((noise.next() - 0.5) * width * 0.05, (noise.next() - 0.5) * width * 0.05);
            let mut path = PathBuilder::new();
            path.move_to(x, y);
            path.quad_to(x + dx / 2.0 + bend_x, y + dy / 2.0 + bend_y, x + dx, y + dy);
            self.stroke(path.finish(), width / 900.0);
        }
    }
}

/// A slice of a circle, angles in degrees clockwise from the right.
fn arc(x: f32, y: f32, radius: f32, from: f32, to: f32) -> Option<Path> {
    let mut path = PathBuilder::new();
    path.move_to(x, y);
    let steps = 64_u8;
    for step in 0..=steps {
        let angle = (from + (to - from) * f32::from(step) / f32::from(steps)).to_radians();
        path.line_to(x + radius * angle.cos(), y + radius * angle.sin());
    }
    path.close();
    path.finish()
}

fn pill(width: f32, height: f32) -> Option<Path> {
    let radius = height.min(width) / 2.0;
    let mut path = PathBuilder::new();
    path.push_circle(radius, radius, radius);
    path.push_circle(width - radius, radius, radius);
    path.push_rect(Rect::from_xywh(radius, 0.0, (width - 2.0 * radius).max(0.1), height)?);
    path.finish()
}

/// A rolling line of three waves, filled to the bottom of the box.
fn hill(width: f32, height: f32, seed: u8) -> Option<Path> {
    let shift = f32::from(seed) * 1.7;
    let mut path = PathBuilder::new();
    path.move_to(0.0, height);
    let steps = 96_u8;
    for step in 0..=steps {
        let along = f32::from(step) / f32::from(steps);
        let wave = 0.5 * (along * 5.1 + shift).sin() + 0.3 * (along * 9.7 + shift * 2.0).sin();
        path.line_to(along * width, height * (0.32 - 0.3 * wave));
    }
    path.line_to(width, height);
    path.close();
    path.finish()
}

/// Repeatable scatter: a multiplicative congruential generator (Park and Miller, "Random number generators: good ones are
/// hard to find", 1988).
struct Noise(u32);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = (u64::from(self.0) * 48_271 % 2_147_483_647) as u32;
        self.0 as f32 / 2_147_483_647.0
    }
}
