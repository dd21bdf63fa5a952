//! Light behind the text: a vertical gradient with soft glows on slow rounds, computed on a coarse grid and spread over the
//! frame with an ordered dither, so that dark gradients do not band.

use std::f64::consts::TAU;

use super::theme::{Backdrop, Rgb};
use crate::{Frame, Size};

/// Pixels from a point of the grid to the next.
const CELL: usize = 16;

/// Ordered dither (Bayer, 8 × 8), in 256ths of a step.
const DITHER: [[u16; 8]; 8] = dither();

/// The moving light of a theme.
#[derive(Debug)]
pub(super) struct Light {
    backdrop: &'static Backdrop,
    size: Size,
    fps: f64,
    /// Shifts all rounds, so that two cards do not start alike.
    turn: f64,
    grids: [Grid; 3],
    row: Vec<u16>,
}

/// Values at the points of a grid, in 256ths.
#[derive(Debug, Default)]
struct Grid {
    columns: usize,
    values: Vec<u16>,
}

impl Light {
    pub(super) fn new(backdrop: &'static Backdrop, size: Size, fps: f64, turn: f64) -> Self {
        Self { backdrop, size, fps, turn, grids: Default::default(), row: Vec::new() }
    }

    /// Fills the frame.
    pub(super) fn draw(&mut self, index: u32, frame: &mut Frame) {
        self.compute(f64::from(index) / self.fps.max(1.0));
        let width = self.size.width as usize;
        let (y, u, v) = frame.planes_mut();
        spread::<CELL>(&self.grids[0], &mut self.row, y, width);
        spread::<{ CELL / 2 }>(&self.grids[1], &mut self.row, u, width / 2);
        spread::<{ CELL / 2 }>(&self.grids[2], &mut self.row, v, width / 2);
    }

    fn compute(&mut self, seconds: f64) {
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        let (columns, rows) = (width.div_ceil(CELL) + 1, height.div_ceil(CELL) + 1);
        for grid in &mut self.grids {
            grid.columns = columns;
            grid.values.clear();
        }
        let glows: Vec<Lit> = self.backdrop.glows.iter().map(|glow| self.place(glow, seconds)).collect();
        for row in 0..rows {
            let down = (row * CELL) as f32;
            let share = (down / height as f32).min(1.0);
            let base = mix(floats(self.backdrop.top), floats(self.backdrop.bottom), share);
            for column in 0..columns {
                let across = (column * CELL) as f32;
                let colour = glows.iter().fold(base, |colour, glow| glow.over(colour, across, down));
                for (grid, value) in self.grids.iter_mut().zip(to_yuv(colour)) {
                    grid.values.push((value * 256.0) as u16);
                }
            }
        }
    }

    fn place(&self, glow: &super::theme::Glow, seconds: f64) -> Lit {
        let (width, height) = (self.size.width as f32, self.size.height as f32);
        let round = TAU * (seconds / f64::from(glow.period_s.max(1.0)) + f64::from(glow.phase) + self.turn);
        let reach = width.max(height) * glow.radius;
        Lit {
            colour: floats(glow.colour),
            x: width * (glow.x + glow.orbit.0 * round.cos() as f32),
            // A different pace up and down keeps the way from being a plain circle.
            y: height * (glow.y + glow.orbit.1 * (round * 0.8 + 1.0).sin() as f32),
            inverse_square: 1.0 / (reach * reach).max(1.0),
            strength: glow.strength,
        }
    }
}

/// A glow at one moment, in pixels.
struct Lit {
    colour: [f32; 3],
    x: f32,
    y: f32,
    inverse_square: f32,
    strength: f32,
}

impl Lit {
    /// Falls off as the cube of what is left to the rim: no visible edge.
    fn over(&self, colour: [f32; 3], x: f32, y: f32) -> [f32; 3] {
        let distance = ((x - self.x).powi(2) + (y - self.y).powi(2)) * self.inverse_square;
        let left = (1.0 - distance).max(0.0);
        mix(colour, self.colour, self.strength * left * left * left)
    }
}

/// Fills a plane from its grid, `N` samples between points.
fn spread<const N: usize>(grid: &Grid, row: &mut Vec<u16>, plane: &mut [u8], width: usize) {
    for (y, line) in plane.chunks_exact_mut(width).enumerate() {
        let (cell, step) = (y / N, (y % N) as u32);
        let above = &grid.values[cell * grid.columns..][..grid.columns];
        let below = &grid.values[(cell + 1) * grid.columns..][..grid.columns];
        row.clear();
        row.extend(
            above
                .iter()
                .zip(below)
                .map(|(&a, &b)| ((u32::from(a) * (N as u32 - step) + u32::from(b) * step) / N as u32) as u16),
        );
        let dither = &DITHER[y % 8];
        for (chunk, pair) in line.chunks_mut(N).zip(row.windows(2)) {
            let slope = (i32::from(pair[1]) - i32::from(pair[0])) / N.cast_signed() as i32;
            // Wrapping arithmetic gives the true value: every sum is within 16 bits.
            let slope = slope as i16 as u16;
            for (index, value) in chunk.iter_mut().enumerate() {
                let exact = pair[0].wrapping_add(slope.wrapping_mul(index as u16));
                *value = (exact.wrapping_add(dither[index % 8]) >> 8) as u8;
            }
        }
    }
}

const fn dither() -> [[u16; 8]; 8] {
    let mut table = [[0; 8]; 8];
    let mut y = 0;
    while y < 8 {
        let mut x = 0;
        while x < 8 {
            let (mut value, mut bit) = (0, 0);
            while bit < 3 {
                let (a, b) = ((x >> bit) & 1, (y >> bit) & 1);
                value |= ((a ^ b) << (5 - 2 * bit)) | (b << (4 - 2 * bit));
                bit += 1;
            }
            table[y][x] = (value * 4 + 2) as u16;
            x += 1;
        }
        y += 1;
    }
    table
}

fn floats(colour: Rgb) -> [f32; 3] {
    colour.map(f32::from)
}

fn mix(a: [f32; 3], b: [f32; 3], share: f32) -> [f32; 3] {
    [0, 1, 2].map(|channel| a[channel] + (b[channel] - a[channel]) * share)
}

/// BT.709, limited range.
fn to_yuv([r, g, b]: [f32; 3]) -> [f32; 3] {
    let light = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    let chroma = 224.0 / 255.0;
    [16.0 + light * 219.0 / 255.0, 128.0 + (b - light) * chroma / 1.8556, 128.0 + (r - light) * chroma / 1.5748]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cards::Theme, frame_to_rgb};

    #[test]
    fn the_dither_holds_every_threshold_once() {
        let mut all: Vec<u16> = DITHER.iter().flatten().copied().collect();
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[1] - pair[0] == 4), "{all:?}");
    }

    #[test]
    fn every_light_moves_and_has_no_seams() {
        let size = Size::new(272, 480);
        for theme in Theme::all() {
            let mut light = Light::new(&theme.backdrop, size, 30.0, 0.0);
            let mut frame = Frame::black(size);
            light.draw(0, &mut frame);
            let picture = frame_to_rgb(&frame);
            for (x, y, pixel) in picture.enumerate_pixels().filter(|(x, _, _)| *x > 0) {
                let left = picture.get_pixel(x - 1, y);
                let step = pixel.0.iter().zip(left.0).map(|(a, b)| a.abs_diff(b)).max().unwrap();
                assert!(step <= 9, "{}: a step of {step} at {x}, {y}", theme.name);
            }
        }
    }
}
