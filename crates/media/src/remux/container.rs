//! What each container can hold, by the ending of a file's name.

use std::path::Path;

use crate::MediaError;
use crate::audio::{aac, sound_formats};

/// Subtitles that are text, and can become another text format.
const TEXT: &[&str] = &["subrip", "srt", "ass", "ssa", "webvtt", "mov_text", "text"];
/// Subtitles that are pictures, which Matroska holds as they are.
const BITMAPS: &[&str] = &["hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle"];
/// Covers that sound files hold.
const COVERS: &[&str] = &["mjpeg", "png"];

/// Codecs whose packets a container takes as they are.
#[derive(Debug, Clone, Copy)]
enum Codecs {
    All,
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

/// A container.
#[derive(Debug)]
pub(super) struct Container {
    extensions: &'static [&'static str],
    pub(super) muxer: &'static str,
    video: Codecs,
    /// Sound that is copied; other sound is encoded again.
    audio: Codecs,
    pub(super) encoder: &'static str,
    /// Options without the stream they are for, and their values.
    pub(super) encoder_settings: &'static [[&'static str; 2]],
    pub(super) settings: &'static [&'static str],
    /// What subtitles are encoded as; none where there are none.
    pub(super) subtitles: Option<&'static str>,
    /// Subtitles that are copied.
    copied_subtitles: Codecs,
    pub(super) attachments: bool,
    pub(super) covers: bool,
    /// More than one sound.
    pub(super) many_sounds: bool,
}

const CONTAINERS: &[Container] = &[
    Container {
        extensions: &["mp4", "m4v"],
        muxer: "mp4",
        video: Codecs::Only(&["h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg"]),
        audio: Codecs::Only(&["aac", "mp3", "mp2", "ac3", "eac3", "opus", "flac", "alac"]),
        encoder: aac::ENCODER,
        encoder_settings: aac::SETTINGS,
        settings: &["-movflags", "+faststart"],
        subtitles: Some("mov_text"),
        copied_subtitles: Codecs::Only(&["mov_text"]),
        attachments: false,
        covers: true,
        many_sounds: true,
    },
    Container {
        extensions: &["mov"],
        muxer: "mov",
        video: Codecs::AllBut(&["vp8", "vp9", "av1", "theora", "flv1"]),
        audio: Codecs::Only(&["aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s24le", "pcm_s16be", "pcm_s24be"]),
        encoder: aac::ENCODER,
        encoder_settings: aac::SETTINGS,
        settings: &["-movflags", "+faststart"],
        subtitles: Some("mov_text"),
        copied_subtitles: Codecs::Only(&["mov_text"]),
        attachments: false,
        covers: false,
        many_sounds: true,
    },
    Container {
        extensions: &["mkv", "mka"],
        muxer: "matroska",
        video: Codecs::All,
        audio: Codecs::All,
        encoder: aac::ENCODER,
        encoder_settings: aac::SETTINGS,
        settings: &[],
        subtitles: Some("srt"),
        copied_subtitles: Codecs::AllBut(&["mov_text", "text"]),
        attachments: true,
        covers: false,
        many_sounds: true,
    },
    Container {
        extensions: &["webm"],
        muxer: "webm",
        video: Codecs::Only(&["vp8", "vp9", "av1"]),
        audio: Codecs::Only(&["opus", "vorbis"]),
        encoder: "libopus",
        encoder_settings: &[["-b", "160k"]],
        settings: &[],
        subtitles: Some("webvtt"),
        copied_subtitles: Codecs::Only(&["webvtt"]),
        attachments: false,
        covers: false,
        many_sounds: true,
    },
];

/// What becomes of subtitles in a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Copied,
    /// With this encoder.
    Encoded(&'static str),
    Dropped,
}

impl Container {
    /// The container that a name's ending asks for: one for pictures and sound, or one for sound alone.
    ///
    /// # Errors
    /// [`MediaError::Invalid`] with the possible endings.
    pub(super) fn of(output: &Path) -> Result<Self, MediaError> {
        let extension = output.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if let Some(known) = CONTAINERS.iter().find(|container| container.extensions.contains(&&*extension)) {
            return Ok(Self { ..*known });
        }
        let sound = sound_formats().iter().find(|format| format.extension == extension).ok_or_else(|| {
            let videos = CONTAINERS.iter().flat_map(|container| container.extensions.iter().copied());
            let sounds = sound_formats().iter().map(|format| format.extension);
            let known: Vec<_> = videos.chain(sounds).map(|extension| format!(".{extension}")).collect();
            MediaError::Invalid(format!(
                "`{}` names no file that a dub can be written to; end it in {}",
                output.display(),
                known.join(", ")
            ))
        })?;
        Ok(Self {
            extensions: &[],
            muxer: sound.muxer,
            video: Codecs::Only(&[]),
            audio: Codecs::Only(&[]),
            encoder: sound.encoder,
            encoder_settings: &[],
            settings: sound.settings,
            subtitles: None,
            copied_subtitles: Codecs::Only(&[]),
            attachments: false,
            covers: matches!(sound.extension, "m4a" | "mp3" | "flac"),
            many_sounds: sound.extension == "m4a",
        })
    }

    /// Whether new sound in it is AAC, whose packets may have been made before.
    pub(super) fn is_aac(&self) -> bool {
        self.encoder == aac::ENCODER
    }

    /// Whether it states the length of each packet, so that the last can be shorter than the others.
    pub(super) fn states_lengths(&self) -> bool {
        matches!(self.muxer, "mp4" | "mov" | "ipod")
    }

    /// Whether it is for sound alone.
    pub(super) fn is_sound_only(&self) -> bool {
        matches!(self.video, Codecs::Only(&[]))
    }

    pub(super) fn holds_video(&self, codec: &str) -> bool {
        self.video.hold(codec)
    }

    pub(super) fn holds_audio(&self, codec: &str) -> bool {
        self.audio.hold(codec)
    }

    pub(super) fn holds_cover(&self, codec: &str) -> bool {
        self.covers && COVERS.contains(&codec)
    }

    pub(super) fn subtitles_of(&self, codec: &str) -> Fate {
        let known = TEXT.contains(&codec) || BITMAPS.contains(&codec);
        match self.subtitles {
            Some(_) if known && self.copied_subtitles.hold(codec) => Fate::Copied,
            Some(encoder) if TEXT.contains(&codec) => Fate::Encoded(encoder),
            _ => Fate::Dropped,
        }
    }
}

impl Codecs {
    fn hold(self, codec: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(codecs) => codecs.contains(&codec),
            Self::AllBut(codecs) => !codecs.contains(&codec),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Container {
        Container::of(Path::new(name)).unwrap()
    }

    #[test]
    fn the_ending_names_the_container() {
        assert_eq!(of("a/talk.es.MP4").muxer, "mp4");
        assert!(of("talk.opus").is_sound_only() && !of("talk.mka").is_sound_only());
        let error = Container::of(Path::new("talk.avi")).unwrap_err().to_string();
        assert!(error.contains("talk.avi") && error.contains(".mkv") && error.contains(".opus"), "{error}");
    }

    #[test]
    fn subtitles_are_kept_wherever_the_container_can() {
        assert_eq!(of("a.mp4").subtitles_of("subrip"), Fate::Encoded("mov_text"));
        assert_eq!(of("a.mp4").subtitles_of("hdmv_pgs_subtitle"), Fate::Dropped);
        assert_eq!(of("a.mkv").subtitles_of("hdmv_pgs_subtitle"), Fate::Copied);
        assert_eq!(of("a.mkv").subtitles_of("mov_text"), Fate::Encoded("srt"));
        assert_eq!(of("a.webm").subtitles_of("ass"), Fate::Encoded("webvtt"));
        assert_eq!(of("a.mkv").subtitles_of("dvb_teletext"), Fate::Dropped);
        assert_eq!(of("a.mp3").subtitles_of("subrip"), Fate::Dropped);
    }
}
