//! Changes to the document of a dub, by command: each names a line by its id and says what is to be different.

mod address;
mod shape;

use std::{num::ParseFloatError, path::PathBuf};

use kernel::Lang;

pub use self::{
    address::{Field, SettingField},
    shape::SplitAt,
};
use crate::document::{DocumentError, Dub, Line};

/// A change to a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// A field of an utterance, or of its line in one language or in all.
    Set {
        id: u32,
        lang: Option<Lang>,
        field: Field,
        value: String,
    },
    /// Takes a decision back: Pressroom decides again.
    Unset {
        id: u32,
        lang: Option<Lang>,
        field: Field,
    },
    /// A setting of the whole dub; nothing takes it back.
    Setting {
        field: SettingField,
        value: Option<String>,
    },
    /// The voice of a speaker.
    SpeakerVoice {
        speaker: String,
        lang: Option<Lang>,
        voice: Option<String>,
    },
    Delete {
        id: u32,
    },
    Create {
        start_ms: u64,
        end_ms: u64,
        text: String,
    },
    Split {
        id: u32,
        at: SplitAt,
    },
    /// With the next.
    Merge {
        id: u32,
    },
}

/// Why a change cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("`{edit}` {reason}")]
    Unreadable { edit: String, reason: String },
    #[error("there is no utterance {id}; there are {known}")]
    UnknownUtterance { id: u32, known: String },
    #[error("utterance {id}: {reason}")]
    Impossible { id: u32, reason: String },
    #[error("{0}")]
    Setting(String),
    /// The changes together make a document that is wrong.
    #[error("these changes cannot be made: {}", .0.faults.join("; "))]
    Document(DocumentError),
}

/// Makes all changes, or none where one of them is wrong. Returns the ids of the utterances they touched.
pub fn apply(dub: &mut Dub, edits: &[Edit]) -> Result<Vec<u32>, EditError> {
    let mut edited = dub.clone();
    let mut touched = Vec::new();
    for edit in edits {
        touched.extend(apply_one(&mut edited, edit)?);
    }
    *dub = edited.checked(PathBuf::new()).map_err(EditError::Document)?;
    touched.sort_unstable();
    touched.dedup();
    Ok(touched)
}

fn apply_one(dub: &mut Dub, edit: &Edit) -> Result<Vec<u32>, EditError> {
    match edit {
        Edit::Set { id, lang, field, value } => set(dub, *id, lang.as_ref(), *field, Some(value)),
        Edit::Unset { id, lang, field } => set(dub, *id, lang.as_ref(), *field, None),
        Edit::Setting { field, value } => set_setting(dub, *field, value.as_deref()).map(|()| Vec::new()),
        Edit::SpeakerVoice { speaker, lang, voice } => {
            set_speaker_voice(dub, speaker, lang.as_ref(), voice.as_deref()).map(|()| Vec::new())
        }
        Edit::Delete { id } => shape::delete(dub, *id),
        Edit::Create { start_ms, end_ms, text } => Ok(shape::create(dub, *start_ms, *end_ms, text)),
        Edit::Split { id, at } => shape::split(dub, *id, *at),
        Edit::Merge { id } => shape::merge(dub, *id),
    }
}

fn position(dub: &Dub, id: u32) -> Result<usize, EditError> {
    dub.position(id).ok_or_else(|| {
        let (first, last) = (dub.utterances.iter().map(|u| u.id).min(), dub.utterances.iter().map(|u| u.id).max());
        let known = match (first, last) {
            (Some(first), Some(last)) => format!("{} from {first} to {last}", dub.utterances.len()),
            _ => "none".to_owned(),
        };
        EditError::UnknownUtterance { id, known }
    })
}

fn impossible(id: u32, reason: impl Into<String>) -> EditError {
    EditError::Impossible { id, reason: reason.into() }
}

fn set(
    dub: &mut Dub,
    id: u32,
    lang: Option<&Lang>,
    field: Field,
    value: Option<&String>,
) -> Result<Vec<u32>, EditError> {
    let index = position(dub, id)?;
    if field.is_of_line() {
        for lang in langs(dub, id, lang, field)? {
            let line = dub.utterances[index].lines.entry(lang).or_default();
            set_in_line(line, id, field, value)?;
        }
    } else if lang.is_some() {
        return Err(impossible(id, format!("`{field}` is the same in every language; leave the language out")));
    } else {
        set_in_utterance(dub, index, field, value)?;
    }
    Ok(vec![id])
}

/// The languages a change is meant for. A translation is of one language; whether to dub may be said for all at once.
fn langs(dub: &Dub, id: u32, lang: Option<&Lang>, field: Field) -> Result<Vec<Lang>, EditError> {
    let known = || dub.targets.iter().map(Lang::as_str).collect::<Vec<_>>().join(", ");
    match lang {
        Some(lang) if dub.targets.contains(lang) => Ok(vec![lang.clone()]),
        Some(lang) => Err(impossible(id, format!("this dub has no language `{lang}`; it has {}", known()))),
        None if dub.targets.len() == 1 || field == Field::Dubbed || field == Field::Speed => Ok(dub.targets.clone()),
        None => Err(impossible(
            id,
            format!(
                "say for which language `{field}` is, as in `{}:{id}.{field}=…`; this dub has {}",
                dub.targets.first().map_or("es", Lang::as_str),
                known()
            ),
        )),
    }
}

fn set_in_line(line: &mut Line, id: u32, field: Field, value: Option<&String>) -> Result<(), EditError> {
    let value = value.map(|value| value.trim());
    let fault = |reason: String| impossible(id, format!("`{field}` {reason}"));
    match field {
        Field::Translation => {
            line.translation = value.map(str::to_owned);
            line.machine = None;
            // What was found of the old one says nothing of the new.
            line.needs_person.clear();
        }
        Field::Voice => line.voice = value.map(str::to_owned),
        Field::Dubbed => line.dubbed = value.map(flag).transpose().map_err(fault)?,
        Field::Speed => line.speed = value.map(number).transpose().map_err(fault)?,
        Field::Text | Field::StartMs | Field::EndMs | Field::Speaker | Field::Note => {}
    }
    Ok(())
}

fn set_in_utterance(dub: &mut Dub, index: usize, field: Field, value: Option<&String>) -> Result<(), EditError> {
    let speakers: Vec<String> = dub.speakers.iter().map(|speaker| speaker.id.clone()).collect();
    let utterance = &mut dub.utterances[index];
    let id = utterance.id;
    let needed =
        || value.map(|value| value.trim()).ok_or_else(|| impossible(id, format!("`{field}` cannot be left out")));
    match field {
        Field::Text => {
            needed()?.clone_into(&mut utterance.text);
            utterance.words.clear();
            utterance.confidence = None;
        }
        Field::StartMs | Field::EndMs => {
            let time: u64 = needed()?.parse().map_err(|_| {
                impossible(
                    id,
                    format!("`{field}` is `{}`, but must be a whole number of milliseconds", needed().unwrap_or("")),
                )
            })?;
            *(if field == Field::StartMs { &mut utterance.start_ms } else { &mut utterance.end_ms }) = time;
            let (start, end) = (utterance.start_ms, utterance.end_ms.max(utterance.start_ms));
            for word in &mut utterance.words {
                word.start_ms = word.start_ms.clamp(start, end);
                word.end_ms = word.end_ms.clamp(start, end);
            }
        }
        Field::Speaker => match value.map(|value| value.trim()) {
            Some(speaker) if !speakers.iter().any(|known| known == speaker) => {
                let known = if speakers.is_empty() { "none".to_owned() } else { speakers.join(", ") };
                return Err(impossible(id, format!("there is no speaker `{speaker}`; there are {known}")));
            }
            speaker => utterance.speaker = speaker.map(str::to_owned),
        },
        Field::Note => match value {
            Some(note) => utterance.notes.push(note.trim().to_owned()),
            None => utterance.notes.clear(),
        },
        Field::Translation | Field::Voice | Field::Dubbed | Field::Speed => {}
    }
    Ok(())
}

fn set_setting(dub: &mut Dub, field: SettingField, value: Option<&str>) -> Result<(), EditError> {
    let fault = |reason: String| EditError::Setting(format!("`settings.{field}` {reason}"));
    let settings = &mut dub.settings;
    match field {
        SettingField::LoudnessLufs => settings.loudness_lufs = value.map(number).transpose().map_err(fault)?,
        SettingField::DuckDb => settings.duck_db = value.map(number).transpose().map_err(fault)?,
        SettingField::MinConfidence => {
            settings.min_confidence = value.map(number).transpose().map_err(fault)?.map(|value| value as f32);
        }
        SettingField::Pivots => settings.pivots = value.map(flag).transpose().map_err(fault)?,
        SettingField::Separate => settings.separate = value.map(flag).transpose().map_err(fault)?,
        SettingField::Burn => settings.burn = value.map(str::to_owned),
    }
    Ok(())
}

fn set_speaker_voice(dub: &mut Dub, id: &str, lang: Option<&Lang>, voice: Option<&str>) -> Result<(), EditError> {
    let (targets, names) = (dub.targets.clone(), dub.speakers.iter().map(|s| s.id.clone()).collect::<Vec<_>>());
    let lang = match lang {
        Some(lang) if targets.contains(lang) => lang.clone(),
        None if targets.len() == 1 => targets[0].clone(),
        _ => {
            let known = targets.iter().map(Lang::as_str).collect::<Vec<_>>().join(", ");
            return Err(EditError::Setting(format!(
                "name a language of this dub for the voice of `{id}`; it has {known}"
            )));
        }
    };
    let Some(speaker) = dub.speakers.iter_mut().find(|speaker| speaker.id == id) else {
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(EditError::Setting(format!("there is no speaker `{id}`; there are {known}")));
    };
    match voice {
        Some(voice) => drop(speaker.voices.insert(lang, voice.trim().to_owned())),
        None => drop(speaker.voices.remove(&lang)),
    }
    Ok(())
}

fn flag(text: &str) -> Result<bool, String> {
    match text.trim().to_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        other => Err(format!("is `{other}`, but must be true or false")),
    }
}

/// A number that can be compared; that it is in range the check of the document says.
fn number(text: &str) -> Result<f64, String> {
    let fault = || format!("is `{}`, but must be a number", text.trim());
    let value = text.trim().parse().map_err(|_: ParseFloatError| fault())?;
    if f64::is_finite(value) { Ok(value) } else { Err(fault()) }
}

#[cfg(test)]
mod tests;
