//! Diarization: who speaks, told by a voice as numbers that are alike for one speaker.
//!
//! The engine hears the voice of a stretch of speech; which stretches are one speaker's is found out by comparing them.

#[cfg(feature = "testing")]
pub mod conformance;
#[cfg(feature = "testing")]
mod fake;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

#[cfg(feature = "testing")]
pub use self::fake::FakeSpeakerEncoder;
use crate::ProviderError;

/// Samples a second of all speech.
pub const SAMPLE_RATE: u32 = 16_000;

/// An engine that hears whose voice it is.
#[async_trait::async_trait]
pub trait SpeakerEncoder: std::fmt::Debug + Send + Sync {
    /// The provider's name, such as `wespeaker`.
    fn name(&self) -> &str;

    /// Name and version of engine, model and adapter: embeddings of one are not compared with another's.
    fn version(&self) -> &str;

    /// What this engine takes and how its embeddings compare.
    fn capability(&self) -> Capability;

    /// Says what is missing or wrong, before anything is heard.
    async fn check(&self) -> Result<(), ProviderError>;

    /// The voice of a stretch in which one person speaks; none where no voice is heard. A stretch too short to tell is
    /// refused as `Invalid`.
    async fn embed(&self, speech: &Speech) -> Result<Option<Embedding>, ProviderError>;
}

/// What an engine takes and how its embeddings compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capability {
    /// The shortest stretch, in samples.
    pub min_samples: usize,
    /// The longest stretch, in samples.
    pub max_samples: usize,
    /// The likeness from which on two stretches are more likely one speaker's than two speakers'.
    pub same_voice: f32,
}

/// A stretch of one person's speech.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speech {
    /// One channel at [`SAMPLE_RATE`], full scale ±32767.
    pub samples: Arc<[i16]>,
}

/// A voice as a direction: the same direction for the same voice, whatever is said and however loud.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Embedding {
    /// Of length 1.
    direction: Vec<f32>,
}

impl Embedding {
    /// The direction of what a model gave; none where it has no direction.
    pub fn of(numbers: &[f32]) -> Option<Self> {
        let length = numbers.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        if !length.is_finite() || length < 1e-9 {
            return None;
        }
        Some(Self { direction: numbers.iter().map(|&x| (f64::from(x) / length) as f32).collect() })
    }

    /// Its coordinates; the sum of their squares is 1.
    pub fn direction(&self) -> &[f32] {
        &self.direction
    }

    /// The cosine of the angle between two: 1 for the same voice, about 0 for voices with nothing in common.
    pub fn likeness(&self, other: &Self) -> f32 {
        self.direction.iter().zip(&other.direction).map(|(a, b)| a * b).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loudness_is_no_part_of_a_voice_and_nothing_has_none() {
        let voice = Embedding::of(&[3.0, 4.0]).unwrap();
        assert_eq!(voice.direction(), [0.6, 0.8]);
        assert!((voice.likeness(&Embedding::of(&[0.3, 0.4]).unwrap()) - 1.0).abs() < 1e-6);
        assert!(voice.likeness(&Embedding::of(&[-4.0, 3.0]).unwrap()).abs() < 1e-6);
        assert_eq!((Embedding::of(&[]), Embedding::of(&[0.0; 3]), Embedding::of(&[f32::NAN, 1.0])), (None, None, None));
    }
}
