//! What is asked of the desk, and what is kept of it.

use std::path::Path;

use kernel::Lang;
use media::remux::OriginalSound;
use pipeline::job::{FileWanted, InputFile};
use platform::{
    documents::{Document, Kept},
    jobs::Task,
};
use serde::{Deserialize, Serialize};

use super::DeskError;
use crate::{
    document::{Dub, Settings},
    request::{DubRequest, Output, OutputKind, Track, Tracks},
};

/// The most languages of one dub.
const MAX_TARGETS: usize = 20;

/// An order whose files have no names yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub source: DraftSource,
    pub targets: Vec<Lang>,
    pub lang: Option<Lang>,
    pub track: Option<u16>,
    pub transcript: Option<FileWanted>,
    pub settings: Settings,
    pub output: Made,
}

/// Where the source of an order is.
#[derive(Debug, Clone, PartialEq)]
pub enum DraftSource {
    File(FileWanted),
    Url(String),
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DubOrder {
    pub source: DubSource,
    pub targets: Vec<Lang>,
    /// The language of the source, where it is known.
    pub lang: Option<Lang>,
    /// Which sound of the source, counted from 1.
    pub track: Option<u16>,
    /// SubRip or WebVTT of what is said.
    pub transcript: Option<InputFile>,
    pub settings: Settings,
    pub output: Made,
}

/// The video or sound that is dubbed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DubSource {
    File(InputFile),
    /// At an address of the web: it becomes a file of its owner's when it is first made.
    Url(String),
}

/// What is made of a dub.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// One file with a sound and subtitles of each language, instead of a file for each.
    #[serde(default)]
    pub one_file: bool,
    /// The original sound is kept behind the new ones.
    #[serde(default)]
    pub keep_original: bool,
    /// Subtitles only.
    #[serde(default)]
    pub only_subtitles: bool,
}

/// What is kept of a dub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DubState {
    pub order: DubOrder,
    /// Every line, once it was made; from then on it says what is made. Its paths are names among the files of the order.
    pub document: Option<Dub>,
}

/// What a list shows of a dub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DubSummary {
    /// The name of the file that is dubbed, or an address that was not fetched yet.
    pub source: String,
    pub targets: Vec<Lang>,
    pub output: Made,
}

impl Kept for DubState {
    type Summary = DubSummary;

    fn summary(&self) -> DubSummary {
        let source = match &self.order.source {
            DubSource::File(file) => file.name.to_string(),
            DubSource::Url(url) => url.clone(),
        };
        let targets = self.document.as_ref().map_or(&self.order.targets, |document| &document.targets).clone();
        DubSummary { source, targets, output: self.order.output }
    }
}

/// A dub, and the task that makes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub dub: Document<DubState>,
    pub task: Task,
}

impl Made {
    /// The same for a run, with results in `folder`.
    pub fn output(self, folder: &Path) -> Output {
        Output {
            folder: Some(folder.to_owned()),
            tracks: if self.one_file { Tracks::OneFile } else { Tracks::FileEach },
            kind: if self.only_subtitles { OutputKind::Subtitles } else { OutputKind::Dub },
            original: if self.keep_original { OriginalSound::Keep } else { OriginalSound::Drop },
        }
    }
}

impl DubOrder {
    /// The files that have to be laid out.
    pub fn files(&self) -> Vec<InputFile> {
        let source = match &self.source {
            DubSource::File(file) => Some(file.clone()),
            DubSource::Url(_) => None,
        };
        source.into_iter().chain(self.transcript.clone()).collect()
    }

    /// The request, once `source` and the other files lie in `folder`.
    pub fn request(&self, source: &InputFile, folder: &Path, results: &Path) -> DubRequest {
        DubRequest {
            source: folder.join(source.name.as_str()),
            targets: self.targets.clone(),
            lang: self.lang.clone(),
            track: self.track.map_or(Track::Usual, |number| Track::Number(number.into())),
            transcript: self.transcript.as_ref().map(|file| folder.join(file.name.as_str())),
            settings: self.settings.clone(),
            output: self.output.output(results),
        }
    }

    pub(super) fn check_targets(&self) -> Result<(), DeskError> {
        let fault = |reason: String| Err(DeskError::Order { pointer: "/to", reason });
        if self.targets.is_empty() || self.targets.len() > MAX_TARGETS {
            return fault(format!("there are {} languages; name 1 to {MAX_TARGETS}", self.targets.len()));
        }
        for (place, lang) in self.targets.iter().enumerate() {
            if self.targets[..place].contains(lang) {
                return fault(format!("`{lang}` is named twice"));
            }
        }
        Ok(())
    }
}

/// Settings that users of a server may make: a style is one that comes with Pressroom, never a file of the server.
pub(super) fn check_settings(settings: &Settings) -> Result<(), DeskError> {
    let is_file = settings.burn.as_deref().is_some_and(|style| style.contains(['/', '\\', '.']));
    if is_file {
        let reason = "a style is named here, such as `bold`; it cannot be a file".to_owned();
        return Err(DeskError::Order { pointer: "/settings/burn", reason });
    }
    let faults = settings.faults();
    if faults.is_empty() { Ok(()) } else { Err(DeskError::Order { pointer: "/settings", reason: faults.join("; ") }) }
}

pub(super) fn check_url(url: &str) -> Result<String, DeskError> {
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    if is_web && url.len() <= 2048 {
        return Ok(url.to_owned());
    }
    Err(DeskError::Order { pointer: "/url", reason: "it is no address of the web; write https://…".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_style_is_a_file_of_the_server_and_every_setting_is_in_its_range() {
        let with = |burn: &str| Settings { burn: Some(burn.to_owned()), ..Settings::default() };
        assert!(check_settings(&with("bold")).is_ok());
        for burn in ["/etc/passwd", "..\\x", "a.toml"] {
            assert!(check_settings(&with(burn)).is_err(), "{burn}");
        }
        assert!(check_settings(&Settings { duck_db: Some(-1.0), ..Settings::default() }).is_err());
    }
}
