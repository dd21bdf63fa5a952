//! Subtitles and transcripts that a person brings: SubRip and WebVTT in any usual encoding, with names of speakers
//! where the file has them. Small damage is put right, what cannot be is reported with its line.

use std::path::{Path, PathBuf};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::Encoding;
use serde::{Deserialize, Serialize};

use super::markup::{self, Spoken};
use crate::MediaError;

/// No transcript is larger: a talk of three hours has 300 KB.
const LARGEST_BYTES: u64 = 16 << 20;
/// A line every second for six hours.
const MOST_CUES: usize = 21_600;
/// The most text of one cue, in characters.
const LONGEST_CUE: usize = 4_000;
/// No time lies beyond a hundred hours: three digits of hours are a broken file.
const LATEST_MS: u64 = 100 * 3_600_000;

/// A file of subtitles or a transcript, as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Transcript {
    /// In the order of their starts.
    pub cues: Vec<TranscriptCue>,
    /// What is wrong with it, in the order of the file.
    pub problems: Vec<TranscriptProblem>,
}

/// What is said, when, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptCue {
    pub start_ms: u64,
    /// After the start.
    pub end_ms: u64,
    /// Without markup; never empty, with a line break where the file has one.
    pub text: String,
    /// A name as the file has it (`<v Name>`, `NAME:`, `[Name]`).
    pub speaker: Option<String>,
    /// Where its times stand in the file; the first line is 1.
    pub line: u32,
}

/// Something about a transcript that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptProblem {
    /// The first line of the file is 1.
    pub line: u32,
    pub kind: ProblemKind,
}

/// What is wrong with a line of a transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// It begins before the one before it ends; both are kept as they are.
    Overlaps {
        /// By how much.
        by_ms: u64,
    },
    /// It ends before it begins, or at the same time; it is left out.
    Reversed,
    /// It stands after one that begins later; it is put in its place.
    OutOfOrder,
    /// It has times but no words; it is left out.
    Empty,
}

impl std::fmt::Display for TranscriptProblem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let line = self.line;
        match self.kind {
            ProblemKind::Overlaps { by_ms } => write!(formatter, "line {line} overlaps the one before by {by_ms} ms"),
            ProblemKind::Reversed => write!(formatter, "line {line} ends before it begins and is left out"),
            ProblemKind::OutOfOrder => write!(formatter, "line {line} begins before the one above it"),
            ProblemKind::Empty => write!(formatter, "line {line} has times but no text and is left out"),
        }
    }
}

/// Reads a SubRip or WebVTT file.
///
/// # Errors
/// [`MediaError::BadFile`] with the line where it stops being either, and for files that are empty or too large.
pub fn read_transcript(path: &Path) -> Result<Transcript, MediaError> {
    let bad = |reason: String| MediaError::BadFile { path: path.to_owned(), reason };
    let metadata = std::fs::metadata(path).map_err(|error| MediaError::io(path, error))?;
    if !metadata.is_file() {
        return Err(bad("is not a file; give a .srt or .vtt file".into()));
    }
    if metadata.len() > LARGEST_BYTES {
        return Err(bad(format!("is larger than {} MB, which no transcript is; give another", LARGEST_BYTES >> 20)));
    }
    let bytes = std::fs::read(path).map_err(|error| MediaError::io(path, error))?;
    parse_transcript(&bytes).map_err(|error| bad(error.to_string()))
}

/// Why bytes are no transcript; words that follow the name of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranscriptError {
    #[error("has no line with times such as `00:00:01,000 --> 00:00:02,500`; give a SubRip or WebVTT file")]
    NoCues,
    #[error("has times that cannot be read in line {line} (`{text}`); write them as `00:00:01,000 --> 00:00:02,500`")]
    BadTimes { line: u32, text: String },
    #[error("has more than {MOST_CUES} lines with times (line {line}); split it")]
    TooMany { line: u32 },
    #[error("has more than {LONGEST_CUE} characters for one pair of times (line {line}); split that text")]
    TooLong { line: u32 },
}

/// Reads SubRip or WebVTT from memory; see [`read_transcript`]. Which of both it is makes no difference.
pub fn parse_transcript(bytes: &[u8]) -> Result<Transcript, TranscriptError> {
    let text = decode(bytes);
    let lines: Vec<&str> = text.lines().map(|line| line.trim_end_matches('\r')).collect();
    let is_webvtt = lines.iter().find(|line| !line.trim().is_empty()).is_some_and(|line| line.starts_with("WEBVTT"));
    let mut reader = Reader { lines: &lines, at: 0, is_webvtt, transcript: Transcript::default(), latest_start_ms: 0 };
    while reader.next_cue()? {}
    let mut transcript = reader.transcript;
    if transcript.cues.is_empty() && transcript.problems.is_empty() {
        return Err(TranscriptError::NoCues);
    }
    transcript.cues.sort_by_key(|cue| cue.start_ms);
    let overlaps = transcript.cues.windows(2).filter(|pair| pair[1].start_ms < pair[0].end_ms).map(|pair| {
        let by_ms = pair[0].end_ms.min(pair[1].end_ms) - pair[1].start_ms;
        TranscriptProblem { line: pair[1].line, kind: ProblemKind::Overlaps { by_ms } }
    });
    transcript.problems.extend(overlaps);
    transcript.problems.sort_by_key(|problem| problem.line);
    Ok(transcript)
}

/// UTF-8 and UTF-16 with their marks, UTF-8 without, and of the older encodings the likeliest.
fn decode(bytes: &[u8]) -> String {
    if let Some((encoding, mark_bytes)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[mark_bytes..]).0.into_owned();
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    detector.guess(None, Utf8Detection::Deny).decode_without_bom_handling(bytes).0.into_owned()
}

/// Goes through the lines of a file.
struct Reader<'a> {
    lines: &'a [&'a str],
    at: usize,
    is_webvtt: bool,
    transcript: Transcript,
    latest_start_ms: u64,
}

impl<'a> Reader<'a> {
    /// Reads up to and with the next cue; false at the end.
    fn next_cue(&mut self) -> Result<bool, TranscriptError> {
        let Some(found) = self.lines[self.at..].iter().position(|line| is_times(line)) else {
            return Ok(false);
        };
        let index = self.at + found;
        let line = index as u32 + 1;
        let bad_times =
            || TranscriptError::BadTimes { line, text: self.lines[index].trim().chars().take(80).collect() };
        let (start_ms, end_ms) = times(self.lines[index]).ok_or_else(bad_times)?;
        let text_lines = self.text_after(index + 1);
        self.at = index + 1 + text_lines.len();
        if text_lines.iter().map(|line| line.chars().count()).sum::<usize>() > LONGEST_CUE {
            return Err(TranscriptError::TooLong { line });
        }
        if self.transcript.cues.len() == MOST_CUES {
            return Err(TranscriptError::TooMany { line });
        }
        let spoken = markup::read(text_lines);
        self.keep(&TranscriptCue { start_ms, end_ms, text: String::new(), speaker: None, line }, spoken);
        Ok(true)
    }

    /// The lines of a cue's text: up to an empty one that ends it, or the times of the next where that is missing.
    fn text_after(&self, from: usize) -> &'a [&'a str] {
        let rest = &self.lines[from..];
        let end = rest.iter().position(|line| line.trim().is_empty() || is_times(line)).unwrap_or(rest.len());
        let ends_with_number = end < rest.len()
            && is_times(rest[end])
            && end > 0
            && rest[end - 1].trim().chars().all(|c| c.is_ascii_digit())
            && !self.is_webvtt;
        &rest[..if ends_with_number { end - 1 } else { end }]
    }

    fn keep(&mut self, cue: &TranscriptCue, spoken: Vec<Spoken>) {
        let kind = if cue.end_ms <= cue.start_ms {
            Some(ProblemKind::Reversed)
        } else if spoken.is_empty() {
            Some(ProblemKind::Empty)
        } else if cue.start_ms < self.latest_start_ms {
            Some(ProblemKind::OutOfOrder)
        } else {
            None
        };
        if let Some(kind) = kind {
            self.transcript.problems.push(TranscriptProblem { line: cue.line, kind });
        }
        if matches!(kind, Some(ProblemKind::Reversed | ProblemKind::Empty)) {
            return;
        }
        self.latest_start_ms = self.latest_start_ms.max(cue.start_ms);
        self.transcript.cues.extend(shared(cue, spoken));
    }
}

/// One cue for each speaker of a cue, its time shared by the lengths of what they say.
fn shared(cue: &TranscriptCue, spoken: Vec<Spoken>) -> Vec<TranscriptCue> {
    let lengths: Vec<u64> = spoken.iter().map(|part| part.text.chars().count() as u64).collect();
    let whole: u64 = lengths.iter().sum::<u64>().max(1);
    let duration_ms = cue.end_ms - cue.start_ms;
    if duration_ms < spoken.len() as u64 {
        let text = spoken.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join("\n");
        let speaker = spoken.into_iter().next().and_then(|part| part.speaker);
        return vec![TranscriptCue { text, speaker, ..cue.clone() }];
    }
    // Each has a millisecond of its own, and the rest by its length.
    let free_ms = duration_ms - spoken.len() as u64;
    let mut before = 0;
    let at_ms = |index: u64, before: u64| cue.start_ms + index + free_ms * before / whole;
    let mut cues = Vec::with_capacity(spoken.len());
    for (index, (part, length)) in (0..).zip(spoken.into_iter().zip(lengths)) {
        let (start_ms, end_ms) = (at_ms(index, before), at_ms(index + 1, before + length));
        before += length;
        cues.push(TranscriptCue { start_ms, end_ms, text: part.text, speaker: part.speaker, line: cue.line });
    }
    cues
}

/// An arrow alone is not enough: somebody may say it.
fn is_times(line: &str) -> bool {
    line.split_once("-->").is_some_and(|(before, _)| before.trim().starts_with(|c: char| c.is_ascii_digit()))
}

/// The two times of `00:00:01,000 --> 00:00:02,500 position:10%`.
fn times(line: &str) -> Option<(u64, u64)> {
    let (start, rest) = line.split_once("-->")?;
    Some((time_ms(start.trim())?, time_ms(rest.split_whitespace().next()?)?))
}

/// `1:02:03,456`, `02:03.456` or `03`, with one to three digits behind the mark.
fn time_ms(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once([',', '.']).unwrap_or((text, ""));
    let number = |text: &str| -> Option<u64> {
        let plain = (1..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if plain { text.parse().ok() } else { None }
    };
    let fraction_ms = match fraction.len() {
        0 => 0,
        length @ 1..=3 => number(fraction)? * 10_u64.pow(3 - length as u32),
        _ => number(fraction.get(..3)?)?,
    };
    let parts = whole.split(':').map(|part| number(part.trim())).collect::<Option<Vec<_>>>()?;
    let seconds = match parts[..] {
        [hours, minutes, seconds] if minutes < 60 && seconds < 60 => hours * 3600 + minutes * 60 + seconds,
        [minutes, seconds] if seconds < 60 => minutes * 60 + seconds,
        _ => return None,
    };
    Some(seconds * 1000 + fraction_ms).filter(|&time_ms| time_ms <= LATEST_MS)
}

/// What a file name says about the language of its text: `es` of `talk.es.srt`.
pub fn language_of_name(path: &Path) -> Option<kernel::Lang> {
    let stem = PathBuf::from(path.file_stem()?);
    stem.extension()?.to_str()?.parse().ok()
}
