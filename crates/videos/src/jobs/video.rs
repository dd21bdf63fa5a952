//! Makes videos and storyboards.

use std::{path::Path, time::Duration};

use pipeline::job::MadeFile;
use platform::{
    jobs::{JobContext, JobError, JobHandler, JobKind, Policy},
    tasks::TaskOutput,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Workbench, about, made, resolve};
use crate::order::Order;

/// A video or its storyboard.
#[derive(Debug)]
pub struct Videos;

/// What a job of [`Videos`] is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VideoJob {
    pub order: Order,
    pub make: Make,
}

/// What is made of a video.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Make {
    /// The video, with everything beside it.
    #[default]
    Video,
    /// A contact sheet and a small draft, to look at first.
    Storyboard,
}

impl JobKind for Videos {
    const NAME: &'static str = "videos";
    type Payload = VideoJob;
    type Output = TaskOutput;

    fn policy() -> Policy {
        // Each uses all processors by itself.
        Policy { max_attempts: 3, timeout: Duration::from_hours(12), concurrency: 1, ..Policy::default() }
    }
}

#[derive(Debug)]
pub(super) struct MakeVideo(pub Workbench);

impl JobHandler for MakeVideo {
    type Kind = Videos;

    async fn run(&self, payload: VideoJob, job: JobContext) -> Result<TaskOutput, JobError> {
        let bench = self.0.workshop.open(&job, &payload.order.files).await?;
        let team = self.0.team_of(&job, &payload.order.files)?;
        let (request, name) = resolve(payload.order, bench.inputs()).await?;
        let output = bench.outputs().join(format!("{name}.mp4"));
        let (videos, watch) = (self.0.videos_for(&job).with_team(team), self.0.watch(&job));
        let finished = match payload.make {
            Make::Video => videos.render(&request, &output, watch).await?,
            Make::Storyboard => videos.storyboard(&request, &output, watch).await?,
        };
        let main = if payload.make == Make::Video { "video" } else { "draft" };
        let files = made(&finished, main);
        for file in &files {
            take_out_folder(file, &bench.inputs()).await?;
        }
        bench.finish(&job, &files, about(&finished), |_| async { Ok(()) }).await
    }
}

/// Where files lay on this machine is nobody's business: descriptions name them as their owner does.
async fn take_out_folder(file: &MadeFile, folder: &Path) -> Result<(), JobError> {
    if !matches!(file.role, "facts" | "timeline") {
        return Ok(());
    }
    let failed = |error: &dyn std::fmt::Display| JobError::fail(format!("`{}` cannot be read: {error}", file.role));
    let bytes = tokio::fs::read(&file.path).await.map_err(|error| failed(&error))?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| failed(&error))?;
    let text = serde_json::to_vec_pretty(&relative(value, folder)).map_err(|error| failed(&error))?;
    tokio::fs::write(&file.path, text).await.map_err(|error| failed(&error))
}

/// The same, with paths below `folder` relative to it.
fn relative(value: Value, folder: &Path) -> Value {
    match value {
        Value::String(text) => {
            let path = text.strip_prefix("file://").unwrap_or(&text);
            let inside = Path::new(path).strip_prefix(folder).ok().map(|inside| inside.display().to_string());
            Value::String(inside.unwrap_or(text))
        }
        Value::Array(items) => items.into_iter().map(|item| relative(item, folder)).collect(),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, value)| (key, relative(value, folder))).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn descriptions_name_files_as_their_owner_does() {
        let value =
            json!({ "shows": ["/data/work/1/in/beach.mp4", "card"], "url": "file:///data/work/1/in/a b.png", "n": 1 });
        let expected = json!({ "shows": ["beach.mp4", "card"], "url": "a b.png", "n": 1 });
        assert_eq!(relative(value, Path::new("/data/work/1/in")), expected);
    }
}
