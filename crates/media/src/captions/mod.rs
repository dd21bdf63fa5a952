//! Captions: timed words become cues a person can read, and cues become SubRip, WebVTT and the ASS that is burned in.
//!
//! The way through this module: [`break_into_cues`] once for the whole video, [`srt`], [`webvtt`] and [`ass`] for the
//! files beside it, [`ass_window`] and [`burn_filter`] for each segment that is encoded. The other way,
//! [`read_transcript`] reads what a person brings.

mod ass;
mod atoms;
mod breaking;
mod burn;
mod clauses;
mod color;
mod layout;
mod markup;
mod read;
mod sidecar;
mod style;
mod timing;
mod typeface;

use kernel::Lang;
use serde::{Deserialize, Serialize};

pub use ass::{Setting, ass, ass_window};
pub use breaking::{Rules, break_into_cues};
pub use burn::burn_filter;
pub use color::Color;
pub use read::{
    ProblemKind, Transcript, TranscriptCue, TranscriptError, TranscriptProblem, language_of_name, parse_transcript,
    read_transcript,
};
pub use sidecar::{srt, webvtt};
pub use style::{Backdrop, Outline, Position, Shadow, Style};

use crate::speech_text::TimedWord;

/// What is shown at one time: one or two lines of one sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cue {
    /// When its first word sounds, in milliseconds from the start of whatever holds the sentences.
    pub start_ms: u64,
    /// When it leaves: after its last word, and never after the next cue's start.
    pub end_ms: u64,
    /// From top to bottom; never empty.
    pub lines: Vec<Line>,
    pub lang: Lang,
}

/// One line of a cue. A word too long for a line is several entries without a space between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub words: Vec<TimedWord>,
}

impl Line {
    /// The line as it is read.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for word in &self.words {
            if word.space_before && !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&word.text);
        }
        text
    }
}

impl Cue {
    /// All lines, with a line break between them.
    pub fn text(&self) -> String {
        self.lines.iter().map(Line::text).collect::<Vec<_>>().join("\n")
    }

    /// All words in reading order.
    pub fn words(&self) -> impl Iterator<Item = &TimedWord> {
        self.lines.iter().flat_map(|line| &line.words)
    }
}

/// How captions follow the voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The whole cue stands still while it is spoken.
    Line,
    /// The spoken word is lit.
    Word,
}
