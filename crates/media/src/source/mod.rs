//! What a file holds that is to be dubbed: every track with its times and names, and what else must be kept.
//!
//! Times count from the start of the file: its own zero in MP4 and Matroska, where its first track begins elsewhere. Sound
//! taken from it ([`extract`]) and sound put back ([`mod@crate::remux`]) are counted the same, so that they lie where the
//! picture is.

mod extract;
mod length;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::audio::{MAX_SAMPLES, SAMPLE_RATE};
use crate::ffmpeg::{self, Ffmpeg};
use crate::probe::{self, MISSING_MS, ask, bad_file, parse_rate};
use crate::{FrameRate, MediaError, Size};

pub use extract::{ExtractedSound, SPEECH_RATE, extract};
pub use length::length_us;

const ENTRIES: &str = "format=format_name,duration,start_time:format_tags=title:stream=index,codec_type,codec_name,\
     width,height,avg_frame_rate,r_frame_rate,start_time,duration,channels,channel_layout,sample_rate:\
     stream_disposition=default,attached_pic,original:stream_tags:chapter=start_time,end_time:chapter_tags=title";

/// Containers whose times begin at 0 whether a track does or not. Streams begin anywhere, and so do MP3 files, whose
/// first frames are the encoder's.
const WITH_ZERO: [&str; 2] = ["mp4", "matroska"];

/// Containers with an index that can promise more than the file holds.
const INDEXED: [&str; 3] = ["mp4", "matroska", "avi"];

/// A file with sound, and with pictures or without.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// As ffprobe names it: `mov,mp4,m4a,3gp,3g2,mj2`.
    pub container: String,
    /// From the start of the file to the end of its last track.
    pub duration_us: u64,
    /// Of its first track, where the container has a start of its own; FFmpeg takes it off all times unless told not to.
    pub first_track_us: i64,
    /// The first that moves; none in a sound file.
    pub video: Option<VideoTrack>,
    /// All that this FFmpeg can decode, in the order of the file; never empty.
    pub audio: Vec<AudioTrack>,
    pub subtitles: Vec<SubtitleTrack>,
    /// Fonts and other files inside a Matroska file.
    pub attachments: Vec<Attachment>,
    /// Still pictures, such as a cover.
    pub pictures: Vec<Picture>,
    pub chapters: Vec<SourceChapter>,
    pub title: Option<String>,
}

/// Moving pictures; their packets are copied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VideoTrack {
    /// The number of the stream in the file.
    pub stream: u32,
    pub codec: String,
    /// As it is stored.
    pub size: Size,
    /// The mean for a varying rate; none where the file states no usable one.
    pub fps: Option<FrameRate>,
    /// Whether frames come at uneven times.
    pub variable_rate: bool,
    /// Of its first frame, from the start of the file.
    pub start_us: u64,
}

/// One sound of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioTrack {
    /// The number of the stream in the file.
    pub stream: u32,
    pub codec: String,
    pub channels: u32,
    /// As FFmpeg names it (`5.1(side)`); none where the file does not say.
    pub layout: Option<String>,
    pub sample_rate: u32,
    /// As the file has it, usually three letters.
    pub language: Option<String>,
    pub title: Option<String>,
    pub is_default: bool,
    /// Of its first sample from the first frame of the picture (of the file, where there is none); negative when the
    /// sound begins first.
    pub offset_us: i64,
}

/// Subtitles of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubtitleTrack {
    pub stream: u32,
    pub codec: String,
    pub language: Option<String>,
    pub title: Option<String>,
    pub is_default: bool,
}

/// A file inside the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub stream: u32,
    pub name: Option<String>,
}

/// A picture that does not move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    pub stream: u32,
    pub codec: String,
}

/// A section that players offer to jump to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceChapter {
    pub start_ms: u64,
    pub end_ms: u64,
    pub title: Option<String>,
}

impl Source {
    /// The length in samples at [`SAMPLE_RATE`], rounded to a multiple of three so that 16 kHz divides it.
    pub fn duration_samples(&self) -> u64 {
        let thirds = u128::from(self.duration_us) * u128::from(SPEECH_RATE);
        ((thirds + 500_000) / 1_000_000) as u64 * u64::from(SAMPLE_RATE / SPEECH_RATE)
    }

    /// The sound that players choose: the first marked as default, else the first.
    pub fn main_audio(&self) -> Option<&AudioTrack> {
        self.audio.iter().find(|track| track.is_default).or(self.audio.first())
    }

    /// The same with its pictures encoded as `codec`, as FFmpeg names it.
    #[must_use]
    pub fn with_pictures_in(&self, codec: &str) -> Self {
        let video = self.video.clone().map(|video| VideoTrack { codec: codec.to_owned(), ..video });
        Self { video, ..self.clone() }
    }

    /// The arguments that open the file with its times as they are counted here.
    pub(crate) fn input(&self, path: &Path) -> Vec<OsString> {
        let mut arguments = vec!["-itsoffset".into(), format!("{}us", self.first_track_us).into()];
        arguments.extend(ffmpeg::input(path));
        arguments
    }

    /// A further output, which goes nowhere, for the end of the arguments. Where streams begin anywhere, FFmpeg counts
    /// from the first of those that it is to read: this way those are the same in every run.
    pub(crate) fn anchor(&self) -> &'static [&'static str] {
        if WITH_ZERO.iter().any(|name| self.is_in(name)) {
            &[]
        } else {
            &["-map", "0:v?", "-map", "0:a?", "-c", "copy", "-f", "null", "-"]
        }
    }

    /// Whether its container is the one that ffprobe calls `name`.
    pub(crate) fn is_in(&self, name: &str) -> bool {
        is_in(&self.container, name)
    }
}

#[derive(Debug, Deserialize)]
struct Report {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Format,
    #[serde(default)]
    chapters: Vec<Chapter>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Format {
    #[serde(rename = "format_name")]
    names: String,
    duration: String,
    start_time: String,
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stream {
    index: u32,
    codec_type: String,
    codec_name: String,
    width: u32,
    height: u32,
    avg_frame_rate: String,
    r_frame_rate: String,
    start_time: String,
    channels: u32,
    channel_layout: String,
    sample_rate: String,
    disposition: Disposition,
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Disposition {
    default: u8,
    attached_pic: u8,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Chapter {
    start_time: String,
    end_time: String,
    tags: BTreeMap<String, String>,
}

/// Looks at a file that is to be dubbed. One without sound, empty, broken, half written, too long, or not what its name
/// says is [`MediaError::BadFile`] with the reason.
pub async fn probe_source(ffmpeg: &Ffmpeg, path: &Path) -> Result<Source, MediaError> {
    let report: Report = ask(ffmpeg, path, ENTRIES).await?;
    let of_type = |kind: &'static str| report.streams.iter().filter(move |stream| stream.codec_type == kind);
    if of_type("audio").next().is_none() {
        return Err(bad_file(path, "has no sound, so nothing in it can be dubbed; use a file with an audio track"));
    }
    let first_us = microseconds(&report.format.start_time).unwrap_or(0);
    let has_zero = WITH_ZERO.iter().any(|name| is_in(&report.format.names, name));
    let (zero_us, first_track_us) = if has_zero { (0, first_us) } else { (first_us, 0) };
    let video =
        of_type("video").find(|stream| stream.disposition.attached_pic == 0).map(|stream| video_track(stream, zero_us));
    let picture_start_us = video.as_ref().map_or(0, |video| video.start_us.cast_signed());
    let audio: Vec<_> = of_type("audio").filter_map(|stream| audio_track(stream, zero_us + picture_start_us)).collect();
    let Some(first_audio) = audio.first() else {
        return Err(bad_file(path, "has sound that this FFmpeg cannot decode; convert it to AAC or WAV first"));
    };
    let main_streams = [video.as_ref().map_or(first_audio.stream, |video| video.stream), first_audio.stream];
    let duration_us = duration(ffmpeg, path, &report.format, main_streams).await?;
    let attachments = of_type("attachment")
        .map(|stream| Attachment { stream: stream.index, name: tag(&stream.tags, "filename") })
        .collect();
    let pictures = of_type("video")
        .filter(|stream| stream.disposition.attached_pic != 0)
        .map(|stream| Picture { stream: stream.index, codec: stream.codec_name.clone() })
        .collect();
    let source = Source {
        container: report.format.names.clone(),
        duration_us,
        first_track_us,
        video,
        audio,
        subtitles: of_type("subtitle").map(subtitle_track).collect(),
        attachments,
        pictures,
        chapters: report.chapters.iter().filter_map(|chapter| source_chapter(chapter, zero_us)).collect(),
        title: tag(&report.format.tags, "title"),
    };
    if source.duration_samples() > MAX_SAMPLES {
        let hours = MAX_SAMPLES / 3600 / u64::from(SAMPLE_RATE);
        return Err(bad_file(path, &format!("is longer than {hours} hours; cut it into parts first")));
    }
    Ok(source)
}

/// The stated length, where the end of the picture or of the sound bears it out; else what reading through shows.
async fn duration(ffmpeg: &Ffmpeg, path: &Path, format: &Format, main_streams: [u32; 2]) -> Result<u64, MediaError> {
    let Some(stated_us) = microseconds(&format.duration).filter(|&length| length > 0) else {
        return Ok(probe::scanned_duration(ffmpeg, path, main_streams[0]).await? * 1000);
    };
    if INDEXED.iter().any(|name| is_in(&format.names, name)) {
        let start_ms = microseconds(&format.start_time).unwrap_or(0).max(0) as u64 / 1000;
        let stated_end_ms = start_ms + stated_us as u64 / 1000;
        let mut end_ms = 0;
        for stream in main_streams {
            if end_ms + MISSING_MS < stated_end_ms {
                end_ms = end_ms.max(probe::last_packet_end(ffmpeg, path, stream, stated_end_ms).await?);
            }
        }
        if end_ms + MISSING_MS < stated_end_ms {
            let stated = stated_us as f64 / 1e6;
            let reason = format!("should last {stated:.1} s but ends early: it is only partly written; copy it again");
            return Err(bad_file(path, &reason));
        }
    }
    Ok(stated_us as u64)
}

fn video_track(stream: &Stream, zero_us: i64) -> VideoTrack {
    let average = parse_rate(&stream.avg_frame_rate);
    let real = parse_rate(&stream.r_frame_rate);
    VideoTrack {
        stream: stream.index,
        codec: stream.codec_name.clone(),
        size: Size::new(stream.width, stream.height),
        fps: average.or(real),
        variable_rate: real != average,
        start_us: (microseconds(&stream.start_time).unwrap_or(zero_us) - zero_us).max(0) as u64,
    }
}

/// None where the track cannot be decoded. `zero_us` is where its offset counts from.
fn audio_track(stream: &Stream, zero_us: i64) -> Option<AudioTrack> {
    let sample_rate = stream.sample_rate.parse().ok().filter(|&rate: &u32| rate > 0)?;
    let known = !stream.codec_name.is_empty() && stream.codec_name != "unknown" && stream.channels > 0;
    known.then(|| AudioTrack {
        stream: stream.index,
        codec: stream.codec_name.clone(),
        channels: stream.channels,
        layout: Some(&stream.channel_layout).filter(|name| !name.is_empty() && *name != "unknown").cloned(),
        sample_rate,
        language: language(&stream.tags),
        title: tag(&stream.tags, "title"),
        is_default: stream.disposition.default != 0,
        offset_us: microseconds(&stream.start_time).unwrap_or(zero_us) - zero_us,
    })
}

fn subtitle_track(stream: &Stream) -> SubtitleTrack {
    SubtitleTrack {
        stream: stream.index,
        codec: stream.codec_name.clone(),
        language: language(&stream.tags),
        title: tag(&stream.tags, "title"),
        is_default: stream.disposition.default != 0,
    }
}

fn source_chapter(chapter: &Chapter, zero_us: i64) -> Option<SourceChapter> {
    let at_ms = |text: &str| Some((microseconds(text)? - zero_us).max(0) as u64 / 1000);
    Some(SourceChapter {
        start_ms: at_ms(&chapter.start_time)?,
        end_ms: at_ms(&chapter.end_time)?,
        title: tag(&chapter.tags, "title"),
    })
}

fn language(tags: &BTreeMap<String, String>) -> Option<String> {
    tag(tags, "language").filter(|language| language != "und")
}

/// A tag, whose name some containers write in capitals.
fn tag(tags: &BTreeMap<String, String>, name: &str) -> Option<String> {
    let value = tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned());
    value.filter(|value| !value.is_empty())
}

fn is_in(names: &str, name: &str) -> bool {
    names.split(',').any(|part| part == name)
}

/// A number of seconds as ffprobe prints it. No time lies beyond a year.
fn microseconds(text: &str) -> Option<i64> {
    let seconds: f64 = text.parse().ok()?;
    (seconds.abs() < 3.2e7).then_some((seconds * 1e6).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_are_no_numbers_are_unknown() {
        assert_eq!(microseconds("1.400000"), Some(1_400_000));
        assert_eq!(microseconds("-0.007"), Some(-7_000));
        assert_eq!([microseconds("N/A"), microseconds("nan"), microseconds("inf"), microseconds("1e300")], [None; 4]);
    }

    #[test]
    fn an_undetermined_language_is_none_and_names_are_found_in_capitals() {
        let tags = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        assert_eq!(language(&tags("language", "und")), None);
        assert_eq!(language(&tags("LANGUAGE", "spa")), Some("spa".into()));
    }

    #[test]
    fn a_length_in_samples_divides_into_both_rates() {
        let report = Source {
            container: String::new(),
            duration_us: 1_000_011,
            first_track_us: 0,
            video: None,
            audio: Vec::new(),
            subtitles: Vec::new(),
            attachments: Vec::new(),
            pictures: Vec::new(),
            chapters: Vec::new(),
            title: None,
        };
        assert_eq!(report.duration_samples(), 48_000);
        assert_eq!(Source { duration_us: 1_000_040, ..report }.duration_samples(), 48_003);
    }
}
