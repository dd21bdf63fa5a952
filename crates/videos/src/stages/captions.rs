//! The words of a scene become captions, in lines a person can read.

use std::path::PathBuf;

use media::{
    Size,
    captions::{Cue, Rules, Style, break_into_cues},
    speech_text::TimedSentence,
};
use pipeline::{Stage, StageContext, StageError};
use serde::{Deserialize, Serialize};

use super::computing;

/// Breaks captions.
#[derive(Debug)]
pub(crate) struct Captions;

/// What is said in a scene, timed from its beginning, and the frame it must fit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct CaptionsInput {
    pub sentences: Vec<TimedSentence>,
    pub style: CaptionStyle,
    pub size: Size,
    /// Length of the scene: no caption stays longer.
    pub scene_ms: u64,
}

/// Which style, before anyone has looked whether it can be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CaptionStyle {
    /// One that comes with Pressroom.
    Named(String),
    /// The text of a style file.
    File(String),
}

impl CaptionStyle {
    /// Reads what a request calls its style: a file where the name is a path, else a built-in one.
    pub(crate) async fn read(name: &str) -> Result<Self, media::MediaError> {
        if !name.contains(['/', '\\', '.']) {
            return Ok(Self::Named(name.to_owned()));
        }
        let path = PathBuf::from(name);
        let text = tokio::fs::read_to_string(&path).await.map_err(|error| media::MediaError::io(path, error))?;
        Ok(Self::File(text))
    }

    /// The style, checked.
    pub(crate) fn parse(&self) -> Result<Style, media::MediaError> {
        match self {
            Self::Named(name) => Style::named(name),
            Self::File(text) => Style::from_toml(text),
        }
    }
}

impl Stage for Captions {
    type Input = CaptionsInput;
    type Output = Vec<Cue>;

    fn name(&self) -> &'static str {
        "captions"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &CaptionsInput, _context: &StageContext) -> Result<Vec<Cue>, StageError> {
        let input = input.clone();
        computing(move || {
            let style = input.style.parse()?;
            let rules = Rules::for_frame(&style, input.size);
            let mut cues = break_into_cues(&input.sentences, &rules)?;
            for cue in &mut cues {
                cue.end_ms = cue.end_ms.min(input.scene_ms);
            }
            Ok(cues)
        })
        .await
    }
}
