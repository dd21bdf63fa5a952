//! What a user asks of a dub.

use std::path::PathBuf;

use kernel::Lang;
use media::remux::OriginalSound;

use crate::document::Settings;

/// A source, what is known of it, and what is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct DubRequest {
    pub source: PathBuf,
    /// The languages to make, the first of them the default.
    pub targets: Vec<Lang>,
    /// The language of the source, where it is known.
    pub lang: Option<Lang>,
    pub track: Track,
    /// SubRip or WebVTT of what is said.
    pub transcript: Option<PathBuf>,
    pub settings: Settings,
    pub output: Output,
}

/// Which sound of the source is dubbed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Track {
    /// The one in the language of the source where that is known, else the one players choose.
    #[default]
    Usual,
    /// Counted from 1, as people count.
    Number(usize),
}

/// What is written and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The folder of the results; that of the source where absent.
    pub folder: Option<PathBuf>,
    pub tracks: Tracks,
    pub kind: OutputKind,
    /// Whether the original sound is kept behind the new ones.
    pub original: OriginalSound,
}

impl Default for Output {
    fn default() -> Self {
        Self { folder: None, tracks: Tracks::default(), kind: OutputKind::default(), original: OriginalSound::Drop }
    }
}

/// How several languages are handed out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tracks {
    /// A file for each language: `talk.es.mp4`.
    #[default]
    FileEach,
    /// One file with a sound and subtitles for each language, and the original: `talk.dub.mkv`.
    OneFile,
}

/// What is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OutputKind {
    /// Videos, subtitles and the document.
    #[default]
    Dub,
    /// Subtitles and the document, and no sound.
    Subtitles,
}
