//! Voice, music and the clips' own sound become one programme of the right loudness.

use media::{
    Ffmpeg,
    audio::{self, ClipSound, Loudness, MixPlan, MixReport, Music, NoiseReduction, VoiceClip, VoiceTone},
};
use pipeline::{Advance, FileRef, SourceRef, Stage, StageContext, StageError};
use serde::{Deserialize, Serialize};

use super::{computing, media_failure};

/// Brings a user's sound file to the form that is mixed.
#[derive(Debug)]
pub(crate) struct DecodeSound {
    pub ffmpeg: Ffmpeg,
}

impl Stage for DecodeSound {
    type Input = SourceRef;
    type Output = FileRef;

    fn name(&self) -> &'static str {
        "sound"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &SourceRef, context: &StageContext) -> Result<FileRef, StageError> {
        let path = context.source_path(input).await?;
        let file = context.temp_file("wav")?;
        let ffmpeg = self.ffmpeg.cancelled_by(context.cancellation().clone());
        audio::decode_to_wav(&ffmpeg, &path, file.path(), audio::LONGEST_DECODED).await.map_err(media_failure)?;
        context.keep(file).await
    }
}

/// Mixes the sound of a video.
#[derive(Debug)]
pub(crate) struct Mix;

/// Everything that is heard.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct MixInput {
    pub duration_samples: u64,
    pub voice: Vec<PlacedVoice>,
    pub voice_tone: VoiceTone,
    pub clips: Vec<PlacedSound>,
    pub music: Option<Bed>,
    pub noise_reduction: bool,
}

/// A spoken sentence at its place, in samples at [`audio::SAMPLE_RATE`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PlacedVoice {
    pub file: FileRef,
    pub start_sample: u64,
}

/// The own sound of an intro or outro at its place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PlacedSound {
    pub file: FileRef,
    pub start_sample: u64,
    pub duration_samples: u64,
}

/// Music under everything.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Bed {
    pub file: FileRef,
    /// In pauses, below the voice.
    pub below_voice_lu: f64,
    /// Further down under speech.
    pub duck_db: f64,
}

/// The mixed sound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MixedSound {
    /// 48 kHz stereo WAV.
    pub file: FileRef,
    pub report: MixReport,
}

impl Stage for Mix {
    type Input = MixInput;
    type Output = MixedSound;

    fn name(&self) -> &'static str {
        "mix"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &MixInput, context: &StageContext) -> Result<MixedSound, StageError> {
        let plan = plan(input, context);
        let file = context.temp_file("wav")?;
        let path = file.path().to_owned();
        let (cancellation, progress) = (context.cancellation().clone(), context.progress().clone());
        let report = computing(move || {
            audio::mix(&plan, &path, &cancellation, |fraction| progress.advance(Advance::to(f64::from(fraction))))
        })
        .await?;
        Ok(MixedSound { file: context.keep(file).await?, report })
    }
}

fn plan(input: &MixInput, context: &StageContext) -> MixPlan {
    let voice = input.voice.iter().map(|clip| VoiceClip {
        path: context.path(&clip.file),
        start_sample: clip.start_sample,
        gain_db: 0.0,
    });
    let clips = input.clips.iter().map(|clip| ClipSound {
        path: context.path(&clip.file),
        skip_samples: 0,
        start_sample: clip.start_sample,
        duration_samples: clip.duration_samples,
        gain_db: 0.0,
        duck_db: 0.0,
    });
    let music = input.music.as_ref().map(|bed| Music {
        gain_db: -bed.below_voice_lu as f32,
        duck_db: bed.duck_db as f32,
        ..Music::bed(context.path(&bed.file))
    });
    MixPlan {
        duration_samples: input.duration_samples,
        voice: voice.collect(),
        voice_tone: input.voice_tone,
        noise_reduction: if input.noise_reduction { NoiseReduction::On } else { NoiseReduction::Off },
        scene_sound: clips.collect(),
        music,
        loudness: Loudness::default(),
    }
}
