//! A script cut into scenes: what is said in each, and what is to be seen.

mod numbers;
mod plan;
mod topics;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use plan::plan;

/// A stretch of narration with one picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scene {
    /// As in [`crate::script::Spoken::section`].
    pub section: usize,
    /// As in [`crate::script::Spoken::paragraph`].
    pub paragraph: usize,
    /// What is said; nothing on the end card.
    pub sentences: Vec<String>,
    pub shot: Shot,
    /// What the scene is about, the most telling word first.
    pub keywords: Vec<String>,
}

/// What a scene shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Shot {
    /// A clip or still that the script names.
    Media {
        path: PathBuf,
    },
    /// Footage that fits, or a drawn phrase.
    Open,
    Title {
        title: String,
        subtitle: Option<String>,
        byline: Option<String>,
    },
    /// `number` counts the sections of the highest level, from 1, when there is more than one.
    Section {
        number: Option<u32>,
        heading: String,
    },
    Quote {
        text: String,
        by: Option<String>,
    },
    /// Each item is one sentence of the narration and appears with it.
    List {
        heading: Option<String>,
        items: Vec<String>,
    },
    BigNumber {
        number: String,
        label: String,
    },
    /// The close, without narration.
    End {
        title: String,
        credits: Vec<String>,
    },
}

impl Scene {
    /// A scene that says nothing and belongs to no part of the script.
    pub fn silent(shot: Shot) -> Self {
        Self { section: usize::MAX, paragraph: usize::MAX, sentences: Vec::new(), shot, keywords: Vec::new() }
    }

    /// The clip or still that the script names.
    pub fn given(&self) -> Option<&Path> {
        match &self.shot {
            Shot::Media { path } => Some(path),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
