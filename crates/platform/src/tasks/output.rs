//! What a task made.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::storage::{File, FileId};

/// What a task made, for its owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskOutput {
    /// The files, the main one first.
    pub files: Vec<OutputFile>,
    /// How long it plays, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// What the source holds that was left out, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// A file that a task made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutputFile {
    /// What it is to the task, such as `video`, `subtitles` or `cover`.
    pub role: String,
    /// Its id among the files of its owner.
    #[schema(value_type = uuid::Uuid)]
    pub file_id: FileId,
    /// What it is called.
    pub name: String,
    /// What it holds, such as `video/mp4`.
    pub media_type: String,
    /// How large it is.
    pub size_bytes: u64,
    /// Where it is played, for its owner.
    pub stream_url: String,
    /// Where it is saved, for its owner.
    pub download_url: String,
}

impl OutputFile {
    /// The file `file`, which is `role` to its task.
    pub fn new(role: &str, file: &File) -> Self {
        let id = file.id;
        Self {
            role: role.to_owned(),
            file_id: id,
            name: file.name.to_string(),
            media_type: file.media_type.as_str().to_owned(),
            size_bytes: file.size_bytes,
            stream_url: format!("/api/v1/stream/{id}"),
            download_url: format!("/api/v1/download/{id}"),
        }
    }
}
