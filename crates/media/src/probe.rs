//! What a media file holds, as ffprobe sees it, or why it cannot be used.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ffmpeg::{self, Ffmpeg, Progress};
use crate::{FrameRate, MediaError, Size};

/// No picture wider, higher or larger than this is decoded.
const LONGEST_SIDE: u32 = 16_384;
const MOST_PIXELS: u64 = 8192 * 8192;
/// What a file may lack at its end before it counts as half written.
pub(crate) const MISSING_MS: u64 = 500;

const ENTRIES: &str = "format=format_name,duration:stream=index,codec_type,codec_name,width,height,pix_fmt,\
     sample_aspect_ratio,avg_frame_rate,r_frame_rate,duration,color_range,color_space,color_transfer,field_order,\
     channels,sample_rate:stream_disposition=attached_pic:stream_side_data=rotation:stream_tags=rotate";

/// A video file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaInfo {
    /// As it is shown: turned upright, with square pixels.
    pub size: Size,
    /// As it is stored, after turning: what a filter gets.
    pub stored: Size,
    /// Of the video stream; for a varying rate the mean.
    pub fps: FrameRate,
    /// Whether frames come at uneven times.
    pub variable_rate: bool,
    /// Of the video stream.
    pub duration_ms: u64,
    pub codec: String,
    pub pix_fmt: String,
    pub color: Color,
    pub interlaced: bool,
    /// The number of the video stream in the file.
    pub stream: u32,
    pub has_audio: bool,
}

/// How the numbers of a picture mean colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Color {
    pub matrix: Matrix,
    /// Values from 0 to 255 rather than 16 to 235.
    pub full_range: bool,
    /// Brighter than a normal screen shows (PQ or HLG): needs tone mapping.
    pub high_dynamic_range: bool,
}

/// The coefficients between RGB and YUV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Matrix {
    Rgb,
    Bt601,
    Bt709,
    Bt2020,
}

/// The sound of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoundInfo {
    pub duration_ms: u64,
    pub channels: u32,
    pub sample_rate: u32,
    pub codec: String,
    /// The number of the stream in the file.
    pub stream: u32,
}

#[derive(Debug, Deserialize)]
struct Report {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Format,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Format {
    duration: String,
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
    sample_aspect_ratio: String,
    avg_frame_rate: String,
    r_frame_rate: String,
    duration: String,
    color_range: String,
    color_space: String,
    color_transfer: String,
    field_order: String,
    channels: u32,
    sample_rate: String,
    disposition: Disposition,
    side_data_list: Vec<SideData>,
    tags: Tags,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Disposition {
    attached_pic: u8,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SideData {
    rotation: f64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tags {
    rotate: String,
}

/// Looks at a video file: its streams, and whether its end is there. A file without moving pictures, broken, half written,
/// empty, or not what its name says is [`MediaError::BadFile`] with the reason.
pub async fn probe(ffmpeg: &Ffmpeg, path: &Path) -> Result<MediaInfo, MediaError> {
    let report = report(ffmpeg, path).await?;
    let bad = |reason: String| MediaError::BadFile { path: path.to_owned(), reason };
    let Some(stream) = video_stream(&report) else {
        let reason = if report.streams.iter().any(|stream| stream.codec_type == "audio") {
            "has sound but no moving picture; give it with --music, or use a video"
        } else {
            "has no moving picture; use a video"
        };
        return Err(bad(reason.into()));
    };
    if stream.codec_name.is_empty() || stream.codec_name == "unknown" || stream.pix_fmt.is_empty() {
        return Err(bad("has a picture that this FFmpeg cannot decode; convert it to H.264 first".into()));
    }
    let stored = Size::new(stream.width, stream.height);
    if stored.width == 0 || stored.height == 0 {
        return Err(bad("has a picture of no size; export it again".into()));
    }
    let pixels = u64::from(stored.width) * u64::from(stored.height);
    if stored.width.max(stored.height) > LONGEST_SIDE || pixels > MOST_PIXELS {
        let size = format!("{}×{}", stored.width, stored.height);
        return Err(bad(format!("is {size}, more than can be decoded safely; scale it down to 8192×8192 or less")));
    }
    let average = parse_rate(&stream.avg_frame_rate);
    let Some(fps) = average.or_else(|| parse_rate(&stream.r_frame_rate)) else {
        return Err(bad("has no usable frame rate; export it again with a constant one".into()));
    };
    let duration_ms = duration(ffmpeg, path, stream, &report.format).await?;
    let (size, stored) = upright(stream, stored);
    Ok(MediaInfo {
        size,
        stored,
        fps,
        variable_rate: parse_rate(&stream.r_frame_rate) != average,
        duration_ms,
        codec: stream.codec_name.clone(),
        pix_fmt: stream.pix_fmt.clone(),
        color: color(stream),
        interlaced: matches!(stream.field_order.as_str(), "tt" | "bb" | "tb" | "bt"),
        stream: stream.index,
        has_audio: report.streams.iter().any(|stream| stream.codec_type == "audio"),
    })
}

/// Looks at the sound of a file, which may be a video's.
pub async fn probe_sound(ffmpeg: &Ffmpeg, path: &Path) -> Result<SoundInfo, MediaError> {
    let report = report(ffmpeg, path).await?;
    let bad = |reason: &str| MediaError::BadFile { path: path.to_owned(), reason: reason.into() };
    let Some(stream) = report.streams.iter().find(|stream| stream.codec_type == "audio") else {
        return Err(bad("has no sound; use an audio file"));
    };
    let sample_rate = stream.sample_rate.parse().unwrap_or(0);
    if sample_rate == 0 || stream.channels == 0 || stream.codec_name.is_empty() {
        return Err(bad("has sound that this FFmpeg cannot decode; convert it to WAV or MP3 first"));
    }
    let duration_ms = duration(ffmpeg, path, stream, &report.format).await?;
    let (channels, codec) = (stream.channels, stream.codec_name.clone());
    Ok(SoundInfo { duration_ms, channels, sample_rate, codec, stream: stream.index })
}

async fn report(ffmpeg: &Ffmpeg, path: &Path) -> Result<Report, MediaError> {
    ask(ffmpeg, path, ENTRIES).await
}

/// Asks ffprobe for `entries` of a file, and refuses one that is no media file with the reason.
pub(crate) async fn ask<T: serde::de::DeserializeOwned>(
    ffmpeg: &Ffmpeg,
    path: &Path,
    entries: &str,
) -> Result<T, MediaError> {
    let metadata = tokio::fs::metadata(path).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => bad_file(path, "does not exist"),
        std::io::ErrorKind::PermissionDenied => bad_file(path, "cannot be read; check its permissions"),
        _ => MediaError::io(path, error),
    })?;
    if !metadata.is_file() {
        return Err(bad_file(path, "is not a file"));
    }
    if metadata.len() == 0 {
        return Err(bad_file(path, "is empty; copy or export it again"));
    }
    let command = ffmpeg.probe_command().args(["-of", "json", "-show_entries", entries]).args(ffmpeg::input(path));
    let output = match command.run().await {
        Ok(output) => output,
        Err(error) if error.to_string().contains("moov atom not found") && !is_movie(path).await => {
            return Err(bad_file(path, "is broken or not what its name says; use a video or sound file"));
        }
        Err(error) => return Err(explain(path, error)),
    };
    serde_json::from_slice(&output.stdout)
        .map_err(|error| bad_file(path, &format!("cannot be understood by ffprobe ({error})")))
}

/// Whether a file starts as MP4 and `QuickTime` files do: with a box of a known kind (ISO/IEC 14496-12, section 4.2).
async fn is_movie(path: &Path) -> bool {
    let mut head = [0; 8];
    let Ok(mut file) = tokio::fs::File::open(path).await else { return false };
    let read = tokio::io::AsyncReadExt::read_exact(&mut file, &mut head).await;
    read.is_ok() && [b"ftyp", b"mdat", b"moov", b"free", b"skip", b"wide"].iter().any(|kind| head[4..] == **kind)
}

pub(crate) fn bad_file(path: &Path, reason: &str) -> MediaError {
    MediaError::BadFile { path: path.to_owned(), reason: reason.to_owned() }
}

/// Turns ffprobe's refusal into the reason a person needs.
fn explain(path: &Path, error: MediaError) -> MediaError {
    let MediaError::Process { status, detail, .. } = error else { return error };
    let last = detail.lines().last().unwrap_or(&status);
    let last = last.rsplit_once(": ").map_or(last, |(_, reason)| reason);
    if detail.contains("not on whitelist") {
        bad_file(
            path,
            "is not what its name says: it holds a picture, a playlist or text, not a video; use a video file",
        )
    } else if detail.contains("moov atom not found") {
        bad_file(path, "is only partly written (its index, at the end, is missing); copy or export it again")
    } else if detail.contains("Permission denied") {
        bad_file(path, "cannot be read; check its permissions")
    } else {
        bad_file(path, &format!("is broken or not what its name says ({last}); copy or export it again"))
    }
}

fn video_stream(report: &Report) -> Option<&Stream> {
    report.streams.iter().find(|stream| stream.codec_type == "video" && stream.disposition.attached_pic == 0)
}

pub(crate) fn parse_rate(text: &str) -> Option<FrameRate> {
    let (numerator, denominator) = text.split_once('/')?;
    let (numerator, denominator) = (numerator.parse::<u64>().ok()?, denominator.parse::<u64>().ok()?);
    if denominator == 0 {
        return None;
    }
    let exact = u32::try_from(numerator).ok().zip(u32::try_from(denominator).ok());
    let exact = exact.and_then(|(numerator, denominator)| FrameRate::new(numerator, denominator));
    // The mean of a varying rate is an unwieldy ratio; a thousandth of a frame is near enough for it.
    exact.or_else(|| FrameRate::new((numerator as f64 * 1000.0 / denominator as f64).round() as u32, 1000))
}

fn parse_seconds(text: &str) -> Option<u64> {
    let seconds: f64 = text.parse().ok()?;
    (seconds.is_finite() && seconds > 0.0).then_some((seconds * 1000.0).round() as u64)
}

async fn duration(ffmpeg: &Ffmpeg, path: &Path, stream: &Stream, format: &Format) -> Result<u64, MediaError> {
    let Some(stated) = parse_seconds(&stream.duration).or_else(|| parse_seconds(&format.duration)) else {
        return scanned_duration(ffmpeg, path, stream.index).await;
    };
    let end = last_packet_end(ffmpeg, path, stream.index, stated).await?;
    if end + MISSING_MS < stated {
        let (end, stated) = (end as f64 / 1000.0, stated as f64 / 1000.0);
        let reason =
            format!("ends after {end:.1} s but should last {stated:.1} s: it is only partly written; copy it again");
        return Err(bad_file(path, &reason));
    }
    Ok(stated)
}

/// Where the data of a stream ends: an index at the start of a file promises frames that an interrupted copy lacks.
pub(crate) async fn last_packet_end(
    ffmpeg: &Ffmpeg,
    path: &Path,
    stream: u32,
    stated_ms: u64,
) -> Result<u64, MediaError> {
    let from = format!("{}%", stated_ms.saturating_sub(300) as f64 / 1000.0);
    let selected = stream.to_string();
    let questions = ["-of", "csv=p=0", "-show_entries", "packet=pts_time,dts_time,duration_time"];
    let command = ffmpeg.probe_command().args(questions).args(["-select_streams", &selected, "-read_intervals", &from]);
    let output = command.args(ffmpeg::input(path)).run().await.map_err(|error| explain(path, error))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let end_of = |line: &str| {
        let mut fields = line.split(',').map(|field| field.trim().parse::<f64>().ok());
        let (pts, dts) = (fields.next().flatten(), fields.next().flatten());
        let end = pts.or(dts)? + fields.next().flatten().unwrap_or(0.0);
        Some((end.max(0.0) * 1000.0) as u64)
    };
    Ok(text.lines().filter_map(end_of).max().unwrap_or(0))
}

/// Reads through a file that does not state its length, as a browser's recording.
pub(crate) async fn scanned_duration(ffmpeg: &Ffmpeg, path: &Path, stream: u32) -> Result<u64, MediaError> {
    let map = format!("0:{stream}");
    let command = ffmpeg.command().args(ffmpeg::input(path)).args(["-map", &map, "-c", "copy", "-f", "null", "-"]);
    let last = std::sync::Mutex::new(Progress::default());
    let keep = |progress| {
        if let Ok(mut last) = last.lock() {
            *last = progress;
        }
    };
    ffmpeg.run(command.time_limit(Duration::from_mins(1)), &keep).await.map_err(|error| explain(path, error))?;
    let duration_ms = last.into_inner().map_or(0, |progress| progress.out_time_ms);
    if duration_ms == 0 {
        Err(bad_file(path, "has no length: nothing in it can be played; export it again"))
    } else {
        Ok(duration_ms)
    }
}

/// The size as shown and as stored, both after the turn that players make.
fn upright(stream: &Stream, stored: Size) -> (Size, Size) {
    let turned = stream.side_data_list.iter().map(|data| data.rotation).find(|rotation| *rotation != 0.0);
    let rotation = turned.or_else(|| stream.tags.rotate.parse().ok()).unwrap_or(0.0);
    let aspect = stream.sample_aspect_ratio.split_once(':');
    let aspect = aspect.and_then(|(x, y)| Some(x.parse::<f64>().ok()? / y.parse::<f64>().ok()?));
    let aspect = aspect.filter(|aspect| aspect.is_finite() && (0.1..=10.0).contains(aspect)).unwrap_or(1.0);
    let shown = Size::new((f64::from(stored.width) * aspect).round() as u32, stored.height);
    let swap = |size: Size| Size::new(size.height, size.width);
    if (rotation.rem_euclid(180.0) - 90.0).abs() < 1.0 { (swap(shown), swap(stored)) } else { (shown, stored) }
}

fn color(stream: &Stream) -> Color {
    let matrix = match stream.color_space.as_str() {
        "gbr" => Matrix::Rgb,
        "bt709" => Matrix::Bt709,
        "smpte170m" | "bt470bg" | "fcc" => Matrix::Bt601,
        "bt2020nc" | "bt2020c" => Matrix::Bt2020,
        // Unsaid, players go by the size: ITU-R BT.601 for standard definition, BT.709 above.
        _ if stream.pix_fmt.contains("rgb") || stream.pix_fmt.contains("bgr") => Matrix::Rgb,
        _ if stream.width.max(stream.height) > 1024 || stream.width.min(stream.height) > 576 => Matrix::Bt709,
        _ => Matrix::Bt601,
    };
    Color {
        matrix,
        full_range: stream.color_range == "pc" || stream.pix_fmt.starts_with("yuvj"),
        high_dynamic_range: matches!(stream.color_transfer.as_str(), "smpte2084" | "arib-std-b67"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turned_and_stretched_pictures_have_the_size_they_are_shown_in() {
        let mut stream = Stream { sample_aspect_ratio: "4:3".into(), ..Stream::default() };
        assert_eq!(upright(&stream, Size::new(1440, 1080)), (Size::new(1920, 1080), Size::new(1440, 1080)));
        stream.side_data_list.push(SideData { rotation: -90.0 });
        assert_eq!(upright(&stream, Size::new(1440, 1080)), (Size::new(1080, 1920), Size::new(1080, 1440)));
    }

    #[test]
    fn unsaid_colours_go_by_size() {
        let of =
            |width, height| color(&Stream { width, height, pix_fmt: "yuv420p".into(), ..Stream::default() }).matrix;
        assert_eq!((of(720, 576), of(1080, 1920), of(1280, 720)), (Matrix::Bt601, Matrix::Bt709, Matrix::Bt709));
    }

    #[test]
    fn rates_of_recordings_become_usable() {
        assert_eq!(parse_rate("30/1"), Some(FrameRate::whole(30)));
        assert_eq!(parse_rate("14375000/479167"), FrameRate::new(30_000, 1000));
        assert_eq!((parse_rate("0/0"), parse_rate("90000/1")), (None, None));
    }
}
