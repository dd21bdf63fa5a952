//! Cues from sentences: where lines break, and when they are shown.

use media::{
    Size,
    captions::{Cue, Rules, Style, break_into_cues},
    fonts,
    speech_text::{TimedSentence, TimedWord},
};
use proptest::prelude::*;

use super::sentences::{SENTENCES, sentence};

const TALL: Size = Size::new(1080, 1920);
const WIDE: Size = Size::new(1920, 1080);

fn texts(cues: &[Cue]) -> Vec<String> {
    cues.iter().map(Cue::text).collect()
}

fn all_text<'a>(words: impl Iterator<Item = &'a TimedWord>) -> String {
    words.map(|word| word.text.replace(char::is_whitespace, "")).collect()
}

/// What every list of cues must keep, whatever was said.
fn assert_sound(cues: &[Cue], sentences: &[TimedSentence]) {
    let said = all_text(sentences.iter().flat_map(|sentence| &sentence.words));
    assert_eq!(all_text(cues.iter().flat_map(Cue::words)), said, "a word was lost, doubled or moved");
    for cue in cues {
        assert!((1..=2).contains(&cue.lines.len()) && cue.lines.iter().all(|line| !line.words.is_empty()));
        assert!(cue.end_ms > cue.start_ms, "{cue:?}");
        let mut earliest = cue.start_ms;
        for word in cue.words() {
            assert!(word.start_ms >= earliest && word.end_ms >= word.start_ms && word.end_ms <= cue.end_ms, "{cue:?}");
            earliest = word.start_ms;
        }
        for line in &cue.lines {
            let units: f32 =
                line.text().chars().map(|c| if c > '\u{2E80}' && c < '\u{FFE7}' { 2.625 } else { 1.0 }).sum();
            let marks =
                line.text().chars().filter(|c| matches!(c, '\u{0300}'..='\u{036F}' | '\u{0900}'..='\u{0E7F}')).count();
            assert!(units - marks as f32 <= 42.1, "{}", line.text());
        }
    }
    for pair in cues.windows(2) {
        assert!(pair[0].end_ms <= pair[1].start_ms, "{:?} overlaps {:?}", pair[0], pair[1]);
    }
}

#[test]
fn every_language_breaks_within_its_limits_in_both_frames() {
    let sentences: Vec<TimedSentence> =
        SENTENCES.iter().enumerate().map(|(i, (lang, text))| sentence(lang, text, i as u64 * 20_000)).collect();
    let style = Style::named("clean").unwrap();
    for rules in [Rules::default(), Rules::for_frame(&style, TALL), Rules::for_frame(&style, WIDE)] {
        let cues = break_into_cues(&sentences, &rules).unwrap();
        assert_sound(&cues, &sentences);
        assert!(
            cues.iter().all(|cue| cue.lines.iter().all(|line| !line.text().starts_with(['。', '，', '、', ',', '।'])))
        );
        let last_words = cues.iter().filter(|cue| cue.lines.len() == 2 && cue.lines[1].words.len() == 1);
        assert!(last_words.count() <= 2, "{:#?}", texts(&cues));
    }
}

#[test]
fn lines_end_where_clauses_do() {
    let cut = |index: usize, rules: &Rules| {
        let (lang, text) = SENTENCES[index];
        texts(&break_into_cues(&[sentence(lang, text, 0)], rules).unwrap())
    };
    assert_eq!(
        cut(0, &Rules::default()),
        [
            "When the first light reaches the harbour,\nthe fishermen are already on their way,",
            "and the gulls jump up quickly behind them.",
        ]
    );
    let style = Style::named("clean").unwrap();
    assert_eq!(
        cut(0, &Rules::for_frame(&style, TALL)),
        [
            "When the first light\nreaches the harbour,",
            "the fishermen are\nalready on their way,",
            "and the gulls jump up\nquickly behind them.",
        ]
    );
    assert_eq!(
        cut(4, &Rules::default()),
        ["当第一缕阳光照进港口时，\n渔民们已经出发了，", "海鸥在他们身后飞翔，一共有25只。"]
    );
    assert_eq!(
        cut(9, &Rules::for_frame(&style, TALL)),
        ["เมื่อแสงแรกมาถึงท่าเรือ", "ชาวประมงก็\nออกเดินทางแล้ว", "และนกนางนวลก็บิน\nตามหลังพวกเขาไป"]
    );
}

#[test]
fn a_cue_stays_through_the_pause_but_not_into_the_next() {
    let first = sentence("en", "Short.", 1000);
    let second = sentence("en", "And then a much longer one follows.", 1500);
    let third = sentence("en", "Later.", 9000);
    let rules = Rules { until_ms: Some(9500), ..Rules::default() };
    let cues = break_into_cues(&[first, second, third], &rules).unwrap();
    assert_eq!((cues[0].start_ms, cues[0].end_ms), (1000, 1500));
    assert!(cues[1].end_ms >= 1500 + 35 * 1000 / 17 && cues[1].end_ms < 5000);
    assert_eq!((cues[2].start_ms, cues[2].end_ms), (9000, 9500));
}

#[test]
fn nothing_said_is_nothing_shown() {
    assert!(break_into_cues(&[], &Rules::default()).unwrap().is_empty());
    assert!(break_into_cues(&[sentence("en", "", 0)], &Rules::default()).unwrap().is_empty());
}

#[test]
fn no_word_is_left_alone_where_it_can_be_avoided() {
    let style = Style::named("clean").unwrap();
    let texts = [
        "We measured everything twice before the long journey across the mountains began.",
        "Nobody expected that the small device could hold so many stories for so long.",
        "A quiet morning, a cup of coffee, and a good book are enough.",
    ];
    for text in texts {
        for rules in [Rules::default(), Rules::for_frame(&style, TALL), Rules::for_frame(&style, WIDE)] {
            let cues = break_into_cues(&[sentence("en", text, 0)], &rules).unwrap();
            let alone = |cue: &Cue| cue.lines.iter().any(|line| line.words.len() == 1 && line.text().len() < 10);
            assert!(!cues.iter().any(alone), "{:#?}", self::texts(&cues));
        }
    }
}

#[test]
fn a_character_wider_than_a_line_stands_alone_and_the_rest_is_broken_as_ever() {
    let style = Style { size: 0.2, ..Style::named("clean").unwrap() };
    let spoken = sentence("ar", "قال ﷽﷽ ثم مضى في طريقه إلى المدينة البعيدة", 0);
    let cues = break_into_cues(std::slice::from_ref(&spoken), &Rules::for_frame(&style, TALL)).unwrap();
    assert_sound(&cues, &[spoken]);
    assert!(cues.len() >= 5, "{:#?}", texts(&cues));
}

fn hostile_word() -> impl Strategy<Value = (String, bool, u64, u64)> {
    let text = prop_oneof![
        "[a-zA-Z]{1,12}[,.!?]?",
        "[a-z0-9./:-]{1,90}",
        "[你好世界中文字，。]{1,4}",
        "[\u{0e01}-\u{0e30}]{1,8}",
        "[🚀❤☀👩]{1,3}",
        "\\PC{1,6}",
    ];
    (text, any::<bool>(), 0..60_000u64, 0..2_000u64)
}

fn hostile_sentence() -> impl Strategy<Value = TimedSentence> {
    let lang = prop_oneof![Just("en"), Just("zh"), Just("ja"), Just("th"), Just("ar"), Just("de")];
    (prop::collection::vec(hostile_word(), 0..40), lang).prop_map(|(words, lang)| {
        let words: Vec<TimedWord> = words
            .into_iter()
            .map(|(text, space_before, start_ms, length)| TimedWord {
                text,
                space_before,
                start_ms,
                end_ms: start_ms + length,
            })
            .collect();
        let end_ms = words.iter().map(|word| word.end_ms).max().unwrap_or(0);
        TimedSentence { words, lang: lang.parse().unwrap(), start_ms: 0, end_ms }
    })
}

/// Takes each sentence's text off the cues' in turn: a cue that held words of two would not fit.
fn no_cue_spans_sentences(cues: &[Cue], sentences: &[TimedSentence]) -> bool {
    let mut cues = cues.iter();
    sentences.iter().all(|sentence| {
        let said = all_text(sentence.words.iter());
        let mut shown = String::new();
        while shown.len() < said.len() {
            let Some(cue) = cues.next() else { return false };
            shown.push_str(&all_text(cue.words()));
        }
        shown == said
    })
}

/// Whether a line keeps within the limit of characters; lines whose characters are not counted one by one pass.
fn within_limit(line: &str) -> bool {
    let wide = |c: char| ('\u{4E00}'..='\u{9FFF}').contains(&c) || matches!(c, '，' | '。');
    if !line.chars().all(|c| c.is_ascii() || wide(c)) {
        return true;
    }
    line.chars().map(|c| if wide(c) { 42.0 / 16.0 } else { 1.0 }).sum::<f64>() <= 42.1
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn whatever_is_said_is_kept_in_order_within_limits(sentences in prop::collection::vec(hostile_sentence(), 0..4)) {
        let style = Style::named("clean").unwrap();
        for rules in [Rules::default(), Rules::for_frame(&style, TALL)] {
            let cues = break_into_cues(&sentences, &rules).unwrap();
            prop_assert!(no_cue_spans_sentences(&cues, &sentences));
            prop_assert_eq!(all_text(cues.iter().flat_map(Cue::words)), all_text(sentences.iter().flat_map(|s| &s.words)));
            for pair in cues.windows(2) {
                prop_assert!(pair[0].start_ms < pair[0].end_ms && pair[0].end_ms <= pair[1].start_ms);
            }
            for cue in &cues {
                prop_assert!((1..=2).contains(&cue.lines.len()));
                prop_assert!(cue.words().all(|word| cue.start_ms <= word.start_ms && word.end_ms <= cue.end_ms));
                for line in &cue.lines {
                    let text = line.text();
                    prop_assert!(within_limit(&text), "{}", text);
                    if rules.frame.is_some() && text.is_ascii() && matches!(cue.lang.primary(), "en" | "de") {
                        let width = fonts::measure(&text, fonts::DEFAULT_FAMILY, 700, style.size_px(TALL)).unwrap();
                        prop_assert!(width <= style.line_width_px(TALL) + 1.0, "{} is {} wide", text, width);
                    }
                }
            }
        }
    }
}
