//! Segments, sound and chapters become one file: pictures are copied as they are, sound is encoded once.

use std::{fmt::Write as _, path::Path};

use kernel::Lang;
use serde::{Deserialize, Serialize};

use crate::{
    FrameRate, MediaError,
    audio::{SoundFile, aac},
    ffmpeg::{self, Ffmpeg, Progress},
    partial::Partial,
};

/// What the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Container {
    Mp4,
    Matroska,
    WebM,
}

impl Container {
    /// The container that a file name's ending asks for.
    ///
    /// # Errors
    /// [`MediaError::Invalid`] with the possible endings.
    pub fn of(path: &Path) -> Result<Self, MediaError> {
        match path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("mp4" | "m4v" | "mov") => Ok(Self::Mp4),
            Some("mkv") => Ok(Self::Matroska),
            Some("webm") => Ok(Self::WebM),
            _ => Err(MediaError::Invalid(format!(
                "`{}` names no video file; end it in .mp4, .mkv or .webm",
                path.display()
            ))),
        }
    }

    /// The ending of its files, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Matroska => "mkv",
            Self::WebM => "webm",
        }
    }

    /// Whether its sound may be given as packets of AAC.
    pub fn takes_aac(self) -> bool {
        // Matroska counts in milliseconds, which packets of AAC are no multiple of.
        self == Self::Mp4
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Mp4 => &["-movflags", "+faststart", "-f", "mp4"],
            Self::Matroska => &["-f", "matroska"],
            Self::WebM => &["-f", "webm"],
        }
    }

    /// How sound becomes its track.
    fn sound_arguments(self, sound: &SoundFile) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match (sound, self) {
            (SoundFile::Aac { samples, .. }, _) => words(&["-c:a", "copy", "-bsf:a", &aac::ending(*samples)]),
            (SoundFile::Wav(_), Self::WebM) => words(&["-c:a", "libopus", "-b:a", "160k"]),
            (SoundFile::Wav(_), _) => {
                let settings =
                    aac::SETTINGS.iter().flat_map(|[option, value]| [format!("{option}:a"), (*value).into()]);
                ["-c:a".into(), aac::ENCODER.into()].into_iter().chain(settings).collect()
            }
        }
    }
}

/// A section that players offer to jump to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chapter {
    pub start_ms: u64,
    pub title: String,
}

/// What becomes one file.
#[derive(Debug, Clone, Copy)]
pub struct Assembly<'a> {
    /// Made with equal encoders ([`crate::segment`]), in their order, each with its frames.
    pub segments: &'a [(std::path::PathBuf, u32)],
    /// As long as all segments. AAC only for a container that [`Container::takes_aac`].
    pub sound: &'a SoundFile,
    pub fps: FrameRate,
    pub frames: u32,
    pub chapters: &'a [Chapter],
    pub title: Option<&'a str>,
    pub credits: &'a [String],
    pub lang: &'a Lang,
    pub container: Container,
}

/// Joins the segments to `output`, which appears only when it is whole.
pub async fn assemble(
    ffmpeg: &Ffmpeg,
    assembly: Assembly<'_>,
    output: &Path,
    on_progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<(), MediaError> {
    let partial = Partial::beside(output)?;
    let folder = tempfile::tempdir().map_err(|error| MediaError::io(std::env::temp_dir(), error))?;
    let (list, metadata) = (folder.path().join("segments.txt"), folder.path().join("metadata.txt"));
    write(&list, &concat_list(assembly.segments, assembly.fps)?).await?;
    write(&metadata, &metadata_text(&assembly)).await?;
    let mut command = ffmpeg.command();
    // The list is ours, and so are the files it names; nothing but them can be opened.
    command = command.args(["-safe", "0"]).args(ffmpeg::limits("concat,mov,mp4")).args(["-f", "concat", "-i"]);
    command = command.arg(ffmpeg::file(&list)).args(assembly.sound.input());
    command = command.args(["-f", "ffmetadata"]).args(ffmpeg::opened_as(&metadata, "ffmetadata"));
    let grid = grid(assembly.fps, assembly.container);
    command = command.args(["-map", "0:v:0", "-map", "1:a:0", "-map_metadata", "2", "-map_chapters", "2"]);
    command = command.args(["-c:v", "copy", "-bsf:v", &grid, "-fflags", "+bitexact", "-flags:a", "+bitexact"]);
    if let Some(code) = assembly.lang.three_letters() {
        command = command.args([
            "-metadata:s:v:0",
            &format!("language={code}"),
            "-metadata:s:a:0",
            &format!("language={code}"),
        ]);
    }
    let Assembly { container, sound, .. } = assembly;
    command = command.args(container.sound_arguments(sound)).args(container.arguments());
    let command = command.arg(ffmpeg::file(partial.path()));
    ffmpeg.run(command, on_progress).await.map_err(|error| partial.explain(error))?;
    partial.finish()
}

/// The bitstream filter that puts every frame on the grid of the frame rate, one after the other: on the way here each file's
/// length is rounded to microseconds, and a segment of one or two frames has none of the delay that reordering gives the
/// others.
fn grid(fps: FrameRate, container: Container) -> String {
    // By then times are in the container's own unit: the segments' for MP4, which `TB` is, and milliseconds for Matroska.
    let unit = match container {
        Container::Mp4 => "TB",
        Container::Matroska | Container::WebM => "0.001",
    };
    let frame = format!("({unit}*{fps})");
    format!("setts=pts=round(round(PTS*{frame})/{frame}):dts=round((N+round(STARTDTS*{frame}))/{frame})")
}

async fn write(path: &Path, text: &str) -> Result<(), MediaError> {
    tokio::fs::write(path, text).await.map_err(|error| MediaError::io(path, error))
}

/// The list that FFmpeg's `concat` demuxer reads: quoted names in which only the quote itself is special. Each says how long
/// it lasts, since the length that an MP4 file states is rounded up to a millisecond, which after fifty segments is a frame.
fn concat_list(segments: &[(std::path::PathBuf, u32)], fps: FrameRate) -> Result<String, MediaError> {
    let mut list = String::from("ffconcat version 1.0\n");
    let mut first = 0;
    for (segment, frames) in segments {
        let name = segment.to_str().filter(|name| !name.contains('\n')).ok_or_else(|| {
            let reason = "has a name FFmpeg's lists cannot hold; choose a data folder named in plain letters";
            MediaError::BadFile { path: segment.clone(), reason: reason.to_owned() }
        })?;
        let next = first + u64::from(*frames);
        let duration_us = fps.frame_start_us(next) - fps.frame_start_us(first);
        first = next;
        let name = name.replace('\'', r"'\''");
        let _ = writeln!(list, "file 'file:{name}'\nduration {:.6}", duration_us as f64 / 1e6);
    }
    Ok(list)
}

/// Title, credits and chapters in FFmpeg's metadata format.
fn metadata_text(assembly: &Assembly<'_>) -> String {
    let mut text = String::from(";FFMETADATA1\n");
    if let Some(title) = assembly.title {
        let _ = writeln!(text, "title={}", escaped(title));
    }
    if !assembly.credits.is_empty() {
        let _ = writeln!(text, "comment={}", escaped(&assembly.credits.join("\n")));
    }
    let end_ms = assembly.fps.frame_start_us(u64::from(assembly.frames)) / 1000;
    for (index, chapter) in assembly.chapters.iter().enumerate() {
        let until = assembly.chapters.get(index + 1).map_or(end_ms, |next| next.start_ms);
        let title = escaped(&chapter.title);
        let _ = writeln!(text, "[CHAPTER]\nTIMEBASE=1/1000\nSTART={}\nEND={until}\ntitle={title}", chapter.start_ms);
    }
    text
}

/// A value in which `=`, `;`, `#`, `\` and line ends stand for themselves.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars().filter(|character| *character != '\0' && *character != '\r') {
        if matches!(character, '=' | ';' | '#' | '\\' | '\n') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_the_list_are_quoted() {
        let fps = FrameRate::whole(30);
        let list = concat_list(&[("/a/it's.mp4".into(), 179)], fps).unwrap();
        assert_eq!(list, "ffconcat version 1.0\nfile 'file:/a/it'\\''s.mp4'\nduration 5.966667\n");
        assert!(concat_list(&[("/a\nfile b".into(), 1)], fps).is_err());
    }

    #[test]
    fn metadata_cannot_begin_a_section_of_its_own() {
        assert_eq!(escaped("a\n[CHAPTER]=1;#\\"), "a\\\n[CHAPTER]\\=1\\;\\#\\\\");
    }

    #[test]
    fn the_ending_names_the_container() {
        assert_eq!(Container::of(Path::new("a.MP4")).unwrap(), Container::Mp4);
        assert!(Container::of(Path::new("a.txt")).unwrap_err().to_string().contains(".webm"));
    }
}
