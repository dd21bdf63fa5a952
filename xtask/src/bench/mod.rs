//! Measures Pressroom against the bare encode of the same number of frames, and writes docs/benchmarks.md.
//!
//! The case is one minute of 1080×1920 at 30 frames a second from ten generated clips, with word captions and music. What
//! counts are ratios within one run on one machine.

mod case;
mod dub;
mod measure;
mod report;
mod server;

use crate::process;
use anyhow::{Context, Result};
use case::{Case, Orientation};
pub(crate) use dub::{BenchDubOptions, run as run_dub};
use measure::{Cost, VideoFacts};
use report::Row;
pub(crate) use server::{BenchServerOptions, run as run_server};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How much to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchOptions {
    /// How often the whole run and the floor are measured; the median counts
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    runs: u32,
    /// Leave out the ten minutes, which take longer than all the rest
    #[arg(long)]
    skip_ten_minutes: bool,
}

/// x264 as Pressroom's standard quality has it.
const FLOOR_ENCODING: [&str; 9] =
    ["-an", "-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-pix_fmt", "yuv420p"];
const MEGABYTE: f64 = 1_000_000.0;

/// Measures everything and writes the table.
pub(crate) fn run(root: &Path, options: &BenchOptions) -> Result<()> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let machine = report::describe_machine();
    let bench = Bench::new(&root.join(target))?;
    let mut rows = Vec::new();

    say("the whole run")?;
    let whole = bench.measure_whole(options.runs)?;
    say("the floor")?;
    let floor = bench.measure_floor(options.runs, whole.facts.frame_count)?;
    rows.extend(report::compare_with_floor(&whole.cost, &floor));
    rows.push(bench.compare_pictures(&whole)?);
    rows.extend(bench.measure_repeats(&whole.cost)?);
    if !options.skip_ten_minutes {
        say("ten minutes")?;
        rows.extend(bench.measure_ten_minutes(&whole)?);
    }

    let text = report::write_page(&rows, &machine, &whole.facts, options.runs);
    std::fs::write(root.join("docs/benchmarks.md"), &text).context("docs/benchmarks.md could not be written")?;
    write!(std::io::stdout(), "{text}")?;
    Ok(())
}

fn say(what: &str) -> Result<()> {
    Ok(writeln!(std::io::stderr(), "bench: {what}")?)
}

/// A finished video and what it cost.
struct Whole {
    cost: Cost,
    facts: VideoFacts,
    video: PathBuf,
}

struct Bench {
    pressroom: PathBuf,
    folder: PathBuf,
    case: Case,
}

impl Bench {
    fn new(target: &Path) -> Result<Self> {
        let folder = target.join("bench");
        std::fs::create_dir_all(&folder).with_context(|| format!("{} could not be made", folder.display()))?;
        say("clips, music and scripts")?;
        let case = case::prepare(&folder.join("case"))?;
        Ok(Self { pressroom: target.join("release/pressroom"), case, folder })
    }

    /// Renders with an empty data folder each time; the last run's folder stays for what follows.
    fn measure_whole(&self, runs: u32) -> Result<Whole> {
        let video = self.folder.join("whole.mp4");
        let mut costs = Vec::new();
        for _ in 0..runs {
            let data = self.empty_data("whole")?;
            costs.push(measure::measure(&mut self.video_command(&self.case.minute, &data, &video))?);
        }
        Ok(Whole { cost: measure::median(costs)?, facts: measure::read_video_facts(&video)?, video })
    }

    /// FFmpeg alone: as many frames as the video has, the same number of each clip, decoded and encoded.
    fn measure_floor(&self, runs: u32, frame_count: u32) -> Result<Cost> {
        let mut costs = Vec::new();
        for _ in 0..runs {
            let mut sum = Cost::default();
            // One encode has frames of one size.
            for orientation in [Orientation::Portrait, Orientation::Landscape] {
                let list = self.write_clip_list(orientation, frame_count / case::CLIPS)?;
                let mut command = process::command("ffmpeg", &self.folder);
                command.args(["-nostdin", "-v", "error", "-f", "concat", "-safe", "0", "-i"]);
                command.arg(list).args(FLOOR_ENCODING);
                let cost = measure::measure(command.args(["-f", "null", "-"]))?;
                sum.processor_s += cost.processor_s;
                sum.wall_s += cost.wall_s;
                sum.peak_memory_bytes = sum.peak_memory_bytes.max(cost.peak_memory_bytes);
            }
            costs.push(sum);
        }
        measure::median(costs)
    }

    /// A list for FFmpeg's `concat` of `frames` frames of every clip; a clip that is shorter begins again.
    fn write_clip_list(&self, orientation: Orientation, frames: u32) -> Result<PathBuf> {
        let mut list = String::new();
        for clip in self.case.list_clips(orientation) {
            let mut wanted = frames;
            while wanted > 0 {
                let part = wanted.min(clip.frames);
                let seconds = f64::from(part) / f64::from(case::FPS);
                writeln!(list, "file '{}'\noutpoint {seconds:.6}", clip.file.display())?;
                wanted -= part;
            }
        }
        let file = self.folder.join(format!("{orientation:?}.txt"));
        std::fs::write(&file, list)?;
        Ok(file)
    }

    /// The result and one plain encode, both against the lossless render of the same timeline.
    fn compare_pictures(&self, whole: &Whole) -> Result<Row> {
        say("the picture against a lossless render")?;
        let lossless = self.folder.join("lossless.mp4");
        let data = self.empty_data("lossless")?;
        let mut render = self.video_command(&self.case.minute, &data, &lossless);
        measure::measure(render.args(["--quality", "lossless"]))?;
        let once = self.folder.join("once.mp4");
        let mut encode = process::command("ffmpeg", &self.folder);
        encode.args(["-nostdin", "-v", "error", "-y", "-i"]).arg(&lossless).args(FLOOR_ENCODING);
        process::read_output(encode.arg(&once))?;
        let ours = measure::compare_pictures(&whole.video, &lossless)?;
        let best = measure::compare_pictures(&once, &lossless)?;
        let bitrate_share = whole.facts.bitrate / measure::read_video_facts(&once)?.bitrate;
        // Three times the size of a one-minute video, and its segments besides: not worth keeping.
        std::fs::remove_file(&lossless)?;
        std::fs::remove_dir_all(&data)?;
        Ok(report::compare_similarity(ours, best, bitrate_share))
    }

    /// What is asked again: nothing changed, one sentence changed, and first a storyboard of something new.
    fn measure_repeats(&self, whole: &Cost) -> Result<Vec<Row>> {
        say("again, edited, and as a storyboard")?;
        let data = self.folder.join("data-whole");
        let video = self.folder.join("whole.mp4");
        let again = measure::measure(&mut self.video_command(&self.case.minute, &data, &video))?;
        let edited = measure::measure(&mut self.video_command(&self.case.edited, &data, &video))?;
        let empty = self.empty_data("storyboard")?;
        let mut storyboard = self.video_command(&self.case.minute, &empty, &self.folder.join("storyboard.mp4"));
        let storyboard = measure::measure(storyboard.arg("--storyboard"))?;
        Ok(report::compare_repeats(whole, &again, &edited, &storyboard))
    }

    fn measure_ten_minutes(&self, whole: &Whole) -> Result<Vec<Row>> {
        let data = self.empty_data("ten-minutes")?;
        let video = self.folder.join("ten-minutes.mp4");
        let cost = measure::measure(&mut self.video_command(&self.case.ten_minutes, &data, &video))?;
        let times_as_long = measure::read_video_facts(&video)?.duration_s / whole.facts.duration_s;
        std::fs::remove_dir_all(&data)?;
        Ok(report::compare_lengths(&whole.cost, &cost, times_as_long))
    }

    fn video_command(&self, script: &Path, data: &Path, video: &Path) -> Command {
        let mut command = process::command(&self.pressroom, &self.folder);
        command.arg("video").arg(script).arg("--media").arg(&self.case.clips).arg("--music").arg(&self.case.music);
        command.args(["--captions", "word", "--aspect", "9:16", "--theme", "ink", "--json", "-q"]);
        command.arg("--data").arg(data).arg("-o").arg(video);
        command
    }

    fn empty_data(&self, name: &str) -> Result<PathBuf> {
        let data = self.folder.join(format!("data-{name}"));
        if data.exists() {
            std::fs::remove_dir_all(&data).with_context(|| format!("{} could not be emptied", data.display()))?;
        }
        Ok(data)
    }
}
