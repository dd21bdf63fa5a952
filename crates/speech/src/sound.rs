//! From the engine's raw utterance to the answer: silence cut, word events turned into bytes and moments of sound.

use crate::{
    ffi::{Utterance, WordEvent},
    protocol::Word,
};

/// Samples weaker than this (−52 dB of full scale) are silence.
const SILENCE: u16 = 80;
/// Kept before the first and each later onset: the attack of a consonant begins below the threshold.
const LEAD_MS: usize = 3;
/// Kept after the last audible sample, for the decay.
const TAIL_MS: usize = 20;
/// A word's event may come this long before its sound, while a stop consonant closes or a clause pause ends.
const ONSET_MS: usize = 150;

/// Cuts silence from both ends and times the words of `text`.
pub(crate) fn finish(text: &str, utterance: Utterance, sample_rate: u32) -> (Vec<i16>, Vec<Word>) {
    let per_ms = sample_rate as usize / 1000;
    let Utterance { mut samples, words: events } = utterance;
    let Some(first) = samples.iter().position(|&s| is_audible(s)) else { return (Vec::new(), Vec::new()) };
    let last = samples.iter().rposition(|&s| is_audible(s)).unwrap_or(first);
    let start = first.saturating_sub(LEAD_MS * per_ms);
    samples.truncate(last + 1 + TAIL_MS * per_ms);
    samples.drain(..start);

    let mut placed = place(text, &events);
    let trimmed_ms = start as u64 * 1000 / u64::from(sample_rate);
    let length_ms = samples.len() as u64 * 1000 / u64::from(sample_rate);
    let mut floor = 0;
    for index in 0..placed.len() {
        let shifted = u64::from(placed[index].ms).saturating_sub(trimmed_ms).min(length_ms);
        let next = placed.get(index + 1).map_or(length_ms, |w| u64::from(w.ms).saturating_sub(trimmed_ms));
        let onset = onset(&samples, shifted, next, sample_rate).max(floor);
        placed[index].ms = onset as u32;
        floor = onset;
    }
    (samples, placed)
}

/// When the sound of a word begins whose event is at `event_ms`: there, or after the silence that stands there.
fn onset(samples: &[i16], event_ms: u64, next_ms: u64, sample_rate: u32) -> u64 {
    let at = |ms: u64| (ms * u64::from(sample_rate) / 1000) as usize;
    let limit = next_ms.min(event_ms + ONSET_MS as u64);
    let (from, to) = (at(event_ms).min(samples.len()), at(limit).min(samples.len()));
    if from >= to {
        return event_ms;
    }
    match samples[from..to].iter().position(|&s| is_audible(s)) {
        Some(silent) => {
            let silent_ms = silent as u64 * 1000 / u64::from(sample_rate);
            event_ms + silent_ms.saturating_sub(LEAD_MS as u64)
        }
        None => event_ms,
    }
}

fn is_audible(sample: i16) -> bool {
    sample.unsigned_abs() > SILENCE
}

/// Turns the engine's character positions into bytes of `text`.
///
/// The engine counts from one. Inside a number it reports positions within the number, and at a dash or a symbol the
/// dash in place of the word after it; where it lost track, the length is 0. Positions never go back here.
fn place(text: &str, events: &[WordEvent]) -> Vec<Word> {
    let characters: Vec<(usize, char)> = text.char_indices().collect();
    let byte = |index: usize| characters.get(index).map_or(text.len(), |(at, _)| *at);
    let mut words: Vec<Word> = Vec::new();
    // Whether the last word's event stood before the word itself.
    let mut early = false;
    for event in events {
        let Some(index) = usize::try_from(event.position - 1).ok().filter(|_| event.length > 0) else { continue };
        let Some(ahead) = characters.iter().skip(index).position(|(_, c)| c.is_alphanumeric()) else { continue };
        let first = index + ahead;
        let length = usize::try_from(event.length).unwrap_or(1).saturating_sub(ahead).max(1);
        let (start, end, ms) = (byte(first), byte(first + length), u32::try_from(event.ms).unwrap_or(0));
        match words.last_mut() {
            Some(last) if start > last.start && start < last.end => {
                let again = Word { ms, ..last.clone() };
                words.push(again);
            }
            Some(last) if start == last.start && early => last.ms = ms,
            Some(last) if start < last.start => continue,
            _ => words.push(Word { start, end, ms }),
        }
        early = ahead > 0;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(position: i32, length: i32, ms: i32) -> WordEvent {
        WordEvent { position, length, ms }
    }

    fn word(start: usize, end: usize, ms: u32) -> Word {
        Word { start, end, ms }
    }

    #[test]
    fn positions_become_bytes() {
        let events = [event(2, 3, 0), event(6, 3, 181)];
        assert_eq!(place("¿Qué tal?", &events), [word(2, 6, 0), word(7, 10, 181)]);
    }

    #[test]
    fn events_within_a_number_are_the_number_again() {
        let events = [event(1, 4, 0), event(2, 4, 200), event(2, 4, 600), event(6, 5, 900)];
        assert_eq!(place("1234 tests", &events), [word(0, 4, 0), word(0, 4, 200), word(0, 4, 600), word(5, 10, 900)]);
    }

    #[test]
    fn an_event_at_a_dash_belongs_to_the_word_after_it() {
        assert_eq!(place("a - it", &[event(1, 1, 0), event(3, 1, 90)]), [word(0, 1, 0), word(4, 5, 90)]);
        let both = [event(1, 1, 0), event(3, 1, 90), event(5, 2, 300)];
        assert_eq!(place("a - it", &both), [word(0, 1, 0), word(4, 5, 300)], "the word's own event wins");
    }

    #[test]
    fn lost_and_backward_events_are_left_out() {
        let events = [event(4, 3, 50), event(1, 0, 60), event(1, 3, 70), event(90, 3, 80)];
        assert_eq!(place("one two", &events), [word(4, 7, 50)].map(|w| Word { start: 4, end: 6, ..w }).to_vec());
    }

    #[test]
    fn silence_is_cut_and_the_words_move_with_it() {
        let rate = 1000;
        let mut samples = vec![0; 100];
        samples.extend([1000; 200]);
        samples.extend([0; 100]);
        samples.extend([1000; 100]);
        samples.extend([0; 300]);
        let utterance = Utterance { samples, words: vec![event(1, 3, 60), event(5, 3, 300)] };
        let (samples, words) = finish("one two", utterance, rate);
        assert_eq!(samples.len(), LEAD_MS + 400 + TAIL_MS);
        assert_eq!(words, [word(0, 3, 0), word(4, 7, (LEAD_MS + 300 - LEAD_MS) as u32)]);
    }

    #[test]
    fn silence_alone_is_no_sound() {
        let utterance = Utterance { samples: vec![3; 500], words: vec![event(1, 1, 0)] };
        assert_eq!(finish("…", utterance, 22_050), (Vec::new(), Vec::new()));
    }
}
