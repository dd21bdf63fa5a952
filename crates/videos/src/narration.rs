//! From a request to a script that has been spoken: what videos, narrations and storyboards begin with.

use std::{collections::HashMap, sync::Arc};

use ai::tts::{Tts, Voice as EngineVoice, voice_for};
use kernel::Lang;
use pipeline::{FanOut, Run};

use crate::{
    VideosError,
    request::{Source, VideoRequest},
    scenes::{self, Scene},
    script::{Reading, Script},
    service::{Studio, find_voice, voices},
    source::web,
    stages::voice::{SpokenSentence, Voice, VoiceInput},
    storyline, summary,
    timeline::{self, Grid, SceneSpeech},
};

/// Sentences spoken at once. An engine of the same machine gains nothing from more.
const VOICES_AT_ONCE: usize = 2;
/// The grid a script is timed on before its video has one; the coarsest that a video can have.
const SHORTENING_GRID: Grid = Grid { fps: 24 };

/// A script in scenes, with the sound and the times of its words.
#[derive(Debug, Clone)]
pub(crate) struct Narration {
    pub script: Script,
    pub scenes: Vec<Scene>,
    /// The sentences of each scene.
    pub spoken: Vec<Vec<SpokenSentence>>,
    pub voice: EngineVoice,
}

/// Reads the script, finds a voice, and speaks every sentence that was not spoken before.
pub(crate) async fn narrate(studio: &Studio, request: &VideoRequest, run: &Run) -> Result<Narration, VideosError> {
    let script = read_script(studio, request).await?;
    let (tts, voice) = choose_voice(&studio.engines, request.voice.voice.as_deref(), &script.lang).await?;
    let speaker = Speaker { tts, voice, request, lang: script.lang.clone(), run };
    let (script, scenes) = match request.max_duration_ms {
        None => {
            let scenes = scenes::plan(&script, &request.credits);
            (script, scenes)
        }
        Some(max_ms) => speaker.shorten(script, max_ms).await?,
    };
    let said = scenes.iter().flat_map(|scene| scene.sentences.iter().cloned()).collect();
    let spoken = speaker.speak(said).await?;
    let spoken = scenes.iter().map(|scene| of_scene(scene, &spoken)).collect();
    Ok(Narration { script, scenes, spoken, voice: speaker.voice })
}

fn of_scene(scene: &Scene, spoken: &HashMap<String, SpokenSentence>) -> Vec<SpokenSentence> {
    scene.sentences.iter().filter_map(|text| spoken.get(text).cloned()).collect()
}

async fn read_script(studio: &Studio, request: &VideoRequest) -> Result<Script, VideosError> {
    let (lang, title) = (request.lang.as_ref(), request.title.as_deref());
    match &request.source {
        Source::Text { text, base } => Script::parse(text, Reading { base, lang, title }),
        Source::Url(url) => {
            let article = web::read_article(studio.fetch.as_ref(), url).await?;
            article.into_script(lang, title)
        }
    }
}

/// The voice asked for, or the one that speaks the language, and the engine it belongs to.
async fn choose_voice(
    engines: &[Arc<dyn Tts>],
    wanted: Option<&str>,
    lang: &Lang,
) -> Result<(Arc<dyn Tts>, EngineVoice), VideosError> {
    if let Some(wanted) = wanted {
        return find_voice(engines, wanted).await;
    }
    let voices = voices(engines, None).await?;
    let voice = voice_for(lang, &voices)?.clone();
    let engine = engines.iter().find(|engine| engine.name() == voice.provider).cloned();
    engine.map(|engine| (engine, voice)).ok_or_else(|| VideosError::Internal("a voice belongs to no engine".to_owned()))
}

/// Who speaks, and how.
struct Speaker<'a> {
    tts: Arc<dyn Tts>,
    voice: EngineVoice,
    request: &'a VideoRequest,
    lang: Lang,
    run: &'a Run,
}

impl Speaker<'_> {
    /// Leaves out sentences until the whole, pauses and silent scenes included, lasts no longer than `max_ms`.
    async fn shorten(&self, script: Script, max_ms: u64) -> Result<(Script, Vec<Scene>), VideosError> {
        let said = script.narration().into_iter().map(|spoken| spoken.text).collect();
        let spoken = self.speak(said).await?;
        let pauses = self.request.voice.pauses;
        let length = |sentence: &str| spoken.get(sentence).map_or(0, |spoken| spoken.duration_ms + pauses.sentence_ms);
        let mut target_ms = max_ms;
        loop {
            let shorter = summary::shorten(script.clone(), target_ms, length)?;
            let scenes = scenes::plan(&shorter, &self.request.credits);
            let sentences: Vec<Vec<SpokenSentence>> = scenes.iter().map(|scene| of_scene(scene, &spoken)).collect();
            let speech = scenes.iter().zip(&sentences).map(|(scene, sentences)| SceneSpeech {
                section: scene.section,
                paragraph: scene.paragraph,
                sentences,
                least_ms: storyline::card_ms(scene),
            });
            let timed = timeline::time_scenes(&speech.collect::<Vec<_>>(), pauses, SHORTENING_GRID, &self.lang);
            let total_ms = timed.last().map_or(0, |scene| SHORTENING_GRID.ms(scene.first_frame + scene.frames));
            if total_ms <= max_ms {
                return Ok((shorter, scenes));
            }
            // Less each time, so that it ends: with a script that fits, or with the error that none does.
            target_ms = target_ms.saturating_sub(total_ms - max_ms);
        }
    }

    /// Speaks each sentence once, however often it is said.
    async fn speak(&self, mut sentences: Vec<String>) -> Result<HashMap<String, SpokenSentence>, VideosError> {
        sentences.sort_unstable();
        sentences.dedup();
        let input = |sentence: &String| VoiceInput {
            engine: self.tts.version().to_owned(),
            voice: self.voice.id.clone(),
            rate: self.request.voice.rate,
            pitch: self.request.voice.pitch,
            lang: self.lang.clone(),
            sentence: sentence.clone(),
        };
        let inputs: Vec<VoiceInput> = sentences.iter().map(input).collect();
        let stage = Voice { tts: self.tts.clone() };
        let made = self.run.make_all(&stage, &inputs, FanOut::new(VOICES_AT_ONCE)).await?;
        Ok(sentences.into_iter().zip(made.into_iter().map(|made| made.output)).collect())
    }
}
