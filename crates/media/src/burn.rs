//! Captions become part of a film's pictures: the one case in which the pictures of a dub are encoded again.
//!
//! The result holds the pictures alone, every frame at its time from the first one, in NUT, which rounds no times. The dubbed
//! file takes its packets ([`crate::remux`]).

use std::path::Path;

use crate::captions::burn_filter;
use crate::encoder::{Encoder, Pass};
use crate::ffmpeg::{self, Ffmpeg, Progress};
use crate::source::Source;
use crate::{MediaError, MediaInfo, Size, segment};

/// Units of a second that the times of frames are counted in: those of MPEG, a multiple of every usual rate.
const TIME_BASE: &str = "1:90000";

/// A film and what is to be drawn into it.
#[derive(Debug, Clone, Copy)]
pub struct Burning<'a> {
    pub path: &'a Path,
    /// What [`crate::source::probe_source`] said of it.
    pub source: &'a Source,
    /// What [`crate::probe::probe`] said of it.
    pub info: &'a MediaInfo,
    /// An ASS file for frames of [`burnt_size`], its times those of the source.
    pub captions: &'a Path,
    /// For frames of [`burnt_size`].
    pub encoder: &'a Encoder,
    /// Threads of the encoder.
    pub threads: u32,
}

/// The size of a film once captions are burnt into it: upright, with square pixels, and even, as encoders want it.
pub fn burnt_size(info: &MediaInfo) -> Size {
    let even = |side: u32| (side & !1).max(2);
    Size::new(even(info.size.width), even(info.size.height))
}

/// Draws captions into the pictures and encodes them into `output`.
///
/// # Errors
/// [`MediaError::MissingFeature`] without libass; whatever FFmpeg says of a film it cannot decode.
pub async fn burn(
    ffmpeg: &Ffmpeg,
    burning: Burning<'_>,
    output: &Path,
    on_progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<(), MediaError> {
    let Burning { path, source, info, captions, encoder, threads } = burning;
    ffmpeg.require_filter("ass")?;
    let mut filters = segment::upright(info, burnt_size(info));
    filters.push(burn_filter(captions)?);
    filters.extend(encoder.upload().map(str::to_owned));
    let _open = ffmpeg.decoders(1).await?;
    let command = ffmpeg
        .command()
        .args(encoder.device_arguments())
        .args(source.input(path))
        .args(["-map", &format!("0:{}", info.stream), "-an", "-sn", "-dn", "-vf", &filters.join(",")])
        .args(["-fps_mode", "passthrough", "-enc_time_base", TIME_BASE])
        .args(encoder.arguments(threads, Pass::Only))
        .args(["-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact", "-f", "nut"])
        .arg(ffmpeg::file(output))
        .args(source.anchor());
    ffmpeg.run(command, on_progress).await.map(drop)
}
