//! The lines of one language become sound at their places: cast, spoken, timed, and where need be hurried.

use std::{collections::BTreeMap, sync::Arc};

use ai::tts::{Tts, Voice};
use kernel::Lang;
use media::speech_text::TimedWord;
use pipeline::{FanOut, FileRef, Run};

use crate::{
    DubbingError,
    document::{Concern, Dub, Line, Placed, Utterance},
    fit::{self, Fit, Place, Wanted},
    glossary::Phrases,
    stages::{
        speak::{Speak, SpeakInput, Spoken},
        stretch::{Stretch, StretchInput},
    },
    voices,
};

/// Lines spoken at once. An engine of the same machine gains nothing from more.
const VOICES_AT_ONCE: usize = 2;
/// Heard with less confidence, a line is left to a person unless the settings say otherwise.
pub const DEFAULT_MIN_CONFIDENCE: f32 = 0.5;

/// A line that sounds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Performed {
    /// The place of the utterance in the document.
    pub utterance: usize,
    pub audio: FileRef,
    pub start_ms: u64,
    pub end_ms: u64,
    /// Timed from the beginning of the source.
    pub words: Vec<TimedWord>,
}

/// Every voice of every engine, the preferred engine's first.
pub(crate) async fn all_voices(engines: &[Arc<dyn Tts>]) -> Result<Vec<Voice>, DubbingError> {
    let mut all = Vec::new();
    for engine in engines {
        all.extend(engine.voices().await?);
    }
    Ok(all)
}

/// Makes the lines of `lang` sound, and writes into the document where each is and what a person should look at.
pub(crate) async fn perform(
    engines: &[Arc<dyn Tts>],
    dub: &mut Dub,
    lang: &Lang,
    run: &Run,
) -> Result<Vec<Performed>, DubbingError> {
    let voices = all_voices(engines).await?;
    voices::cast(dub, lang, &voices)?;
    let roles = decide(dub, lang, &voices)?;
    let stage = Theatre { engines, lang, run };
    let natural = stage.speak(&roles).await?;
    let fits = plan(dub, lang, &natural);
    let hurried: Vec<Option<Role>> = roles.iter().zip(&fits).map(|(role, fit)| hurry(role.as_ref()?, fit)).collect();
    let natural_ms: BTreeMap<usize, u64> = natural.iter().map(|(index, line)| (*index, line.duration_ms())).collect();
    let mut spoken = natural;
    spoken.extend(stage.speak(&hurried).await?);
    let sounding = fits.iter().enumerate().filter_map(|(utterance, fit)| {
        let Fit::Placed(place) = *fit else { return None };
        let spoken = spoken.get(&utterance)?;
        Some(Sounding { utterance, spoken, audio: spoken.audio.as_ref()?, place })
    });
    let sounding: Vec<Sounding<'_>> = sounding.collect();
    let performed = stage.fit(&sounding).await?;
    for (index, fit) in fits.iter().enumerate() {
        let sounds = sounding.binary_search_by_key(&index, |line| line.utterance).ok();
        let spoken_ms = natural_ms.get(&index).copied().unwrap_or(0);
        let placed = sounds.zip(roles[index].as_ref()).map(|(at, role)| sounding[at].placed(role, spoken_ms));
        let line = dub.utterances[index].lines.entry(lang.clone()).or_default();
        line.placed = placed;
        if matches!(fit, Fit::TooLong { .. }) {
            line.needs_person.push(Concern::TooLong);
        }
    }
    for utterance in &mut dub.utterances {
        utterance.lines.retain(|_, line| !line.is_empty());
    }
    Ok(performed)
}

/// What somebody is to say.
#[derive(Debug, Clone, PartialEq)]
struct Role {
    voice: Voice,
    text: String,
    rate: f64,
}

/// What each utterance's voice is to say; `None` where the original is kept. Notes why where that is for a person.
fn decide(dub: &mut Dub, lang: &Lang, voices: &[Voice]) -> Result<Vec<Option<Role>>, DubbingError> {
    let no_dub = Phrases::new(dub.settings.no_dub.iter().map(|phrase| (phrase.clone(), ())));
    let min_confidence = dub.settings.min_confidence.unwrap_or(DEFAULT_MIN_CONFIDENCE);
    let mut roles = Vec::with_capacity(dub.utterances.len());
    for index in 0..dub.utterances.len() {
        let utterance = &dub.utterances[index];
        let mut line = utterance.line(lang);
        // What was found in translation holds as long as the translation does; the rest is found anew.
        let by_person = line.is_by_person();
        line.needs_person.retain(|concern| *concern == Concern::TermLost && !by_person);
        let concern = concern(utterance, &line, min_confidence);
        line.needs_person.extend(concern);
        let is_said = concern.is_none() && line.dubbed.unwrap_or_else(|| !no_dub.are_in(&utterance.text));
        let role = if is_said {
            let voice = voices::voice_of(dub, utterance, lang, voices).map_err(voices::CastError::from)?.clone();
            Some(Role { voice, text: line.translation.clone().unwrap_or_default(), rate: 1.0 })
        } else {
            None
        };
        roles.push(role);
        dub.utterances[index].lines.insert(lang.clone(), line);
    }
    Ok(roles)
}

/// Why an utterance cannot be dubbed before a person has looked at it.
fn concern(utterance: &Utterance, line: &Line, min_confidence: f32) -> Option<Concern> {
    if line.dubbed == Some(false) {
        return None;
    }
    let translation = line.translation.as_deref().unwrap_or_default();
    if translation.trim().is_empty() {
        let nothing_heard = utterance.text.trim().is_empty();
        return Some(if nothing_heard { Concern::NothingHeard } else { Concern::NothingToSay });
    }
    let doubtful = utterance.standing_confidence().is_some_and(|confidence| confidence < min_confidence);
    let decided = line.dubbed == Some(true) || line.is_by_person();
    (doubtful && !decided).then_some(Concern::LowConfidence)
}

fn plan(dub: &Dub, lang: &Lang, natural: &BTreeMap<usize, Spoken>) -> Vec<Fit> {
    let wanted = |(index, utterance): (usize, &Utterance)| Wanted {
        start_ms: utterance.start_ms,
        speaker: utterance.speaker.clone(),
        natural_ms: natural.get(&index).map(Spoken::duration_ms),
        speed: utterance.lines.get(lang).and_then(|line| line.speed),
    };
    let lines: Vec<Wanted> = dub.utterances.iter().enumerate().map(wanted).collect();
    fit::plan(&lines, dub.source.duration_ms)
}

/// The same at the speed of its place, where that is not the voice's own.
fn hurry(role: &Role, fit: &Fit) -> Option<Role> {
    let Fit::Placed(place) = fit else { return None };
    let is_natural = (place.speed - 1.0).abs() < 0.005;
    (!is_natural).then(|| Role { rate: place.speed, ..role.clone() })
}

/// A spoken line and its place.
#[derive(Debug, Clone, Copy)]
struct Sounding<'a> {
    utterance: usize,
    spoken: &'a Spoken,
    audio: &'a FileRef,
    place: Place,
}

impl Sounding<'_> {
    /// The length it has to have, in its own samples, where it has another.
    fn stretched_samples(&self) -> Option<u64> {
        let samples = self.place.duration_ms * u64::from(self.spoken.sample_rate) / 1000;
        // At its own speed a line has its length already, to a part of a millisecond.
        let is_exact = samples.abs_diff(self.spoken.samples) * 1000 <= u64::from(self.spoken.sample_rate);
        (!is_exact).then_some(samples)
    }

    /// Where its sound ends.
    fn end_ms(&self) -> u64 {
        let duration_ms = match self.stretched_samples() {
            Some(_) => self.place.duration_ms,
            None => self.spoken.duration_ms(),
        };
        self.place.start_ms + duration_ms
    }

    fn placed(&self, role: &Role, spoken_ms: u64) -> Placed {
        let Place { start_ms, speed, .. } = self.place;
        Placed { start_ms, end_ms: self.end_ms(), speed, spoken_ms, voice: role.voice.id.clone() }
    }

    fn performed(&self, audio: FileRef) -> Performed {
        let (place, spoken_ms) = (self.place, self.spoken.duration_ms().max(1));
        let at = |ms: u64| place.start_ms + ms * place.duration_ms / spoken_ms;
        let word =
            |word: &TimedWord| TimedWord { start_ms: at(word.start_ms), end_ms: at(word.end_ms), ..word.clone() };
        let words = self.spoken.words.iter().map(word).collect();
        Performed { utterance: self.utterance, audio, start_ms: place.start_ms, end_ms: self.end_ms(), words }
    }
}

/// Where one language is spoken.
struct Theatre<'a> {
    engines: &'a [Arc<dyn Tts>],
    lang: &'a Lang,
    run: &'a Run,
}

impl Theatre<'_> {
    /// Speaks every role, each by the engine of its voice; engines that know one speed only speak at theirs.
    async fn speak(&self, roles: &[Option<Role>]) -> Result<BTreeMap<usize, Spoken>, DubbingError> {
        let mut spoken = BTreeMap::new();
        for engine in self.engines {
            let own = |role: &Role| role.voice.provider == engine.name();
            let cast: Vec<(usize, &Role)> = roles
                .iter()
                .enumerate()
                .filter_map(|(index, role)| Some((index, role.as_ref().filter(|role| own(role))?)))
                .collect();
            if cast.is_empty() {
                continue;
            }
            let has_rate = engine.capability().rate;
            let input = |(_, role): &(usize, &Role)| SpeakInput {
                engine: engine.version().to_owned(),
                voice: role.voice.id.clone(),
                rate: if has_rate { role.rate as f32 } else { 1.0 },
                lang: self.lang.clone(),
                text: role.text.clone(),
            };
            let inputs: Vec<SpeakInput> = cast.iter().map(input).collect();
            let stage = Speak { tts: Arc::clone(engine) };
            let fan_out = FanOut::new(VOICES_AT_ONCE).longest_first(|input: &SpeakInput| input.text.len() as f64);
            let made = self.run.make_all(&stage, &inputs, fan_out).await?;
            spoken.extend(cast.iter().map(|(index, _)| *index).zip(made.into_iter().map(|made| made.output)));
        }
        Ok(spoken)
    }

    /// The lines at exactly the length of their places, in their order.
    async fn fit(&self, lines: &[Sounding<'_>]) -> Result<Vec<Performed>, DubbingError> {
        let input =
            |line: &Sounding<'_>| Some(StretchInput { audio: line.audio.clone(), samples: line.stretched_samples()? });
        let inputs: Vec<StretchInput> = lines.iter().filter_map(input).collect();
        let made = if inputs.is_empty() {
            Vec::new()
        } else {
            self.run.make_all(&Stretch, &inputs, FanOut::new(VOICES_AT_ONCE)).await?
        };
        let mut stretched = made.into_iter().map(|made| made.output);
        let audio = |line: &Sounding<'_>| match line.stretched_samples() {
            Some(_) => stretched.next().unwrap_or_else(|| line.audio.clone()),
            None => line.audio.clone(),
        };
        let audio: Vec<FileRef> = lines.iter().map(audio).collect();
        Ok(lines.iter().zip(audio).map(|(line, audio)| line.performed(audio)).collect())
    }
}
