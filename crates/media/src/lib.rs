//! FFmpeg and ffprobe as child processes, and the pure functions around them: audio, captions, cards, motion.
//!
//! Nothing here knows what a script or a dub is: the contexts plan, this crate draws, mixes, measures and encodes.

pub mod assemble;
pub mod audio;
pub mod burn;
pub mod captions;
pub mod cards;
pub mod check;
pub mod content;
pub mod encoder;
mod error;
pub mod ffmpeg;
pub mod fonts;
mod frame;
mod frame_rate;
pub mod motion;
mod partial;
pub mod probe;
pub mod process;
pub mod remux;
pub mod segment;
pub mod source;
pub mod speakers;
pub mod speech;
pub mod speech_text;
pub mod still;
pub mod thumbnails;
mod yuv;

pub use error::MediaError;
pub use ffmpeg::Ffmpeg;
pub use frame::{Frame, FrameSource, Size, Timing};
pub use frame_rate::FrameRate;
pub use probe::MediaInfo;
pub use still::{Still, StillLimits, load_still};
pub use yuv::{frame_to_rgb, rgb_to_frame};
