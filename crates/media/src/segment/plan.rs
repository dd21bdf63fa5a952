//! What a segment shows.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::encoder::Encoder;
use crate::motion::Rect;
use crate::{FrameRate, FrameSource, MediaError, MediaInfo, Size};

/// Everything that decides a segment's bytes.
#[derive(Debug)]
pub struct SegmentPlan {
    /// Of the result; even.
    pub size: Size,
    pub fps: FrameRate,
    pub frames: u32,
    pub picture: Visual,
    /// How the picture ends: not at all, or giving way to the next.
    pub transition: Option<Transition>,
    /// An ASS file whose times start with the segment.
    pub captions: Option<PathBuf>,
    pub overlay: Option<Watermark>,
    /// For clips; what Pressroom draws needs none of it.
    pub enhance: Enhance,
    pub encoder: Encoder,
    /// Threads of the encoder. One each for as many segments as there are cores is the cheapest.
    pub threads: u32,
    /// An `.mp4` in a folder that exists.
    pub output: PathBuf,
}

/// What the last frames of a segment give way to. It is part of the segment that shows the first picture to its end, so
/// that a clip is opened and decoded once for both.
#[derive(Debug)]
pub struct Transition {
    pub to: Visual,
    pub kind: TransitionKind,
    /// Of the segment's frames, the last ones.
    pub frames: u32,
}

/// Something that moves.
pub enum Visual {
    /// Part of a video file.
    Clip {
        path: PathBuf,
        info: MediaInfo,
        /// Where in the file the segment begins; the nearest frame is taken.
        start_ms: u64,
        framing: Framing,
        /// Seconds of the file for each second of the result, 0.1 to 10.
        speed: f64,
    },
    /// Drawn by Pressroom.
    Drawn {
        source: Box<dyn FrameSource>,
        /// The index of the frame the segment begins with.
        first_frame: u32,
    },
}

/// How a clip of another shape fills the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// This part of the picture as it is shown, scaled to the whole frame.
    Crop(Rect),
    /// The whole picture over a blurred, darkened copy of itself.
    Blur,
    /// The whole picture over one colour: red, green, blue.
    Fit { background: [u8; 3] },
}

/// How one scene gives way to the next. In all of them both scenes go on moving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransitionKind {
    Fade,
    SlideLeft,
    SlideRight,
    SlideUp,
    SlideDown,
    WipeLeft,
    WipeRight,
    WipeUp,
    WipeDown,
    ZoomIn,
    CircleOpen,
    CircleClose,
}

/// A picture laid over the whole segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watermark {
    /// A still picture with or without transparency.
    pub path: PathBuf,
    pub corner: Corner,
    /// 0 to 1.
    pub opacity: f32,
    /// Its width over the frame's, 0.02 to 1.
    pub width_fraction: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corner {
    TopLeft,
    TopRight,
    BottomLeft,
    BottomRight,
}

/// How clips are decoded, and what is mended in them before they are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Enhance {
    pub decoding: Decoding,
    pub denoise: Denoise,
    /// Smooths the block edges of strong compression.
    pub deblock: bool,
    pub upscale: Upscale,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decoding {
    #[default]
    Whole,
    /// Only pictures that are predicted from earlier ones, which are a third to a half of most films, their blocks not smoothed,
    /// and scaled roughly: for drafts, at a quarter of the cost.
    Quick,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denoise {
    #[default]
    Off,
    /// In space and time (`hqdn3d`); costs little.
    Light,
    /// By comparing patches (`nlmeans`); keeps edges, costs more than the encode itself.
    Strong,
}

/// How clips are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Upscale {
    #[default]
    Bicubic,
    /// Sharper where a small clip fills a large frame.
    Lanczos,
}

impl std::fmt::Debug for Visual {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Clip { path, start_ms, framing, speed, .. } => formatter
                .debug_struct("Clip")
                .field("path", path)
                .field("start_ms", start_ms)
                .field("framing", framing)
                .field("speed", speed)
                .finish_non_exhaustive(),
            Self::Drawn { source, first_frame } => {
                formatter.debug_struct("Drawn").field("size", &source.size()).field("first_frame", first_frame).finish()
            }
        }
    }
}

impl TransitionKind {
    /// The name of FFmpeg's `xfade` for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fade => "fade",
            Self::SlideLeft => "slideleft",
            Self::SlideRight => "slideright",
            Self::SlideUp => "slideup",
            Self::SlideDown => "slidedown",
            Self::WipeLeft => "wipeleft",
            Self::WipeRight => "wiperight",
            Self::WipeUp => "wipeup",
            Self::WipeDown => "wipedown",
            Self::ZoomIn => "zoomin",
            Self::CircleOpen => "circleopen",
            Self::CircleClose => "circleclose",
        }
    }
}

impl SegmentPlan {
    /// How many files are decoded for it.
    pub(super) fn clips(&self) -> u32 {
        self.visuals().filter(|visual| matches!(visual, Visual::Clip { .. })).count() as u32
    }

    fn visuals(&self) -> impl Iterator<Item = &Visual> {
        std::iter::once(&self.picture).chain(self.transition.as_ref().map(|transition| &transition.to))
    }

    /// The filters beyond FFmpeg's usual ones that the plan needs.
    pub(super) fn filters(&self) -> Vec<&'static str> {
        let mut filters = Vec::new();
        if self.captions.is_some() {
            filters.push("ass");
        }
        let is_bright = |visual: &&Visual| matches!(visual, Visual::Clip { info, .. } if info.color.high_dynamic_range);
        if self.visuals().any(|visual| is_bright(&visual)) {
            filters.extend(["zscale", "tonemap"]);
        }
        filters
    }

    pub(super) fn validate(&self) -> Result<(), MediaError> {
        let Size { width, height } = self.size;
        let invalid = |reason: String| Err(MediaError::Invalid(reason));
        if width % 2 + height % 2 > 0 || !(16..=8192).contains(&width) || !(16..=8192).contains(&height) {
            return invalid(format!("a video of {width}×{height} cannot be made; use even sides from 16 to 8192"));
        }
        if self.frames == 0 {
            return invalid("a segment of no frames cannot be made; leave it out".to_owned());
        }
        let transition_frames = self.transition.as_ref().map_or(1, |transition| transition.frames);
        if transition_frames == 0 || transition_frames > self.frames {
            let frames = self.frames;
            return invalid(format!("a transition of {transition_frames} frames does not fit a segment of {frames}"));
        }
        for visual in self.visuals() {
            let Visual::Clip { path, info, framing, speed, .. } = visual else { continue };
            if !(0.1..=10.0).contains(speed) {
                return invalid(format!("a speed of {speed} cannot be played; use 0.1 to 10"));
            }
            let Framing::Crop(rect) = framing else { continue };
            let (right, bottom) =
                (u64::from(rect.left) + u64::from(rect.width), u64::from(rect.top) + u64::from(rect.height));
            let inside = right <= u64::from(info.size.width) && bottom <= u64::from(info.size.height);
            if !inside || rect.width < 2 || rect.height < 2 {
                return invalid(format!("the crop {rect:?} is not inside `{}`, {:?}", path.display(), info.size));
            }
        }
        Ok(())
    }
}
