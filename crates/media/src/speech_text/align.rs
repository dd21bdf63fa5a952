//! From the engine's word events to the time of every caption word.

use std::ops::Range;

use super::{Spoken, SpokenWord, TimedWord};

/// Times every caption word of `spoken`. `words` are the engine's events: bytes of [`Spoken::text`] and milliseconds;
/// `duration_ms` is the length of the sound.
///
/// A word begins at its first event. One without an event (an emoji, a word the engine ran into another) shares the time
/// between its neighbours by length. A word ends where the next begins, the last with the sound. Times never go back and
/// never leave the sound; no word is left out, even without any event.
pub fn align(spoken: &Spoken, words: &[(Range<usize>, u32)], duration_ms: u64) -> Vec<TimedWord> {
    let mut starts = known_starts(spoken, words, duration_ms);
    fill(&mut starts, &spoken.words, duration_ms);
    let starts: Vec<u64> = starts.into_iter().map(|start| start.unwrap_or(duration_ms)).collect();
    let timed = |(index, word): (usize, &SpokenWord)| TimedWord {
        text: word.caption.clone(),
        space_before: word.space_before,
        start_ms: starts[index],
        end_ms: starts.get(index + 1).copied().unwrap_or(duration_ms),
    };
    spoken.words.iter().enumerate().map(timed).collect()
}

/// The first event of each word, where the engine gave one and it does not go back in time.
fn known_starts(spoken: &Spoken, words: &[(Range<usize>, u32)], duration_ms: u64) -> Vec<Option<u64>> {
    let mut latest = 0;
    let mut events = words.iter().peekable();
    let mut starts = Vec::with_capacity(spoken.words.len());
    for word in &spoken.words {
        let mut start = None;
        if !word.bytes.is_empty() {
            while events.next_if(|(bytes, _)| bytes.start < word.bytes.start).is_some() {}
            while let Some((_, ms)) = events.next_if(|(bytes, _)| bytes.start < word.bytes.end) {
                start = start.or(Some(u64::from(*ms)));
            }
        }
        let start = start.map(|ms| ms.clamp(latest, duration_ms.max(latest)));
        latest = start.unwrap_or(latest);
        starts.push(start);
    }
    starts
}

/// Gives each word without a time its share of the time between its neighbours.
fn fill(starts: &mut [Option<u64>], words: &[SpokenWord], duration_ms: u64) {
    let mut index = 0;
    while index < starts.len() {
        if starts[index].is_some() {
            index += 1;
            continue;
        }
        let end = (index..starts.len()).find(|&i| starts[i].is_some()).unwrap_or(starts.len());
        // The word before the gap keeps its own share of it.
        let first = index.saturating_sub(1);
        let from = starts[first].unwrap_or(0);
        let until = starts.get(end).copied().flatten().unwrap_or(duration_ms).max(from);
        let total: u64 = words[first..end].iter().map(weight).sum();
        let mut before = 0;
        for word in first..end {
            starts[word].get_or_insert(from + (until - from) * before / total.max(1));
            before += weight(&words[word]);
        }
        index = end;
    }
}

/// How long a word takes beside others: its spoken bytes, or one for what is not said.
fn weight(word: &SpokenWord) -> u64 {
    word.bytes.len().max(1) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spoken(words: &[(&str, Range<usize>)]) -> Spoken {
        let word = |(caption, bytes): &(&str, Range<usize>)| SpokenWord {
            caption: (*caption).to_owned(),
            space_before: true,
            bytes: bytes.clone(),
        };
        Spoken { text: "x".repeat(100), words: words.iter().map(word).collect() }
    }

    fn times(words: &[TimedWord]) -> Vec<(u64, u64)> {
        words.iter().map(|w| (w.start_ms, w.end_ms)).collect()
    }

    #[test]
    fn a_word_begins_at_its_first_event_and_ends_at_the_next_word() {
        let spoken = spoken(&[("In", 0..2), ("1984,", 3..7), ("he", 9..11)]);
        let events = [(0..2, 0), (3..7, 200), (3..7, 600), (9..11, 1000)];
        assert_eq!(times(&align(&spoken, &events, 1300)), [(0, 200), (200, 1000), (1000, 1300)]);
    }

    #[test]
    fn a_word_without_an_event_shares_its_neighbours_time() {
        let spoken = spoken(&[("abcd", 0..4), ("efgh", 5..9), ("😀", 9..9), ("i", 10..11)]);
        let events = [(0..4, 0), (10..11, 900)];
        assert_eq!(times(&align(&spoken, &events, 1000)), [(0, 400), (400, 800), (800, 900), (900, 1000)]);
    }

    #[test]
    fn without_any_event_words_share_the_sound_by_length() {
        let spoken = spoken(&[("a", 0..1), ("bcd", 2..5)]);
        assert_eq!(times(&align(&spoken, &[], 1000)), [(0, 250), (250, 1000)]);
    }

    #[test]
    fn leading_words_without_events_begin_at_zero() {
        let spoken = spoken(&[("😀", 0..0), ("ab", 0..2)]);
        assert_eq!(times(&align(&spoken, &[(0..2, 0)], 500)), [(0, 0), (0, 500)]);
    }

    proptest! {
        #[test]
        fn every_word_is_timed_in_order_within_the_sound(
            lengths in proptest::collection::vec(0_usize..12, 0..20),
            events in proptest::collection::vec((0_usize..200, 0_usize..10, 0_u32..5000), 0..40),
            duration_ms in 0_u64..4000,
        ) {
            let mut at = 0;
            let mut words = Vec::new();
            for length in &lengths {
                words.push(SpokenWord { caption: "w".to_owned(), space_before: true, bytes: at..at + length });
                at += length + 1;
            }
            let spoken = Spoken { text: "x".repeat(at), words };
            let events: Vec<_> = events.into_iter().map(|(start, length, ms)| (start..start + length, ms)).collect();
            let timed = align(&spoken, &events, duration_ms);
            prop_assert_eq!(timed.len(), lengths.len());
            let mut previous = 0;
            for word in &timed {
                prop_assert!(previous <= word.start_ms && word.start_ms <= word.end_ms && word.end_ms <= duration_ms);
                previous = word.start_ms;
            }
        }
    }
}
