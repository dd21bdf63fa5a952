//! Families of models: what they are for, what they are told by, how they are loaded.

use std::{any::Any, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Contents, Model};

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Writes down what is said.
    Transcription,
    /// Translates.
    Translation,
    /// Takes voice and background apart.
    Separation,
    /// Tells speakers from one another.
    Diarization,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Transcription, Self::Translation, Self::Separation, Self::Diarization];

    pub fn name(self) -> &'static str {
        match self {
            Self::Transcription => "transcription",
            Self::Translation => "translation",
            Self::Separation => "separation",
            Self::Diarization => "diarization",
        }
    }

    /// What Pressroom does with it.
    pub fn used_for(self) -> &'static str {
        match self {
            Self::Transcription => "writing down what is said",
            Self::Translation => "translating",
            Self::Separation => "taking the voice out of the background",
            Self::Diarization => "telling speakers apart",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A loaded model, of the type that its family's engine knows.
pub type Loaded = Arc<dyn Any + Send + Sync>;

/// Loads a model so far that it can be used, or says why it cannot. Blocks.
pub type Loader = fn(&Model) -> Result<Loaded, String>;

/// A family of models.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    pub name: &'static str,
    pub kind: Kind,
    /// The files that are kept; one may begin with `*` for any beginning. Others are left out.
    pub files: &'static [&'static str],
    /// What a model of it has to have, for whoever lacks some of it.
    pub layout: &'static str,
    /// What the user may have to say of a model: names and meanings.
    pub options: &'static [(&'static str, &'static str)],
    /// What whoever uses a model of it should know of its licence.
    pub licence_note: Option<&'static str>,
    /// Whether these are the files of such a model.
    pub recognises: fn(&Contents) -> bool,
    /// `None` where this build has not the engine.
    pub loader: Option<Loader>,
}

impl Family {
    pub(super) fn keeps(&self, file: &str) -> bool {
        self.files.iter().any(|pattern| match pattern.strip_prefix('*') {
            Some(ending) => file.ends_with(ending),
            None => file == *pattern,
        })
    }
}

/// What a user says of a model whose files do not tell.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Said<'a> {
    pub kind: Option<Kind>,
    pub family: Option<&'a str>,
}

/// The family of these files; a sentence about what they are where it is none.
pub(super) fn find(
    families: &'static [Family],
    contents: &Contents,
    said: Said<'_>,
) -> Result<&'static Family, String> {
    let candidates = families.iter().filter(|family| said.kind.is_none_or(|kind| kind == family.kind));
    let candidates: Vec<&Family> =
        candidates.filter(|family| said.family.is_none_or(|name| name == family.name)).collect();
    let known = |families: &mut dyn Iterator<Item = &Family>| {
        let known: Vec<String> =
            families.map(|family| format!("{} ({}: {})", family.name, family.kind, family.layout)).collect();
        known.join("; ")
    };
    match (candidates.as_slice(), said.family) {
        ([], _) => Err(format!("no such family is known; there are {}", known(&mut families.iter()))),
        // Who names the family may know better than the files; loading will tell.
        ([family], Some(_)) => Ok(family),
        _ => candidates.iter().find(|family| (family.recognises)(contents)).copied().ok_or_else(|| {
            let known = known(&mut candidates.into_iter());
            format!("it is {}; models can be of {known}", contents.description())
        }),
    }
}
