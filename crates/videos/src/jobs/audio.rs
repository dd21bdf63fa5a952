//! Reads scripts aloud.

use std::time::Duration;

use platform::{
    jobs::{JobContext, JobError, JobHandler, JobKind, Policy},
    tasks::TaskOutput,
};
use serde::{Deserialize, Serialize};

use super::{Workbench, about, made, resolve};
use crate::order::Order;

/// A narration.
#[derive(Debug)]
pub struct Audios;

/// What a job of [`Audios`] is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SoundJob {
    pub order: Order,
    #[serde(default)]
    pub format: SoundFormat,
}

/// The file that a narration becomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SoundFormat {
    #[default]
    M4a,
    Mp3,
    Opus,
    Flac,
    Wav,
}

impl SoundFormat {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::M4a, Self::Mp3, Self::Opus, Self::Flac, Self::Wav];

    /// The ending of its files, and its name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::M4a => "m4a",
            Self::Mp3 => "mp3",
            Self::Opus => "opus",
            Self::Flac => "flac",
            Self::Wav => "wav",
        }
    }
}

impl JobKind for Audios {
    const NAME: &'static str = "audios";
    type Payload = SoundJob;
    type Output = TaskOutput;

    fn policy() -> Policy {
        Policy { max_attempts: 3, timeout: Duration::from_hours(2), ..Policy::default() }
    }
}

#[derive(Debug)]
pub(super) struct MakeAudio(pub Workbench);

impl JobHandler for MakeAudio {
    type Kind = Audios;

    async fn run(&self, payload: SoundJob, job: JobContext) -> Result<TaskOutput, JobError> {
        let bench = self.0.workshop.open(&job, &payload.order.files).await?;
        let (request, name) = resolve(payload.order, bench.inputs()).await?;
        let output = bench.outputs().join(format!("{name}.{}", payload.format.extension()));
        let finished = self.0.videos_for(&job).narrate(&request, &output, self.0.watch(&job)).await?;
        bench.finish(&job, &made(&finished, "audio"), about(&finished), |_| async { Ok(()) }).await
    }
}
