//! The sound of a video, made in process and in blocks: voice, music and the clips' own sound become one programme of
//! the wanted loudness. Memory does not grow with length.
//!
//! [`mix`] does the work of a whole plan, [`mix_dub_part`] that of a new voice in place of another, part by part;
//! [`decode_to_wav`] brings foreign files to the format it reads; [`encode_audio`] writes what a listener takes along,
//! [`play`] plays it here; [`measure`] says how loud a WAV file is.

pub(crate) mod aac;
mod biquad;
mod compressor;
mod denoise;
mod dub;
mod duck;
mod likeness;
mod limiter;
mod loudness;
mod master;
mod mixer;
mod music;
mod pieces;
mod plan;
mod play;
mod programme;
mod resample;
mod spool;
mod stretch;
mod timeline;
mod transcode;
mod voice;
pub mod wav;

use serde::{Deserialize, Serialize};

pub use aac::{SoundFile, encode_aac, encode_dub_part, join_encoded, join_mixed};
pub use dub::{DubClip, DubGain, DubMixPlan, Part, clip_loudness, mix_dub_part, survey_dub_part};
pub use likeness::{Likeness, Products, loudness_within, products};
pub use loudness::{Levels, Measured, measure};
pub use mixer::{MixReport, mix};
pub use pieces::{PIECE_STEP, Piece, join_pieces, read_piece, write_piece};
pub use plan::{ClipSound, Loudness, MixPlan, Music, NoiseReduction, VoiceClip, VoiceTone};
pub use play::play;
pub use stretch::{STRETCH_FACTORS, stretch, stretch_wav};
pub(crate) use transcode::sound_formats;
pub use transcode::{AudioTags, LONGEST_DECODED, check_format, decode_to_wav, encode_audio};

/// Samples a second of everything that is mixed.
pub const SAMPLE_RATE: u32 = 48_000;

/// The longest programme: six hours, which a WAV file's 32-bit lengths still hold.
pub const MAX_SAMPLES: u64 = 6 * 3600 * SAMPLE_RATE as u64;

/// Samples that are worked on at a time: 100 ms.
const BLOCK: usize = 4_800;

/// A part of a sound, in samples at [`SAMPLE_RATE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub start_sample: u64,
    /// The first that is no more part of it.
    pub end_sample: u64,
}

/// The level in LUFS that the voice is brought to inside the mix. Only differences matter until the programme as a
/// whole gets its final gain, so the number is a convention: it leaves 20 dB for peaks.
const REFERENCE_LUFS: f64 = -20.0;

/// Decibels as a factor of amplitude.
fn amplitude(db: f64) -> f32 {
    10.0_f64.powf(db / 20.0) as f32
}
