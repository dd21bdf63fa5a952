//! Which stream of which input goes where, and as what: the middle of FFmpeg's command line.

use std::ffi::OsString;

use super::container::{Container, Fate};
use super::{Dub, OriginalSound};
use crate::audio::{SoundFile, aac};
use crate::ffmpeg;
use crate::source::{AudioTrack, SubtitleTrack};

/// The longest title of a track, in characters.
const LONGEST_TITLE: usize = 200;

/// The arguments from `-map` on, and what could not be kept.
#[derive(Debug, Default)]
pub(super) struct Mapping {
    pub(super) arguments: Vec<OsString>,
    pub(super) notes: Vec<String>,
    sounds: usize,
    subtitles: usize,
}

impl Mapping {
    /// Lays out a dub whose source is input 0, followed by its new sounds, its new subtitles and its burnt pictures.
    pub(super) fn new(dub: &Dub<'_>, container: &Container) -> Self {
        let mut mapping = Self::default();
        mapping.pictures(dub, container);
        for (index, sound) in dub.sound.iter().enumerate() {
            mapping.new_sound(index, sound, container);
        }
        if dub.original == OriginalSound::Keep {
            for track in &dub.source.audio {
                mapping.original_sound(track, container);
            }
        }
        for (index, subtitles) in dub.subtitles.iter().enumerate() {
            mapping.new_subtitles(1 + dub.sound.len() + index, subtitles, container);
        }
        for track in &dub.source.subtitles {
            mapping.original_subtitles(track, container);
        }
        mapping.attachments(dub, container);
        mapping.push(["-map_metadata", "0", "-map_chapters", "0"]);
        mapping
    }

    fn push<S: AsRef<std::ffi::OsStr>>(&mut self, words: impl IntoIterator<Item = S>) {
        ffmpeg::extend(&mut self.arguments, words);
    }

    fn pictures(&mut self, dub: &Dub<'_>, container: &Container) {
        if let Some(video) = &dub.source.video {
            if container.is_sound_only() {
                self.notes.push("the picture is left out: the file is for sound alone".into());
            } else if dub.burnt.is_some() {
                self.push(["-map", &format!("{}:v:0", 1 + dub.sound.len() + dub.subtitles.len())]);
            } else {
                self.push(["-map", &format!("0:{}", video.stream)]);
            }
        }
        for picture in &dub.source.pictures {
            if container.holds_cover(&picture.codec) {
                self.push(["-map", &format!("0:{}", picture.stream)]);
            } else {
                self.notes.push(format!("the cover ({}) is left out: the file cannot hold it", picture.codec));
            }
        }
        self.push(["-c:v", "copy"]);
    }

    fn new_sound(&mut self, index: usize, sound: &super::NewSound, container: &Container) {
        self.push(["-map", &format!("{}:a:0", index + 1)]);
        match sound.file {
            SoundFile::Aac { samples, .. } if container.is_aac() => self.copy_packets(samples, container),
            _ => self.encode_sound(container),
        }
        self.tags('a', self.sounds, &sound.lang, sound.title.as_deref());
        let disposition = if index == 0 { "default" } else { "0" };
        self.push([format!("-disposition:a:{}", self.sounds), disposition.to_owned()]);
        self.sounds += 1;
    }

    /// Copies packets of AAC, the last as long as what is left for it of `samples`.
    fn copy_packets(&mut self, samples: u64, container: &Container) {
        let number = self.sounds;
        self.push([format!("-c:a:{number}"), "copy".to_owned()]);
        if container.states_lengths() {
            self.push([format!("-bsf:a:{number}"), aac::ending(samples)]);
        }
    }

    fn encode_sound(&mut self, container: &Container) {
        let number = self.sounds;
        self.push([format!("-c:a:{number}"), container.encoder.to_owned()]);
        for [option, value] in container.encoder_settings {
            self.push([format!("{option}:a:{number}"), (*value).to_owned()]);
        }
    }

    fn original_sound(&mut self, track: &AudioTrack, container: &Container) {
        if container.is_sound_only() && !container.many_sounds {
            self.notes.push(format!("the original sound {} is left out: the file holds one sound", track.stream));
            return;
        }
        self.push(["-map", &format!("0:{}", track.stream)]);
        if container.holds_audio(&track.codec) {
            self.push([format!("-c:a:{}", self.sounds), "copy".to_owned()]);
        } else {
            self.encode_sound(container);
            self.notes.push(format!(
                "the original sound {} ({}) is encoded again: the file cannot hold it as it is",
                track.stream, track.codec
            ));
        }
        self.push([format!("-disposition:a:{}", self.sounds), "original".to_owned()]);
        self.sounds += 1;
    }

    fn new_subtitles(&mut self, input: usize, subtitles: &super::NewSubtitles, container: &Container) {
        let Some(encoder) = container.subtitles else {
            self.notes.push(format!(
                "the subtitles in `{}` are left out: the file is for sound alone",
                subtitles.lang.as_str()
            ));
            return;
        };
        self.push(["-map", &format!("{input}:s:0")]);
        self.push([format!("-c:s:{}", self.subtitles), encoder.to_owned()]);
        self.tags('s', self.subtitles, &subtitles.lang, subtitles.title.as_deref());
        let disposition = if subtitles.is_default { "default" } else { "0" };
        self.push([format!("-disposition:s:{}", self.subtitles), disposition.to_owned()]);
        self.subtitles += 1;
    }

    /// Kept, but no more shown by themselves: they were made for the original sound.
    fn original_subtitles(&mut self, track: &SubtitleTrack, container: &Container) {
        let codec = match container.subtitles_of(&track.codec) {
            Fate::Copied => "copy",
            Fate::Encoded(encoder) => encoder,
            Fate::Dropped => {
                self.notes.push(format!(
                    "subtitles {} ({}) are left out: the file cannot hold them",
                    track.stream, track.codec
                ));
                return;
            }
        };
        self.push(["-map", &format!("0:{}", track.stream)]);
        self.push([format!("-c:s:{}", self.subtitles), codec.to_owned()]);
        self.push([format!("-disposition:s:{}", self.subtitles), "0".to_owned()]);
        self.subtitles += 1;
    }

    fn attachments(&mut self, dub: &Dub<'_>, container: &Container) {
        for attachment in &dub.source.attachments {
            if container.attachments {
                self.push(["-map", &format!("0:{}", attachment.stream)]);
            } else {
                let name = attachment.name.as_deref().unwrap_or("without a name");
                self.notes.push(format!("the attachment `{name}` is left out: the file cannot hold it"));
            }
        }
        self.push(["-c:t", "copy"]);
    }

    fn tags(&mut self, kind: char, number: usize, lang: &kernel::Lang, title: Option<&str>) {
        let option = format!("-metadata:s:{kind}:{number}");
        let code = lang.three_letters().unwrap_or("und");
        self.push([&option, &format!("language={code}")]);
        if let Some(title) = title {
            // A zero byte cannot be part of an argument.
            let title: String = title.chars().filter(|&character| character != '\0').take(LONGEST_TITLE).collect();
            self.push([&option, &format!("title={title}"), &option, &format!("handler_name={title}")]);
        }
    }
}
