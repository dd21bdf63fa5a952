//! Between RGB pictures and BT.709 limited-range YUV 4:2:0, and the sub-pixel sampler of planes.
//!
//! The matrix is that of ITU-R BT.709-6 section 3 (Kr 0.2126, Kb 0.0722) in 16.16 fixed point; a chroma sample is the mean
//! of its four pixels.

use image::RgbImage;

use crate::{Frame, Size};

/// One channel of a picture, rows without padding.
#[derive(Debug, Clone)]
pub(crate) struct Plane {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) data: Vec<u8>,
}

/// A picture as Y, U and V planes; U and V have half of its (even) sides.
#[derive(Debug, Clone)]
pub(crate) struct Planes {
    pub(crate) y: Plane,
    pub(crate) u: Plane,
    pub(crate) v: Plane,
}

/// A rectangle to look at, in fractions of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct View {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl View {
    /// A part of what this one shows.
    pub(crate) fn part(self, portion: Self) -> Self {
        Self {
            left: self.left + self.width * portion.left,
            top: self.top + self.height * portion.top,
            width: self.width * portion.width,
            height: self.height * portion.height,
        }
    }
}

/// Luma of a colour, 16 to 235.
pub(crate) fn luma(rgb: [u8; 3]) -> u8 {
    let [r, g, b] = rgb.map(i32::from);
    // 65536 * 219 / 255 * (0.2126, 0.7152, 0.0722), rounded so that white is exactly 235.
    ((11966 * r + 40254 * g + 4064 * b + (16 << 16) + (1 << 15)) >> 16) as u8
}

/// U and V of a colour given as sums of `1 << shift` samples, each 16 to 240.
fn chroma(sum: [i32; 3], shift: u32) -> (u8, u8) {
    let [red, green, blue] = sum.map(i64::from);
    let scale = 16 + shift;
    let round = (128_i64 << scale) + (1 << (scale - 1));
    // 65536 * 224 / 255 * (-0.2126, -0.7152, 0.9278) / 1.8556 and (0.7874, -0.7152, -0.0722) / 1.5748.
    let u = (-6596 * red - 22189 * green + 28785 * blue + round) >> scale;
    let v = (28785 * red - 26145 * green - 2640 * blue + round) >> scale;
    (u.clamp(16, 240) as u8, v.clamp(16, 240) as u8)
}

/// U and V of one colour.
pub(crate) fn chroma_of(rgb: [u8; 3]) -> (u8, u8) {
    chroma(rgb.map(i32::from), 0)
}

impl Planes {
    /// Converts a picture; an odd last row or column is repeated.
    pub(crate) fn from_rgb(image: &RgbImage) -> Self {
        let (source_width, source_height) = (image.width().max(1) as usize, image.height().max(1) as usize);
        let (width, height) = (source_width.next_multiple_of(2), source_height.next_multiple_of(2));
        let mut planes = Self::grey(width, height);
        let pixels = image.as_raw();
        let at = |x: usize, y: usize| {
            let start = (y.min(source_height - 1) * source_width + x.min(source_width - 1)) * 3;
            match pixels.get(start..start + 3) {
                Some(&[r, g, b]) => [r, g, b],
                _ => [0, 0, 0],
            }
        };
        for row in 0..height / 2 {
            for column in 0..width / 2 {
                let mut sum = [0; 3];
                for (x, y) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                    let (x, y) = (column * 2 + x, row * 2 + y);
                    let rgb = at(x, y);
                    planes.y.data[y * width + x] = luma(rgb);
                    for (total, value) in sum.iter_mut().zip(rgb) {
                        *total += i32::from(value);
                    }
                }
                let (u, v) = chroma(sum, 2);
                planes.u.data[row * (width / 2) + column] = u;
                planes.v.data[row * (width / 2) + column] = v;
            }
        }
        planes
    }

    fn grey(width: usize, height: usize) -> Self {
        let plane = |width: usize, height: usize| Plane { width, height, data: vec![128; width * height] };
        Self { y: plane(width, height), u: plane(width / 2, height / 2), v: plane(width / 2, height / 2) }
    }
}

/// The frame as a picture, for previews and tests.
pub fn frame_to_rgb(frame: &Frame) -> RgbImage {
    let width = frame.size().width;
    let (y, u, v) = frame.planes();
    RgbImage::from_fn(width, frame.size().height, |column, row| {
        let chroma_at = (row / 2 * (width / 2) + column / 2) as usize;
        let scaled = (i32::from(y[(row * width + column) as usize]) - 16) * 76309;
        let (u, v) = (i32::from(u[chroma_at]) - 128, i32::from(v[chroma_at]) - 128);
        // 65536 * 255 / 224 * (1.5748, 0.1873, 0.4681, 1.8556), the inverse of the matrix above.
        let channel = |value: i32| ((value + (1 << 15)) >> 16).clamp(0, 255) as u8;
        image::Rgb([
            channel(scaled + 117_489 * v),
            channel(scaled - 13_975 * u - 34_925 * v),
            channel(scaled + 138_438 * u),
        ])
    })
}

/// The picture as a frame; odd sides grow by a repeated row or column.
pub fn rgb_to_frame(image: &RgbImage) -> Frame {
    let mut frame = Frame::black(Size::new(image.width().max(2), image.height().max(2)));
    let planes = Planes::from_rgb(image);
    let (y, u, v) = frame.planes_mut();
    for (target, plane) in [(y, &planes.y), (u, &planes.u), (v, &planes.v)] {
        if target.len() == plane.data.len() {
            target.copy_from_slice(&plane.data);
        }
    }
    frame
}

/// Samples planes at sub-pixel places: rows are blended two by two, then columns, each with its weight found once.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    row: Vec<u16>,
    columns: Vec<(u32, u32)>,
}

impl Sampler {
    /// Stretches what the view shows of a plane over the shape, from the first sample of `target` on.
    pub(crate) fn fill(&mut self, source: &Plane, view: View, target: &mut [u8], shape: Shape) {
        if shape.width == 0 || shape.height == 0 {
            return;
        }
        self.weigh_columns(source, view, shape.width);
        let step = view.height * source.height as f64 / shape.height as f64;
        let first = view.top * source.height as f64 + step / 2.0 - 0.5;
        for (index, row) in target.chunks_mut(shape.stride).take(shape.height).enumerate() {
            let (top, weight) = split(first + step * index as f64, source.height);
            self.blend_rows(source, top, weight);
            for (value, &(column, weight)) in row.iter_mut().zip(&self.columns) {
                let column = column as usize;
                if let Some(&[a, b]) = self.row.get(column..column + 2) {
                    *value = ((u32::from(a) * (256 - weight) + u32::from(b) * weight + (1 << 14)) >> 15) as u8;
                }
            }
        }
    }

    fn weigh_columns(&mut self, source: &Plane, view: View, width: usize) {
        let step = view.width * source.width as f64 / width as f64;
        let first = view.left * source.width as f64 + step / 2.0 - 0.5;
        self.columns.clear();
        self.columns.extend((0..width).map(|index| {
            let (column, weight) = split(first + step * index as f64, source.width);
            (column as u32, weight)
        }));
    }

    /// Blends a row with the next in 15 bits; the last sample is there twice, so that a column always has a neighbour.
    fn blend_rows(&mut self, source: &Plane, top: usize, weight: u32) {
        let lower = (weight / 2) as u16;
        let upper = 128 - lower;
        let next = (top + 1).min(source.height - 1);
        let above = &source.data[top * source.width..(top + 1) * source.width];
        let below = &source.data[next * source.width..(next + 1) * source.width];
        self.row.resize(source.width + 1, 0);
        for ((value, &a), &b) in self.row.iter_mut().zip(above).zip(below) {
            *value = u16::from(a) * upper + u16::from(b) * lower;
        }
        self.row[source.width] = self.row[source.width - 1];
    }
}

/// The rows and columns a sampler fills.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Samples from a row to the next in the target.
    pub(crate) stride: usize,
}

/// A place as the sample before it and the weight of the one after, of 256.
fn split(place: f64, length: usize) -> (usize, u32) {
    let fixed = (place.clamp(0.0, length as f64 - 1.0) * 256.0).round() as u64;
    let index = (fixed >> 8) as usize;
    (index.min(length - 1), (fixed & 255) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn black_white_and_primaries_have_the_codes_of_the_standard() {
        assert_eq!((luma([0, 0, 0]), chroma_of([0, 0, 0])), (16, (128, 128)));
        assert_eq!((luma([255, 255, 255]), chroma_of([255, 255, 255])), (235, (128, 128)));
        assert_eq!((luma([255, 0, 0]), chroma_of([255, 0, 0])), (63, (102, 240)));
        assert_eq!((luma([0, 0, 255]), chroma_of([0, 0, 255])), (32, (240, 118)));
    }

    #[test]
    fn a_flat_picture_survives_the_way_to_yuv_and_back() {
        for colour in [[12, 200, 90], [250, 128, 3], [77, 77, 77], [255, 255, 255]] {
            let back = frame_to_rgb(&rgb_to_frame(&RgbImage::from_pixel(6, 4, image::Rgb(colour))));
            for (got, want) in back.get_pixel(3, 2).0.iter().zip(colour) {
                assert!(got.abs_diff(want) <= 2, "{colour:?} came back as {:?}", back.get_pixel(3, 2));
            }
        }
    }

    #[test]
    fn an_odd_picture_becomes_an_even_frame() {
        let frame = rgb_to_frame(&RgbImage::from_pixel(5, 3, image::Rgb([255, 255, 255])));
        assert_eq!(frame.size(), Size::new(6, 4));
        assert!(frame.planes().0.iter().all(|&luma| luma == 235));
    }

    #[test]
    fn sampling_a_ramp_gives_values_between_its_steps() {
        let plane = Plane { width: 8, height: 2, data: (0..16).map(|i| (i % 8 * 20) as u8).collect() };
        let mut target = [0; 16];
        let view = View { left: 0.0, top: 0.0, width: 1.0, height: 1.0 };
        Sampler::default().fill(&plane, view, &mut target, Shape { width: 16, height: 1, stride: 16 });
        assert_eq!(&target[..6], &[0, 5, 15, 25, 35, 45]);
    }
}
