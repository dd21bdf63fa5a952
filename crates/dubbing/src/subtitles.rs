//! Subtitles of the original and of each dub: cues from words and their times, shown long enough to be read and apart
//! enough to be told from one another.

use std::collections::BTreeMap;

use kernel::Lang;
use media::{
    MediaError,
    captions::{self, Cue, Rules},
    speech_text::{self, TimedSentence, TimedWord},
};
use serde::{Deserialize, Serialize};

use crate::document::{Dub, Utterance};

/// Characters a line holds.
pub const MAX_CHARS_PER_LINE: usize = 42;
/// Lines of a cue.
pub const MAX_LINES: usize = 2;
/// Frames between two cues.
pub const GAP_FRAMES: u32 = 2;
/// How much before its first word a cue may appear where there is too little time after it.
const LONGEST_LEAD_MS: u64 = 500;
/// How much after its first word a cue may appear, so that the one before can be read.
const LONGEST_DELAY_MS: u64 = 1_500;
/// Nothing shorter can be shown by every player.
const SHORTEST_MS: u64 = 40;

/// Words of one utterance, timed from the beginning of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub words: Vec<TimedWord>,
    pub lang: Lang,
}

/// What cues are laid out on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// How long a frame is shown; cues are this much apart, twice.
    pub frame_ms: f64,
    pub duration_ms: u64,
}

impl Grid {
    /// The silence between two cues.
    fn gap_ms(self) -> u64 {
        (self.frame_ms * f64::from(GAP_FRAMES)).ceil().clamp(1.0, 500.0) as u64
    }
}

/// How subtitles turned out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubtitleFigures {
    pub cues: usize,
    pub longest_line_chars: usize,
    pub most_lines: usize,
    /// Of the cue that is hardest to read in its time.
    pub most_chars_per_second: f64,
    /// Cues of more characters a second than the language's limit.
    pub too_fast: usize,
    /// Between the two cues that are closest; absent with fewer than two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortest_gap_ms: Option<u64>,
}

/// Characters a second that are read without haste: more in English, whose words are short and known to most readers.
pub fn chars_per_second(lang: &Lang) -> f64 {
    if lang.primary() == "en" { 20.0 } else { 17.0 }
}

/// The original in time: every utterance in which something is said.
pub fn original(dub: &Dub) -> Vec<Said> {
    let said = |utterance: &Utterance| {
        let words = if utterance.words_match() && !dub.lang.is_unspaced() {
            heard_words(utterance)
        } else {
            shared(&utterance.text, &dub.lang, utterance.start_ms, utterance.end_ms)
        };
        Said { words, lang: dub.lang.clone() }
    };
    dub.utterances.iter().map(said).filter(|said| !said.words.is_empty()).collect()
}

/// A translation in time. `spoken` has the words of dubbed lines as the voice says them, by utterance; those without an
/// entry share the time of their line.
pub fn translated(dub: &Dub, lang: &Lang, spoken: &BTreeMap<u32, Vec<TimedWord>>) -> Vec<Said> {
    let said = |utterance: &Utterance| {
        let line = utterance.lines.get(lang)?;
        let words = match (spoken.get(&utterance.id), &line.placed) {
            (Some(words), _) => words.clone(),
            (None, placed) => {
                let (start, end) = placed
                    .as_ref()
                    .map_or((utterance.start_ms, utterance.end_ms), |placed| (placed.start_ms, placed.end_ms));
                shared(line.translation.as_deref().unwrap_or_default(), lang, start, end.max(start))
            }
        };
        Some(Said { words, lang: lang.clone() })
    };
    dub.utterances.iter().filter_map(said).filter(|said| !said.words.is_empty()).collect()
}

fn heard_words(utterance: &Utterance) -> Vec<TimedWord> {
    let word = |word: &crate::document::Word| TimedWord {
        text: word.text.clone(),
        space_before: true,
        start_ms: word.start_ms,
        end_ms: word.end_ms,
    };
    utterance.words.iter().map(word).collect()
}

/// The words of a text, sharing a stretch of time by their lengths.
fn shared(text: &str, lang: &Lang, start_ms: u64, end_ms: u64) -> Vec<TimedWord> {
    let words = speech_text::align(&speech_text::spoken(text, lang), &[], end_ms - start_ms);
    words
        .into_iter()
        .map(|word| TimedWord { start_ms: word.start_ms + start_ms, end_ms: word.end_ms + start_ms, ..word })
        .collect()
}

/// Lays out what is said as cues of at most two lines of 42 characters, each in the time it takes to read.
pub fn cues(said: &[Said], grid: Grid) -> Result<Vec<Cue>, MediaError> {
    let lines = Rules { chars_per_line: MAX_CHARS_PER_LINE as u8, lines: MAX_LINES as u8, ..Rules::default() };
    cues_within(said, grid, &lines)
}

/// Lays out what is said as cues whose lines keep `lines`; how long they are shown follows from the language.
///
/// Where speech is too fast to be read in its own time, cues begin a little earlier or later than their words; where even
/// that is not enough, the text stays whole and [`figures`] tells.
pub fn cues_within(said: &[Said], grid: Grid, lines: &Rules) -> Result<Vec<Cue>, MediaError> {
    let sentences: Vec<TimedSentence> = said.iter().flat_map(sentences).collect();
    let pace = said.first().map_or(17.0, |said| chars_per_second(&said.lang));
    let rules = Rules { chars_per_second: pace as f32, until_ms: Some(grid.duration_ms), ..lines.clone() };
    let mut cues = captions::break_into_cues(&sentences, &rules)?;
    retime(&mut cues, grid, pace);
    cues.retain(|cue| cue.end_ms > cue.start_ms);
    Ok(cues)
}

/// A cue never has words of two sentences, so an utterance is divided into its own.
fn sentences(said: &Said) -> Vec<TimedSentence> {
    let mut text = String::new();
    for word in &said.words {
        if word.space_before && !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&word.text);
    }
    let mut words = said.words.iter().peekable();
    let mut at = 0;
    let mut sentences = Vec::new();
    for range in speech_text::sentences(&text, &said.lang) {
        let mut inside = Vec::new();
        // A word belongs to the sentence it begins in.
        while let Some(word) = words.peek() {
            let begins = at + usize::from(word.space_before && at > 0);
            if begins >= range.end {
                break;
            }
            at = begins + word.text.len();
            inside.extend(words.next().cloned());
        }
        sentences.push(sentence(inside, &said.lang));
    }
    sentences.push(sentence(words.cloned().collect(), &said.lang));
    sentences.retain(|sentence| !sentence.words.is_empty());
    sentences
}

fn sentence(words: Vec<TimedWord>, lang: &Lang) -> TimedSentence {
    let (start_ms, end_ms) =
        (words.first().map_or(0, |word| word.start_ms), words.last().map_or(0, |word| word.end_ms));
    TimedSentence { words, lang: lang.clone(), start_ms, end_ms }
}

/// Gives each cue the time it takes to read, and sets cues apart.
fn retime(cues: &mut [Cue], grid: Grid, pace: f64) {
    let gap_ms = grid.gap_ms();
    let spoken: Vec<u64> = cues.iter().map(|cue| cue.start_ms).collect();
    let mut earliest_ms = 0;
    for (index, cue) in cues.iter_mut().enumerate() {
        let needed_ms = (chars(cue) as f64 / pace * 1000.0).ceil() as u64;
        let next_ms = spoken.get(index + 1).copied();
        let free_until_ms = next_ms.map_or(grid.duration_ms, |next| next.saturating_sub(gap_ms));
        let lack_ms = (spoken[index] + needed_ms).saturating_sub(free_until_ms);
        let start_ms = spoken[index].saturating_sub(lack_ms.min(LONGEST_LEAD_MS)).max(earliest_ms);
        let shown_until_ms = cue.end_ms.min(free_until_ms);
        let last_ms = next_ms.map_or(grid.duration_ms, |next| (next + LONGEST_DELAY_MS).saturating_sub(gap_ms));
        let end_ms =
            shown_until_ms.max(start_ms + needed_ms).min(last_ms.min(grid.duration_ms)).max(start_ms + SHORTEST_MS);
        (cue.start_ms, cue.end_ms) = (start_ms, end_ms);
        for word in cue.lines.iter_mut().flat_map(|line| &mut line.words) {
            word.start_ms = word.start_ms.clamp(start_ms, end_ms);
            word.end_ms = word.end_ms.clamp(word.start_ms, end_ms);
        }
        earliest_ms = end_ms + gap_ms;
    }
}

fn chars(cue: &Cue) -> usize {
    cue.lines.iter().map(|line| line.text().chars().count()).sum()
}

/// Measures cues against the rules.
pub fn figures(cues: &[Cue], lang: &Lang) -> SubtitleFigures {
    let pace = |cue: &Cue| chars(cue) as f64 * 1000.0 / cue.end_ms.saturating_sub(cue.start_ms).max(1) as f64;
    let gap = |pair: &[Cue]| pair[1].start_ms.saturating_sub(pair[0].end_ms);
    SubtitleFigures {
        cues: cues.len(),
        longest_line_chars: cues
            .iter()
            .flat_map(|cue| &cue.lines)
            .map(|line| line.text().chars().count())
            .max()
            .unwrap_or(0),
        most_lines: cues.iter().map(|cue| cue.lines.len()).max().unwrap_or(0),
        most_chars_per_second: cues.iter().map(pace).fold(0.0, f64::max),
        too_fast: cues.iter().filter(|cue| pace(cue) > chars_per_second(lang)).count(),
        shortest_gap_ms: cues.windows(2).map(gap).min(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::document::{
        Line, Placed, Word,
        tests::{dub, lang, utterance},
    };

    const GRID: Grid = Grid { frame_ms: 40.0, duration_ms: 60_000 };

    fn texts(cues: &[Cue]) -> Vec<String> {
        cues.iter().map(Cue::text).collect()
    }

    #[test]
    fn every_word_of_the_original_is_shown_when_it_is_said() {
        let mut heard = utterance(1, 1000, 3000, "Hello there. Good day.");
        let times = [("Hello", 1000), ("there.", 1400), ("Good", 2200), ("day.", 2600)];
        heard.words = times
            .map(|(text, start_ms)| Word { text: text.to_owned(), start_ms, end_ms: start_ms + 300, confidence: None })
            .to_vec();
        let cues = cues(&original(&dub(&["es"], vec![heard])), GRID).unwrap();
        assert_eq!(texts(&cues), ["Hello there.", "Good day."]);
        assert_eq!((cues[0].start_ms, cues[1].start_ms), (1000, 2200));
    }

    #[test]
    fn a_translation_is_shown_while_its_line_is_said() {
        let mut said = utterance(1, 1000, 3000, "Hello.");
        let placed = Placed { start_ms: 1000, end_ms: 1800, speed: 1.0, spoken_ms: 800, voice: "es".to_owned() };
        let line = Line { translation: Some("Hola.".to_owned()), placed: Some(placed), ..Line::default() };
        said.lines.insert(lang("es"), line);
        let dub = dub(&["es"], vec![said, utterance(2, 4000, 5000, "Untranslated.")]);
        let shared = translated(&dub, &lang("es"), &BTreeMap::new());
        assert_eq!((shared.len(), shared[0].words[0].end_ms), (1, 1800));
        let word = TimedWord { text: "Hola.".to_owned(), space_before: true, start_ms: 1100, end_ms: 1500 };
        let spoken = translated(&dub, &lang("es"), &BTreeMap::from([(1, vec![word])]));
        assert_eq!(spoken[0].words[0].start_ms, 1100);
    }

    #[test]
    fn cues_of_hurried_speech_take_the_time_around_them() {
        let hurried = utterance(1, 2000, 3000, "One sentence that is said far too quickly to be read.");
        let next = utterance(2, 3100, 5000, "Then a pause.");
        let cues = cues(&original(&dub(&["es"], vec![hurried, next])), GRID).unwrap();
        let found = figures(&cues, &lang("en"));
        assert_eq!((found.too_fast, found.shortest_gap_ms), (0, Some(80)));
        assert!(cues[0].start_ms >= 1500 && cues[1].start_ms <= 4600, "{cues:?}");
    }

    #[test]
    fn speech_nobody_can_follow_stays_whole_and_is_told() {
        let text = "word ".repeat(60);
        let cues =
            cues(&original(&dub(&["es"], vec![utterance(1, 0, 2000, &text), utterance(2, 2100, 4000, &text)])), GRID)
                .unwrap();
        assert!(figures(&cues, &lang("en")).too_fast > 0);
        assert_eq!(texts(&cues).join(" ").split_whitespace().count(), 120);
    }

    proptest! {
        #[test]
        fn cues_keep_the_rules_of_layout_and_every_word(
            lines in prop::collection::vec((0_u64..2000, 300_u64..6000, "[a-zé]{1,12}( [a-zé]{1,12}){0,12}[.,?]?"), 1..20),
        ) {
            let mut at = 0;
            let mut utterances = Vec::new();
            for (index, (pause, length, text)) in lines.iter().enumerate() {
                at += pause;
                utterances.push(utterance(index as u32 + 1, at, at + length, text));
                at += length;
            }
            let dub = dub(&["es"], utterances);
            let cues = cues(&original(&dub), Grid { frame_ms: 1000.0 / 30.0, duration_ms: at + 2000 }).unwrap();
            let found = figures(&cues, &dub.lang);
            prop_assert!(found.longest_line_chars <= MAX_CHARS_PER_LINE && found.most_lines <= MAX_LINES, "{:?}", found);
            prop_assert!(found.shortest_gap_ms.is_none_or(|gap| gap >= 67), "{:?}", found);
            prop_assert!(cues.iter().all(|cue| cue.start_ms < cue.end_ms));
            let shown: Vec<String> = texts(&cues).join(" ").split_whitespace().map(str::to_owned).collect();
            let all: Vec<String> = lines.iter().flat_map(|(_, _, text)| text.split_whitespace()).map(str::to_owned).collect();
            prop_assert_eq!(shown, all);
        }
    }
}
