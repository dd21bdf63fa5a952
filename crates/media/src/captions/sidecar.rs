//! The files beside the video: SubRip and WebVTT.

use std::fmt::Write as _;

use kernel::ScriptDirection;

use super::{Cue, Line, Mode};

/// Set at both ends of a right-to-left line, so that its marks stay at its left end in players that guess.
const RIGHT_TO_LEFT_MARK: char = '\u{200F}';
/// Shows as nothing, and keeps two characters from being read as a command.
const WORD_JOINER: char = '\u{2060}';

/// The cues as SubRip (`.srt`). What players would take for a tag or an arrow is kept as text.
pub fn srt(cues: &[Cue]) -> String {
    let mut file = String::new();
    for (index, cue) in shown(cues).enumerate() {
        let times = (stamp(cue.start_ms, ','), stamp(cue.end_ms, ','));
        let lines: Vec<String> = cue.lines.iter().map(|line| directed(cue, &plain(&line.text()))).collect();
        // Writing to a string cannot fail.
        let _ = write!(file, "{}\n{} --> {}\n{}\n\n", index + 1, times.0, times.1, lines.join("\n"));
    }
    file
}

/// The cues as WebVTT (`.vtt`); with [`Mode::Word`] each word has its own time, for players that light it.
pub fn webvtt(cues: &[Cue], mode: Mode) -> String {
    let mut file = String::from("WEBVTT\n\n");
    for cue in shown(cues) {
        let times = (stamp(cue.start_ms, '.'), stamp(cue.end_ms, '.'));
        let mut latest_ms = cue.start_ms;
        let lines: Vec<String> = cue
            .lines
            .iter()
            .map(|line| match mode {
                Mode::Line => directed(cue, &escaped(&line.text())),
                Mode::Word => directed(cue, &timed(line, &mut latest_ms, cue.end_ms)),
            })
            .collect();
        let _ = write!(file, "{} --> {}\n{}\n\n", times.0, times.1, lines.join("\n"));
    }
    file
}

/// Cues with some text and some time: the formats allow no others.
fn shown(cues: &[Cue]) -> impl Iterator<Item = &Cue> {
    cues.iter().filter(|cue| cue.end_ms > cue.start_ms && cue.lines.iter().all(|line| !line.text().trim().is_empty()))
}

/// A line with the time of each word before it. Times inside a cue must grow and stay inside (WebVTT, section 4.2.2).
fn timed(line: &Line, latest_ms: &mut u64, end_ms: u64) -> String {
    let mut text = String::new();
    for word in &line.words {
        if word.space_before && !text.is_empty() {
            text.push(' ');
        }
        if word.start_ms > *latest_ms && word.start_ms < end_ms {
            let _ = write!(text, "<{}>", stamp(word.start_ms, '.'));
            *latest_ms = word.start_ms;
        }
        let _ = write!(text, "<c>{}</c>", escaped(&word.text));
    }
    text
}

fn directed(cue: &Cue, line: &str) -> String {
    match cue.lang.direction() {
        ScriptDirection::LeftToRight => line.to_owned(),
        ScriptDirection::RightToLeft => format!("{RIGHT_TO_LEFT_MARK}{line}{RIGHT_TO_LEFT_MARK}"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Text that no SubRip player reads as a tag (`<i>`, `{\an8}`), a line break (`\N`) or an arrow.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        plain.push(c);
        if matches!(c, '<' | '{' | '\\') || c == '-' && chars.peek() == Some(&'>') {
            plain.push(WORD_JOINER);
        }
    }
    plain
}

/// `00:00:00,000`, with the hundredths' mark of the format.
fn stamp(time_ms: u64, mark: char) -> String {
    let (hours, minutes, seconds) = (time_ms / 3_600_000, time_ms / 60_000 % 60, time_ms / 1000 % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}{mark}{:03}", time_ms % 1000)
}
