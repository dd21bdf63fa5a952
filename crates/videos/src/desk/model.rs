//! What is asked of the desk.

use std::collections::BTreeMap;

use pipeline::job::FileWanted;
use platform::{
    documents::Document,
    jobs::{Priority, Task},
};

use crate::{
    jobs::{Make, SoundFormat},
    order::{Order, Words},
    request::Wanted,
};

/// An order whose files have no names yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub words: Words,
    pub settings: BTreeMap<String, Wanted>,
    pub files: Vec<FileWanted>,
}

/// What is to be made of a video, and how urgently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoOrder {
    pub make: Make,
    pub priority: Priority,
}

/// What a narration is to become, and how urgently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoundOrder {
    pub format: SoundFormat,
    pub priority: Priority,
}

/// A video, and the task that makes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub video: Document<Order>,
    pub task: Task,
}

/// What is changed of a video; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    pub words: Option<Words>,
    /// Settings to set, or with nothing behind them to take back.
    pub settings: BTreeMap<String, Option<Wanted>>,
    /// All files from now on.
    pub files: Option<Vec<FileWanted>>,
}
