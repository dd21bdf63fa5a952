//! Tells the task of a run's progress.

use std::{
    fmt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use metrics::{counter, histogram};
use platform::jobs::{JobContext, JobProgress};

use crate::{Progress, ProgressReceiver};

const DURATION: &str = "stage_duration_seconds";
const ITEMS: &str = "stage_items_total";

/// How often a picture of what is being made is drawn.
const PREVIEW_INTERVAL: Duration = Duration::from_secs(3);

/// A larger picture is not told.
const MAX_PREVIEW_BYTES: usize = 64 * 1024;

/// Draws pictures of what is being made.
#[async_trait]
pub trait Previews: fmt::Debug + Send + Sync {
    /// A small picture of `file` as JPEG, where one can be had.
    async fn draw(&self, file: &Path) -> Option<Vec<u8>>;
}

/// Tells the task of a run's progress, until the run ends.
pub async fn follow(mut events: ProgressReceiver, job: JobContext, previews: Option<Arc<dyn Previews>>) {
    let mut told = JobProgress::default();
    let mut drawn: Option<Instant> = None;
    while let Some(event) = events.next().await {
        match event {
            Progress::Advanced { stage, item, fraction, message, preview, .. } => {
                told.message = message.unwrap_or_else(|| format!("{stage}: {} of {}", item.number, item.count));
                (told.stage, told.fraction) = (stage, fraction);
                if let (Some(previews), Some(file)) = (&previews, preview)
                    && drawn.is_none_or(|at| at.elapsed() >= PREVIEW_INTERVAL)
                {
                    told.preview = previews.draw(&file).await.and_then(|picture| as_url(&picture)).or(told.preview);
                    drawn = Some(Instant::now());
                }
            }
            Progress::StageStarted { stage, items } => {
                told.message = if items > 1 { format!("{stage}: {items} to make") } else { stage.clone() };
                told.stage = stage;
            }
            Progress::ItemFinished { stage, item, fraction, .. } => {
                told.message = format!("{stage}: {} of {}", item.number, item.count);
                (told.stage, told.fraction) = (stage, fraction);
            }
            Progress::StageFinished { stage, items, reused, elapsed_ms, fraction } => {
                count(&stage, items, reused, elapsed_ms);
                (told.stage, told.fraction) = (stage, fraction);
            }
            Progress::RunStarted { .. } => {}
            Progress::RunFinished { .. } => break,
        }
        job.report(told.clone());
    }
}

/// Numbers for whoever runs the place: how long stages take, and how much of them was there already.
fn count(stage: &str, items: usize, reused: usize, elapsed_ms: u64) {
    let made = items.saturating_sub(reused);
    histogram!(DURATION, "stage" => stage.to_owned()).record(elapsed_ms as f64 / 1000.0);
    counter!(ITEMS, "stage" => stage.to_owned(), "from" => "made").increment(made as u64);
    counter!(ITEMS, "stage" => stage.to_owned(), "from" => "kept").increment(reused as u64);
}

fn as_url(picture: &[u8]) -> Option<String> {
    (picture.len() <= MAX_PREVIEW_BYTES).then(|| format!("data:image/jpeg;base64,{}", STANDARD.encode(picture)))
}
