//! What is sent and shown of videos.

use std::collections::BTreeMap;

use pipeline::job::FileWanted;
use platform::{
    documents::Document,
    jobs::Priority,
    server::{Problem, openapi::one_of, time::rfc3339},
    storage::FileId,
    tasks::http::{TaskBody, priorities},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema, openapi::Object};

use crate::{
    desk::{Asked, Change, Draft},
    jobs::{Make, SoundFormat},
    order::{Order, OrderSummary, Words},
    request::Wanted,
};

/// What is wanted: exactly one of `script` and `url`, and how.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewVideo)]
pub(super) struct NewBody {
    /// Markdown or plain text; settings may stand in its front matter.
    #[schema(max_length = 1_000_000, example = "# Salt\n\nSea water is salty. Rivers carry salt to it.")]
    script: Option<String>,
    /// The address of a web page that is told.
    #[schema(max_length = 2048)]
    url: Option<String>,
    /// Settings by the names of front matter, such as `{"aspect": "16:9", "voice": "en+f3"}`; stronger than the script's.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    settings: BTreeMap<String, Wanted>,
    /// Files that settings and the script name; what nothing names is footage to choose from.
    #[serde(default)]
    #[schema(max_items = 200)]
    files: Vec<FileWanted>,
    /// How urgent it is.
    #[serde(default)]
    #[schema(schema_with = priorities)]
    priority: Priority,
}

/// What is made of a video.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct MakeQuery {
    /// `storyboard` for only a contact sheet and a small draft, to look at before the video is made.
    #[serde(default)]
    #[param(schema_with = makes)]
    pub(super) make: Make,
}

/// What a narration becomes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct FormatQuery {
    /// The format of the file.
    #[serde(default)]
    #[param(schema_with = formats)]
    pub(super) format: SoundFormat,
}

/// What is changed of a video; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeBody {
    /// Another script, instead of what the words were taken from.
    #[schema(max_length = 1_000_000)]
    script: Option<String>,
    /// Another web page, instead of what the words were taken from.
    #[schema(max_length = 2048)]
    url: Option<String>,
    /// Settings to set; one that is `null` is taken back.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    settings: BTreeMap<String, Option<Wanted>>,
    /// All files from now on.
    #[schema(max_items = 200)]
    files: Option<Vec<FileWanted>>,
}

/// A video as it is kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Video)]
pub(super) struct VideoBody {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// Its script, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    script: Option<String>,
    /// The web page that it tells, where it is made from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// What is set for it.
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    settings: BTreeMap<String, Wanted>,
    /// Its files.
    files: Vec<FileShown>,
    /// When it was first asked for.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was changed last.
    #[schema(format = DateTime)]
    updated_at: String,
    /// The tasks that made it or make it, the newest first.
    #[schema(example = "/api/v1/tasks?subject=videos/0193a5c4-7b1e-7c3a-9f00-2b6d1e8a4c55")]
    tasks_url: String,
}

/// A video in a list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ListedVideo)]
pub(super) struct ListedBody {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// How its words begin, or the address that they are at.
    excerpt: String,
    /// When it was first asked for.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was changed last.
    #[schema(format = DateTime)]
    updated_at: String,
    /// The tasks that made it or make it, the newest first.
    tasks_url: String,
}

/// A file of a video.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VideoFileShown)]
pub(super) struct FileShown {
    /// Its id among the files of its owner.
    #[schema(value_type = uuid::Uuid)]
    file_id: FileId,
    /// What settings and the script call it.
    name: String,
}

/// A video, and the task that makes it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AskedBody {
    /// The video.
    video: VideoBody,
    /// The task.
    task: TaskBody,
}

fn words(script: Option<String>, url: Option<String>) -> Result<Words, Problem> {
    match (script, url) {
        (Some(script), None) => Ok(Words::Script(script)),
        (None, Some(url)) => Ok(Words::Url(url)),
        _ => Err(Problem::field("/script", "exactly one of `script` and `url` is needed")),
    }
}

impl NewBody {
    pub(super) fn take(self) -> Result<(Draft, Priority), Problem> {
        let words = words(self.script, self.url)?;
        Ok((Draft { words, settings: self.settings, files: self.files }, self.priority))
    }
}

impl ChangeBody {
    pub(super) fn take(self) -> Result<Change, Problem> {
        let is_silent = self.script.is_none() && self.url.is_none();
        let words = if is_silent { None } else { Some(words(self.script, self.url)?) };
        Ok(Change { words, settings: self.settings, files: self.files })
    }
}

impl VideoBody {
    pub(super) fn of(video: &Document<Order>) -> Self {
        let Order { words, settings, files } = &video.value;
        let (script, url) = match words {
            Words::Script(script) => (Some(script.clone()), None),
            Words::Url(url) => (None, Some(url.clone())),
        };
        Self {
            id: video.id.to_string(),
            script,
            url,
            settings: settings.clone(),
            files: files.iter().map(|file| FileShown { file_id: file.file_id, name: file.name.to_string() }).collect(),
            created_at: rfc3339(video.created_at_ms),
            updated_at: rfc3339(video.updated_at_ms),
            tasks_url: tasks_url(video.id),
        }
    }
}

impl ListedBody {
    pub(super) fn of(video: &Document<OrderSummary>) -> Self {
        Self {
            id: video.id.to_string(),
            excerpt: video.value.excerpt.clone(),
            created_at: rfc3339(video.created_at_ms),
            updated_at: rfc3339(video.updated_at_ms),
            tasks_url: tasks_url(video.id),
        }
    }
}

/// Where the tasks of a video are listed.
fn tasks_url(video: kernel::Uuid) -> String {
    format!("/api/v1/tasks?subject=videos/{video}")
}

impl AskedBody {
    pub(super) fn of(asked: &Asked) -> Self {
        Self { video: VideoBody::of(&asked.video), task: TaskBody::whole(&asked.task) }
    }
}

fn formats() -> Object {
    one_of(SoundFormat::ALL.map(SoundFormat::extension))
}

fn makes() -> Object {
    one_of(["video", "storyboard"])
}
