//! Where the eye goes in a picture.
//!
//! The measure follows the idea of frequency-tuned saliency (Achanta, Hemami, Estrada, Süsstrunk: "Frequency-tuned Salient
//! Region Detection", CVPR 2009): a place stands out as far as its smoothed colour is from the mean colour of the picture.
//! To it are added edges (detail is looked at), colours of skin, and a slight preference for the middle.

use image::{RgbImage, imageops::FilterType};

use crate::Size;

/// A rectangle in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rect {
    pub left: u32,
    pub top: u32,
    pub width: u32,
    pub height: u32,
}

/// Longest side of the copy the measure is taken on: enough for where, and the same cost for every picture.
const MEASURED_SIDE: u32 = 96;

/// The place the eye goes to, as fractions of width and height from the top left corner.
pub fn focus(image: &RgbImage) -> (f32, f32) {
    if image.width() < 2 || image.height() < 2 {
        return (0.5, 0.5);
    }
    let small = shrink(image);
    let map = Map::of(&small);
    map.densest_place()
}

/// The largest rectangle of `target_ratio` (width over height) in a picture of `size`, with the focus as near to its middle
/// as the picture's edges allow. Sides and corners are even, as chroma subsampling wants, where the picture has two pixels.
pub fn crop_for(size: Size, target_ratio: f64, focus: (f32, f32)) -> Rect {
    let (width, height) = (f64::from(size.width), f64::from(size.height));
    let ratio = if target_ratio.is_finite() && target_ratio > 0.0 { target_ratio } else { size.ratio() };
    let (crop_width, crop_height) =
        if width / height.max(1.0) > ratio { (height * ratio, height) } else { (width, width / ratio) };
    let even = |value: f64, limit: u32| ((value.round() as u32) & !1).clamp(2.min(limit), limit);
    let (crop_width, crop_height) = (even(crop_width, size.width), even(crop_height, size.height));
    let place = |focus: f32, side: u32, crop: u32| {
        let wanted = f64::from(focus) * f64::from(side) - f64::from(crop) / 2.0;
        (wanted.clamp(0.0, f64::from(side - crop)).round() as u32) & !1
    };
    Rect {
        left: place(focus.0, size.width, crop_width),
        top: place(focus.1, size.height, crop_height),
        width: crop_width,
        height: crop_height,
    }
}

fn shrink(image: &RgbImage) -> RgbImage {
    let longest = image.width().max(image.height());
    let side = |length: u32| (length * MEASURED_SIDE / longest).max(2);
    let (width, height) = (side(image.width()), side(image.height()));
    // Every n-th pixel is enough before the last halving: the measure is of areas, and decoded pictures are large.
    let stride = (longest / (MEASURED_SIDE * 4)).max(1);
    let thinned = RgbImage::from_fn(image.width().div_ceil(stride), image.height().div_ceil(stride), |x, y| {
        *image.get_pixel(x * stride, y * stride)
    });
    image::imageops::resize(&thinned, width, height, FilterType::Triangle)
}

/// How much each place of a small picture stands out.
struct Map {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Map {
    fn of(image: &RgbImage) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let colours: Vec<[f32; 3]> = image.pixels().map(|pixel| opponent(pixel.0)).collect();
        let count = colours.len() as f32;
        let mean = [0, 1, 2].map(|channel| colours.iter().map(|c| c[channel]).sum::<f32>() / count);
        let distance = |c: &[f32; 3]| c.iter().zip(mean).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
        let mut rarity = Self { width, height, values: colours.iter().map(distance).collect() };
        let mut edges = Self { width, height, values: edges(&colours, width, height) };
        let skin: Vec<f32> = image.pixels().map(|pixel| skin(pixel.0)).collect();
        rarity.normalise();
        edges.normalise();
        let mut map = Self { width, height, values: vec![0.0; colours.len()] };
        for (index, value) in map.values.iter_mut().enumerate() {
            let (x, y) = ((index % width) as f32 / width as f32 - 0.5, (index / width) as f32 / height as f32 - 0.45);
            let centre = (-(x * x + y * y) * 5.0).exp();
            let salient = rarity.values[index] + 0.8 * edges.values[index] + 0.6 * skin[index];
            *value = salient * (0.35 + 0.65 * centre) + 0.02 * centre;
        }
        map
    }

    /// Scales so that the mean is a quarter and nothing counts for more than one.
    fn normalise(&mut self) {
        let mean = self.values.iter().sum::<f32>() / self.values.len() as f32;
        if mean > 1e-4 {
            self.values.iter_mut().for_each(|value| *value = (*value / (mean * 4.0)).min(1.0));
        } else {
            self.values.fill(0.0);
        }
    }

    /// Mean shift: from the centre of mass of all, to that of what is within an ever smaller circle around the last.
    fn densest_place(&self) -> (f32, f32) {
        let (mut x, mut y) = (0.5, 0.5);
        for radius in [1.0, 0.6, 0.42, 0.32, 0.28, 0.28, 0.28] {
            let (mut sum, mut sum_x, mut sum_y) = (0.0, 0.0, 0.0);
            for (index, value) in self.values.iter().enumerate() {
                let px = ((index % self.width) as f32 + 0.5) / self.width as f32;
                let py = ((index / self.width) as f32 + 0.5) / self.height as f32;
                let distance = ((px - x).powi(2) + (py - y).powi(2)) / (radius * radius);
                let weight = value * value * (-2.0 * distance).exp();
                sum += weight;
                sum_x += weight * px;
                sum_y += weight * py;
            }
            if sum > 0.0 {
                (x, y) = (sum_x / sum, sum_y / sum);
            }
        }
        (x, y)
    }
}

/// Lightness and two opponent colour axes, each about 0 to 1.
fn opponent([r, g, b]: [u8; 3]) -> [f32; 3] {
    let [r, g, b] = [r, g, b].map(|value| f32::from(value) / 255.0);
    [0.2126 * r + 0.7152 * g + 0.0722 * b, (r - g) * 1.2, (0.5 * (r + g) - b) * 0.8]
}

/// Lightness gradient by central differences.
fn edges(colours: &[[f32; 3]], width: usize, height: usize) -> Vec<f32> {
    let at = |x: usize, y: usize| colours[y.min(height - 1) * width + x.min(width - 1)][0];
    (0..colours.len())
        .map(|index| {
            let (x, y) = (index % width, index / width);
            let across = at(x + 1, y) - at(x.saturating_sub(1), y);
            let down = at(x, y + 1) - at(x, y.saturating_sub(1));
            across.hypot(down)
        })
        .collect()
}

/// One where the hue is that of skin of any shade: red over green over blue, in a narrow band of chroma.
fn skin([r, g, b]: [u8; 3]) -> f32 {
    let [r, g, b] = [r, g, b].map(f32::from);
    let sum = r + g + b;
    if sum < 90.0 {
        return 0.0;
    }
    let (red, green) = (r / sum, g / sum);
    let near = ((red - 0.43) / 0.055).powi(2) + ((green - 0.315) / 0.025).powi(2);
    (-0.5 * near).exp()
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn with_spot(size: (u32, u32), at: (u32, u32), colour: [u8; 3]) -> RgbImage {
        RgbImage::from_fn(size.0, size.1, |x, y| {
            let inside = x.abs_diff(at.0).pow(2) + y.abs_diff(at.1).pow(2) < (size.0 / 12).pow(2);
            if inside { Rgb(colour) } else { Rgb([70, 90, 110 + (y * 40 / size.1) as u8]) }
        })
    }

    #[test]
    fn the_focus_finds_a_bright_spot_off_centre() {
        for at in [(200, 150), (650, 200), (600, 420)] {
            let (x, y) = focus(&with_spot((900, 600), at, [240, 190, 150]));
            let (want_x, want_y) = (at.0 as f32 / 900.0, at.1 as f32 / 600.0);
            assert!((x - want_x).abs() < 0.08 && (y - want_y).abs() < 0.08, "{at:?} seen at {x} {y}");
        }
    }

    #[test]
    fn a_flat_or_tiny_picture_is_looked_at_in_the_middle() {
        let (x, y) = focus(&RgbImage::from_pixel(300, 200, Rgb([9, 9, 9])));
        assert!((x - 0.5).abs() < 0.03 && (y - 0.5).abs() < 0.07, "{x} {y}");
        assert_eq!(focus(&RgbImage::from_pixel(1, 1, Rgb([9, 9, 9]))), (0.5, 0.5));
    }

    #[test]
    fn a_crop_is_inside_even_and_of_the_ratio_asked() {
        for (width, height) in [(1920, 1080), (1080, 1920), (641, 479), (20_000, 3), (2, 2)] {
            for focus in [(0.0, 0.0), (0.5, 0.3), (1.0, 1.0)] {
                for ratio in [9.0 / 16.0, 1.0, 16.0 / 9.0] {
                    let rect = crop_for(Size::new(width, height), ratio, focus);
                    assert!(rect.left + rect.width <= width && rect.top + rect.height <= height, "{rect:?}");
                    assert!(
                        rect.width >= 2
                            && rect.height >= 2
                            && rect.left.is_multiple_of(2)
                            && rect.width.is_multiple_of(2)
                    );
                    if width.min(height) > 400 {
                        let got = f64::from(rect.width) / f64::from(rect.height);
                        assert!((got / ratio - 1.0).abs() < 0.01, "{rect:?} for {ratio}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_crop_keeps_the_focus_in_its_middle_where_there_is_room() {
        let rect = crop_for(Size::new(1920, 1080), 9.0 / 16.0, (0.7, 0.5));
        assert!((f64::from(rect.left) + f64::from(rect.width) / 2.0 - 1344.0).abs() <= 2.0, "{rect:?}");
    }
}
