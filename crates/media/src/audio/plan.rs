//! What is to be mixed: plain data, the same plan and the same files giving the same bytes.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{MAX_SAMPLES, SAMPLE_RATE};
use crate::MediaError;

/// The most clips of one sort that may sound at once; each holds a file open.
const MAX_TOGETHER: usize = 16;

/// How far a voice clip may reach beyond the end and be cut, in samples (100 ms): rounding, not lost words.
const OVERRUN: u64 = SAMPLE_RATE as u64 / 10;

/// A programme of sound at [`SAMPLE_RATE`], in stereo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MixPlan {
    /// Length of the result.
    pub duration_samples: u64,
    pub voice: Vec<VoiceClip>,
    #[serde(default)]
    pub voice_tone: VoiceTone,
    #[serde(default)]
    pub noise_reduction: NoiseReduction,
    /// The clips' own sound, and that of intro and outro.
    #[serde(default)]
    pub scene_sound: Vec<ClipSound>,
    #[serde(default)]
    pub music: Option<Music>,
    #[serde(default)]
    pub loudness: Loudness,
}

/// A piece of speech and when it begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VoiceClip {
    /// A WAV file of any usual rate; stereo is mixed to mono.
    pub path: PathBuf,
    /// Where its first sample lies in the programme, at [`SAMPLE_RATE`].
    pub start_sample: u64,
    /// Louder or softer than the other clips.
    #[serde(default)]
    pub gain_db: f32,
}

/// Sound that belongs to a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClipSound {
    /// A WAV file of any usual rate, mono or stereo.
    pub path: PathBuf,
    /// Where in the file to begin, in samples at [`SAMPLE_RATE`].
    #[serde(default)]
    pub skip_samples: u64,
    pub start_sample: u64,
    /// Cut here, or where the file ends; both edges are faded so that they do not click.
    pub duration_samples: u64,
    /// Level relative to the voice: 0 is as loud as speech.
    pub gain_db: f32,
    /// How much softer it becomes while someone speaks, in dB; 0 leaves it.
    #[serde(default)]
    pub duck_db: f32,
}

/// A bed of music under everything, looped or cut to the programme's length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Music {
    /// A WAV file at [`SAMPLE_RATE`], as [`super::decode_to_wav`] makes it.
    pub path: PathBuf,
    /// Level in the pauses of speech relative to the voice, by measured loudness.
    pub gain_db: f32,
    /// How much softer it becomes while someone speaks, in dB.
    pub duck_db: f32,
    pub fade_in_ms: u32,
    pub fade_out_ms: u32,
}

impl Music {
    /// A bed at 8 dB below the voice in its pauses and 16 dB below it under speech.
    pub fn bed(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), gain_db: -8.0, duck_db: 8.0, fade_in_ms: 800, fade_out_ms: 2500 }
    }
}

/// The loudness of the result, by EBU R 128.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Loudness {
    /// Integrated loudness in LUFS.
    pub target_lufs: f64,
    /// How far the result may be from it, in LU.
    pub tolerance_lu: f64,
    /// The bound of the true peak once a lossy encoder has been at work; the mix itself keeps below it by what an
    /// encoder adds.
    pub true_peak_dbtp: f64,
}

impl Default for Loudness {
    fn default() -> Self {
        Self { target_lufs: -14.0, tolerance_lu: 0.5, true_peak_dbtp: -1.0 }
    }
}

/// Whether the voice is cleaned of noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseReduction {
    #[default]
    Off,
    /// A recurrent network trained on speech (`RNNoise`). For recordings; synthetic speech has no noise.
    On,
}

/// The equalisation of the voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoiceTone {
    /// Only what lies below speech is taken away.
    #[default]
    Plain,
    /// For formant synthesis, whose spectrum is thin below 250 Hz and sharp above 1 kHz compared with people's.
    Warm,
}

impl MixPlan {
    /// Refuses what no mix could do, before any file is opened.
    pub(super) fn check(&self) -> Result<(), MediaError> {
        if self.duration_samples == 0 || self.duration_samples > MAX_SAMPLES {
            return Err(MediaError::Invalid(format!(
                "a sound of {} samples cannot be mixed; make it 1 to {MAX_SAMPLES} ({} hours)",
                self.duration_samples,
                MAX_SAMPLES / 3600 / u64::from(SAMPLE_RATE)
            )));
        }
        for clip in &self.voice {
            within("gain_db of a voice clip", clip.gain_db, -60.0, 24.0)?;
            if clip.start_sample >= self.duration_samples {
                return Err(self.too_late(&clip.path, clip.start_sample));
            }
        }
        for clip in &self.scene_sound {
            within("gain_db of a clip's sound", clip.gain_db, -60.0, 24.0)?;
            within("duck_db of a clip's sound", clip.duck_db, 0.0, 60.0)?;
        }
        if let Some(music) = &self.music {
            within("gain_db of the music", music.gain_db, -60.0, 24.0)?;
            within("duck_db of the music", music.duck_db, 0.0, 60.0)?;
        }
        within("target_lufs", self.loudness.target_lufs as f32, -50.0, -5.0)?;
        within("tolerance_lu", self.loudness.tolerance_lu as f32, 0.05, 10.0)?;
        within("true_peak_dbtp", self.loudness.true_peak_dbtp as f32, -20.0, 0.0)
    }

    /// Refuses a voice clip whose words would be lost beyond the end.
    pub(super) fn check_voice_end(&self, clip: &VoiceClip, samples: u64) -> Result<(), MediaError> {
        let end = clip.start_sample.saturating_add(samples);
        if end > self.duration_samples.saturating_add(OVERRUN) {
            return Err(self.too_late(&clip.path, end));
        }
        Ok(())
    }

    fn too_late(&self, path: &std::path::Path, sample: u64) -> MediaError {
        MediaError::Invalid(format!(
            "speech `{}` reaches sample {sample} of a sound of {} samples; make the sound longer",
            path.display(),
            self.duration_samples
        ))
    }
}

/// Refuses more clips at once than files may be open.
pub(super) fn check_together(open: usize, path: &std::path::Path) -> Result<(), MediaError> {
    if open >= MAX_TOGETHER {
        return Err(MediaError::Invalid(format!(
            "more than {MAX_TOGETHER} sounds at once where `{}` begins; spread them out",
            path.display()
        )));
    }
    Ok(())
}

fn within(name: &str, value: f32, least: f32, most: f32) -> Result<(), MediaError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(MediaError::Invalid(format!("{name} is {value}; choose {least} to {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> MixPlan {
        MixPlan {
            duration_samples: 48_000,
            voice: vec![VoiceClip { path: "a.wav".into(), start_sample: 0, gain_db: 0.0 }],
            voice_tone: VoiceTone::Plain,
            noise_reduction: NoiseReduction::Off,
            scene_sound: Vec::new(),
            music: Some(Music::bed("m.wav")),
            loudness: Loudness::default(),
        }
    }

    #[test]
    fn a_usual_plan_is_accepted_and_survives_json() {
        plan().check().unwrap();
        let json = serde_json::to_string(&plan()).unwrap();
        assert_eq!(serde_json::from_str::<MixPlan>(&json).unwrap(), plan());
    }

    #[test]
    fn levels_that_are_no_numbers_are_refused() {
        let mut plan = plan();
        plan.voice[0].gain_db = f32::NAN;
        assert!(plan.check().unwrap_err().to_string().contains("gain_db"));
    }

    #[test]
    fn speech_beyond_the_end_is_refused() {
        let mut plan = plan();
        assert!(plan.check_voice_end(&plan.voice[0], 48_000 + 4_801).is_err());
        plan.check_voice_end(&plan.voice[0], 48_000 + 4_800).unwrap();
        plan.voice[0].start_sample = 48_000;
        assert!(plan.check().is_err());
    }

    #[test]
    fn an_empty_or_endless_sound_is_refused() {
        for duration_samples in [0, MAX_SAMPLES + 1] {
            assert!(MixPlan { duration_samples, ..plan() }.check().is_err());
        }
    }
}
