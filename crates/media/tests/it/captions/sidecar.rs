//! The files beside the video, read by strict parsers of our own and by FFmpeg.

use std::io::Write as _;

use media::captions::{Cue, Mode, Rules, Setting, Style, ass, break_into_cues, srt, webvtt};
use proptest::prelude::*;

use super::{
    render::{WIDE, ffmpeg},
    sentences::{SENTENCES, sentence},
};

/// A cue as a parser read it: start, end, text.
type Read = (u64, u64, String);

fn time(stamp: &str, mark: char) -> u64 {
    let (clock, millis) = stamp.split_once(mark).unwrap();
    assert!(millis.len() == 3, "{stamp}");
    let parts: Vec<u64> = clock
        .split(':')
        .map(|part| {
            assert!(part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()), "{stamp}");
            part.parse().unwrap()
        })
        .collect();
    let [hours, minutes, seconds] = parts[..] else { panic!("{stamp}") };
    assert!(minutes < 60 && seconds < 60);
    ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis.parse::<u64>().unwrap()
}

fn times(line: &str, mark: char) -> (u64, u64) {
    let (start, end) = line.split_once(" --> ").unwrap();
    (time(start, mark), time(end, mark))
}

fn read_srt(file: &str) -> Vec<Read> {
    let mut cues = Vec::new();
    for (index, block) in file.split_terminator("\n\n").enumerate() {
        let mut lines = block.split('\n');
        assert_eq!(lines.next(), Some((index + 1).to_string().as_str()));
        let (start, end) = times(lines.next().unwrap(), ',');
        let text: Vec<&str> = lines.collect();
        assert!(
            !text.is_empty()
                && text.iter().all(|line| !line.is_empty() && !line.contains("-->") && !line.contains('\r'))
        );
        assert!(text.iter().all(|line| !line.contains("{\\") && !line.contains("<i") && !line.contains("\\N")));
        cues.push((start, end, text.join("\n")));
    }
    assert_grow(&cues);
    cues
}

/// WebVTT with nothing but plain cues, class spans and timestamps (section 4 of the standard).
fn read_webvtt(file: &str) -> Vec<Read> {
    let body = file.strip_prefix("WEBVTT\n\n").unwrap();
    let mut cues = Vec::new();
    for block in body.split_terminator("\n\n") {
        let (first, text) = block.split_once('\n').unwrap();
        let (start, end) = times(first, '.');
        assert!(!text.contains("-->") && text.split('\n').all(|line| !line.is_empty()));
        let (mut plain, mut rest, mut latest, mut open) = (String::new(), text, start, false);
        while let Some(at) = rest.find(['<', '&']) {
            plain.push_str(&rest[..at]);
            let close = if rest[at..].starts_with('<') { '>' } else { ';' };
            let end_at = at + rest[at..].find(close).unwrap();
            match &rest[at + 1..end_at] {
                "c" => {
                    assert!(!open);
                    open = true;
                }
                "/c" => {
                    assert!(open);
                    open = false;
                }
                "amp" => plain.push('&'),
                "lt" => plain.push('<'),
                "gt" => plain.push('>'),
                stamp => {
                    let at_ms = time(stamp, '.');
                    assert!(at_ms > latest && at_ms < end, "{stamp} in {block}");
                    latest = at_ms;
                }
            }
            rest = &rest[end_at + 1..];
        }
        assert!(!rest.contains('>'));
        cues.push((start, end, plain + rest));
    }
    assert_grow(&cues);
    cues
}

fn assert_grow(cues: &[Read]) {
    assert!(cues.iter().all(|(start, end, _)| start < end));
    assert!(cues.windows(2).all(|pair| pair[0].1 <= pair[1].0));
}

fn all_cues() -> Vec<Cue> {
    let spoken: Vec<_> =
        SENTENCES.iter().enumerate().map(|(i, (lang, text))| sentence(lang, text, i as u64 * 20_000)).collect();
    break_into_cues(&spoken, &Rules::default()).unwrap()
}

fn without_marks(text: &str) -> String {
    text.replace(['\u{200F}', '\u{2060}'], "")
}

#[test]
fn what_is_written_is_what_is_read() {
    let cues = all_cues();
    let expected: Vec<Read> = cues.iter().map(|cue| (cue.start_ms, cue.end_ms, cue.text())).collect();
    let plain = |read: Vec<Read>| read.into_iter().map(|(a, b, text)| (a, b, without_marks(&text))).collect::<Vec<_>>();
    assert_eq!(plain(read_srt(&srt(&cues))), expected);
    assert_eq!(plain(read_webvtt(&webvtt(&cues, Mode::Line))), expected);
    assert_eq!(plain(read_webvtt(&webvtt(&cues, Mode::Word))), expected);
    assert!(webvtt(&cues, Mode::Word).contains("<00:00:00.330><c>the</c>"));
}

#[test]
fn right_to_left_lines_carry_direction_marks_and_emoji_stay() {
    let file = srt(&all_cues());
    assert!(file.lines().filter(|line| line.starts_with('\u{200F}') && line.ends_with('\u{200F}')).count() >= 4);
    assert!(file.contains('🚀'));
}

#[test]
fn ffmpeg_reads_every_cue_of_every_format() {
    let cues = all_cues();
    let style = Style::default();
    let setting = Setting { style: &style, mode: Mode::Line, frame: WIDE };
    let lines: usize = cues.iter().map(|cue| cue.lines.len()).sum();
    let files = [
        ("srt", srt(&cues), cues.len()),
        ("vtt", webvtt(&cues, Mode::Line), cues.len()),
        ("vtt", webvtt(&cues, Mode::Word), cues.len()),
        ("ass", ass(&cues, &setting).unwrap(), lines),
    ];
    for (kind, text, count) in files {
        let mut file = tempfile::Builder::new().suffix(&format!(".{kind}")).tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let read = ffmpeg(&["-i", file.path().to_str().unwrap(), "-f", "srt", "-"]);
        let read = String::from_utf8(read).unwrap();
        assert_eq!(read.matches(" --> ").count(), count, "{kind}: {read}");
        assert!(read.contains("fishermen") && read.contains("海鸥"), "{kind}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn hostile_words_break_no_grammar(texts in prop::collection::vec("[a-z0-9<>&{}\\\\N\\-\\n\\r .]{1,12}|\\PC{1,8}|-->|<i>|\\{\\\\an8\\}", 1..20)) {
        let mut spoken = sentence("en", "", 0);
        for (index, text) in texts.iter().enumerate() {
            let start_ms = index as u64 * 200;
            spoken.words.push(media::speech_text::TimedWord { text: text.clone(), space_before: true, start_ms, end_ms: start_ms + 150 });
        }
        let cues = break_into_cues(&[spoken], &Rules::default()).unwrap();
        let expected: Vec<String> = cues.iter().map(Cue::text).collect();
        let vtt: Vec<String> = read_webvtt(&webvtt(&cues, Mode::Word)).into_iter().map(|read| read.2).collect();
        prop_assert_eq!(vtt, expected);
        prop_assert_eq!(read_srt(&srt(&cues)).len(), cues.len());
    }
}
