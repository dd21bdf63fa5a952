//! A script: what is said, in sections, paragraphs and sentences, and what is shown beside it.

mod language;
mod markdown;
mod sentences;

use std::path::{Path, PathBuf};

use kernel::Lang;
use serde::{Deserialize, Serialize};

use crate::VideosError;

pub use language::detect;

/// A parsed script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    pub title: Option<String>,
    /// Who wrote it, as the title card says.
    pub byline: Option<String>,
    /// Where the text was found, as the end card says.
    pub source: Option<String>,
    pub lang: Lang,
    pub blocks: Vec<Block>,
    /// What the text holds that a video cannot tell, such as code and pictures of the web, for the user to know.
    pub left_out: Vec<String>,
}

/// A part of a script. Texts are plain: no markup, single spaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Block {
    /// Begins a section; level 1 is the highest.
    Heading {
        level: u8,
        text: String,
    },
    Paragraph {
        sentences: Vec<String>,
    },
    /// Items of one sentence each; lists with longer items become paragraphs.
    List {
        ordered: bool,
        items: Vec<String>,
    },
    Quote {
        sentences: Vec<String>,
        by: Option<String>,
    },
    /// A clip or still to show from here on.
    Media {
        path: PathBuf,
        alt: String,
    },
    /// A pause without a heading.
    Break,
}

/// What a script is read with.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The folder that references to clips and stills are relative to.
    pub base: &'a Path,
    /// `None`: found from the text.
    pub lang: Option<&'a Lang>,
    /// `None`: the first heading, when it is of level 1.
    pub title: Option<&'a str>,
}

/// A sentence as it is narrated, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spoken {
    pub text: String,
    /// Sections count from 0, the part before the first heading; each heading begins the next.
    pub section: usize,
    /// Paragraphs, lists, quotes and headings, counted from 0 through the whole script.
    pub paragraph: usize,
}

impl Script {
    /// Reads Markdown, or plain text, which is Markdown without marks.
    pub fn parse(text: &str, reading: Reading<'_>) -> Result<Self, VideosError> {
        let mut read = markdown::read(text, reading.base);
        let heading = leading_title(&mut read.blocks, reading.title);
        let title = reading.title.map(clean).filter(|title| !title.is_empty()).or(heading);
        let lang = match reading.lang {
            Some(lang) => lang.clone(),
            None => detect(&markdown::words_of(&read.blocks)),
        };
        let blocks = read.blocks.into_iter().flat_map(|block| sentences::split_block(block, &lang)).collect();
        let script = Self { title, byline: None, source: None, lang, blocks, left_out: read.left_out };
        if script.narration().iter().all(|spoken| !sentences::is_speakable(&spoken.text)) {
            return Err(VideosError::Script(
                "the script has nothing to say; write at least one sentence outside of code and HTML".to_owned(),
            ));
        }
        Ok(script)
    }

    /// Takes out what the text wants to be shown, for texts that have no right to name files.
    pub(crate) fn leave_out_media(&mut self) {
        for block in std::mem::take(&mut self.blocks) {
            match block {
                Block::Media { path, .. } => self.left_out.push(format!("picture {}", path.display())),
                block => self.blocks.push(block),
            }
        }
    }

    /// Whether the title is read aloud before the first sentence: not when that sentence says it anyway.
    pub fn speaks_title(&self) -> bool {
        let Some(title) = &self.title else { return false };
        let first = self.blocks.iter().find_map(|block| match block {
            Block::Heading { text, .. } => Some(text.as_str()),
            Block::Paragraph { sentences } | Block::Quote { sentences, .. } => sentences.first().map(String::as_str),
            Block::List { items, .. } => items.first().map(String::as_str),
            Block::Media { .. } | Block::Break => None,
        });
        let bare =
            |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
        sentences::is_speakable(title) && first.is_none_or(|first| !bare(first).starts_with(&bare(title)))
    }

    /// Every sentence in the order of narration: title, headings, sentences, items and quotes.
    pub fn narration(&self) -> Vec<Spoken> {
        let mut spoken = Vec::new();
        let (mut section, mut paragraph) = (0, 0);
        if let Some(title) = self.title.as_ref().filter(|_| self.speaks_title()) {
            spoken.push(Spoken { text: title.clone(), section, paragraph });
            paragraph += 1;
        }
        for block in &self.blocks {
            if matches!(block, Block::Heading { .. }) {
                section += 1;
            }
            match block {
                Block::Heading { text, .. } => {
                    spoken.push(Spoken { text: text.clone(), section, paragraph });
                    paragraph += 1;
                }
                Block::Paragraph { sentences } | Block::Quote { sentences, .. } => {
                    spoken.extend(sentences.iter().map(|text| Spoken { text: text.clone(), section, paragraph }));
                    paragraph += 1;
                }
                Block::List { items, .. } => {
                    spoken.extend(items.iter().map(|text| Spoken { text: text.clone(), section, paragraph }));
                    paragraph += 1;
                }
                Block::Media { .. } | Block::Break => {}
            }
        }
        spoken
    }

    /// How long the narration takes to say, roughly, in milliseconds; for planning before any voice has spoken.
    pub fn estimate_ms(&self) -> u64 {
        self.narration().iter().map(|spoken| estimate_ms(&spoken.text, &self.lang)).sum()
    }
}

/// How long a text takes to say at an ordinary pace, in milliseconds, with the pause after it.
///
/// Unspaced scripts are read at about 4.5 characters a second, others at about 15 (Pellegrino, Coupé and Marsico 2011
/// find 5 to 8 syllables a second across languages, a syllable being two to three letters).
pub fn estimate_ms(text: &str, lang: &Lang) -> u64 {
    let characters = text.chars().filter(|c| c.is_alphanumeric()).count() as u64;
    let ms_per_character = if lang.is_unspaced() && lang.primary() != "th" { 220 } else { 78 };
    300 + characters * ms_per_character
}

/// Takes the heading that stands for the title off the blocks; `None` when there is no such heading.
fn leading_title(blocks: &mut Vec<markdown::Raw>, given: Option<&str>) -> Option<String> {
    let at = blocks.iter().position(|block| !matches!(block, markdown::Raw::Media { .. } | markdown::Raw::Break))?;
    let markdown::Raw::Heading { level: 1, text } = &blocks[at] else { return None };
    let same = given.is_none_or(|given| clean(given).to_lowercase() == text.to_lowercase());
    let title = text.clone();
    if same {
        blocks.remove(at);
    }
    Some(title)
}

/// A text with single spaces and without control characters and marks that turn the direction of others.
pub(crate) fn clean(text: &str) -> String {
    let hidden = |c: char| {
        matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffc}')
            || (c.is_control() && !c.is_whitespace())
    };
    let visible: String = text.chars().filter(|c| !hidden(*c)).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
