//! The finished video is measured before it counts as done.

use media::{
    Ffmpeg, FrameRate, Size,
    audio::Loudness,
    check::{CheckReport, Expected, SegmentCheck, Stretch, check_video},
};
use pipeline::{FileRef, Stage, StageContext, StageError};
use serde::{Deserialize, Serialize};

use super::media_failure;

/// Black for longer than this is a fault, in milliseconds.
const LONGEST_BLACK_MS: u64 = 2000;
/// Footage that stands still for longer than this is a fault, in milliseconds.
const LONGEST_FROZEN_MS: u64 = 8000;

/// Measures videos.
#[derive(Debug)]
pub(crate) struct Check {
    pub ffmpeg: Ffmpeg,
}

/// A video and what it must be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct CheckInput {
    pub video: FileRef,
    pub frames: u32,
    pub size: Size,
    pub fps: u32,
    /// What was seen in each piece, with the time the piece begins.
    pub segments: Vec<(u64, SegmentCheck)>,
    /// Whether anything is heard at all.
    pub silent: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Checked {
    pub report: CheckReport,
    /// Empty when the video is as it must be.
    pub failures: Vec<String>,
}

impl Stage for Check {
    type Input = CheckInput;
    type Output = Checked;

    fn name(&self) -> &'static str {
        "check"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &CheckInput, context: &StageContext) -> Result<Checked, StageError> {
        let loudness = Loudness::default();
        let expected = Expected {
            frames: input.frames,
            size: input.size,
            fps: FrameRate::whole(input.fps),
            loudness: (!input.silent).then_some((loudness.target_lufs, loudness.tolerance_lu)),
            true_peak_dbtp: loudness.true_peak_dbtp,
        };
        let ffmpeg = self.ffmpeg.cancelled_by(context.cancellation().clone());
        let path = context.path(&input.video);
        let (report, mut failures) = check_video(&ffmpeg, &path, expected).await.map_err(media_failure)?;
        for (begin_ms, segment) in &input.segments {
            failures.extend(too_long(*begin_ms, &segment.black, "black", LONGEST_BLACK_MS));
            failures.extend(too_long(*begin_ms, &segment.frozen, "a frozen picture", LONGEST_FROZEN_MS));
        }
        Ok(Checked { report, failures })
    }
}

fn too_long(begin_ms: u64, found: &[Stretch], what: &str, most_ms: u64) -> Vec<String> {
    let long = found.iter().filter(|stretch| stretch.duration_ms() > most_ms);
    let said = long.map(|stretch| {
        let (from, to) = (begin_ms + stretch.start_ms, begin_ms + stretch.end_ms);
        format!("{what} from {:.1} s to {:.1} s", from as f64 / 1000.0, to as f64 / 1000.0)
    });
    said.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_stretches_are_faults_and_are_named_with_their_time() {
        let found = [Stretch { start_ms: 0, end_ms: 1900 }, Stretch { start_ms: 2000, end_ms: 4500 }];
        assert_eq!(too_long(10_000, &found, "black", LONGEST_BLACK_MS), ["black from 12.0 s to 14.5 s"]);
    }
}
