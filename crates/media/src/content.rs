//! What a file is that nobody vouches for: a video, a sound, a picture or a text, told by its content alone.

use std::{
    io,
    path::{Path, PathBuf},
};

use image::ImageFormat;
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;

use crate::{
    Ffmpeg, MediaError, StillLimits, load_still,
    probe::{self, ask, bad_file},
};

/// What is read of a file to tell pictures and texts.
const HEAD_BYTES: u64 = 4096;

/// Scripts, subtitles and transcripts are texts; larger ones are none.
const MAX_TEXT_BYTES: u64 = 4 << 20;

const ENTRIES: &str =
    "format=format_name:format_tags=major_brand:stream=codec_type,codec_name:stream_disposition=attached_pic";

/// Codecs that make a Matroska file a WebM file (<https://www.webmproject.org/docs/container/>).
const OF_WEBM: [&str; 5] = ["vp8", "vp9", "av1", "opus", "vorbis"];

/// Containers by the first name that ffprobe has for them, with the type of a video and of a sound.
const TYPES: &[(&str, &str, &str)] = &[
    ("mov", "video/mp4", "audio/mp4"),
    ("matroska", "video/x-matroska", "audio/x-matroska"),
    ("avi", "video/x-msvideo", "audio/x-msvideo"),
    ("mpegts", "video/mp2t", "audio/mp2t"),
    ("mpeg", "video/mpeg", "audio/mpeg"),
    ("flv", "video/x-flv", "audio/x-flv"),
    ("ogg", "video/ogg", "audio/ogg"),
    ("asf", "video/x-ms-asf", "audio/x-ms-wma"),
    ("mxf", "video/mxf", "audio/mxf"),
    ("wav", "video/wav", "audio/wav"),
    ("w64", "video/wav", "audio/wav"),
    ("mp3", "video/mpeg", "audio/mpeg"),
    ("aac", "video/aac", "audio/aac"),
    ("flac", "video/flac", "audio/flac"),
    ("aiff", "video/aiff", "audio/aiff"),
    ("ac3", "video/ac3", "audio/ac3"),
    ("eac3", "video/eac3", "audio/eac3"),
    ("amr", "video/amr", "audio/amr"),
    ("au", "video/basic", "audio/basic"),
    ("caf", "video/x-caf", "audio/x-caf"),
];

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
    #[serde(rename = "format_name")]
    names: String,
    tags: Tags,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tags {
    major_brand: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stream {
    codec_type: String,
    codec_name: String,
    disposition: Disposition,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Disposition {
    attached_pic: u8,
}

/// The media type of a file, as `video/mp4`, by what is in it.
///
/// # Errors
/// [`MediaError::BadFile`] for a file that is none of these, broken, half written, empty or beyond the limits.
pub async fn identify(ffmpeg: &Ffmpeg, path: &Path) -> Result<&'static str, MediaError> {
    let head = read_up_to(path, HEAD_BYTES).await?;
    if head.is_empty() {
        return Err(bad_file(path, "is empty; copy or export it again"));
    }
    if let Some(picture) = picture_type(&head) {
        return check_picture(path.to_owned()).await.map(|()| picture);
    }
    match text_type(&read_text(path, &head).await?) {
        Some(text) => Ok(text),
        None => media_type(ffmpeg, path).await,
    }
}

fn picture_type(head: &[u8]) -> Option<&'static str> {
    match image::guess_format(head).ok()? {
        ImageFormat::Png => Some("image/png"),
        ImageFormat::Jpeg => Some("image/jpeg"),
        ImageFormat::WebP => Some("image/webp"),
        ImageFormat::Gif => Some("image/gif"),
        ImageFormat::Bmp => Some("image/bmp"),
        ImageFormat::Tiff => Some("image/tiff"),
        _ => None,
    }
}

/// Decodes a picture within the limits, which is the only way to know that it is one.
async fn check_picture(path: PathBuf) -> Result<(), MediaError> {
    let shown = path.clone();
    let decoding = tokio::task::spawn_blocking(move || load_still(&path, &StillLimits::default()).map(drop)).await;
    decoding.map_err(|_| bad_file(&shown, "cannot be decoded; save it again"))?
}

/// The whole of a text; of anything else only its head, or nothing of a file that is too large for a text.
async fn read_text(path: &Path, head: &[u8]) -> Result<Vec<u8>, MediaError> {
    if head.iter().any(|byte| is_control(*byte)) {
        return Ok(Vec::new());
    }
    let whole = read_up_to(path, MAX_TEXT_BYTES + 1).await?;
    Ok(if whole.len() as u64 > MAX_TEXT_BYTES { Vec::new() } else { whole })
}

/// The type of a text; nothing for what is none.
fn text_type(bytes: &[u8]) -> Option<&'static str> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty())?;
    if text.bytes().any(is_control) {
        return None;
    }
    let text = text.trim_start_matches('\u{FEFF}');
    if text.starts_with("WEBVTT") {
        return Some("text/vtt");
    }
    let is_subrip = text.lines().take(10).any(|line| line.contains(" --> "));
    Some(if is_subrip { "application/x-subrip" } else { "text/plain" })
}

const fn is_control(byte: u8) -> bool {
    matches!(byte, 0..=8 | 11 | 14..=31 | 127)
}

async fn media_type(ffmpeg: &Ffmpeg, path: &Path) -> Result<&'static str, MediaError> {
    let report: Report = ask(ffmpeg, path, ENTRIES).await?;
    let moves = |stream: &Stream| stream.codec_type == "video" && stream.disposition.attached_pic == 0;
    let is_video = report.streams.iter().any(moves);
    if is_video {
        probe::probe(ffmpeg, path).await?;
    } else {
        probe::probe_sound(ffmpeg, path).await?;
    }
    let names = report.format.names.as_str();
    if is_video && report.format.tags.major_brand.trim() == "qt" {
        return Ok("video/quicktime");
    }
    let of_webm = |stream: &Stream| OF_WEBM.contains(&stream.codec_name.as_str());
    if names.starts_with("matroska") && report.streams.iter().all(of_webm) {
        return Ok(if is_video { "video/webm" } else { "audio/webm" });
    }
    let known = TYPES.iter().find(|(name, ..)| names.split(',').next() == Some(name));
    let unknown = ("", "video/x-other", "audio/x-other");
    let (_, video, sound) = known.unwrap_or(&unknown);
    Ok(if is_video { video } else { sound })
}

async fn read_up_to(path: &Path, bytes: u64) -> Result<Vec<u8>, MediaError> {
    let fault = |error: io::Error| MediaError::io(path, error);
    let file = tokio::fs::File::open(path).await.map_err(fault)?;
    let mut read = Vec::new();
    file.take(bytes).read_to_end(&mut read).await.map_err(fault)?;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_from_each_other_and_from_what_is_none() {
        assert_eq!(text_type("WEBVTT\n\n00:01.000 --> 00:02.000\nHi".as_bytes()), Some("text/vtt"));
        assert_eq!(
            text_type("\u{FEFF}1\r\n00:00:01,000 --> 00:00:02,000\r\nHi".as_bytes()),
            Some("application/x-subrip")
        );
        assert_eq!(text_type("# Über uns\n\tText".as_bytes()), Some("text/plain"));
        for none in [&b""[..], b"\xFF\xFE", b"a\0b", b"\x1b[2J"] {
            assert_eq!(text_type(none), None, "{none:?}");
        }
    }
}
