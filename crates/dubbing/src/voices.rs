//! Who speaks for whom: each speaker gets a voice of the language that is low or high as theirs, and keeps it.

use std::collections::BTreeMap;

use ai::tts::{Gender, NoVoice, Voice, voice_for};
use kernel::Lang;

use crate::document::{Dub, Pitch, Utterance};

/// Why a line has no voice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CastError {
    #[error(transparent)]
    NoVoice(#[from] NoVoice),
    #[error("{place}: voice `{voice}` not found; list them with `pressroom voices --lang {lang}`")]
    Unknown { place: String, voice: String, lang: Lang },
    #[error(
        "{place}: voice `{voice}` speaks `{speaks}`, not `{lang}`; list those that do with `pressroom voices --lang {lang}`"
    )]
    Foreign { place: String, voice: String, speaks: Lang, lang: Lang },
}

/// Gives every speaker a voice in `lang`, unless they have one. `voices` are those of all engines, the preferred first.
///
/// What the settings say of a speaker, or of all low or high voices, comes before what an earlier run chose.
pub fn cast(dub: &mut Dub, lang: &Lang, voices: &[Voice]) -> Result<(), CastError> {
    let known = Voices { lang, voices };
    let usual = voice_for(lang, voices)?.lang.clone();
    for speaker in &mut dub.speakers {
        if let Some((place, voice)) = mapped(&dub.settings.voices, &speaker.id, speaker.pitch, lang) {
            known.check(voice, &format!("settings.voices.{place}"))?;
            speaker.voices.insert(lang.clone(), voice.clone());
        } else if let Some(voice) = speaker.voices.get(lang) {
            known.check(voice, &format!("speaker `{}`", speaker.id))?;
        }
    }
    for utterance in &dub.utterances {
        if let Some(voice) = utterance.lines.get(lang).and_then(|line| line.voice.as_ref()) {
            known.check(voice, &format!("utterance {}", utterance.id))?;
        }
    }
    let mut taken: Vec<String> = dub.speakers.iter().filter_map(|speaker| speaker.voices.get(lang).cloned()).collect();
    for speaker in &mut dub.speakers {
        if !speaker.voices.contains_key(lang) {
            let voice = known.choose(speaker.pitch, &usual, &taken)?;
            taken.push(voice.clone());
            speaker.voices.insert(lang.clone(), voice);
        }
    }
    Ok(())
}

/// The voice of an utterance: its own, its speaker's, or the usual one of the language.
pub fn voice_of<'a>(dub: &Dub, utterance: &Utterance, lang: &Lang, voices: &'a [Voice]) -> Result<&'a Voice, NoVoice> {
    let own = utterance.lines.get(lang).and_then(|line| line.voice.as_ref());
    let speaker = utterance.speaker.as_deref().and_then(|id| dub.speaker(id));
    let id = own.or_else(|| speaker.and_then(|speaker| speaker.voices.get(lang)));
    match id.and_then(|id| voices.iter().find(|voice| voice.id == *id)) {
        Some(voice) => Ok(voice),
        None => voice_for(lang, voices),
    }
}

/// What the settings say of a speaker, and where.
fn mapped<'a>(
    map: &'a BTreeMap<String, BTreeMap<Lang, String>>,
    id: &str,
    pitch: Option<Pitch>,
    lang: &Lang,
) -> Option<(&'a str, &'a String)> {
    let of_pitch = match pitch {
        Some(Pitch::Low) => Some("low"),
        Some(Pitch::High) => Some("high"),
        None => None,
    };
    let names = [Some(id), of_pitch].into_iter().flatten();
    names.filter_map(|name| map.get_key_value(name)).find_map(|(name, voices)| Some((name.as_str(), voices.get(lang)?)))
}

/// The voices there are, for one language.
struct Voices<'a> {
    lang: &'a Lang,
    voices: &'a [Voice],
}

impl Voices<'_> {
    fn check(&self, id: &str, place: &str) -> Result<(), CastError> {
        let (place, voice, lang) = (place.to_owned(), id.to_owned(), self.lang.clone());
        match self.voices.iter().find(|voice| voice.id == id) {
            None => Err(CastError::Unknown { place, voice, lang }),
            Some(found) if found.lang.primary() != spoken_as(self.lang, &found.lang) => {
                Err(CastError::Foreign { place, voice, speaks: found.lang.clone(), lang })
            }
            Some(_) => Ok(()),
        }
    }

    /// A voice as low or high as wanted, one that nobody has yet where there is one, of the preferred engine, of the
    /// usual region, and the plain one before its variants.
    fn choose(&self, pitch: Option<Pitch>, usual: &Lang, taken: &[String]) -> Result<String, NoVoice> {
        let wanted = match pitch {
            Some(Pitch::Low) => Some(Gender::Male),
            Some(Pitch::High) => Some(Gender::Female),
            None => None,
        };
        let engines: Vec<&str> = self.voices.iter().map(|voice| voice.provider.as_str()).collect();
        let of_lang = self.voices.iter().filter(|voice| voice.lang.primary() == usual.primary());
        let rank = |voice: &&Voice| {
            let differs = wanted.is_some_and(|wanted| voice.gender != Some(wanted));
            let times = taken.iter().filter(|id| **id == voice.id).count();
            let engine = engines.iter().position(|name| *name == voice.provider);
            (differs, times, engine, voice.lang != *usual, voice.id.len(), voice.id.clone())
        };
        match of_lang.min_by_key(rank) {
            Some(voice) => Ok(voice.id.clone()),
            None => voice_for(self.lang, self.voices).map(|voice| voice.id.clone()),
        }
    }
}

/// Engines name some languages by another code than people do: Mandarin is `cmn`, which `zh` asks for.
fn spoken_as<'a>(lang: &'a Lang, voice: &'a Lang) -> &'a str {
    match (lang.primary(), voice.primary()) {
        ("zh", alias @ ("cmn" | "yue")) | ("no", alias @ "nb") | ("nb", alias @ "no") => alias,
        (asked, _) => asked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{
        Line, Speaker,
        tests::{dub, lang, utterance},
    };

    fn voice(id: &str, tag: &str, gender: Option<Gender>, provider: &str) -> Voice {
        Voice { id: id.to_owned(), name: id.to_owned(), lang: lang(tag), gender, provider: provider.to_owned() }
    }

    fn voices() -> Vec<Voice> {
        vec![
            voice("fine-she", "en-us", Some(Gender::Female), "fine"),
            voice("en-us", "en-us", Some(Gender::Male), "plain"),
            voice("en-us+f3", "en-us", Some(Gender::Female), "plain"),
            voice("es", "es", Some(Gender::Male), "plain"),
            voice("es+f3", "es", Some(Gender::Female), "plain"),
            voice("es+m2", "es", Some(Gender::Male), "plain"),
        ]
    }

    fn talk(pitches: &[Option<Pitch>]) -> Dub {
        let mut dub = dub(&["es"], vec![utterance(1, 0, 1000, "Hello.")]);
        let speaker = |(index, pitch): (usize, &Option<Pitch>)| Speaker {
            id: format!("S{}", index + 1),
            pitch: *pitch,
            voices: BTreeMap::new(),
        };
        dub.speakers = pitches.iter().enumerate().map(speaker).collect();
        dub
    }

    fn chosen(dub: &Dub, tag: &str) -> Vec<String> {
        dub.speakers.iter().map(|speaker| speaker.voices[&lang(tag)].clone()).collect()
    }

    #[test]
    fn speakers_get_voices_like_theirs_and_each_another() {
        let mut dub = talk(&[Some(Pitch::High), Some(Pitch::Low), Some(Pitch::Low), Some(Pitch::High)]);
        cast(&mut dub, &lang("es"), &voices()).unwrap();
        assert_eq!(chosen(&dub, "es"), ["es+f3", "es", "es+m2", "es+f3"]);
    }

    #[test]
    fn the_preferred_engine_comes_first_where_its_voice_is_alike() {
        let mut dub = talk(&[Some(Pitch::High), Some(Pitch::Low), None]);
        cast(&mut dub, &lang("en"), &voices()).unwrap();
        assert_eq!(chosen(&dub, "en"), ["fine-she", "en-us", "en-us+f3"]);
    }

    #[test]
    fn a_chosen_voice_is_kept_and_a_mapping_comes_before_it() {
        let mut dub = talk(&[Some(Pitch::Low), Some(Pitch::Low)]);
        dub.speakers[0].voices.insert(lang("es"), "es+m2".to_owned());
        cast(&mut dub, &lang("es"), &voices()).unwrap();
        assert_eq!(chosen(&dub, "es"), ["es+m2", "es"]);
        dub.settings.voices.insert("low".to_owned(), BTreeMap::from([(lang("es"), "es+f3".to_owned())]));
        dub.settings.voices.insert("S2".to_owned(), BTreeMap::from([(lang("es"), "es".to_owned())]));
        cast(&mut dub, &lang("es"), &voices()).unwrap();
        assert_eq!(chosen(&dub, "es"), ["es+f3", "es"]);
    }

    #[test]
    fn a_voice_of_another_language_and_an_unknown_one_are_refused_with_their_place() {
        let refused = |voice: &str| {
            let mut dub = talk(&[None]);
            dub.utterances[0].lines.insert(lang("es"), Line { voice: Some(voice.to_owned()), ..Line::default() });
            cast(&mut dub, &lang("es"), &voices()).unwrap_err().to_string()
        };
        assert!(refused("en-us").starts_with("utterance 1: voice `en-us` speaks `en-us`, not `es`"));
        assert!(refused("nova").starts_with("utterance 1: voice `nova` not found"));
        assert!(matches!(cast(&mut talk(&[None]), &lang("ja"), &voices()), Err(CastError::NoVoice(_))));
    }

    #[test]
    fn a_lines_own_voice_comes_before_its_speakers() {
        let mut dub = talk(&[None]);
        cast(&mut dub, &lang("es"), &voices()).unwrap();
        let of = |dub: &Dub| voice_of(dub, &dub.utterances[0], &lang("es"), &voices()).unwrap().id.clone();
        assert_eq!(of(&dub), "es");
        dub.utterances[0].lines.insert(lang("es"), Line { voice: Some("es+f3".to_owned()), ..Line::default() });
        assert_eq!(of(&dub), "es+f3");
    }
}
