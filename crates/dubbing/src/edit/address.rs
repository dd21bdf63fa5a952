//! How a person writes a change: `12.translation=…`, `es:12.voice=es+f3`, `settings.duck_db=0`, `speaker.S1.voice=…`.

use std::{fmt, str::FromStr};

use kernel::Lang;

use super::{Edit, EditError, SplitAt};

/// A field of an utterance or of one of its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Text,
    StartMs,
    EndMs,
    Speaker,
    Note,
    Translation,
    Voice,
    Speed,
    Dubbed,
}

/// A setting of the whole dub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingField {
    LoudnessLufs,
    DuckDb,
    MinConfidence,
    Pivots,
    Separate,
    Burn,
}

const FIELDS: [(&str, Field); 9] = [
    ("text", Field::Text),
    ("start_ms", Field::StartMs),
    ("end_ms", Field::EndMs),
    ("speaker", Field::Speaker),
    ("note", Field::Note),
    ("translation", Field::Translation),
    ("voice", Field::Voice),
    ("speed", Field::Speed),
    ("dubbed", Field::Dubbed),
];

const SETTINGS: [(&str, SettingField); 6] = [
    ("loudness_lufs", SettingField::LoudnessLufs),
    ("duck_db", SettingField::DuckDb),
    ("min_confidence", SettingField::MinConfidence),
    ("pivots", SettingField::Pivots),
    ("separate", SettingField::Separate),
    ("burn", SettingField::Burn),
];

impl Field {
    /// Whether it may differ from language to language.
    pub(super) fn is_of_line(self) -> bool {
        matches!(self, Self::Translation | Self::Voice | Self::Speed | Self::Dubbed)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FIELDS.iter().find(|(_, field)| field == self).map_or("", |(name, _)| name))
    }
}

impl fmt::Display for SettingField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SETTINGS.iter().find(|(_, field)| field == self).map_or("", |(name, _)| name))
    }
}

/// What a change is of.
enum Address {
    Utterance { id: u32, lang: Option<Lang>, field: Field },
    Setting(SettingField),
    SpeakerVoice { speaker: String, lang: Option<Lang> },
}

impl Edit {
    /// Reads `ADDRESS=VALUE`.
    pub fn parse_set(text: &str) -> Result<Self, EditError> {
        let fault = |reason: &str| unreadable(text, reason);
        let (address, value) =
            text.split_once('=').ok_or_else(|| fault("says no value; write it as in `12.translation=Hola`"))?;
        let value = value.to_owned();
        Ok(match address.parse::<Address>().map_err(|reason| fault(&reason))? {
            Address::Utterance { id, lang, field } => Self::Set { id, lang, field, value },
            Address::Setting(field) => Self::Setting { field, value: Some(value) },
            Address::SpeakerVoice { speaker, lang } => Self::SpeakerVoice { speaker, lang, voice: Some(value) },
        })
    }

    /// Reads an address whose decision is taken back.
    pub fn parse_unset(text: &str) -> Result<Self, EditError> {
        Ok(match text.parse::<Address>().map_err(|reason| unreadable(text, &reason))? {
            Address::Utterance { id, lang, field } => Self::Unset { id, lang, field },
            Address::Setting(field) => Self::Setting { field, value: None },
            Address::SpeakerVoice { speaker, lang } => Self::SpeakerVoice { speaker, lang, voice: None },
        })
    }

    /// Reads `ID`, the utterance to delete.
    pub fn parse_delete(text: &str) -> Result<Self, EditError> {
        Ok(Self::Delete { id: id(text).map_err(|reason| unreadable(text, &reason))? })
    }

    /// Reads `ID`, the utterance to join with the next.
    pub fn parse_merge(text: &str) -> Result<Self, EditError> {
        Ok(Self::Merge { id: id(text).map_err(|reason| unreadable(text, &reason))? })
    }

    /// Reads `START-END=TEXT` in milliseconds.
    pub fn parse_create(text: &str) -> Result<Self, EditError> {
        let fault = || unreadable(text, "must be times in milliseconds and a text, as in `1000-2500=Hello`");
        let (times, said) = text.split_once('=').ok_or_else(fault)?;
        let (start, end) = times.split_once('-').ok_or_else(fault)?;
        let time = |text: &str| text.trim().parse().map_err(|_| fault());
        Ok(Self::Create { start_ms: time(start)?, end_ms: time(end)?, text: said.trim().to_owned() })
    }

    /// Reads `ID@MILLISECONDS` or `ID@word:NUMBER`, the number of the first word of the second part.
    pub fn parse_split(text: &str) -> Result<Self, EditError> {
        let fault = || unreadable(text, "must be a line and where to split it, as in `12@3400` or `12@word:3`");
        let (line, place) = text.split_once('@').ok_or_else(fault)?;
        let at = match place.trim().strip_prefix("word:") {
            Some(number) => SplitAt::Word(number.trim().parse().map_err(|_| fault())?),
            None => SplitAt::Time(place.trim().parse().map_err(|_| fault())?),
        };
        Ok(Self::Split { id: id(line).map_err(|_| fault())?, at })
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (lang, rest) = match text.split_once(':') {
            Some((lang, rest)) => (Some(lang.parse::<Lang>().map_err(|error| format!("begins wrong: {error}"))?), rest),
            None => (None, text),
        };
        let (name, field) = rest.rsplit_once('.').ok_or("names no field; write it as in `12.translation`")?;
        let field = field.trim();
        match name.trim() {
            "settings" => find(&SETTINGS, field).map(Self::Setting),
            name if name.starts_with("speaker.") => {
                if field != "voice" {
                    return Err(format!("names the field `{field}`; a speaker has `voice`"));
                }
                Ok(Self::SpeakerVoice { speaker: name["speaker.".len()..].to_owned(), lang })
            }
            number => Ok(Self::Utterance { id: id(number)?, lang, field: find(&FIELDS, field)? }),
        }
    }
}

fn find<T: Copy>(table: &[(&str, T)], name: &str) -> Result<T, String> {
    let found = table.iter().find(|(known, _)| *known == name).map(|(_, field)| *field);
    found.ok_or_else(|| {
        let known: Vec<&str> = table.iter().map(|(known, _)| *known).collect();
        format!("names the field `{name}`; there are {}", known.join(", "))
    })
}

fn id(text: &str) -> Result<u32, String> {
    text.trim().parse().map_err(|_| format!("names `{}`, which is no number of an utterance", text.trim()))
}

fn unreadable(edit: &str, reason: &str) -> EditError {
    EditError::Unreadable { edit: edit.to_owned(), reason: reason.to_owned() }
}
