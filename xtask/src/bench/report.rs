//! Measurements as rows of a table, each beside what it has to reach, and the page around them.

use super::MEGABYTE;
use super::measure::{Cost, VideoFacts};
use std::borrow::Cow;
use std::fmt::Write;

const MAX_FLOOR_RATIO: f64 = 1.4;
const MAX_IDLE_RATIO: f64 = 1.2;
/// The cores that the reach for wall time is stated for.
const CORES: f64 = 2.0;
const MAX_MEMORY_MB: f64 = 600.0;
const MAX_SIMILARITY_LOSS: f64 = 0.002;
const MAX_AGAIN_S: f64 = 1.0;
const MAX_EDIT_RATIO: f64 = 0.2;
const MAX_STORYBOARD_RATIO: f64 = 0.15;
/// For ten minutes over one; scaled to the lengths that the voice gave.
const MAX_LENGTH_RATIO: f64 = 10.5;
const MAX_LENGTH_MEMORY_RATIO: f64 = 1.2;

/// One line of the table.
#[derive(Debug)]
pub(super) struct Row {
    what: Cow<'static, str>,
    measured: String,
    reach: String,
    reached: bool,
}

impl Row {
    /// A number with its upper bound.
    pub(super) fn at_most(what: impl Into<Cow<'static, str>>, value: f64, most: f64, unit: &str) -> Self {
        let (measured, reach) = (format!("{value:.2} {unit}"), format!("≤ {most} {unit}"));
        Self::told(what, measured, reach, value <= most)
    }

    /// A number with its lower bound.
    pub(super) fn at_least(what: impl Into<Cow<'static, str>>, value: f64, least: f64, unit: &str) -> Self {
        let (measured, reach) = (format!("{value:.0} {unit}"), format!("≥ {least} {unit}"));
        Self::told(what, measured, reach, value >= least)
    }

    #[cfg(test)]
    pub(super) fn is_reached(&self) -> bool {
        self.reached
    }

    /// What something else measured and judged.
    pub(super) fn told(
        what: impl Into<Cow<'static, str>>,
        measured: impl Into<String>,
        reach: impl Into<String>,
        reached: bool,
    ) -> Self {
        let trimmed = |text: String| text.trim_end().to_owned();
        Self { what: what.into(), measured: trimmed(measured.into()), reach: trimmed(reach.into()), reached }
    }
}

/// The whole run against the bare encode.
pub(super) fn compare_with_floor(whole: &Cost, floor: &Cost) -> Vec<Row> {
    let ratio = whole.processor_s / floor.processor_s;
    let idle = whole.wall_s / (whole.processor_s / CORES);
    let memory = whole.peak_memory_bytes as f64 / MEGABYTE;
    vec![
        Row {
            what: "processor seconds of the whole run over the floor".into(),
            measured: format!("{ratio:.2} ({:.1} s over {:.1} s)", whole.processor_s, floor.processor_s),
            reach: format!("≤ {MAX_FLOOR_RATIO}"),
            reached: ratio <= MAX_FLOOR_RATIO,
        },
        Row {
            what: "wall time over half the processor seconds".into(),
            measured: format!("{idle:.2} ({:.1} s)", whole.wall_s),
            reach: format!("≤ {MAX_IDLE_RATIO}"),
            reached: idle <= MAX_IDLE_RATIO,
        },
        Row {
            what: "peak memory of all processes".into(),
            measured: format!("{memory:.0} MB (floor {:.0} MB)", floor.peak_memory_bytes as f64 / MEGABYTE),
            reach: format!("≤ {MAX_MEMORY_MB} MB"),
            reached: memory <= MAX_MEMORY_MB,
        },
    ]
}

/// How much less the result resembles the lossless render than one plain encode does.
pub(super) fn compare_similarity(ours: f64, best: f64, bitrate_share: f64) -> Row {
    Row {
        what: "SSIM against a lossless render, below that of one plain encode of it".into(),
        measured: format!("{:.4} ({ours:.4}, {best:.4}; bitrate {bitrate_share:.2} times)", best - ours),
        reach: format!("≤ {MAX_SIMILARITY_LOSS}"),
        reached: best - ours <= MAX_SIMILARITY_LOSS,
    }
}

/// Runs that find most of their work done.
pub(super) fn compare_repeats(whole: &Cost, again: &Cost, edited: &Cost, storyboard: &Cost) -> Vec<Row> {
    let edit_ratio = edited.processor_s / whole.processor_s;
    let storyboard_ratio = storyboard.wall_s / whole.wall_s;
    vec![
        Row {
            what: "unchanged second run".into(),
            measured: format!("{:.2} s, {} encoders", again.wall_s, again.encoder_count),
            reach: format!("< {MAX_AGAIN_S} s, no encode"),
            reached: again.wall_s < MAX_AGAIN_S && again.encoder_count == 0,
        },
        Row {
            what: "one sentence edited: processor seconds over the whole run's".into(),
            measured: format!("{edit_ratio:.2} ({:.1} s)", edited.processor_s),
            reach: format!("≤ {MAX_EDIT_RATIO}"),
            reached: edit_ratio <= MAX_EDIT_RATIO,
        },
        Row {
            what: "storyboard and draft: wall time over the whole run's".into(),
            measured: format!("{storyboard_ratio:.2} ({:.1} s)", storyboard.wall_s),
            reach: format!("≤ {MAX_STORYBOARD_RATIO}"),
            reached: storyboard_ratio <= MAX_STORYBOARD_RATIO,
        },
    ]
}

/// Ten minutes over one, where the voice made the long video `times_as_long`.
pub(super) fn compare_lengths(minute: &Cost, ten_minutes: &Cost, times_as_long: f64) -> Vec<Row> {
    let processor = ten_minutes.processor_s / minute.processor_s;
    let memory = ten_minutes.peak_memory_bytes as f64 / minute.peak_memory_bytes as f64;
    let max_processor = MAX_LENGTH_RATIO * times_as_long / 10.0;
    vec![
        Row {
            what: "ten minutes over one: processor seconds".into(),
            measured: format!("{processor:.1} times, for a video {times_as_long:.1} times as long"),
            reach: format!("≤ {max_processor:.1} times"),
            reached: processor <= max_processor,
        },
        Row {
            what: "ten minutes over one: peak memory".into(),
            measured: format!("{memory:.2} times ({:.0} MB)", ten_minutes.peak_memory_bytes as f64 / MEGABYTE),
            reach: format!("≤ {MAX_LENGTH_MEMORY_RATIO} times"),
            reached: memory <= MAX_LENGTH_MEMORY_RATIO,
        },
    ]
}

/// Processor and FFmpeg, as far as they say what they are, and how busy the machine is: others' work lengthens wall time
/// and, where cores share a cache, processor time.
pub(super) fn describe_machine() -> String {
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let ffmpeg =
        crate::process::read_output(crate::process::command("ffmpeg", std::path::Path::new(".")).arg("-version"));
    let version = ffmpeg.ok().and_then(|text| text.split_whitespace().nth(2).map(str::to_owned));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{cores} cores of {}, FFmpeg {}, at a load of {} before it began",
        model.map_or("an unnamed processor", |(_, name)| name),
        version.as_deref().unwrap_or("of an unknown version"),
        load.split_whitespace().next().unwrap_or("unknown height")
    )
}

/// The page `docs/benchmarks.md`.
pub(super) fn write_page(rows: &[Row], machine: &str, facts: &VideoFacts, runs: u32) -> String {
    let mut page = format!(
        "# Benchmarks\n\n\
         Written by `make bench`; do not edit. Measured on {machine}, median of {runs}.\n\n\
         The case: {:.1} s ({} frames) of 1080×1920 at {} frames a second, x264 veryfast at CRF 21, from ten generated clips\n\
         (six portrait, four landscape), with word captions and music. The floor is FFmpeg alone, decoding the same clips and\n\
         encoding as many frames with no filter. Processor seconds are those of all processes, memory is the greatest sum of\n\
         their proportional set sizes.\n\n\
         | what | measured | to reach | |\n|---|---|---|---|\n",
        facts.duration_s,
        facts.frame_count,
        super::case::FPS
    );
    write_rows(&mut page, rows);
    page
}

/// The page `docs/benchmarks-dubbing.md`.
pub(super) fn write_dub_page(rows: &[Row], machine: &str, minutes: f64) -> String {
    let mut page = format!(
        "# Benchmarks of dubbing\n\n\
         Written by `make bench-dub`; do not edit. Measured on {machine}.\n\n\
         The case: a talk of {minutes:.0} minutes, sentences spoken by FFmpeg's Flite at known times over quiet music, dubbed\n\
         from English into Spanish offline with the transcript given, where nothing else is said. The figures of quality are\n\
         those of `pressroom dub report`. Processor seconds are those of all processes, memory is the greatest sum of their\n\
         proportional set sizes.\n\n\
         | what | measured | to reach | |\n|---|---|---|---|\n"
    );
    write_rows(&mut page, rows);
    page
}

/// The page `docs/benchmarks-server.md`.
pub(super) fn write_server_page(rows: &[Row], machine: &str, rounds: u32, seconds: u32) -> String {
    let mut page = format!(
        "# Benchmarks of the server\n\n\
         Written by `make bench-server`; do not edit. Measured on {machine}.\n\n\
         The case: the server with its worker, as it is set by default but for the limits of requests, on SQLite and on a\n\
         PostgreSQL that waits for its disk. The load is wrk's, which shares the cores with what it measures; servers that are\n\
         compared are asked in turn, {rounds} rounds of {seconds} s each, and the round with the median ratio counts. The bare\n\
         handler is axum alone, answering the same bytes. The rival is FastAPI under uvicorn with two workers, SQLAlchemy and\n\
         asyncpg, which does the same work for the same request on the same PostgreSQL. Microseconds of processor are those of\n\
         a server and its database for one request. Memory is the proportional set size.\n\n\
         | what | measured | to reach | |\n|---|---|---|---|\n"
    );
    write_rows(&mut page, rows);
    page
}

fn write_rows(page: &mut String, rows: &[Row]) {
    for Row { what, measured, reach, reached } in rows {
        let verdict = if *reached { "reached" } else { "**not reached**" };
        let _ = writeln!(page, "| {what} | {measured} | {reach} | {verdict} |");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(processor_s: f64, wall_s: f64, megabytes: u64) -> Cost {
        Cost { processor_s, wall_s, peak_memory_bytes: megabytes * 1_000_000, encoder_count: 0 }
    }

    #[test]
    fn each_reach_can_be_missed() {
        let floor = cost(50.0, 25.0, 300);
        assert!(compare_with_floor(&cost(60.0, 31.0, 500), &floor).iter().all(|row| row.reached));
        assert!(compare_with_floor(&cost(80.0, 60.0, 700), &floor).iter().all(|row| !row.reached));
        assert!(compare_similarity(0.981, 0.982, 1.0).reached);
        assert!(!compare_similarity(0.979, 0.982, 1.0).reached);
        let whole = cost(60.0, 31.0, 500);
        let repeats = compare_repeats(&whole, &cost(0.5, 0.6, 50), &cost(9.0, 5.0, 300), &cost(8.0, 4.0, 200));
        assert!(repeats.iter().all(|row| row.reached), "{repeats:?}");
        let repeats = compare_repeats(&whole, &cost(0.5, 1.6, 50), &cost(19.0, 9.0, 300), &cost(8.0, 9.0, 200));
        assert!(repeats.iter().all(|row| !row.reached), "{repeats:?}");
        assert!(compare_lengths(&whole, &cost(620.0, 320.0, 550), 10.0).iter().all(|row| row.reached));
        assert!(compare_lengths(&whole, &cost(640.0, 320.0, 650), 10.0).iter().all(|row| !row.reached));
    }

    #[test]
    fn a_longer_video_may_cost_in_proportion() {
        let whole = cost(60.0, 31.0, 500);
        let rows = compare_lengths(&whole, &cost(700.0, 350.0, 500), 11.5);
        assert!(rows.iter().all(|row| row.reached), "{rows:?}");
    }

    #[test]
    fn the_page_marks_what_was_not_reached() {
        let row = compare_similarity(0.9, 0.98, 1.0);
        let facts = VideoFacts { frame_count: 1800, duration_s: 60.0, bitrate: 8e6 };
        let page = write_page(&[row], "a machine", &facts, 3);
        assert!(page.contains("60.0 s (1800 frames)") && page.contains("| **not reached** |"), "{page}");
    }
}
