//! Times of words and cues: repaired before breaking, stretched over pauses after.

use super::{Cue, atoms::units, breaking::Rules};
use crate::speech_text::{TimedSentence, TimedWord};

/// ASS counts time in hundredths of a second; nothing shorter can be shown.
const TICK_MS: u64 = 10;
/// Pauses between cues shorter than this are closed, because a blink between two captions disturbs more than it helps.
const SHORTEST_GAP_MS: u64 = 250;
/// What an untimed word at the very end is given.
const UNTIMED_WORD_MS: u64 = 300;

/// The words of each sentence with times that never run backwards; words that share a start, because the engine could
/// not time them, divide the time up to the next one by their length.
pub(super) fn repaired(sentences: &[TimedSentence]) -> Vec<Vec<TimedWord>> {
    let mut lists: Vec<Vec<TimedWord>> = sentences.iter().map(|sentence| readable(&sentence.words)).collect();
    let last_end = sentences.iter().map(|sentence| sentence.end_ms).max().unwrap_or(0);
    let mut words: Vec<&mut TimedWord> = lists.iter_mut().flatten().collect();
    let mut latest = 0;
    for word in &mut words {
        latest = word.start_ms.max(latest);
        word.start_ms = latest;
    }
    let mut from = 0;
    while from < words.len() {
        let start = words[from].start_ms;
        let to = from + words[from..].iter().take_while(|word| word.start_ms == start).count();
        let next = words.get(to).map(|word| word.start_ms);
        let limit = next.unwrap_or_else(|| words[to - 1].end_ms.max(last_end).max(start + UNTIMED_WORD_MS));
        if to - from > 1 {
            spread(&mut words[from..to], start, limit);
        }
        let end = words[to - 1].end_ms;
        words[to - 1].end_ms = end.clamp(words[to - 1].start_ms, limit);
        from = to;
    }
    lists
}

/// Divides the time from `start` to `limit` among words by their length.
fn spread(words: &mut [&mut TimedWord], start: u64, limit: u64) {
    let total: f32 = words.iter().map(|word| units(&word.text)).sum();
    let span = (limit - start) as f32;
    let mut before = 0.0;
    for word in words {
        word.start_ms = (start + (span * before / total) as u64).min(limit);
        before += units(&word.text);
        word.end_ms = (start + (span * before / total) as u64).clamp(word.start_ms, limit);
    }
}

/// Words without line breaks and control characters; those with nothing left are dropped.
fn readable(words: &[TimedWord]) -> Vec<TimedWord> {
    let mut kept: Vec<TimedWord> = Vec::with_capacity(words.len());
    for word in words {
        let text: String = word
            .text
            .chars()
            .map(|c| if c.is_control() || c == '\u{2028}' || c == '\u{2029}' { ' ' } else { c })
            .collect();
        let text = text.trim();
        if !text.is_empty() {
            kept.push(TimedWord { text: text.to_owned(), ..word.clone() });
        }
    }
    kept
}

/// Sets when each cue leaves: after its last word, and then for as long as reading it takes, but not into the next.
/// Cues come with their first word's time as `start_ms` and their last word's as `end_ms`.
pub(super) fn stretch(cues: &mut [Cue], rules: &Rules) {
    let mut earliest = 0;
    for cue in cues.iter_mut() {
        cue.start_ms = cue.start_ms.max(earliest);
        earliest = cue.start_ms + TICK_MS;
    }
    for index in 0..cues.len() {
        let next = cues.get(index + 1).map(|cue| cue.start_ms);
        let cue = &mut cues[index];
        let reading_ms = (reading_units(cue) / rules.chars_per_second * 1000.0) as u64;
        let wanted = cue.end_ms.max(cue.start_ms + reading_ms.max(rules.min_ms));
        cue.end_ms = match next {
            Some(next) if next < wanted + SHORTEST_GAP_MS => next,
            _ => rules.until_ms.map_or(wanted, |until| wanted.min(until)).max(cue.start_ms + TICK_MS),
        };
        let (start, end) = (cue.start_ms, cue.end_ms);
        for word in cue.lines.iter_mut().flat_map(|line| &mut line.words) {
            word.start_ms = word.start_ms.clamp(start, end);
            word.end_ms = word.end_ms.clamp(word.start_ms, end);
        }
    }
}

/// What a reader has to read, in characters; the space between words counts.
fn reading_units(cue: &Cue) -> f32 {
    cue.lines.iter().map(|line| units(&line.text())).sum()
}

#[cfg(test)]
mod tests {
    use kernel::Lang;

    use super::*;

    fn sentence(times: &[(u64, u64)], end_ms: u64) -> TimedSentence {
        let word = |&(start_ms, end_ms): &(u64, u64)| TimedWord {
            text: "word".to_owned(),
            space_before: true,
            start_ms,
            end_ms,
        };
        TimedSentence { words: times.iter().map(word).collect(), lang: Lang::english(), start_ms: 0, end_ms }
    }

    fn starts(sentences: &[TimedSentence]) -> Vec<u64> {
        repaired(sentences).iter().flatten().map(|word| word.start_ms).collect()
    }

    #[test]
    fn untimed_words_share_the_time_up_to_the_next() {
        assert_eq!(starts(&[sentence(&[(100, 100), (100, 100), (100, 100), (400, 500)], 500)]), [100, 200, 300, 400]);
        assert_eq!(starts(&[sentence(&[(0, 0), (0, 0)], 1000)]), [0, 500]);
    }

    #[test]
    fn times_that_run_backwards_are_held() {
        assert_eq!(starts(&[sentence(&[(500, 600), (200, 300), (900, 950)], 950)]), [500, 700, 900]);
    }

    #[test]
    fn words_of_nothing_but_control_characters_are_dropped_and_line_breaks_become_spaces() {
        let mut one = sentence(&[(0, 100), (100, 200)], 200);
        one.words[0].text = "\u{7}\n".to_owned();
        one.words[1].text = "a\nb".to_owned();
        let words = repaired(&[one]).remove(0);
        assert_eq!(words.len(), 1);
        assert_eq!(words[0].text, "a b");
    }
}
