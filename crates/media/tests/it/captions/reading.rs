//! Transcripts that people bring, good and bad.

use kernel::Lang;
use media::captions::{
    Cue, Line, ProblemKind, TranscriptError, language_of_name, parse_transcript, read_transcript, srt, webvtt,
};
use media::speech_text::TimedWord;
use proptest::prelude::*;

/// A cue of one line.
fn cue(start_ms: u64, end_ms: u64, text: &str) -> Cue {
    let word = TimedWord { text: text.to_owned(), start_ms, end_ms, space_before: false };
    Cue { start_ms, end_ms, lines: vec![Line { words: vec![word] }], lang: Lang::english() }
}

fn texts(bytes: &[u8]) -> Vec<(u64, u64, String)> {
    let cues = parse_transcript(bytes).unwrap().cues;
    cues.into_iter().map(|cue| (cue.start_ms, cue.end_ms, cue.text)).collect()
}

const PLAIN: &str = "1\n00:00:01,000 --> 00:00:02,500\nHello there\nyou\n\n2\n00:01:00,250 --> 01:00:00,000\nBye\n";

#[test]
fn a_plain_file_is_read() {
    let wanted = [(1_000, 2_500, "Hello there\nyou".to_owned()), (60_250, 3_600_000, "Bye".to_owned())];
    assert_eq!(texts(PLAIN.as_bytes()), wanted);
    assert_eq!(parse_transcript(PLAIN.as_bytes()).unwrap().problems, []);
}

#[test]
fn marks_line_ends_and_missing_numbers_make_no_difference() {
    let wanted = texts(PLAIN.as_bytes());
    assert_eq!(texts(format!("\u{feff}{}", PLAIN.replace('\n', "\r\n")).as_bytes()), wanted);
    assert_eq!(texts(PLAIN.replace("1\n00", "00").replace("2\n00", "00").as_bytes()), wanted);
    assert_eq!(texts(PLAIN.replace("\n\n2\n", "\n2\n").as_bytes()), wanted, "no empty line between them");
    let vtt = "WEBVTT - a title\n\nNOTE made by hand\nin two lines\n\nSTYLE\n::cue { color: red }\n\nintro\n\
               00:01.000 --> 00:02.500 align:start position:10%\nHello there\nyou\n\n01:00.25 --> 1:00:00\nBye";
    assert_eq!(texts(vtt.as_bytes()), wanted);
}

#[test]
fn older_encodings_are_recognised() {
    let russian = "1\n00:00:01,000 --> 00:00:02,000\nПривет, как дела у вас сегодня?\n";
    let (bytes, _, _) = encoding_rs::WINDOWS_1251.encode(russian);
    assert_eq!(texts(&bytes)[0].2, "Привет, как дела у вас сегодня?");
    let french = "1\n00:00:01,000 --> 00:00:02,000\nL'été déjà passé, où êtes-vous\u{a0}?\n";
    let (bytes, _, _) = encoding_rs::WINDOWS_1252.encode(french);
    assert_eq!(texts(&bytes)[0].2, "L'été déjà passé, où êtes-vous ?");
    let wide: Vec<u8> = "\u{feff}".chars().chain(russian.chars()).flat_map(|c| (c as u16).to_le_bytes()).collect();
    assert_eq!(texts(&wide)[0].2, "Привет, как дела у вас сегодня?");
}

#[test]
fn problems_name_their_line() {
    let file = "00:00:05,000 --> 00:00:08,000\nfirst\n\n00:00:07,500 --> 00:00:09,000\nsecond\n\n\
                00:00:12,000 --> 00:00:11,000\nreversed\n\n00:00:01,000 --> 00:00:02,000\nearly\n\n\
                00:00:20,000 --> 00:00:21,000\n\n";
    let transcript = parse_transcript(file.as_bytes()).unwrap();
    let problems: Vec<_> = transcript.problems.iter().map(|problem| (problem.line, problem.kind)).collect();
    assert_eq!(
        problems,
        [
            (4, ProblemKind::Overlaps { by_ms: 500 }),
            (7, ProblemKind::Reversed),
            (10, ProblemKind::OutOfOrder),
            (13, ProblemKind::Empty),
        ]
    );
    assert_eq!(transcript.cues.iter().map(|cue| cue.text.as_str()).collect::<Vec<_>>(), ["early", "first", "second"]);
    assert_eq!(transcript.problems[0].to_string(), "line 4 overlaps the one before by 500 ms");
}

#[test]
fn two_speakers_of_one_cue_share_its_time() {
    let file = "00:00:10,000 --> 00:00:12,000\n- Mary: Is it over there?\n- Bob: Yes\n";
    let cues = parse_transcript(file.as_bytes()).unwrap().cues;
    assert_eq!(cues.len(), 2);
    assert_eq!((cues[0].start_ms, cues[1].end_ms), (10_000, 12_000));
    assert_eq!(cues[0].end_ms, cues[1].start_ms);
    assert!(cues[0].end_ms > 11_300, "{cues:?}");
    assert_eq!([&cues[0].speaker, &cues[1].speaker], [&Some("Mary".to_owned()), &Some("Bob".to_owned())]);
}

#[test]
fn a_file_that_is_something_else_is_refused_with_its_line() {
    assert_eq!(parse_transcript(b""), Err(TranscriptError::NoCues));
    assert_eq!(parse_transcript(b"Dear diary,\nnothing happened -- really.\n"), Err(TranscriptError::NoCues));
    let error = parse_transcript(b"1\n00:00:01,000 --> 00:00:0x\nhello\n").unwrap_err();
    assert!(error.to_string().contains("line 2 (`00:00:01,000 --> 00:00:0x`)"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talk.es.srt");
    std::fs::write(&path, "no times").unwrap();
    let error = read_transcript(&path).unwrap_err().to_string();
    assert!(error.contains("talk.es.srt` has no line with times"), "{error}");
    assert_eq!(language_of_name(&path), Some("es".parse::<Lang>().unwrap()));
}

#[test]
fn what_we_write_is_read_back() {
    let cues = [cue(1_000, 2_000, "a < b & c"), cue(2_100, 3_000, "{brace} <i>not a tag</i> --> it")];
    for file in [srt(&cues), webvtt(&cues, media::captions::Mode::Line)] {
        let read = parse_transcript(file.as_bytes()).unwrap();
        let texts: Vec<_> = read.cues.iter().map(|cue| cue.text.replace('\u{2060}', "")).collect();
        assert_eq!(texts, ["a < b & c", "{brace} <i>not a tag</i> --> it"], "{file}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse_transcript(&bytes);
    }

    #[test]
    fn pieces_of_subtitles_in_any_order_make_no_cue_without_text_or_time(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "00:00:01,000 --> 00:00:02,000", "99:59:59,999 --> 100:00:00,000", "00:01 --> 0:2", "1", "\n", "\r\n", "WEBVTT",
            "<v Bob>", "</v>", "MARY: ", "[", "]", "<", ">", "{\\an8}", "&lt;", "&", "-->", "é", "日本", "- ", ":", " ",
        ]), 0..60),
    ) {
        if let Ok(transcript) = parse_transcript(pieces.concat().as_bytes()) {
            for cue in &transcript.cues {
                prop_assert!(cue.end_ms > cue.start_ms && !cue.text.trim().is_empty(), "{cue:?}");
            }
            prop_assert!(transcript.cues.is_sorted_by_key(|cue| cue.start_ms));
        }
    }
}
