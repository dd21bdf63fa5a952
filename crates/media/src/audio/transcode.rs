//! Sound from and into the formats of the world, through FFmpeg: foreign files become WAV, a finished WAV becomes what
//! a listener takes along.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;

use super::mixer::partial_file;
use super::wav::WavReader;
use crate::MediaError;
use crate::ffmpeg::{self, Ffmpeg};
use crate::probe::probe_sound;
use crate::process::Command;

/// No file is decoded further than this: three hours, 2 GB.
pub const LONGEST_DECODED: Duration = Duration::from_hours(3);

/// The longest text of a tag, in characters.
const LONGEST_TAG: usize = 1_000;

/// A format to write: the file's extension, FFmpeg's encoder, its muxer, and their settings.
#[derive(Debug)]
pub(crate) struct Format {
    pub(crate) extension: &'static str,
    pub(crate) encoder: &'static str,
    pub(crate) muxer: &'static str,
    pub(crate) settings: &'static [&'static str],
}

/// What [`encode_audio`] can write. Rates are those at which trained listeners stop hearing a difference for speech
/// with music, with room to spare.
const FORMATS: &[Format] = &[
    Format { extension: "m4a", encoder: "aac", muxer: "ipod", settings: &["-b:a", "192k", "-movflags", "+faststart"] },
    Format { extension: "mp3", encoder: "libmp3lame", muxer: "mp3", settings: &["-b:a", "192k"] },
    Format { extension: "opus", encoder: "libopus", muxer: "opus", settings: &["-b:a", "128k"] },
    Format { extension: "ogg", encoder: "libvorbis", muxer: "ogg", settings: &["-q:a", "6"] },
    Format { extension: "flac", encoder: "flac", muxer: "flac", settings: &[] },
    Format { extension: "wav", encoder: "pcm_s16le", muxer: "wav", settings: &[] },
];

/// What is written into an audio file about itself; empty fields are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AudioTags {
    pub title: String,
    pub artist: String,
    pub album: String,
    pub date: String,
    /// ISO 639-2, as players expect it.
    pub language: String,
    pub comment: String,
}

/// Decodes the first sound of an audio or video file into a WAV file of 48 kHz, stereo, 16 bits, and gives its length
/// in samples. What lies beyond `longest` (at most [`LONGEST_DECODED`]) is left out. Sound that begins after the
/// picture gets silence before it, so that it keeps its time.
pub async fn decode_to_wav(ffmpeg: &Ffmpeg, input: &Path, output: &Path, longest: Duration) -> Result<u64, MediaError> {
    let sound = probe_sound(ffmpeg, input).await?;
    let partial = partial(output).await?;
    let seconds = longest.min(LONGEST_DECODED).as_secs_f64();
    let command = ffmpeg
        .command()
        .args(["-t", &format!("{seconds:.3}")])
        .args(ffmpeg::input(input))
        .args(["-map", &format!("0:{}", sound.stream), "-t", &format!("{seconds:.3}")])
        .args(["-af", "aresample=48000:async=1:first_pts=0", "-ac", "2", "-c:a", "pcm_s16le"]);
    write(ffmpeg, command, "wav", partial.path(), output).await?;
    let input = input.to_owned();
    let output = output.to_owned();
    blocking(move || {
        let frames = WavReader::open(partial.path())?.frames();
        if frames == 0 {
            let reason = "holds no sound that can be decoded; convert it to WAV or MP3 first".into();
            return Err(MediaError::BadFile { path: input, reason });
        }
        keep(partial, &output)?;
        Ok(frames)
    })
    .await
}

/// Encodes a WAV file of ours into the format that the extension of `output` names. The file appears under its name
/// when it is whole.
pub async fn encode_audio(ffmpeg: &Ffmpeg, wav: &Path, output: &Path, tags: &AudioTags) -> Result<(), MediaError> {
    let format = format_of(output)?;
    ffmpeg.require_encoder(format.encoder)?;
    let partial = partial(output).await?;
    let command = ffmpeg
        .command()
        .args(ffmpeg::opened_as(wav, "wav"))
        .args(["-map", "0:a:0", "-c:a", format.encoder])
        .args(format.settings)
        .args(tags.arguments());
    write(ffmpeg, command, format.muxer, partial.path(), output).await?;
    let output = output.to_owned();
    blocking(move || keep(partial, &output)).await
}

/// Every format that sound alone is written in.
pub(crate) fn sound_formats() -> &'static [Format] {
    FORMATS
}

/// Refuses a name whose ending no format has.
///
/// # Errors
/// [`MediaError::Invalid`] with the possible endings.
pub fn check_format(output: &Path) -> Result<(), MediaError> {
    format_of(output).map(drop)
}

fn format_of(output: &Path) -> Result<&'static Format, MediaError> {
    let extension = output.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default();
    FORMATS.iter().find(|format| format.extension == extension).ok_or_else(|| {
        let known: Vec<_> = FORMATS.iter().map(|format| format!(".{}", format.extension)).collect();
        MediaError::Invalid(format!(
            "`{}` names no known sound format; end it in {}",
            output.display(),
            known.join(", ")
        ))
    })
}

/// Runs FFmpeg into a file of our own. The same sound gives the same bytes: no version and no time is written.
async fn write(
    ffmpeg: &Ffmpeg,
    command: Command,
    muxer: &str,
    partial: &Path,
    output: &Path,
) -> Result<(), MediaError> {
    let command = command
        .args(["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact", "-f", muxer])
        .arg(ffmpeg::file(partial));
    match ffmpeg.run(command, &|_| ()).await {
        Err(MediaError::Process { detail, .. }) if detail.contains("No space left on device") => {
            Err(MediaError::NoSpace { path: output.into() })
        }
        other => other.map(|_| ()),
    }
}

async fn partial(output: &Path) -> Result<NamedTempFile, MediaError> {
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder: PathBuf = folder.into();
    blocking(move || partial_file(&folder)).await
}

fn keep(partial: NamedTempFile, output: &Path) -> Result<(), MediaError> {
    partial.persist(output).map(|_| ()).map_err(|error| MediaError::io(output, error.error))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, MediaError> + Send + 'static,
) -> Result<T, MediaError> {
    // A task that cannot be joined was dropped with its runtime, or panicked; both end the run.
    tokio::task::spawn_blocking(work).await.map_err(|_| MediaError::Cancelled)?
}

impl AudioTags {
    fn arguments(&self) -> Vec<OsString> {
        let mut arguments = Vec::new();
        let file_tags = [
            ("title", &self.title),
            ("artist", &self.artist),
            ("album", &self.album),
            ("date", &self.date),
            ("comment", &self.comment),
        ];
        for (name, value) in file_tags {
            push_tag(&mut arguments, "-metadata", name, value);
        }
        push_tag(&mut arguments, "-metadata:s:a:0", "language", &self.language);
        arguments
    }
}

fn push_tag(arguments: &mut Vec<OsString>, option: &str, name: &str, value: &str) {
    // A zero byte cannot be part of an argument.
    let value: String = value.chars().filter(|&character| character != '\0').take(LONGEST_TAG).collect();
    if !value.is_empty() {
        ffmpeg::extend(arguments, [option, &format!("{name}={value}")]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_extension_is_refused_with_the_known_ones() {
        for name in ["talk.xyz", "talk", "talk.MP4"] {
            let error = format_of(Path::new(name)).err().unwrap().to_string();
            assert!(error.contains(name) && error.contains(".m4a, .mp3, .opus, .ogg, .flac, .wav"), "{error}");
        }
        assert_eq!(format_of(Path::new("a/talk.MP3")).unwrap().encoder, "libmp3lame");
    }

    #[test]
    fn empty_tags_are_left_out_and_zero_bytes_dropped() {
        let tags = AudioTags { title: "A = B\0".into(), language: "eng".into(), ..AudioTags::default() };
        let arguments = tags.arguments();
        assert_eq!(arguments, ["-metadata", "title=A = B", "-metadata:s:a:0", "language=eng"]);
    }
}
