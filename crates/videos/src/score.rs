//! What is heard: the voice at its times, music under it, and the own sound of clips where nobody speaks.

use ai::tts::Voice;
use media::{
    assemble::Container,
    audio::{SAMPLE_RATE, VoiceTone},
};
use pipeline::Run;

use crate::{
    VideosError,
    narration::Narration,
    request::VideoRequest,
    service::Studio,
    stages::{
        assemble::SoundTrack,
        encode_sound::{EncodeSound, EncodeSoundInput},
        mix::{Bed, DecodeSound, Mix, MixInput, MixedSound, PlacedSound, PlacedVoice},
        voice::SpokenSentence,
    },
    storyline::{Storyline, total_frames},
    timeline::{Grid, TimedScene},
};

/// Makes the sound of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Score<'a> {
    pub studio: &'a Studio,
    pub request: &'a VideoRequest,
    pub run: &'a Run,
}

impl Score<'_> {
    /// The sound of a video, and what its track in `container` is made from.
    pub(crate) async fn track(
        &self,
        story: &Storyline,
        container: Container,
    ) -> Result<(MixedSound, SoundTrack), VideosError> {
        let (clips, grid) = (self.clips(story).await?, story.format.grid);
        let sound = self.mix_with(&story.narration, &story.timed, grid, clips).await?;
        if !container.takes_aac() {
            let track = SoundTrack::Wav(sound.file.clone());
            return Ok((sound, track));
        }
        let ffmpeg = &self.studio.ffmpeg;
        let input = EncodeSoundInput { file: sound.file.clone(), ffmpeg: ffmpeg.fingerprint().to_owned() };
        let file = self.run.make(&EncodeSound { ffmpeg: ffmpeg.clone() }, &input).await?.output;
        let samples = grid.sample(story.total_frames(), SAMPLE_RATE);
        Ok((sound, SoundTrack::Aac { file, samples }))
    }

    /// The sound of a narration without pictures.
    pub(crate) async fn mix(
        &self,
        narration: &Narration,
        timed: &[TimedScene],
        grid: Grid,
    ) -> Result<MixedSound, VideosError> {
        self.mix_with(narration, timed, grid, Vec::new()).await
    }

    async fn mix_with(
        &self,
        narration: &Narration,
        timed: &[TimedScene],
        grid: Grid,
        clips: Vec<PlacedSound>,
    ) -> Result<MixedSound, VideosError> {
        let input = MixInput {
            duration_samples: grid.sample(total_frames(timed), SAMPLE_RATE),
            voice: place(&narration.spoken, timed, grid),
            voice_tone: tone(&narration.voice),
            clips,
            music: self.music().await?,
            noise_reduction: self.request.sound.noise_reduction,
        };
        Ok(self.run.make(&Mix, &input).await?.output)
    }

    async fn music(&self) -> Result<Option<Bed>, VideosError> {
        let sound = &self.request.sound;
        let Some(path) = &sound.music else { return Ok(None) };
        let source = self.run.import(path).await?;
        let file = self.run.make(&DecodeSound { ffmpeg: self.studio.ffmpeg.clone() }, &source).await?.output;
        Ok(Some(Bed { file, below_voice_lu: sound.music_below_voice_lu, duck_db: sound.duck_db }))
    }

    async fn clips(&self, story: &Storyline) -> Result<Vec<PlacedSound>, VideosError> {
        let grid = story.format.grid;
        let mut sounds = Vec::new();
        for (scene, timed) in story.narration.scenes.iter().zip(&story.timed) {
            let Some(path) = scene.given().filter(|_| scene.sentences.is_empty()) else { continue };
            let Some(source) = story.materials.sounding(path) else { continue };
            let file = self.run.make(&DecodeSound { ffmpeg: self.studio.ffmpeg.clone() }, source).await?.output;
            let start_sample = grid.sample(timed.first_frame, SAMPLE_RATE);
            sounds.push(PlacedSound { file, start_sample, duration_samples: grid.sample(timed.frames, SAMPLE_RATE) });
        }
        Ok(sounds)
    }
}

/// Every sentence at the sample at which it begins.
fn place(spoken: &[Vec<SpokenSentence>], timed: &[TimedScene], grid: Grid) -> Vec<PlacedVoice> {
    let mut voice = Vec::new();
    for (scene, spoken) in timed.iter().zip(spoken) {
        let begin = grid.sample(scene.first_frame, SAMPLE_RATE);
        for (sentence, spoken) in scene.sentences.iter().zip(spoken) {
            let Some(file) = spoken.audio.clone() else { continue };
            let start_sample = begin + sentence.start_ms * u64::from(SAMPLE_RATE) / 1000;
            voice.push(PlacedVoice { file, start_sample });
        }
    }
    voice
}

/// A formant synthesiser's voice is thin and sharp; a recorded or learnt one is left as it is.
fn tone(voice: &Voice) -> VoiceTone {
    if voice.provider == "espeak" { VoiceTone::Warm } else { VoiceTone::Plain }
}
