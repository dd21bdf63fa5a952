//! Drawings with transparency, kept in the colours of the frame and laid over it at sub-pixel places.

use std::ops::Range;

use tiny_skia::Pixmap;

use crate::{
    Frame,
    yuv::{chroma_of, luma},
};

/// A drawing in premultiplied YUV 4:2:0 with alpha. A ring of transparent pixels surrounds it, so that it can be shifted by
/// parts of a pixel.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    pub(super) width: usize,
    pub(super) height: usize,
    y: Vec<u8>,
    alpha: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
    chroma_alpha: Vec<u8>,
    runs: Runs,
    chroma_runs: Runs,
}

/// For each row, the columns where there is anything to lay, so that the empty parts of a drawing cost nothing.
#[derive(Debug, Clone, Default)]
struct Runs(Vec<Vec<Range<usize>>>);

/// Runs nearer to each other than this are one.
const RUN_GAP: usize = 24;

impl Runs {
    /// The columns that a row, or the row above it by less than a pixel, can touch.
    fn of(alpha: &[u8], width: usize) -> Self {
        let mut rows: Vec<Vec<Range<usize>>> = Vec::new();
        let mut above = vec![0; width];
        for row in alpha.chunks_exact(width.max(1)) {
            let mut runs: Vec<Range<usize>> = Vec::new();
            for column in (0..width).filter(|&column| row[column] | above[column] > 0) {
                // A shift to the right touches the next column too.
                let end = (column + 2).min(width);
                match runs.last_mut() {
                    Some(last) if column < last.end + RUN_GAP => last.end = end,
                    _ => runs.push(column..end),
                }
            }
            above.copy_from_slice(row);
            rows.push(runs);
        }
        Self(rows)
    }
}

/// Transparent pixels around a drawing.
pub(super) const PAD: usize = 2;

/// Where and how a layer is laid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Placement {
    /// The top left corner of the layer, in pixels of the frame.
    pub(super) x: f64,
    pub(super) y: f64,
    /// 0 to 1.
    pub(super) opacity: f64,
    /// Nothing is drawn outside of it.
    pub(super) clip: Clip,
}

/// Left, top, right, bottom, in pixels of the frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Clip {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Clip {
    pub(super) const NONE: Self = Self { left: -1e6, top: -1e6, right: 1e6, bottom: 1e6 };
}

impl Layer {
    /// Converts a drawing. Its sides are made even; the drawing keeps its place at the top left.
    pub(super) fn of(pixmap: &Pixmap) -> Self {
        let (width, height) =
            ((pixmap.width() as usize).next_multiple_of(2), (pixmap.height() as usize).next_multiple_of(2));
        let quarter = width / 2 * (height / 2);
        let mut layer = Self {
            width,
            height,
            y: vec![0; width * height],
            alpha: vec![0; width * height],
            u: vec![0; quarter],
            v: vec![0; quarter],
            chroma_alpha: vec![0; quarter],
            runs: Runs::default(),
            chroma_runs: Runs::default(),
        };
        let mut sums = vec![[0_u32; 3]; quarter];
        let stride = pixmap.width() as usize;
        for (index, pixel) in pixmap.pixels().iter().enumerate().filter(|(_, pixel)| pixel.alpha() > 0) {
            let (x, y) = (index % stride, index / stride);
            let alpha = u32::from(pixel.alpha());
            let colour = pixel.demultiply();
            let rgb = [colour.red(), colour.green(), colour.blue()];
            let scaled = |value: u8| (u32::from(value) * alpha + 127) / 255;
            layer.y[y * width + x] = scaled(luma(rgb)) as u8;
            layer.alpha[y * width + x] = alpha as u8;
            let (u, v) = chroma_of(rgb);
            let sum = &mut sums[y / 2 * (width / 2) + x / 2];
            for (total, value) in sum.iter_mut().zip([scaled(u), scaled(v), alpha]) {
                *total += value;
            }
        }
        for (index, sum) in sums.into_iter().enumerate() {
            let [u, v, alpha] = sum.map(|value| ((value + 2) / 4) as u8);
            (layer.u[index], layer.v[index], layer.chroma_alpha[index]) = (u, v, alpha);
        }
        layer.runs = Runs::of(&layer.alpha, width);
        layer.chroma_runs = Runs::of(&layer.chroma_alpha, width / 2);
        layer
    }

    /// Lays it over a frame.
    pub(super) fn lay(&self, frame: &mut Frame, at: Placement) {
        let opacity = (at.opacity.clamp(0.0, 1.0) * 256.0).round() as u16;
        if opacity == 0 {
            return;
        }
        let size = frame.size();
        let (width, height) = (size.width as usize, size.height as usize);
        let (y, u, v) = frame.planes_mut();
        let full =
            Source { colour: &self.y, alpha: &self.alpha, runs: &self.runs, width: self.width, height: self.height };
        full.lay(&mut Target { plane: y, width, height }, at, opacity);
        let half = Placement { x: at.x / 2.0, y: at.y / 2.0, clip: at.clip.halved(), ..at };
        for (colour, plane) in [(&self.u, u), (&self.v, v)] {
            let source = Source {
                colour,
                alpha: &self.chroma_alpha,
                runs: &self.chroma_runs,
                width: self.width / 2,
                height: self.height / 2,
            };
            source.lay(&mut Target { plane, width: width / 2, height: height / 2 }, half, opacity);
        }
    }
}

impl Clip {
    fn halved(self) -> Self {
        let Self { left, top, right, bottom } = self;
        Self { left: left / 2.0, top: top / 2.0, right: right / 2.0, bottom: bottom / 2.0 }
    }
}

struct Source<'a> {
    colour: &'a [u8],
    alpha: &'a [u8],
    runs: &'a Runs,
    width: usize,
    height: usize,
}

struct Target<'a> {
    plane: &'a mut [u8],
    width: usize,
    height: usize,
}

impl Source<'_> {
    fn lay(&self, target: &mut Target<'_>, at: Placement, opacity: u16) {
        let (left, fraction_x) = sixteenths(at.x);
        let (top, fraction_y) = sixteenths(at.y);
        let columns = overlap((left, self.width), target.width, (at.clip.left, at.clip.right));
        let rows = overlap((top, self.height), target.height, (at.clip.top, at.clip.bottom));
        let (Some(columns), Some(rows)) = (columns, rows) else { return };
        let weights = Weights::of(fraction_x, fraction_y);
        for row in rows {
            let source_row = (row.cast_signed() - top) as usize;
            for run in self.runs.0.get(source_row).into_iter().flatten() {
                let from = columns.start.cast_signed().max(run.start.cast_signed() + left);
                let to = columns.end.cast_signed().min(run.end.cast_signed() + left);
                if from >= to {
                    continue;
                }
                let line = &mut target.plane[row * target.width..][from as usize..to as usize];
                let first = (from - left) as usize;
                if weights.is_whole() && opacity == 256 {
                    let start = source_row * self.width + first;
                    over(line, &self.colour[start..], &self.alpha[start..]);
                } else {
                    self.lay_between(line, (first, source_row), weights, opacity);
                }
            }
        }
    }

    /// Blends one row from the four neighbours of each place. Left of the first column and above the first row there is
    /// nothing: the ring around a drawing is transparent.
    fn lay_between(&self, line: &mut [u8], (first, row): (usize, usize), weights: Weights, opacity: u16) {
        let here = row * self.width + first;
        let above = row.saturating_sub(1) * self.width + first;
        let skip = usize::from(first == 0);
        let length = line.len().saturating_sub(skip);
        let taps = [above + skip - 1, above + skip, here + skip - 1, here + skip];
        let mut colours: [&[u8]; 4] = [&[]; 4];
        let mut alphas: [&[u8]; 4] = [&[]; 4];
        for (index, start) in taps.into_iter().enumerate() {
            let range = start..start + length;
            let (Some(colour), Some(alpha)) = (self.colour.get(range.clone()), self.alpha.get(range)) else { return };
            (colours[index], alphas[index]) = (colour, alpha);
        }
        let [c0, c1, c2, c3] = colours;
        let [a0, a1, a2, a3] = alphas;
        let Weights([w0, w1, w2, w3]) = weights;
        for index in 0..length {
            let mix = |p: [u8; 4]| -> u16 {
                (u16::from(p[0]) * w0 + u16::from(p[1]) * w1 + u16::from(p[2]) * w2 + u16::from(p[3]) * w3) >> 8
            };
            let colour = mix([c0[index], c1[index], c2[index], c3[index]]);
            let alpha = mix([a0[index], a1[index], a2[index], a3[index]]);
            let (colour, alpha) = ((colour * opacity) >> 8, (alpha * opacity) >> 8);
            let value = &mut line[skip + index];
            *value = (colour + divide_by_255(u16::from(*value) * (255 - alpha))).min(255) as u8;
        }
    }
}

fn over(line: &mut [u8], colour: &[u8], alpha: &[u8]) {
    for ((value, &colour), &alpha) in line.iter_mut().zip(colour).zip(alpha) {
        let behind = divide_by_255(u16::from(*value) * (255 - u16::from(alpha)));
        *value = (u16::from(colour) + behind).min(255) as u8;
    }
}

fn divide_by_255(value: u16) -> u16 {
    let value = value + 128;
    (value + (value >> 8)) >> 8
}

/// Shares of the four neighbours, of 256: above left, above, left, here.
#[derive(Debug, Clone, Copy)]
struct Weights([u16; 4]);

impl Weights {
    fn of(x: u16, y: u16) -> Self {
        Self([x * y, (16 - x) * y, x * (16 - y), (16 - x) * (16 - y)])
    }

    fn is_whole(self) -> bool {
        self.0[3] == 256
    }
}

/// A place as whole pixels and sixteenths.
fn sixteenths(place: f64) -> (isize, u16) {
    let fixed = (place * 16.0).round() as isize;
    (fixed.div_euclid(16), fixed.rem_euclid(16) as u16)
}

fn overlap((start, length): (isize, usize), limit: usize, clip: (f64, f64)) -> Option<Range<usize>> {
    let from = start.max(0).max(clip.0.round() as isize);
    let to = (start + length.cast_signed()).min(limit.cast_signed()).min(clip.1.round() as isize);
    (from < to).then_some(from as usize..to as usize)
}

#[cfg(test)]
mod tests {
    use tiny_skia::{Color, Paint, Rect, Transform};

    use super::*;
    use crate::Size;

    fn square(colour: [u8; 3]) -> Layer {
        let mut pixmap = Pixmap::new(12, 12).unwrap();
        let mut paint = Paint::default();
        paint.set_color(Color::from_rgba8(colour[0], colour[1], colour[2], 255));
        pixmap.fill_rect(Rect::from_xywh(2.0, 2.0, 8.0, 8.0).unwrap(), &paint, Transform::identity(), None);
        Layer::of(&pixmap)
    }

    fn laid(x: f64, y: f64, opacity: f64) -> Frame {
        let mut frame = Frame::black(Size::new(32, 32));
        square([255, 255, 255]).lay(&mut frame, Placement { x, y, opacity, clip: Clip::NONE });
        frame
    }

    fn centre_of_light(frame: &Frame) -> (f64, f64) {
        let (y, _, _) = frame.planes();
        let (mut sum, mut sum_x, mut sum_y) = (0.0, 0.0, 0.0);
        for (index, &value) in y.iter().enumerate() {
            let light = f64::from(value) - 16.0;
            sum += light;
            sum_x += light * (index % 32) as f64;
            sum_y += light * (index / 32) as f64;
        }
        (sum_x / sum, sum_y / sum)
    }

    #[test]
    fn a_layer_moves_by_parts_of_a_pixel() {
        let (x, y) = centre_of_light(&laid(4.0, 4.0, 1.0));
        for (dx, dy) in [(0.25, 0.0), (0.5, 0.75), (1.0, 2.0), (3.5, -1.25)] {
            let (moved_x, moved_y) = centre_of_light(&laid(4.0 + dx, 4.0 + dy, 1.0));
            assert!((moved_x - x - dx).abs() < 0.03, "{dx} moved it by {}", moved_x - x);
            assert!((moved_y - y - dy).abs() < 0.03, "{dy} moved it by {}", moved_y - y);
        }
    }

    #[test]
    fn an_opaque_layer_has_its_colour_and_a_faint_one_a_part_of_it() {
        assert_eq!(laid(4.0, 4.0, 1.0).planes().0[10 * 32 + 10], 235);
        let faint = laid(4.0, 4.0, 0.5).planes().0[10 * 32 + 10];
        assert!((120..=130).contains(&faint), "{faint}");
        assert_eq!(laid(4.0, 4.0, 0.0), Frame::black(Size::new(32, 32)));
    }

    #[test]
    fn a_layer_may_hang_over_any_edge() {
        for (x, y) in [(-6.0, 4.0), (28.5, 4.0), (4.0, -6.25), (4.0, 29.0), (-40.0, 0.0), (90.0, 90.0)] {
            laid(x, y, 1.0);
            laid(x, y, 0.4);
        }
    }

    #[test]
    fn nothing_is_laid_outside_of_the_clip() {
        let mut frame = Frame::black(Size::new(32, 32));
        let clip = Clip { left: 8.0, top: 0.0, right: 10.0, bottom: 32.0 };
        square([255, 255, 255]).lay(&mut frame, Placement { x: 4.0, y: 4.0, opacity: 1.0, clip });
        for (index, &value) in frame.planes().0.iter().enumerate() {
            assert_eq!(value > 16, (8..10).contains(&(index % 32)) && (6..14).contains(&(index / 32)));
        }
    }
}
