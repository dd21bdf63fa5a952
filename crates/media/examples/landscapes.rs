//! Paints the pictures of `examples/pictures`, so that they are ours and can be painted again:
//! `cargo run --release -p media --example landscapes -- examples/pictures`.
//!
//! Every picture is layers from far to near: a sky, ridges whose outline is a sum of octaves of value noise, and haze
//! that grows with distance (a colour moves towards the air's as `1 - exp(-distance)`).

use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};

const WIDTH: u32 = 2240;
const HEIGHT: u32 = 1400;
const JPEG_QUALITY: u8 = 82;

type Color = [f32; 3];

/// What one picture is made of. Heights are fractions of the picture, from its top.
struct Scenery {
    name: &'static str,
    /// Colours of the sky at its top, in its middle and at the horizon.
    sky: [Color; 3],
    horizon: f32,
    sun: Light,
    /// 0 for none, 1 for a clear night.
    stars: f32,
    /// The nearest ridge and the air in front of the farthest one.
    land: Color,
    air: Color,
    ridges: &'static [Ridge],
    /// Where a lake begins that mirrors what stands above it.
    shore: Option<f32>,
}

struct Light {
    x: f32,
    y: f32,
    radius: f32,
    color: Color,
    glow: f32,
}

struct Ridge {
    /// Mean height of the outline and how far it swings.
    height: f32,
    swing: f32,
    /// Hills across the picture.
    frequency: f32,
    /// 0 is at the horizon, 1 at the viewer's feet.
    nearness: f32,
    /// 0 for rolling, 1 for jagged.
    roughness: f32,
}

const fn ridge(height: f32, swing: f32, frequency: f32, nearness: f32, roughness: f32) -> Ridge {
    Ridge { height, swing, frequency, nearness, roughness }
}

const DAWN: Scenery = Scenery {
    name: "dawn-over-the-ridges",
    sky: [[0.16, 0.24, 0.44], [0.83, 0.52, 0.46], [1.0, 0.82, 0.55]],
    horizon: 0.56,
    sun: Light { x: 0.64, y: 0.47, radius: 0.028, color: [1.0, 0.93, 0.74], glow: 0.55 },
    stars: 0.0,
    land: [0.07, 0.09, 0.16],
    air: [0.95, 0.66, 0.52],
    ridges: &[
        ridge(0.50, 0.07, 3.1, 0.05, 0.9),
        ridge(0.56, 0.09, 2.3, 0.22, 0.8),
        ridge(0.65, 0.10, 3.3, 0.42, 0.7),
        ridge(0.74, 0.10, 2.1, 0.66, 0.6),
        ridge(0.89, 0.09, 2.7, 1.0, 0.8),
    ],
    shore: None,
};

const NIGHT: Scenery = Scenery {
    name: "night-at-the-lake",
    sky: [[0.02, 0.05, 0.14], [0.06, 0.16, 0.30], [0.30, 0.48, 0.56]],
    horizon: 0.60,
    sun: Light { x: 0.29, y: 0.27, radius: 0.022, color: [0.95, 0.96, 0.90], glow: 0.30 },
    stars: 1.0,
    land: [0.012, 0.022, 0.045],
    air: [0.26, 0.43, 0.52],
    ridges: &[ridge(0.49, 0.13, 2.2, 0.18, 0.9), ridge(0.55, 0.08, 3.2, 0.5, 0.8), ridge(0.595, 0.03, 5.0, 0.9, 1.0)],
    shore: Some(0.62),
};

const EVENING: Scenery = Scenery {
    name: "evening-in-the-dunes",
    sky: [[0.20, 0.30, 0.55], [0.72, 0.58, 0.66], [1.0, 0.74, 0.50]],
    horizon: 0.52,
    sun: Light { x: 0.24, y: 0.40, radius: 0.05, color: [1.0, 0.80, 0.52], glow: 0.42 },
    stars: 0.0,
    land: [0.36, 0.15, 0.10],
    air: [0.98, 0.70, 0.52],
    ridges: &[
        ridge(0.52, 0.03, 4.0, 0.10, 0.3),
        ridge(0.59, 0.10, 2.1, 0.32, 0.1),
        ridge(0.70, 0.16, 1.6, 0.62, 0.05),
        ridge(0.88, 0.26, 1.3, 1.0, 0.02),
    ],
    shore: None,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("name the folder to paint into")?;
    for scenery in [DAWN, NIGHT, EVENING] {
        let picture = paint(&scenery);
        let file = std::fs::File::create(Path::new(&folder).join(format!("{}.jpg", scenery.name)))?;
        JpegEncoder::new_with_quality(file, JPEG_QUALITY).encode_image(&picture)?;
    }
    Ok(())
}

fn paint(scenery: &Scenery) -> RgbImage {
    RgbImage::from_fn(WIDTH, HEIGHT, |column, row| {
        let x = column as f32 / WIDTH as f32;
        let y = row as f32 / HEIGHT as f32;
        let color = match scenery.shore {
            Some(shore) if y > shore => reflect(scenery, x, y, shore),
            _ => look(scenery, x, y),
        };
        // Grain a little wider than a step of eight bits, or the sky shows bands.
        let grain = (hash(column, row, 7) - 0.5) / 200.0;
        Rgb(color.map(|channel| ((channel + grain).clamp(0.0, 1.0) * 255.0).round() as u8))
    })
}

/// The colour of the mirrored point, moved sideways by ripples that widen towards the viewer.
fn reflect(scenery: &Scenery, x: f32, y: f32, shore: f32) -> Color {
    let depth = (y - shore) / (1.0 - shore);
    let ripple = octaves(x * 9.0, y * 170.0 / (0.35 + depth), 3, 31) - 0.5;
    let mirrored = look(scenery, x + ripple * 0.03 * (0.2 + depth), shore - (y - shore) * (0.9 + ripple * 0.25));
    mix(mirrored, scenery.land, 0.18 + 0.42 * depth)
}

fn look(scenery: &Scenery, x: f32, y: f32) -> Color {
    let nearest = scenery.ridges.iter().rev().find(|ridge| y > outline(ridge, x));
    nearest.map_or_else(|| sky(scenery, x, y), |ridge| ground(scenery, ridge, x, y))
}

fn sky(scenery: &Scenery, x: f32, y: f32) -> Color {
    let height = (y / scenery.horizon).clamp(0.0, 1.0);
    let [top, middle, low] = scenery.sky;
    let mut color = if height < 0.6 { mix(top, middle, height / 0.6) } else { mix(middle, low, (height - 0.6) / 0.4) };
    let cloud = octaves(x * 3.0 + 4.0, y * 11.0, 5, 11);
    color = mix(color, low, smooth(0.52, 0.85, cloud) * 0.45 * height);
    color = add(color, [1.0, 1.0, 1.0], scenery.stars * star(x, y) * (1.0 - height));
    let sun = &scenery.sun;
    let aspect = WIDTH as f32 / HEIGHT as f32;
    let distance = (x - sun.x).hypot((y - sun.y) / aspect);
    color = add(color, sun.color, sun.glow * (-distance * 7.0).exp());
    mix(color, sun.color, 1.0 - smooth(sun.radius * 0.92, sun.radius * 1.08, distance))
}

/// Few bright stars and many faint ones, each a dot inside its own cell.
fn star(x: f32, y: f32) -> f32 {
    let (column, row) = (x * 190.0, y * 119.0);
    let (cell_x, cell_y) = (column.floor(), row.floor());
    let chance = hash(cell_x as u32, cell_y as u32, 3);
    if chance < 0.84 {
        return 0.0;
    }
    let center_x = cell_x + 0.3 + 0.4 * hash(cell_x as u32, cell_y as u32, 4);
    let center_y = cell_y + 0.3 + 0.4 * hash(cell_x as u32, cell_y as u32, 5);
    let size = 0.05 + 0.13 * ((chance - 0.84) / 0.16).powi(6);
    (1.0 - smooth(size * 0.5, size * 1.5, (column - center_x).hypot(row - center_y))) * (0.35 + size * 4.0)
}

/// Land in its haze, its crest touched by the light behind it.
fn ground(scenery: &Scenery, ridge: &Ridge, x: f32, y: f32) -> Color {
    let below = y - outline(ridge, x);
    let from_sun = (x - scenery.sun.x).abs();
    let touched = 0.34 * (-below * 22.0).exp() * (-from_sun * 2.2).exp();
    let texture = (octaves(x * 50.0, y * 120.0, 4, 47) - 0.5) * 0.06 * ridge.nearness;
    let land = add(mix(scenery.land, scenery.sun.color, touched), [1.0, 1.0, 1.0], texture);
    let haze = (1.0 - ridge.nearness).powf(1.3) * 0.9;
    // Mist gathers at the feet of what is far away.
    let mist = (below * 5.0).min(0.5) * (1.0 - ridge.nearness);
    mix(land, scenery.air, (haze + mist).min(0.97))
}

/// The height at which `ridge` meets the sky, as a fraction from the top.
fn outline(ridge: &Ridge, x: f32) -> f32 {
    let seed = (ridge.height * 1000.0) as u32;
    let rolling = octaves(x * ridge.frequency + ridge.height * 10.0, 0.5, 3, seed);
    // Folding noise at its middle makes crests sharp.
    let jagged = 1.0 - (octaves(x * ridge.frequency * 1.7, 0.5, 7, seed + 1) * 2.0 - 1.0).abs();
    ridge.height - ridge.swing * (mix_number(rolling, jagged, ridge.roughness) - 0.5) * 1.6
}

/// Value noise summed over `count` octaves, each twice as fine and half as strong; about 0 to 1.
fn octaves(x: f32, y: f32, count: u32, seed: u32) -> f32 {
    let mut sum = 0.0;
    let mut weight = 0.5;
    let mut scale = 1.0;
    for octave in 0..count {
        sum += weight * value_noise(x * scale, y * scale, seed.wrapping_add(octave));
        weight *= 0.5;
        scale *= 2.0;
    }
    sum / (1.0 - weight * 2.0)
}

fn value_noise(x: f32, y: f32, seed: u32) -> f32 {
    let (left, top) = (x.floor(), y.floor());
    let across = smooth(0.0, 1.0, x - left);
    let down = smooth(0.0, 1.0, y - top);
    let corner = |column: f32, row: f32| hash(column as i32 as u32, row as i32 as u32, seed);
    let upper = mix_number(corner(left, top), corner(left + 1.0, top), across);
    let lower = mix_number(corner(left, top + 1.0), corner(left + 1.0, top + 1.0), across);
    mix_number(upper, lower, down)
}

/// An even number from 0 to 1 for a point: multiplications and shifts that spread every bit of the input.
fn hash(x: u32, y: u32, seed: u32) -> f32 {
    let mut bits = x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77) ^ seed.wrapping_mul(0xC2B2_AE3D);
    bits = (bits ^ (bits >> 15)).wrapping_mul(0x2C1B_3C6D);
    bits = (bits ^ (bits >> 12)).wrapping_mul(0x297A_2D39);
    (bits ^ (bits >> 15)) as f32 / u32::MAX as f32
}

fn mix(from: Color, to: Color, share: f32) -> Color {
    std::array::from_fn(|channel| mix_number(from[channel], to[channel], share))
}

fn mix_number(from: f32, to: f32, share: f32) -> f32 {
    from + (to - from) * share.clamp(0.0, 1.0)
}

fn add(color: Color, light: Color, strength: f32) -> Color {
    std::array::from_fn(|channel| color[channel] + light[channel] * strength)
}

/// 0 below `low`, 1 above `high`, an S between them.
fn smooth(low: f32, high: f32, value: f32) -> f32 {
    let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}
