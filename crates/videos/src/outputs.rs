//! The files a user gets: the video, and beside it captions, cover and a description a program can read.

use std::path::{Path, PathBuf};

use kernel::Lang;
use media::{
    Ffmpeg, Size,
    assemble::Chapter,
    audio::{AudioTags, encode_audio},
    captions::{self, Cue, Mode, Setting, Style},
    check::CheckReport,
};
use pipeline::{FileRef, Run, publish};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    VideosError,
    production::{Captioned, Narrated},
};

/// What is known of a finished video; the `.json` beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VideoFacts {
    pub title: Option<String>,
    pub description: String,
    pub hashtags: Vec<String>,
    pub lang: Lang,
    pub voice: String,
    pub theme: String,
    pub size: Size,
    pub fps: u32,
    pub duration_ms: u64,
    pub encoder: String,
    pub chapters: Vec<Chapter>,
    pub scenes: Vec<SceneFacts>,
    pub credits: Vec<String>,
    /// What the script holds that the video leaves out.
    pub left_out: Vec<String>,
    pub seed: u64,
    /// The measurements of the final check.
    pub check: CheckReport,
}

/// What is said and seen when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SceneFacts {
    pub start_ms: u64,
    pub end_ms: u64,
    pub text: String,
    /// `card`, or the file that is shown.
    pub shows: Vec<String>,
}

/// Everything of a video that is made and kept, ready to be handed out.
#[derive(Debug, Clone)]
pub struct Production {
    pub video: FileRef,
    pub cover: FileRef,
    /// Timed from the beginning of the video.
    pub cues: Vec<Cue>,
    pub caption_style: Style,
    pub caption_mode: Mode,
    /// The timeline in OpenTimelineIO's form, in which `VIDEO_NAME` stands for the video's own name.
    pub timeline: serde_json::Value,
    pub facts: VideoFacts,
}

/// What a user got.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finished {
    /// The video, or the sound of a narration.
    pub output: PathBuf,
    /// The files beside it.
    pub beside: Vec<PathBuf>,
    pub duration_ms: u64,
    pub size_bytes: u64,
    /// What the script holds that was left out.
    pub left_out: Vec<String>,
}

/// Hands out a production under the name of its video. The video comes last: where it is, everything is.
pub async fn hand_out(production: &Production, video: &Path, run: &Run) -> Result<Finished, VideosError> {
    let Production { cues, caption_style, caption_mode, facts, .. } = production;
    let setting = Setting { style: caption_style, mode: *caption_mode, frame: facts.size };
    let mut texts = subtitles(cues, &setting)?;
    texts.extend([("json", json(facts)?), ("otio", json(&named(&production.timeline, video))?)]);
    let mut beside = write_beside(video, texts).await?;
    let cover = video.with_extension("jpg");
    publish(&run.path(&production.cover), &cover).await?;
    beside.push(cover);
    publish(&run.path(&production.video), video).await?;
    Ok(Finished {
        output: video.to_owned(),
        beside,
        duration_ms: facts.duration_ms,
        size_bytes: production.video.size_bytes(),
        left_out: facts.left_out.clone(),
    })
}

/// Hands out captions alone: `output`, which ends in `.srt`, and the same in other forms beside it.
pub(crate) async fn hand_out_captions(captioned: &Captioned, output: &Path) -> Result<Finished, VideosError> {
    let Captioned { cues, style, mode, size, .. } = captioned;
    let texts = subtitles(cues, &Setting { style, mode: *mode, frame: *size })?;
    let size_bytes = texts[0].1.len() as u64;
    let mut written = write_beside(output, texts).await?;
    let output = written.remove(0);
    let (duration_ms, left_out) = (captioned.duration_ms, captioned.left_out.clone());
    Ok(Finished { output, beside: written, duration_ms, size_bytes, left_out })
}

/// Captions in every form, with the endings of their files.
fn subtitles(cues: &[Cue], setting: &Setting<'_>) -> Result<Vec<(&'static str, String)>, VideosError> {
    Ok(vec![
        ("srt", captions::srt(cues)),
        ("vtt", captions::webvtt(cues, setting.mode)),
        ("ass", captions::ass(cues, setting)?),
    ])
}

async fn write_beside(video: &Path, texts: Vec<(&'static str, String)>) -> Result<Vec<PathBuf>, VideosError> {
    let mut written = Vec::new();
    for (extension, text) in texts {
        let path = video.with_extension(extension);
        pipeline::publish_bytes(text.into_bytes(), &path).await?;
        written.push(path);
    }
    Ok(written)
}

fn json(facts: &impl Serialize) -> Result<String, VideosError> {
    serde_json::to_string_pretty(facts)
        .map(|text| text + "\n")
        .map_err(|error| VideosError::Internal(error.to_string()))
}

/// What stands for the name of the video before it has one.
pub(crate) const VIDEO_NAME: &str = "\u{0}video";

/// A timeline in which the video has its name.
fn named(timeline: &Value, video: &Path) -> Value {
    let name = video.file_name().unwrap_or_default().to_string_lossy();
    match timeline {
        Value::String(text) if text == VIDEO_NAME => Value::String(name.into_owned()),
        Value::Array(items) => items.iter().map(|item| named(item, video)).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, value)| (key.clone(), named(value, video))).collect())
        }
        other => other.clone(),
    }
}

/// Keeps a video that failed its check beside where it would have been: `NAME.failed.mp4`.
pub async fn set_aside(made: &FileRef, video: &Path, run: &Run) -> Result<PathBuf, VideosError> {
    let aside = video.with_extension(format!("failed.{}", made.extension()));
    publish(&run.path(made), &aside).await?;
    Ok(aside)
}

/// Encodes a narration into `output`, in the format its ending names.
pub async fn hand_out_sound(
    ffmpeg: &Ffmpeg,
    narrated: &Narrated,
    output: &Path,
    run: &Run,
) -> Result<Finished, VideosError> {
    let tags = AudioTags {
        title: narrated.title.clone().unwrap_or_default(),
        language: narrated.lang.three_letters().unwrap_or_default().to_owned(),
        ..AudioTags::default()
    };
    encode_audio(ffmpeg, &run.path(&narrated.sound.file), output, &tags).await?;
    let written = tokio::fs::metadata(output).await.map_err(|error| media::MediaError::io(output, error))?;
    Ok(Finished {
        output: output.to_owned(),
        beside: Vec::new(),
        duration_ms: narrated.duration_ms,
        size_bytes: written.len(),
        left_out: narrated.left_out.clone(),
    })
}
