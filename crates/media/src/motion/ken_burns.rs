//! A still as a moving picture: a slow zoom or pan that starts or ends at the focus.

use std::sync::Arc;

use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer, images};
use image::RgbImage;

use super::{
    camera::{Look, Path},
    focus::{Rect, focus},
};
use crate::{
    Frame, FrameSource, MediaError, Size, Still, Timing,
    yuv::{Planes, Sampler, Shape, View},
};

/// A crop that leaves less of the picture than this shows the whole of it before a blurred copy instead.
const LEAST_KEPT: f64 = 0.45;
/// Samples of the stored picture per pixel of the frame at the nearest look: with one, a bilinear sample would be sharp on
/// the grid and soft between, and the picture would shimmer as it moves.
const SUPERSAMPLING: f64 = 1.2;
/// Nearness gained per second of zoom, and its bounds over a scene.
const ZOOM_PER_SECOND: f64 = 0.022;
const ZOOM: std::ops::RangeInclusive<f64> = 0.07..=0.2;
/// The blurred copy is kept this many times smaller than the frame.
const BLUR_SHRINK: u32 = 10;
/// What the blurred copy keeps of its light.
const BLUR_LIGHT: f64 = 0.5;

/// A moving still. Draws any of its frames on demand.
#[derive(Debug)]
pub struct KenBurns {
    size: Size,
    last: f64,
    layers: Vec<Moving>,
    sampler: Sampler,
}

/// A picture with its camera, shown on a part of the frame.
#[derive(Debug, Clone)]
struct Moving {
    planes: Arc<Planes>,
    path: Path,
    window: Window,
    /// The part of the look that the window shows.
    portion: View,
}

/// Pixels of the frame, all even.
#[derive(Debug, Clone, Copy)]
struct Window {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

/// What the camera does; `zoom` is how much nearer the nearest look is.
#[derive(Debug, Clone, Copy)]
enum Move {
    Nearer { zoom: f64 },
    Back { zoom: f64 },
    ToFocus { zoom: f64 },
    FromFocus { zoom: f64 },
}

const WHOLE: View = View { left: 0.0, top: 0.0, width: 1.0, height: 1.0 };

impl KenBurns {
    /// A still that moves for as long as `timing` says, in frames of `size`. The seed chooses between coming nearer,
    /// drawing back and panning.
    ///
    /// # Errors
    /// [`MediaError::Invalid`] when the size is too small or the picture cannot be scaled to it.
    pub fn new(still: &Still, size: Size, timing: Timing, seed: u64) -> Result<Self, MediaError> {
        if size.width < 2 || size.height < 2 {
            return Err(MediaError::Invalid(format!("a frame of {} × {} is too small", size.width, size.height)));
        }
        let size = Frame::black(size).size();
        let place = focus(still.image());
        let zoom = (ZOOM_PER_SECOND * timing.seconds()).clamp(*ZOOM.start(), *ZOOM.end());
        let movement = Move::of(seed, zoom);
        let widest = widest(still.size(), size);
        let layers = if widest.0 * widest.1 >= LEAST_KEPT {
            vec![Moving::sharp(still.image(), movement.path(widest, place), Window::whole(size))?]
        } else {
            blurred_fill(still.image(), size, place, movement)?
        };
        Ok(Self { size, last: f64::from(timing.total_frames.max(2) - 1), layers, sampler: Sampler::default() })
    }
}

/// The still no larger than its motion in `frame` shows of it at the nearest look, whatever its timing; a smaller one as it
/// is.
pub fn reduce_for(still: Still, frame: Size) -> Result<Still, MediaError> {
    let picture = still.size();
    let cover = f64::max(
        f64::from(frame.width) / f64::from(picture.width),
        f64::from(frame.height) / f64::from(picture.height),
    );
    let factor = cover * SUPERSAMPLING * (1.0 + ZOOM.end());
    if factor >= 1.0 {
        return Ok(still);
    }
    let side = |pixels: u32| ((f64::from(pixels) * factor).round() as u32).max(1);
    Still::new(scale(still.image(), WHOLE, Size::new(side(picture.width), side(picture.height)))?)
}

impl FrameSource for KenBurns {
    fn size(&self) -> Size {
        self.size
    }

    fn draw(&mut self, index: u32, frame: &mut Frame) {
        let progress = f64::from(index) / self.last;
        let width = self.size.width as usize;
        let (y, u, v) = frame.planes_mut();
        for Moving { planes, path, window, portion } in &self.layers {
            let view = path.at(progress).part(*portion);
            for (target, plane, shrink) in [(&mut *y, &planes.y, 1), (&mut *u, &planes.u, 2), (&mut *v, &planes.v, 2)] {
                let stride = width / shrink;
                let shape = Shape { width: window.width / shrink, height: window.height / shrink, stride };
                let start = window.top / shrink * stride + window.left / shrink;
                self.sampler.fill(plane, view, &mut target[start..], shape);
            }
        }
    }
}

impl Move {
    fn of(seed: u64, zoom: f64) -> Self {
        match seed % 4 {
            0 => Self::Nearer { zoom },
            1 => Self::Back { zoom },
            2 => Self::ToFocus { zoom },
            _ => Self::FromFocus { zoom },
        }
    }

    /// The other way, for what lies behind.
    fn reversed(self) -> Self {
        match self {
            Self::Nearer { zoom } | Self::ToFocus { zoom } => Self::Back { zoom },
            Self::Back { zoom } | Self::FromFocus { zoom } => Self::Nearer { zoom },
        }
    }

    fn path(self, widest: (f64, f64), place: (f32, f32)) -> Path {
        let focus = (f64::from(place.0), f64::from(place.1));
        match self {
            Self::Nearer { zoom } => Path { from: wide(widest, focus), to: near(widest, focus, zoom), widest },
            Self::Back { zoom } => Path { from: near(widest, focus, zoom), to: wide(widest, focus), widest },
            Self::ToFocus { zoom } => Path { from: aside(widest, focus, zoom), to: near(widest, focus, zoom), widest },
            Self::FromFocus { zoom } => {
                Path { from: near(widest, focus, zoom), to: aside(widest, focus, zoom), widest }
            }
        }
    }
}

fn wide(widest: (f64, f64), focus: (f64, f64)) -> Look {
    look(widest, focus, 1.0)
}

fn near(widest: (f64, f64), focus: (f64, f64), zoom: f64) -> Look {
    look(widest, focus, 1.0 / (1.0 + zoom))
}

/// Beside the focus, on the side with more room, and a little wider than [`near`].
fn aside(widest: (f64, f64), focus: (f64, f64), zoom: f64) -> Look {
    let target = near(widest, focus, zoom);
    let scale = 1.0 / (1.0 + zoom * 0.6);
    let step = zoom * 0.9;
    let away = |middle: f64, side: f64| if middle > 0.5 { middle - step * side } else { middle + step * side };
    let (room_x, room_y) = (1.0 - widest.0 * scale, 1.0 - widest.1 * scale);
    let from =
        if room_x >= room_y { (away(target.x, widest.0), target.y) } else { (target.x, away(target.y, widest.1)) };
    look(widest, from, scale)
}

/// A look at a place, moved so that it stays on the picture.
fn look(widest: (f64, f64), place: (f64, f64), scale: f64) -> Look {
    let inside = |middle: f64, side: f64| middle.clamp(side * scale / 2.0, 1.0 - side * scale / 2.0);
    Look { x: inside(place.0, widest.0), y: inside(place.1, widest.1), scale }
}

/// Sides of the largest part of a picture that has the shape of the frame, in fractions of the picture.
fn widest(picture: Size, frame: Size) -> (f64, f64) {
    let share = frame.ratio() / picture.ratio();
    if share < 1.0 { (share, 1.0) } else { (1.0, 1.0 / share) }
}

/// The whole picture, moving gently, before a blurred and darkened copy that covers the frame.
fn blurred_fill(picture: &RgbImage, size: Size, place: (f32, f32), movement: Move) -> Result<Vec<Moving>, MediaError> {
    let front = Window::fitting(Size::new(picture.width(), picture.height()), size);
    let behind = movement.reversed().path(widest(Size::new(picture.width(), picture.height()), size), place);
    let back = Moving::blurred(picture, behind, size)?;
    let mut layers = Vec::new();
    for window in front.around(size) {
        layers.push(Moving { window, portion: window.portion(size), ..back.clone() });
    }
    let gentle = match movement {
        Move::Nearer { zoom } | Move::ToFocus { zoom } => Move::Nearer { zoom: zoom * 0.6 },
        Move::Back { zoom } | Move::FromFocus { zoom } => Move::Back { zoom: zoom * 0.6 },
    };
    layers.push(Moving::sharp(picture, gentle.path((1.0, 1.0), place), front)?);
    Ok(layers)
}

impl Moving {
    /// The part of a picture its path sees, scaled once to what the nearest look needs.
    fn sharp(picture: &RgbImage, path: Path, window: Window) -> Result<Self, MediaError> {
        let bounds = path.bounds();
        let nearest = path.from.scale.min(path.to.scale);
        let side = |pixels: usize, seen: f64, widest: f64| {
            (pixels as f64 * SUPERSAMPLING * seen / (widest * nearest)).ceil() as u32
        };
        let width = side(window.width, bounds.width, path.widest.0);
        let height = side(window.height, bounds.height, path.widest.1);
        let scaled = scale(picture, bounds, Size::new(width, height))?;
        let planes = Arc::new(Planes::from_rgb(&scaled));
        Ok(Self { planes, path: path.within(bounds), window, portion: WHOLE })
    }

    /// A small, soft, dark copy of what a path sees.
    fn blurred(picture: &RgbImage, path: Path, size: Size) -> Result<Self, MediaError> {
        let bounds = path.bounds();
        let small = Size::new((size.width / BLUR_SHRINK).max(8), (size.height / BLUR_SHRINK).max(8));
        let scaled = scale(picture, bounds, small)?;
        let mut soft = image::imageops::fast_blur(&scaled, small.width.min(small.height) as f32 / 18.0);
        soft.pixels_mut().flat_map(|pixel| pixel.0.iter_mut()).for_each(|value| {
            *value = (f64::from(*value) * BLUR_LIGHT) as u8;
        });
        let planes = Arc::new(Planes::from_rgb(&soft));
        Ok(Self { planes, path: path.within(bounds), window: Window::whole(size), portion: WHOLE })
    }
}

impl Window {
    fn whole(size: Size) -> Self {
        Self { left: 0, top: 0, width: size.width as usize, height: size.height as usize }
    }

    /// The largest window of a picture's shape, in the middle or, where there is room above, a little higher.
    fn fitting(picture: Size, frame: Size) -> Self {
        let scale = (f64::from(frame.width) / f64::from(picture.width))
            .min(f64::from(frame.height) / f64::from(picture.height));
        let even = |side: u32, limit: u32| ((f64::from(side) * scale).round() as usize & !1).clamp(2, limit as usize);
        let (width, height) = (even(picture.width, frame.width), even(picture.height, frame.height));
        let (spare_x, spare_y) = (frame.width as usize - width, frame.height as usize - height);
        Self { left: (spare_x / 2) & !1, top: (spare_y * 9 / 20) & !1, width, height }
    }

    /// What is left of the frame on both sides, or above and below.
    fn around(self, frame: Size) -> [Self; 2] {
        let whole = Self::whole(frame);
        if self.width < whole.width {
            let right = self.left + self.width;
            [Self { width: self.left, ..whole }, Self { left: right, width: whole.width - right, ..whole }]
        } else {
            let bottom = self.top + self.height;
            [Self { height: self.top, ..whole }, Self { top: bottom, height: whole.height - bottom, ..whole }]
        }
    }

    fn portion(self, frame: Size) -> View {
        let (width, height) = (f64::from(frame.width), f64::from(frame.height));
        View {
            left: self.left as f64 / width,
            top: self.top as f64 / height,
            width: self.width as f64 / width,
            height: self.height as f64 / height,
        }
    }
}

/// A rectangle of a picture, in a new size.
pub(crate) fn scaled_crop(picture: &RgbImage, crop: Rect, size: Size) -> Result<RgbImage, MediaError> {
    let (width, height) = (f64::from(picture.width().max(1)), f64::from(picture.height().max(1)));
    let view = View {
        left: f64::from(crop.left) / width,
        top: f64::from(crop.top) / height,
        width: f64::from(crop.width) / width,
        height: f64::from(crop.height) / height,
    };
    scale(picture, view, size)
}

/// The part of a picture in `view`, in a new size.
fn scale(picture: &RgbImage, view: View, size: Size) -> Result<RgbImage, MediaError> {
    let failed = |what: &dyn std::fmt::Display| {
        let (width, height) = picture.dimensions();
        MediaError::Invalid(format!(
            "a picture of {width} × {height} pixels cannot be scaled to {} × {} ({what})",
            size.width, size.height
        ))
    };
    let (width, height) = (f64::from(picture.width()), f64::from(picture.height()));
    let source = images::ImageRef::new(picture.width(), picture.height(), picture.as_raw(), PixelType::U8x3)
        .map_err(|error| failed(&error))?;
    let mut target = images::Image::new(size.width, size.height, PixelType::U8x3);
    let (left, top) = ((view.left * width).clamp(0.0, width), (view.top * height).clamp(0.0, height));
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3)).crop(
        left,
        top,
        (view.width * width).min(width - left),
        (view.height * height).min(height - top),
    );
    Resizer::new().resize(&source, &mut target, &options).map_err(|error| failed(&error))?;
    RgbImage::from_raw(size.width, size.height, target.into_vec()).ok_or_else(|| failed(&"wrong length"))
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    const TIMING: Timing = Timing { total_frames: 150, fps: 30.0 };

    /// Soft, irregular waves: every movement changes it, none changes it abruptly.
    fn waves(width: u32, height: u32) -> Still {
        Still::new(RgbImage::from_fn(width, height, |x, y| {
            let (x, y) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(width));
            let value = (x * 31.0).sin() * 40.0 + (y * 23.0 + x * 5.0).sin() * 40.0 + 128.0;
            Rgb([value as u8, (value * 0.8) as u8, (255.0 - value) as u8])
        }))
        .unwrap()
    }

    fn drawn(source: &mut KenBurns, index: u32) -> Frame {
        let mut frame = Frame::black(source.size());
        source.draw(index, &mut frame);
        frame
    }

    fn difference(a: &Frame, b: &Frame) -> f64 {
        let sum: u64 = a.as_bytes().iter().zip(b.as_bytes()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / a.as_bytes().len() as f64
    }

    #[test]
    fn the_camera_never_jerks_nor_leaves_the_picture() {
        let frame = Size::new(1080, 1920);
        for picture in [Size::new(1000, 1000), Size::new(3000, 4000), Size::new(1080, 1920)] {
            for seed in 0..4 {
                for place in [(0.5, 0.5), (0.1, 0.9), (0.95, 0.2)] {
                    let path = Move::of(seed, 0.12).path(widest(picture, frame), place);
                    let views: Vec<View> = (0..150).map(|index| path.at(f64::from(index) / 149.0)).collect();
                    for view in &views {
                        assert!(view.left >= -1e-9 && view.left + view.width <= 1.0 + 1e-9, "{view:?}");
                        assert!(view.top >= -1e-9 && view.top + view.height <= 1.0 + 1e-9, "{view:?}");
                    }
                    for triple in views.windows(3) {
                        let second = |f: fn(&View) -> f64| f(&triple[0]) - 2.0 * f(&triple[1]) + f(&triple[2]);
                        // Where a corner of the picture shows in the frame, in pixels of the frame.
                        let corner = second(|v| v.left / v.width) * 1080.0;
                        assert!(corner.abs() < 0.05, "an acceleration of {corner} pixels a frame");
                    }
                }
            }
        }
    }

    #[test]
    fn frames_change_by_amounts_that_vary_smoothly() {
        for (still, seed) in [(waves(900, 1400), 0), (waves(900, 1400), 2), (waves(1600, 900), 1)] {
            let mut source = KenBurns::new(&still, Size::new(270, 480), TIMING, seed).unwrap();
            let frames: Vec<Frame> = (0..60).map(|index| drawn(&mut source, index)).collect();
            let steps: Vec<f64> = frames.windows(2).map(|pair| difference(&pair[0], &pair[1])).collect();
            for pair in steps.windows(2) {
                assert!(pair[0] > 0.008, "the picture stands still: {pair:?}");
                assert!((pair[1] / pair[0] - 1.0).abs() < 0.25, "a jump between frames: {pair:?}");
            }
        }
    }

    #[test]
    fn the_same_index_gives_the_same_bytes_whatever_was_drawn_before() {
        let mut source = KenBurns::new(&waves(500, 700), Size::new(108, 192), TIMING, 3).unwrap();
        let first = drawn(&mut source, 40);
        drawn(&mut source, 149);
        assert_eq!(drawn(&mut source, 40), first);
        assert_ne!(drawn(&mut source, 41), first);
    }

    #[test]
    fn a_landscape_still_fills_a_portrait_frame_without_black() {
        let bright = Still::new(RgbImage::from_pixel(1600, 900, Rgb([230, 220, 210]))).unwrap();
        let mut source = KenBurns::new(&bright, Size::new(108, 192), TIMING, 0).unwrap();
        for index in [0, 75, 149, 400] {
            let frame = drawn(&mut source, index);
            assert!(frame.planes().0.iter().all(|&luma| luma > 60), "black in frame {index}");
        }
    }

    #[test]
    fn extreme_shapes_are_shown_too() {
        for (width, height) in [(1, 1), (4000, 2), (2, 4000), (3, 5)] {
            let still = Still::new(RgbImage::from_pixel(width, height, Rgb([200, 60, 60]))).unwrap();
            for seed in 0..4 {
                let mut source = KenBurns::new(&still, Size::new(108, 192), TIMING, seed).unwrap();
                let frame = drawn(&mut source, 10);
                assert!(frame.planes().2.iter().all(|&v| v > 130), "{width} × {height} is not all red");
            }
        }
    }

    #[test]
    fn a_full_frame_costs_a_few_milliseconds() {
        let mut source = KenBurns::new(&waves(2000, 3000), Size::new(1080, 1920), TIMING, 0).unwrap();
        let mut frame = Frame::black(source.size());
        // The fastest of many frames: others may be working on the machine.
        let each = (0..30)
            .map(|index| {
                let started = std::time::Instant::now();
                source.draw(index, &mut frame);
                started.elapsed().as_secs_f64() * 1000.0
            })
            .fold(f64::INFINITY, f64::min);
        println!("{each:.2} ms a frame");
        assert!(each < 40.0, "{each} ms a frame, on a machine however busy");
    }
}
