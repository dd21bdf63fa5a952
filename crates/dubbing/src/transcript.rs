//! The user's transcript or subtitles as utterances: marks that are not said taken out, lines of one sentence joined,
//! small overlaps mended, and what does not match the source refused with its line.

use media::captions::{ProblemKind, Transcript, TranscriptCue};

use crate::document::{MAX_TEXT_BYTES, Utterance, Word, share_time};
use crate::sentences;

/// Subtitles are often shown a little into the next; more than this is a mistake.
const LONGEST_OVERLAP_MS: u64 = 700;
/// How far after the end of the source a transcript may end, for subtitles are shown longer than the speech.
const LATE_END_MS: u64 = 3_000;
/// Lines of one sentence further apart than this stay apart.
const JOINED_PAUSE_MS: u64 = 700;
/// No utterance made of several lines is longer.
const MAX_JOINED_MS: u64 = 15_000;
/// Shorter than this nothing can be said.
const SHORTEST_MS: u64 = 100;

/// Why a transcript cannot be used for a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranscriptError {
    #[error("has no line in which something is said; give one with text, or leave the transcript out")]
    Empty,
    #[error("line {line} ends before it begins, or at once; mend its times")]
    Reversed { line: u32 },
    #[error("overlaps itself: line {line} begins at {start}, before line {before} ends at {end}; mend one of them")]
    Overlap { line: u32, start: String, before: u32, end: String },
    #[error(
        "does not match the source: line {line} ends at {end}, and the source lasts {duration}; is it of another video?"
    )]
    TooLong { line: u32, end: String, duration: String },
    #[error("line {line} has {bytes} bytes of text, more than {MAX_TEXT_BYTES}; divide it")]
    TooMuch { line: u32, bytes: usize },
}

/// The utterances of a transcript in the order of time, numbered from 1.
///
/// Each begins where its first line does. A line on which nothing is said (`♪`, `[applause]`) makes none.
///
/// Where some lines name who speaks, one that names nobody is of the one before it.
pub fn utterances(transcript: &Transcript, duration_ms: u64) -> Result<Vec<Utterance>, TranscriptError> {
    if let Some(problem) = transcript.problems.iter().find(|problem| problem.kind == ProblemKind::Reversed) {
        return Err(TranscriptError::Reversed { line: problem.line });
    }
    let mut said: Vec<TranscriptCue> = Vec::with_capacity(transcript.cues.len());
    for line in &transcript.cues {
        check(line, duration_ms)?;
        let text = spoken_text(&line.text);
        if !text.is_empty() {
            let end_ms = line.end_ms.min(duration_ms);
            said.push(TranscriptCue { end_ms, text, ..line.clone() });
        }
    }
    said.sort_by_key(|line| (line.start_ms, line.line));
    part_overlaps(&mut said)?;
    let mut speaker = None;
    for line in &mut said {
        speaker = line.speaker.take().or(speaker);
        line.speaker.clone_from(&speaker);
    }
    let mut utterances: Vec<Utterance> = Vec::with_capacity(said.len());
    for line in said {
        match utterances.last_mut() {
            Some(last) if belongs(last, &line) => join(last, &line),
            _ => {
                let id = utterances.len() as u32 + 1;
                utterances.push(utterance(id, &line));
            }
        }
    }
    if utterances.is_empty() { Err(TranscriptError::Empty) } else { Ok(utterances) }
}

fn check(line: &TranscriptCue, duration_ms: u64) -> Result<(), TranscriptError> {
    let (number, end) = (line.line, clock(line.end_ms));
    if line.end_ms < line.start_ms + SHORTEST_MS {
        return Err(TranscriptError::Reversed { line: number });
    }
    if line.end_ms > duration_ms.saturating_add(LATE_END_MS) || line.start_ms + SHORTEST_MS > duration_ms {
        return Err(TranscriptError::TooLong { line: number, end, duration: clock(duration_ms) });
    }
    if line.text.len() > MAX_TEXT_BYTES {
        return Err(TranscriptError::TooMuch { line: number, bytes: line.text.len() });
    }
    Ok(())
}

/// Lets each line end before the next begins, where they overlap by no more than subtitles do.
fn part_overlaps(lines: &mut [TranscriptCue]) -> Result<(), TranscriptError> {
    for index in 1..lines.len() {
        let (before, next) = (&lines[index - 1], &lines[index]);
        let overlap_ms = before.end_ms.saturating_sub(next.start_ms);
        if overlap_ms > LONGEST_OVERLAP_MS || next.start_ms < before.start_ms + SHORTEST_MS {
            return Err(TranscriptError::Overlap {
                line: next.line,
                start: clock(next.start_ms),
                before: before.line,
                end: clock(before.end_ms),
            });
        }
        lines[index - 1].end_ms = before.end_ms.min(next.start_ms);
    }
    Ok(())
}

/// Whether a line goes on with the sentence of the utterance before.
fn belongs(last: &Utterance, line: &TranscriptCue) -> bool {
    last.speaker == line.speaker
        && !sentences::ends_sentence(&last.text)
        && !sentences::is_heading_before(&last.text, &line.text)
        && line.start_ms - last.end_ms <= JOINED_PAUSE_MS
        && line.end_ms - last.start_ms <= MAX_JOINED_MS
        && last.text.len() + line.text.len() < MAX_TEXT_BYTES
}

fn utterance(id: u32, line: &TranscriptCue) -> Utterance {
    Utterance {
        id,
        start_ms: line.start_ms,
        end_ms: line.end_ms,
        speaker: line.speaker.clone(),
        words: words(line),
        text: line.text.clone(),
        confidence: None,
        notes: Vec::new(),
        lines: std::collections::BTreeMap::new(),
    }
}

fn join(last: &mut Utterance, line: &TranscriptCue) {
    last.text.push(' ');
    last.text.push_str(&line.text);
    last.words.extend(words(line));
    last.end_ms = line.end_ms;
}

/// The words of a line share its time; that of the lines before and after is not theirs.
fn words(line: &TranscriptCue) -> Vec<Word> {
    share_time(&line.text, line.start_ms, line.end_ms)
}

/// What of a line is said: without tags, notes, and names of sounds.
fn spoken_text(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find(['<', '{', '[', '(', '♪', '♫']) {
        said.push_str(&rest[..open]);
        let inside = &rest[open..];
        if let Some(length) = unsaid(inside) {
            said.push(' ');
            rest = &inside[length..];
        } else {
            let first = inside.chars().next().map_or(0, char::len_utf8);
            said.push_str(&inside[..first]);
            rest = &inside[first..];
        }
    }
    said.push_str(rest);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    // What is left of a line of dashes and dots is not said either.
    let said = said.trim_start_matches(['-', '–', '—', ' ']).to_owned();
    if said.contains(char::is_alphanumeric) { said } else { String::new() }
}

/// The bytes of what opens `text` and is not said: a tag, an override of a style, a sound in brackets, a note.
fn unsaid(text: &str) -> Option<usize> {
    let end_of = |close: char| text.find(close).map(|at| at + close.len_utf8());
    match text.chars().next()? {
        '<' => end_of('>')
            .filter(|_| text[1..].starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '0'..='9'))),
        '{' => end_of('}').filter(|_| text[1..].starts_with('\\')),
        '[' => end_of(']'),
        // Brackets may hold an aside that is said; a sound is written in small letters or capitals, without a stop.
        '(' => end_of(')').filter(|end| is_name_of_sound(&text[1..end - 1])),
        note => Some(note.len_utf8()),
    }
}

fn is_name_of_sound(inside: &str) -> bool {
    let letters: String = inside.chars().filter(|c| c.is_alphabetic()).collect();
    !letters.is_empty() && inside.split_whitespace().count() <= 3 && letters == letters.to_uppercase()
}

/// `1:02:03.400`, as a person looks for it.
fn clock(ms: u64) -> String {
    let (minutes, seconds) = (ms / 60_000, ms / 1000 % 60);
    format!("{}:{:02}:{seconds:02}.{:03}", minutes / 60, minutes % 60, ms % 1000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(line: u32, start_ms: u64, end_ms: u64, text: &str) -> TranscriptCue {
        TranscriptCue { start_ms, end_ms, text: text.to_owned(), speaker: None, line }
    }

    fn utterances(lines: &[TranscriptCue], duration_ms: u64) -> Result<Vec<Utterance>, TranscriptError> {
        super::utterances(&Transcript { cues: lines.to_vec(), problems: Vec::new() }, duration_ms)
    }

    fn told(lines: &[TranscriptCue]) -> Vec<(u64, u64, String)> {
        let found = utterances(lines, 60_000).unwrap();
        found.into_iter().map(|utterance| (utterance.start_ms, utterance.end_ms, utterance.text)).collect()
    }

    #[test]
    fn lines_of_one_sentence_are_one_utterance() {
        let lines = [
            line(1, 0, 1800, "When the rain"),
            line(5, 1900, 3000, "has stopped, we go."),
            line(9, 3100, 4000, "All of us."),
        ];
        assert_eq!(
            told(&lines),
            [(0, 3000, "When the rain has stopped, we go.".to_owned()), (3100, 4000, "All of us.".to_owned())]
        );
        let words = &utterances(&lines, 60_000).unwrap()[0].words;
        assert_eq!((words[2].end_ms, words[3].start_ms), (1800, 1900));
    }

    #[test]
    fn speakers_are_kept_apart() {
        let other = TranscriptCue { speaker: Some("Ann".to_owned()), ..line(2, 1000, 2000, "and then") };
        let found = utterances(&[line(1, 0, 1000, "Well"), other, line(3, 2100, 3000, "so it was.")], 60_000).unwrap();
        let speakers: Vec<_> = found.iter().map(|utterance| utterance.speaker.as_deref()).collect();
        assert_eq!(speakers, [None, Some("Ann")]);
    }

    #[test]
    fn what_is_not_said_is_left_out() {
        let lines = [
            line(1, 0, 1000, "♪ ♪"),
            line(2, 1000, 2000, "[applause]"),
            line(3, 2000, 3000, "<i>Thank you,</i> {\\an8}all (LAUGHS) of you (and more)."),
            line(4, 3000, 4000, "- 3 < 4, isn't it?"),
            line(5, 4000, 5000, "..."),
        ];
        let texts: Vec<_> = told(&lines).into_iter().map(|(_, _, text)| text).collect();
        assert_eq!(texts, ["Thank you, all of you (and more).", "3 < 4, isn't it?"]);
    }

    #[test]
    fn a_small_overlap_is_mended_and_a_large_one_refused_with_both_lines() {
        assert_eq!(told(&[line(1, 0, 1500, "One."), line(4, 1000, 2000, "Two.")])[0].1, 1000);
        let error = utterances(&[line(1, 0, 3000, "One."), line(4, 1000, 4000, "Two.")], 60_000).unwrap_err();
        assert_eq!(
            error.to_string(),
            "overlaps itself: line 4 begins at 0:00:01.000, before line 1 ends at 0:00:03.000; mend one of them"
        );
    }

    #[test]
    fn a_transcript_of_a_longer_video_is_refused() {
        let error = utterances(&[line(7, 0, 90_000, "One.")], 60_000).unwrap_err().to_string();
        assert!(error.contains("line 7 ends at 0:01:30.000, and the source lasts 0:01:00.000"), "{error}");
        assert_eq!(told(&[line(1, 59_000, 61_500, "Bye.")]), [(59_000, 60_000, "Bye.".to_owned())]);
    }

    #[test]
    fn times_that_run_backwards_and_a_transcript_of_nothing_are_refused() {
        let reversed = utterances(&[line(3, 2000, 1000, "One.")], 60_000).unwrap_err();
        assert!(matches!(reversed, TranscriptError::Reversed { line: 3 }));
        assert_eq!(utterances(&[line(1, 0, 1000, "[music]")], 60_000), Err(TranscriptError::Empty));
    }

    proptest! {
        #[test]
        fn words_are_kept_in_order_and_utterances_never_overlap(
            lines in prop::collection::vec((0_u64..900, 200_u64..4000, "[a-z]{1,6}( [a-z]{1,6}){0,4}[.,]?"), 1..30),
        ) {
            let mut at = 0;
            let mut transcript = Vec::new();
            for (index, (pause, length, text)) in lines.iter().enumerate() {
                at += pause;
                transcript.push(line(index as u32 + 1, at, at + length, text));
                at += length;
            }
            let made = utterances(&transcript, at).unwrap();
            let all = made.iter().map(|utterance| utterance.text.clone()).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(all, lines.iter().map(|(_, _, text)| text.clone()).collect::<Vec<_>>().join(" "));
            prop_assert!(made.windows(2).all(|pair| pair[0].end_ms <= pair[1].start_ms));
            prop_assert!(made.iter().all(Utterance::words_match));
        }
    }
}
