//! Separation: the voices of a sound, and what is left of it without them.

#[cfg(feature = "testing")]
pub mod conformance;
#[cfg(feature = "testing")]
mod fake;

use std::sync::Arc;

#[cfg(feature = "testing")]
pub use self::fake::FakeSeparator;
use crate::ProviderError;

/// Samples a second of everything that is separated, of each channel.
pub const SAMPLE_RATE: u32 = 44_100;

/// An engine that finds the voices in a sound.
#[async_trait::async_trait]
pub trait Separator: std::fmt::Debug + Send + Sync {
    /// The provider's name, such as `mdx`.
    fn name(&self) -> &str;

    /// Name and version of engine, model and adapter: what one separated is not taken for another's.
    fn version(&self) -> &str;

    /// What this engine takes at a time.
    fn capability(&self) -> Capability;

    /// Says what is missing or wrong, before anything is separated.
    async fn check(&self) -> Result<(), ProviderError>;

    /// Finds the voices in a stretch. Nothing but the stretch decides the result.
    async fn separate(&self, stretch: &Stretch) -> Result<Separated, ProviderError>;
}

/// What an engine takes at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    /// How much of the sound on each side of a stretch the engine needs to hear. Whoever cuts a sound into stretches
    /// gives as much more of it before and after, and leaves out what came of that.
    pub context_frames: usize,
    /// The longest stretch, with what was given more.
    pub max_frames: usize,
}

/// A part of a sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// Left and right at [`SAMPLE_RATE`], full scale ±1.
    pub frames: Arc<[[f32; 2]]>,
}

/// The voices of a stretch.
#[derive(Debug, Clone, PartialEq)]
pub struct Separated {
    /// As many frames as the stretch has, each at its time.
    pub voice: Vec<[f32; 2]>,
}

impl Separated {
    /// What is left of `stretch`, which this is of, without its voices.
    pub fn background(&self, stretch: &Stretch) -> Vec<[f32; 2]> {
        stretch.frames.iter().zip(&self.voice).map(|(sum, voice)| [sum[0] - voice[0], sum[1] - voice[1]]).collect()
    }
}
