//! The dubbed file: the packets of the original's picture with new sound and subtitles, in one run of FFmpeg. What the
//! container can hold of the rest is kept, and what it cannot is told.

mod container;
mod plan;

use std::path::{Path, PathBuf};

use kernel::Lang;

use crate::MediaError;
use crate::audio::SoundFile;
use crate::ffmpeg::{self, Ffmpeg, Progress};
use crate::partial::Partial;
use crate::source::Source;
use container::Container;
use plan::Mapping;

/// Packets that each input may be read ahead: with the usual eight, its thread and the writer wake each other for every few,
/// which takes half as much processor time again.
const READ_AHEAD: [&str; 2] = ["-thread_queue_size", "256"];
/// Packets that may wait for those of a stream that is rarely written, such as subtitles.
const MOST_WAITING: &str = "8192";

/// What becomes one file.
#[derive(Debug, Clone, Copy)]
pub struct Dub<'a> {
    /// The original.
    pub path: &'a Path,
    /// What [`crate::source::probe_source`] said of it.
    pub source: &'a Source,
    /// At least one; the first is what players play.
    pub sound: &'a [NewSound],
    pub original: OriginalSound,
    pub subtitles: &'a [NewSubtitles],
    /// What [`crate::burn::burn`] made of the pictures; none where they are copied as they are.
    pub burnt: Option<&'a Path>,
}

/// A sound to add.
#[derive(Debug, Clone)]
pub struct NewSound {
    /// As long as the source. AAC only for outputs that [`takes_aac`].
    pub file: SoundFile,
    pub lang: Lang,
    pub title: Option<String>,
}

/// Subtitles to add.
#[derive(Debug, Clone)]
pub struct NewSubtitles {
    /// A SubRip or WebVTT file of our own making, in UTF-8.
    pub path: PathBuf,
    pub lang: Lang,
    pub title: Option<String>,
    /// Whether players show them unasked.
    pub is_default: bool,
}

/// What becomes of the original's sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OriginalSound {
    Drop,
    /// After the new ones.
    Keep,
}

/// Refuses, before any work is done, an output that the original cannot be dubbed to.
///
/// # Errors
/// [`MediaError::Invalid`] for a name whose ending no container has, for pictures that the container cannot hold, and
/// for more sounds than it can hold.
pub fn check_output(source: &Source, sounds: usize, output: &Path) -> Result<(), MediaError> {
    let container = Container::of(output)?;
    if let Some(video) = &source.video
        && !container.is_sound_only()
        && !container.holds_video(&video.codec)
    {
        return Err(MediaError::Invalid(format!(
            "`{}` cannot hold pictures in {}, and they are never encoded again; end the name in .mkv",
            output.display(),
            video.codec
        )));
    }
    if sounds > 1 && !container.many_sounds {
        return Err(MediaError::Invalid(format!(
            "`{}` holds one sound, not {sounds}; write a file for each, or end the name in .m4a or .mka",
            output.display()
        )));
    }
    Ok(())
}

/// Whether new sound in an output is AAC.
///
/// # Errors
/// [`MediaError::Invalid`] for a name whose ending no container has.
pub fn takes_aac(output: &Path) -> Result<bool, MediaError> {
    Ok(Container::of(output)?.is_aac())
}

/// Writes the dubbed file to `output`, which appears only when it is whole, and gives notes about what the container
/// could not hold.
pub async fn remux(
    ffmpeg: &Ffmpeg,
    dub: Dub<'_>,
    output: &Path,
    on_progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Vec<String>, MediaError> {
    if dub.sound.is_empty() {
        return Err(MediaError::Invalid("a dub needs a new sound; give at least one".into()));
    }
    check_output(dub.source, dub.sound.len(), output)?;
    let container = Container::of(output)?;
    ffmpeg.require_encoder(container.encoder)?;
    let partial = Partial::beside(output)?;
    let mut command = ffmpeg.command();
    // AVI states when packets are decoded, not when they are shown; what FFmpeg makes of that is late by the frames that
    // reordering holds back.
    let is_avi = dub.source.is_in("avi");
    if is_avi {
        command = command.args(["-fflags", "+genpts"]);
    }
    command = command.args(READ_AHEAD).args(dub.source.input(dub.path));
    for sound in dub.sound {
        command = command.args(READ_AHEAD).args(sound.file.input());
    }
    for subtitles in dub.subtitles {
        command = command.args(ffmpeg::opened_as(&subtitles.path, "srt,webvtt"));
    }
    if let (Some(burnt), Some(video)) = (dub.burnt, &dub.source.video) {
        command = command.args(["-itsoffset", &format!("{}us", video.start_us)]).args(ffmpeg::opened_as(burnt, "nut"));
    }
    let mapping = Mapping::new(&dub, &container);
    command = command.args(&mapping.arguments);
    if is_avi {
        command = command.args(["-bsf:v", "setts=pts=PTS-STARTPTS:dts=DTS-STARTPTS"]);
    }
    let command = command
        .args(["-max_muxing_queue_size", MOST_WAITING, "-fflags", "+bitexact", "-flags:a", "+bitexact"])
        .args(container.settings)
        .args(["-f", container.muxer])
        .arg(ffmpeg::file(partial.path()))
        .args(dub.source.anchor());
    ffmpeg.run(command, on_progress).await.map_err(|error| partial.explain(error))?;
    partial.finish()?;
    Ok(mapping.notes)
}
