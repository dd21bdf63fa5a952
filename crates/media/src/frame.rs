//! Pictures that Pressroom computes itself, in the format the encoder takes.

use serde::{Deserialize, Serialize};

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

impl Size {
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Width over height.
    pub fn ratio(self) -> f64 {
        f64::from(self.width) / f64::from(self.height.max(1))
    }
}

/// A picture in planar YUV 4:2:0, 8 bits, limited range, BT.709 (ITU-R BT.709-6 section 3): all of Y, then U, then V,
/// rows without padding. Width and height are even.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    size: Size,
    data: Vec<u8>,
}

impl Frame {
    /// A black frame. Odd sizes are rounded up to even.
    pub fn black(size: Size) -> Self {
        let size = Size::new(size.width.next_multiple_of(2), size.height.next_multiple_of(2));
        let luma = size.width as usize * size.height as usize;
        let mut data = vec![16; luma];
        data.resize(luma + luma / 2, 128);
        Self { size, data }
    }

    pub fn size(&self) -> Size {
        self.size
    }

    /// The bytes as FFmpeg's `rawvideo` with `yuv420p` reads them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.data
    }

    /// Luma, U and V, each to be written.
    pub fn planes_mut(&mut self) -> (&mut [u8], &mut [u8], &mut [u8]) {
        let luma = self.size.width as usize * self.size.height as usize;
        let (y, chroma) = self.data.split_at_mut(luma);
        let (u, v) = chroma.split_at_mut(luma / 4);
        (y, u, v)
    }

    /// Luma, U and V.
    pub fn planes(&self) -> (&[u8], &[u8], &[u8]) {
        let luma = self.size.width as usize * self.size.height as usize;
        let (y, chroma) = self.data.split_at(luma);
        let (u, v) = chroma.split_at(luma / 4);
        (y, u, v)
    }
}

/// How long a picture shows, and how fast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// Frames that will be asked for.
    pub total_frames: u32,
    /// Frames a second.
    pub fps: f64,
}

impl Timing {
    /// Seconds it shows.
    pub fn seconds(self) -> f64 {
        f64::from(self.total_frames) / self.fps.max(1.0)
    }
}

/// Something that can draw any frame of itself: a moving still, an animated card.
pub trait FrameSource: Send {
    /// The size of every frame.
    fn size(&self) -> Size;

    /// Draws frame `index`, counted from the moment the picture first shows. The same index gives the same bytes,
    /// whichever frames were drawn before.
    fn draw(&mut self, index: u32, frame: &mut Frame);
}
