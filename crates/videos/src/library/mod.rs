//! The footage a user offers: what there is, what its names say, and which of it fits which scene.

mod assign;
mod cutting;
mod matching;
mod matrix;
mod scan;

use std::path::PathBuf;

use media::Size;
use serde::{Deserialize, Serialize};

pub use assign::{Part, Plan, SceneNeed, assign};
pub use scan::Limits;

/// Clips and stills, sorted by path.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Library {
    pub assets: Vec<Asset>,
}

/// A clip or a still.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asset {
    pub path: PathBuf,
    pub kind: AssetKind,
    /// The words of the file name.
    pub name: String,
    /// The words of the folders between the one that was offered and the file.
    pub folders: String,
    /// The text of the sidecar: `wave.txt` or `wave.mp4.txt` beside `wave.mp4`.
    pub tags: String,
    /// What a look inside the file says; `None` until somebody looked.
    pub facts: Option<Facts>,
}

/// What a file name says a file is; only a look inside tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssetKind {
    Clip,
    Still,
}

/// Shape and length of an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// As shown: rotation is applied.
    pub size: Size,
    /// 0 for a still.
    pub duration_ms: u64,
}
