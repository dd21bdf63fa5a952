//! FFmpeg and ffprobe as child processes, and the pure functions around them: audio, captions, cards, motion.
//!
//! Nothing here knows what a script or a dub is: the contexts plan, this crate draws, mixes, measures and encodes.

mod error;
pub mod fonts;
mod frame;
pub mod speech_text;

pub use error::MediaError;
pub use frame::{Frame, FrameSource, Size};
