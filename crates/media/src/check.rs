//! Whether what was made is as it must be. Pictures are looked at once, when their segment is made; the finished file is
//! measured without decoding them again.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    FrameRate, MediaError, Size,
    ffmpeg::{self, Ffmpeg},
};

/// Pictures looked at for black and stillness in each second.
const LOOKS_PER_SECOND: u32 = 5;
/// Shorter black than this is a cut or a fade, in seconds.
const BLACK_SECONDS: f64 = 1.0;
/// Shorter stillness than this is a pause, in seconds.
const FROZEN_SECONDS: f64 = 3.0;
/// Room for what the filters report of one file.
const REPORT_BYTES: usize = 256 * 1024;
/// Room for the times of all frames of six hours.
const PACKETS_BYTES: usize = 64 << 20;

/// A stretch of time in a segment, in milliseconds from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    pub start_ms: u64,
    pub end_ms: u64,
}

impl Stretch {
    pub fn duration_ms(&self) -> u64 {
        self.end_ms - self.start_ms.min(self.end_ms)
    }
}

/// What a look at a segment found. Its pictures could be decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentCheck {
    /// Longer than a second.
    pub black: Vec<Stretch>,
    /// Longer than three seconds.
    pub frozen: Vec<Stretch>,
}

/// Decodes every picture of a segment that another depends on, and looks for black and for stillness.
///
/// What no other picture depends on is left to its packet being there, which [`check_video`] counts: nothing wrong in it
/// can spread, and it is half of all decoding.
///
/// # Errors
/// [`MediaError::Process`] when a picture cannot be decoded.
pub async fn check_segment(
    ffmpeg: &Ffmpeg,
    path: &Path,
    frames: u32,
    fps: FrameRate,
) -> Result<SegmentCheck, MediaError> {
    let _open = ffmpeg.decoders(1).await?;
    // What the deblocking filter adds is not needed to see that a picture is there, and costs as much as the rest.
    let command = ffmpeg.command().stderr_kept(REPORT_BYTES);
    let command = command.args(["-v", "level+info", "-xerror", "-err_detect", "explode", "-threads", "1"]);
    let command = command.args(["-skip_loop_filter", "all", "-skip_frame", "noref"]);
    let look = format!(
        "fps={LOOKS_PER_SECOND},scale=120:120:flags=fast_bilinear,blackdetect=d={BLACK_SECONDS}:pix_th=0.08,\
         freezedetect=n=-60dB:d={FROZEN_SECONDS}"
    );
    let command = command.args(ffmpeg::opened_as(path, "mov,mp4")).args(["-map", "0:v:0", "-vf", &look]);
    let report = ffmpeg.run(command.args(["-f", "null", "-"]), &|_| {}).await?;
    let end_ms = fps.frame_start_us(u64::from(frames)) / 1000;
    Ok(SegmentCheck {
        black: stretches(&report, "black_start:", "black_end:", end_ms),
        frozen: stretches(&report, "freeze_start: ", "freeze_end: ", end_ms),
    })
}

/// The stretches that a filter reports by these words; one without an end lasts to the end.
fn stretches(report: &str, start: &str, end: &str, end_ms: u64) -> Vec<Stretch> {
    let times = |word: &str| -> Vec<u64> {
        let after = report.split(word).skip(1).map(|rest| rest.split([' ', '\n', '\r']).next().unwrap_or_default());
        after.filter_map(|text| text.parse::<f64>().ok()).map(|seconds| (seconds * 1000.0).max(0.0) as u64).collect()
    };
    let ends = times(end);
    let starts = times(start).into_iter().enumerate();
    starts.map(|(i, start_ms)| Stretch { start_ms, end_ms: ends.get(i).copied().unwrap_or(end_ms) }).collect()
}

/// What a finished video must be.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    pub frames: u32,
    pub size: Size,
    pub fps: FrameRate,
    /// Integrated loudness and how far from it is still right, in LUFS and LU; `None` for silence.
    pub loudness: Option<(f64, f64)>,
    /// The highest true peak in dBTP.
    pub true_peak_dbtp: f64,
}

/// What was measured of a finished video.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckReport {
    pub frames: u32,
    pub duration_ms: u64,
    /// Sound's end minus the picture's end.
    pub sound_minus_picture_ms: i64,
    pub constant_frame_rate: bool,
    pub codec: String,
    pub pix_fmt: String,
    pub color: String,
    pub integrated_lufs: f64,
    pub true_peak_dbtp: f64,
}

/// Measures a finished video and lists what is not as it must be, each with its numbers.
pub async fn check_video(
    ffmpeg: &Ffmpeg,
    path: &Path,
    expected: Expected,
) -> Result<(CheckReport, Vec<String>), MediaError> {
    let (facts, sound) = tokio::try_join!(container_facts(ffmpeg, path), measure_sound(ffmpeg, path))?;
    let report = CheckReport {
        frames: facts.times.len() as u32,
        duration_ms: (facts.picture_seconds * 1000.0).round() as u64,
        sound_minus_picture_ms: ((facts.sound_seconds - facts.picture_seconds) * 1000.0).round() as i64,
        constant_frame_rate: is_constant(&facts.times, expected.fps),
        codec: facts.codec,
        pix_fmt: facts.pix_fmt,
        color: facts.color,
        integrated_lufs: sound.0,
        true_peak_dbtp: sound.1,
    };
    let failures = failures(&report, facts.size, expected);
    Ok((report, failures))
}

fn failures(report: &CheckReport, size: Size, expected: Expected) -> Vec<String> {
    let mut failures = Vec::new();
    let mut require = |right: bool, text: String| {
        if !right {
            failures.push(text);
        }
    };
    let frame_ms = 1000.0 / expected.fps.as_f64();
    require(report.frames == expected.frames, format!("{} frames instead of {}", report.frames, expected.frames));
    require(size == expected.size, format!("a picture of {size:?} instead of {:?}", expected.size));
    require(report.constant_frame_rate, "frames at uneven times".to_owned());
    let apart_ms = report.sound_minus_picture_ms;
    require(apart_ms.abs() as f64 <= frame_ms.ceil(), format!("sound ends {apart_ms} ms after the picture"));
    require(report.pix_fmt == "yuv420p", format!("pixel format {} instead of yuv420p", report.pix_fmt));
    require(report.color == "bt709", format!("colours tagged {} instead of bt709", report.color));
    if let Some((lufs, tolerance)) = expected.loudness {
        let measured = report.integrated_lufs;
        require((measured - lufs).abs() <= tolerance, format!("{measured} LUFS instead of {lufs} ± {tolerance}"));
    }
    let (peak, most) = (report.true_peak_dbtp, expected.true_peak_dbtp);
    require(peak <= most, format!("a true peak of {peak} dBTP, above {most}"));
    failures
}

struct Facts {
    size: Size,
    codec: String,
    pix_fmt: String,
    color: String,
    picture_seconds: f64,
    sound_seconds: f64,
    /// When each frame is shown, in seconds, in the order of the file.
    times: Vec<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Probed {
    streams: Vec<Stream>,
    packets: Vec<Packet>,
    format: Format,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stream {
    index: u32,
    codec_type: String,
    codec_name: String,
    width: u32,
    height: u32,
    pix_fmt: String,
    color_space: String,
    start_time: String,
    duration: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Packet {
    stream_index: u32,
    pts_time: String,
    duration_time: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Format {
    duration: String,
}

async fn container_facts(ffmpeg: &Ffmpeg, path: &Path) -> Result<Facts, MediaError> {
    let entries = "stream=index,codec_type,codec_name,width,height,pix_fmt,color_space,start_time,duration:\
                   packet=stream_index,pts_time,duration_time:format=duration";
    let command = ffmpeg.probe_command().stdout_limit(PACKETS_BYTES).args(["-of", "json", "-show_entries", entries]);
    let output = command.args(ffmpeg::opened_as(path, "mov,mp4,matroska,webm")).run().await?;
    let bad = |reason: &str| MediaError::BadFile { path: path.to_owned(), reason: reason.to_owned() };
    let probed: Probed = serde_json::from_slice(&output.stdout).map_err(|error| bad(&error.to_string()))?;
    let stream = |kind: &str| probed.streams.iter().find(|stream| stream.codec_type == kind);
    let picture = stream("video").ok_or_else(|| bad("has no picture"))?;
    let sound = stream("audio").ok_or_else(|| bad("has no sound"))?;
    let end = |index: u32| {
        let packets = probed.packets.iter().filter(|packet| packet.stream_index == index);
        packets.map(|packet| seconds(&packet.pts_time) + seconds(&packet.duration_time)).fold(0.0, f64::max)
    };
    // Where the container says how long a stream is, what is only decoded to begin and end exactly is left out of it.
    let length = |stream: &Stream| match stream.duration.parse::<f64>() {
        Ok(duration) => seconds(&stream.start_time) + duration,
        Err(_) => end(stream.index),
    };
    let times = probed.packets.iter().filter(|packet| packet.stream_index == picture.index);
    Ok(Facts {
        size: Size::new(picture.width, picture.height),
        codec: picture.codec_name.clone(),
        pix_fmt: picture.pix_fmt.clone(),
        color: picture.color_space.clone(),
        picture_seconds: length(picture),
        sound_seconds: length(sound).min(seconds(&probed.format.duration)),
        times: times.map(|packet| seconds(&packet.pts_time)).collect(),
    })
}

fn seconds(text: &str) -> f64 {
    text.parse().unwrap_or(0.0)
}

/// Whether each frame is where the rate puts it, to the millisecond that coarse containers count in.
fn is_constant(times: &[f64], fps: FrameRate) -> bool {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    let first = times.first().copied().unwrap_or(0.0);
    let place = |index: usize| fps.frame_start_us(index as u64) as f64 / 1e6;
    times.iter().enumerate().all(|(index, time)| (time - first - place(index)).abs() < 0.0011)
}

/// Integrated loudness in LUFS and true peak in dBTP (EBU R 128), by decoding the sound; the key frames of the picture are
/// decoded with it, since that is where the segments were joined.
async fn measure_sound(ffmpeg: &Ffmpeg, path: &Path) -> Result<(f64, f64), MediaError> {
    let _open = ffmpeg.decoders(1).await?;
    let command = ffmpeg.command().stderr_kept(REPORT_BYTES).args(["-v", "level+info", "-xerror", "-threads", "1"]);
    let command = command.args(["-skip_frame", "nokey", "-skip_loop_filter", "all"]);
    let command = command.args(ffmpeg::opened_as(path, "mov,mp4,matroska,webm"));
    let command = command.args(["-map", "0:a:0", "-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-"]);
    let command = command.args(["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "null", "-"]);
    let report = ffmpeg.run(command, &|_| {}).await?;
    let number = |label: &str| {
        let after = report.rsplit_once(label)?.1.trim_start();
        after.split_whitespace().next()?.parse::<f64>().ok()
    };
    match (number("I:"), number("Peak:")) {
        (Some(lufs), Some(peak)) => Ok((lufs, peak)),
        // Digital silence has no peak: FFmpeg says `-inf`, which is a number, or nothing at all.
        (lufs, peak) => Ok((lufs.unwrap_or(-70.0), peak.unwrap_or(-120.0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_read_from_what_filters_say() {
        let report = "[freezedetect @ 0x1] [info] lavfi.freezedetect.freeze_start: 1.5\n\
                      [freezedetect @ 0x1] [info] lavfi.freezedetect.freeze_duration: 4\n\
                      [freezedetect @ 0x1] [info] lavfi.freezedetect.freeze_end: 5.5\n\
                      [freezedetect @ 0x1] [info] lavfi.freezedetect.freeze_start: 7\n";
        let found = stretches(report, "freeze_start: ", "freeze_end: ", 9000);
        assert_eq!(found, [Stretch { start_ms: 1500, end_ms: 5500 }, Stretch { start_ms: 7000, end_ms: 9000 }]);
        let black = "[blackdetect @ 0x2] [info] black_start:0 black_end:2.4 black_duration:2.4\n";
        assert_eq!(stretches(black, "black_start:", "black_end:", 0), [Stretch { start_ms: 0, end_ms: 2400 }]);
    }

    #[test]
    fn uneven_times_are_found() {
        let fps = FrameRate::whole(25);
        let even: Vec<f64> = (0..100).map(|frame| f64::from(frame) * 0.04).collect();
        assert!(is_constant(&even, fps));
        let mut uneven = even;
        uneven[60] += 0.02;
        assert!(!is_constant(&uneven, fps));
    }
}
