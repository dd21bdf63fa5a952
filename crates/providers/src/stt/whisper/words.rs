//! From tokens and the frames they belong to, to words with times, by the rules of Whisper's makers (`whisper/timing.py`).

use std::ops::Range;

use ai::stt::Word;

/// Length of a frame of what the encoder gives.
const FRAME_MS: u32 = 20;
/// Marks that belong to the word after them.
const OPENING: &str = "\"'“¿([{-";
/// Marks that belong to the word before them.
const CLOSING: &str = "\"'.。,，!！?？:：”)]}、";
/// Marks at which a pause may be counted to a word.
const ENDS: &str = ".。!！?？";
/// The longest that half of all words may be said to last.
const USUAL_MS: u32 = 700;

/// What is known of the tokens of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alignment<'a> {
    /// For each token the frame in which it begins, and after them the frame in which the last ends.
    pub(super) begins: &'a [u32],
    /// How probable each token was.
    pub(super) probabilities: &'a [f32],
    /// Length of the utterance.
    pub(super) duration_ms: u32,
}

/// The frame in which each of `count` tokens begins, and the one after the last: where the path of (token, frame) moves on.
pub(super) fn begins(path: &[(i64, i64)], count: usize) -> Option<Vec<u32>> {
    let mut begins: Vec<u32> = Vec::with_capacity(count + 1);
    let mut before = None;
    for &(token, frame) in path {
        if before != Some(token) {
            begins.push(u32::try_from(frame).ok()?);
            before = Some(token);
        }
    }
    (begins.len() == count + 1).then_some(begins)
}

/// Words, each with how many of the tokens it has, as words with times.
pub(super) fn with_times(words: &[(String, usize)], alignment: Alignment<'_>) -> Vec<Word> {
    let mut timed = Vec::with_capacity(words.len());
    let mut token = 0;
    for (text, count) in words {
        let tokens = token..token + count;
        token = tokens.end;
        timed.push(Timed::new(text.clone(), tokens, alignment));
    }
    shorten(&mut timed);
    let timed = join_marks(timed);
    let mut end_before_ms = 0;
    let within = timed.into_iter().filter(|word| !word.text.trim().is_empty()).map(|word| {
        let start_ms = word.start_ms.clamp(end_before_ms, alignment.duration_ms.max(end_before_ms));
        let end_ms = word.end_ms.clamp(start_ms, alignment.duration_ms.max(start_ms));
        end_before_ms = end_ms;
        let mean = word.probability / word.tokens.max(1) as f32;
        let confidence = if mean.is_finite() { mean.clamp(0.0, 1.0) } else { 0.0 };
        Word { text: word.text.trim().to_owned(), start_ms, end_ms, confidence: Some(confidence) }
    });
    within.collect()
}

#[derive(Debug, Clone, PartialEq)]
struct Timed {
    text: String,
    start_ms: u32,
    end_ms: u32,
    /// The sum of those of its tokens.
    probability: f32,
    tokens: usize,
}

impl Timed {
    fn new(text: String, tokens: Range<usize>, alignment: Alignment<'_>) -> Self {
        let at = |token: usize| alignment.begins.get(token).map_or(alignment.duration_ms, |frame| frame * FRAME_MS);
        let probabilities = alignment.probabilities.get(tokens.clone()).unwrap_or_default();
        Self {
            text,
            start_ms: at(tokens.start),
            end_ms: at(tokens.end),
            probability: probabilities.iter().sum(),
            tokens: tokens.len(),
        }
    }

    fn duration_ms(&self) -> u32 {
        self.end_ms.saturating_sub(self.start_ms)
    }

    fn is_one_of(&self, marks: &str) -> bool {
        let text = self.text.trim();
        !text.is_empty() && marks.contains(text)
    }
}

/// A pause is counted to the word beside it: where a sentence ends, and before the first word, words that are far longer
/// than the others are shortened.
fn shorten(words: &mut [Timed]) {
    let mut durations: Vec<u32> = words.iter().map(Timed::duration_ms).filter(|duration| *duration > 0).collect();
    durations.sort_unstable();
    let Some(&median) = durations.get(durations.len() / 2) else { return };
    let longest_ms = 2 * median.min(USUAL_MS);
    for index in 0..words.len() {
        let follows_end = index == 0 || words[index - 1].is_one_of(ENDS);
        let word = &mut words[index];
        if word.duration_ms() <= longest_ms {
            continue;
        }
        if word.is_one_of(ENDS) {
            word.end_ms = word.start_ms + longest_ms;
        } else if follows_end {
            word.start_ms = word.end_ms - longest_ms;
        }
    }
}

/// Gives marks to the words that they belong to. A mark's own time, mostly that of a pause, is nobody's.
fn join_marks(words: Vec<Timed>) -> Vec<Timed> {
    let mut joined: Vec<Timed> = Vec::with_capacity(words.len());
    let mut opening: Option<Timed> = None;
    for mut word in words {
        if let Some(mark) = opening.take() {
            word.text.insert_str(0, &mark.text);
        }
        if word.text.starts_with(' ') && word.is_one_of(OPENING) {
            opening = Some(word);
        } else if !word.text.starts_with(' ') && word.is_one_of(CLOSING) && !joined.is_empty() {
            if let Some(last) = joined.last_mut() {
                last.text.push_str(&word.text);
            }
        } else {
            joined.push(word);
        }
    }
    joined.extend(opening);
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(texts: &[&str]) -> Vec<(String, usize)> {
        texts.iter().map(|text| ((*text).to_owned(), 1)).collect()
    }

    fn times(words: &[Word]) -> Vec<(&str, u32, u32)> {
        words.iter().map(|word| (word.text.as_str(), word.start_ms, word.end_ms)).collect()
    }

    #[test]
    fn a_token_begins_where_the_path_moves_to_it() {
        let path = [(0, 0), (0, 1), (1, 2), (1, 3), (1, 4), (2, 4), (3, 7)];
        assert_eq!(begins(&path, 3), Some(vec![0, 2, 4, 7]));
        assert_eq!(begins(&path, 4), None);
        assert_eq!(begins(&[(0, -1)], 0), None);
    }

    #[test]
    fn words_last_from_their_first_token_to_the_next_words_and_marks_belong_to_them() {
        let all = words(&[" “", "Go", ",", " (", "now", ")", "!"]);
        let alignment = Alignment {
            begins: &[0, 0, 10, 12, 14, 20, 30, 35],
            probabilities: &[0.1, 0.5, 0.0, 0.2, 1.5, 0.3, 0.4],
            duration_ms: 1000,
        };
        let timed = with_times(&all, alignment);
        assert_eq!(times(&timed), [("“Go,", 0, 200), ("(now)!", 280, 400)]);
        assert_eq!(timed.iter().map(|word| word.confidence.unwrap()).collect::<Vec<_>>(), [0.5, 1.0]);
    }

    #[test]
    fn times_never_run_back_or_out_of_the_utterance() {
        let all = words(&[" a", " b", " ", " c"]);
        let alignment =
            Alignment { begins: &[40, 45, 30, 60, 90], probabilities: &[1.0, f32::NAN], duration_ms: 1_000 };
        let timed = with_times(&all, alignment);
        assert_eq!(timed.len(), 3);
        assert!(timed.windows(2).all(|pair| pair[0].end_ms <= pair[1].start_ms), "{timed:?}");
        assert!(timed.iter().all(|word| word.start_ms <= word.end_ms && word.end_ms <= 1_000), "{timed:?}");
    }

    #[test]
    fn a_pause_is_not_counted_to_the_words_beside_it() {
        // Two seconds of nothing before the first word, and after the first sentence.
        let all = words(&[" One", " two", " three", ".", " Four", " five"]);
        let begins = [0, 115, 130, 145, 250, 265, 280];
        let timed = with_times(&all, Alignment { begins: &begins, probabilities: &[1.0; 6], duration_ms: 5_600 });
        let found = times(&timed);
        assert_eq!(found[0], ("One", 2_300 - 600, 2_300));
        assert_eq!((found[2], found[3].0), (("three.", 2_600, 2_900), "Four"));
    }
}
