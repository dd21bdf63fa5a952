//! What a command costs: time, processor seconds and memory of it and of every process below it.

use crate::process::{
    self,
    times::{list_tree, read_memory_bytes, read_waited_processor_s},
};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const SAMPLE_EVERY: Duration = Duration::from_millis(50);
/// Samples of processes for one of their memory, which the kernel adds up page by page: it takes a few milliseconds, in which
/// the measured processes wait.
const MEMORY_EVERY: u32 = 5;
/// How an encoder is recognised among the processes.
const ENCODER_WORD: &str = "libx264";

/// What one run of a command cost.
#[derive(Debug, Clone, Default)]
pub(super) struct Cost {
    pub(super) wall_s: f64,
    /// User and system time of the whole tree, as the kernel adds it up when each process is waited for.
    pub(super) processor_s: f64,
    /// The greatest sum of proportional set sizes that a sample saw.
    pub(super) peak_memory_bytes: u64,
    /// Different processes that encoded video, as far as samples saw them.
    pub(super) encoder_count: usize,
}

/// Runs `command` to its end; an error says what it printed when it failed.
pub(super) fn measure(command: &mut Command) -> Result<Cost> {
    let processor_before_s = read_waited_processor_s()?;
    let started = Instant::now();
    let mut child =
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().context("the measured command did not start")?;
    let mut stderr = child.stderr.take().context("standard error was piped")?;
    let complaint = thread::spawn(move || {
        let mut text = Vec::new();
        stderr.read_to_end(&mut text).map(|_| String::from_utf8_lossy(&text).into_owned())
    });
    let mut cost = Cost::default();
    let mut encoders = BTreeSet::new();
    let mut samples = 0;
    let status = loop {
        let tree = list_tree(child.id());
        if samples % MEMORY_EVERY == 0 {
            cost.peak_memory_bytes = cost.peak_memory_bytes.max(tree.iter().map(|pid| read_memory_bytes(*pid)).sum());
        }
        samples += 1;
        encoders.extend(tree.into_iter().filter(|pid| is_encoder(*pid)));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        thread::sleep(SAMPLE_EVERY);
    };
    cost.wall_s = started.elapsed().as_secs_f64();
    cost.processor_s = read_waited_processor_s()? - processor_before_s;
    cost.encoder_count = encoders.len();
    if !status.success() {
        let complaint = complaint.join().ok().and_then(Result::ok).unwrap_or_default();
        bail!("`{}` failed ({status}): {}", command.get_program().display(), complaint.trim());
    }
    Ok(cost)
}

/// The run with the median of processor seconds.
pub(super) fn median(mut costs: Vec<Cost>) -> Result<Cost> {
    costs.sort_by(|left, right| left.processor_s.total_cmp(&right.processor_s));
    costs.get(costs.len() / 2).cloned().context("nothing was measured")
}

fn is_encoder(pid: u32) -> bool {
    let command_line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&command_line).contains(ENCODER_WORD)
}

/// Frames, length and bitrate of a finished video.
#[derive(Debug, Clone, Copy)]
pub(super) struct VideoFacts {
    pub(super) frame_count: u32,
    pub(super) duration_s: f64,
    /// Of the picture alone.
    pub(super) bitrate: f64,
}

/// What ffprobe says of the first video stream.
pub(super) fn read_video_facts(file: &Path) -> Result<VideoFacts> {
    let folder = file.parent().context("a video lies in a folder")?;
    let entries = ["-select_streams", "v:0", "-show_entries", "stream=nb_frames,duration,bit_rate", "-of", "json"];
    let printed =
        process::read_output(process::command("ffprobe", folder).args(["-v", "error"]).args(entries).arg(file))?;
    let answer: serde_json::Value = serde_json::from_str(&printed)?;
    let read = |key: &str| -> Result<f64> {
        let value = answer["streams"][0][key].as_str().with_context(|| format!("{} has no {key}", file.display()))?;
        Ok(value.parse()?)
    };
    Ok(VideoFacts { frame_count: read("nb_frames")? as u32, duration_s: read("duration")?, bitrate: read("bit_rate")? })
}

/// Structural similarity of two videos of the same frames, 1 for the same pictures.
pub(super) fn compare_pictures(file: &Path, original: &Path) -> Result<f64> {
    let folder = file.parent().context("a video lies in a folder")?;
    let mut command = process::command("ffmpeg", folder);
    command.args(["-nostdin", "-hide_banner", "-nostats", "-i"]).arg(file).arg("-i").arg(original);
    command.args(["-lavfi", "[0:v][1:v]ssim", "-f", "null", "-"]);
    let output = command.output().context("`ffmpeg` could not be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let all = said.rsplit_once("All:").and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
    all.with_context(|| format!("ffmpeg measured no similarity: {}", said.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_of_a_grandchild_is_counted() {
        let busy = "sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'; true";
        let cost = measure(process::command("sh", Path::new("/")).args(["-c", busy])).unwrap();
        assert!(cost.processor_s > 0.0 && cost.peak_memory_bytes > 0, "{cost:?}");
        assert_eq!(cost.encoder_count, 0);
    }

    #[test]
    fn a_failure_says_what_the_command_said() {
        let failed = measure(process::command("sh", Path::new("/")).args(["-c", "echo no paper >&2; exit 3"]));
        assert!(failed.unwrap_err().to_string().contains("no paper"));
    }

    #[test]
    fn the_median_is_the_middle_run() {
        let costs = [3.0, 1.0, 2.0].map(|processor_s| Cost { processor_s, ..Cost::default() });
        assert!((median(costs.to_vec()).unwrap().processor_s - 2.0).abs() < f64::EPSILON);
    }
}
