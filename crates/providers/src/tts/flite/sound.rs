//! The sound of an utterance: silence cut from its ends, words timed by what is heard.

use std::ops::Range;

use ai::tts::{Speech, WordTime};

/// Samples that are no louder (−50 dB of full scale) are silence.
const SILENCE: u16 = 100;
/// Left before the first sound and after the last, so that neither is clipped.
const LEAD_MS: usize = 5;
const TAIL_MS: usize = 25;

/// The speech of `samples` without the silence around it. `words` are bytes of the text and seconds from the first sample.
pub(super) fn trim(sample_rate: u32, samples: &[i16], words: &[(Range<usize>, f32)]) -> Speech {
    let is_audible = |sample: &i16| sample.unsigned_abs() > SILENCE;
    let (Some(first), Some(last)) = (samples.iter().position(is_audible), samples.iter().rposition(is_audible)) else {
        return Speech { sample_rate, samples: Vec::new(), words: Vec::new() };
    };
    let per_ms = sample_rate as usize / 1000;
    let start = first.saturating_sub(LEAD_MS * per_ms);
    let end = (last + 1 + TAIL_MS * per_ms).min(samples.len());
    let start_ms = start as f32 * 1000.0 / sample_rate as f32;
    let length_ms = ((end - start) as u64 * 1000 / u64::from(sample_rate.max(1))) as u32;
    let mut earliest_ms = 0;
    let timed = words.iter().map(|(bytes, seconds)| {
        let at_ms = (seconds * 1000.0 - start_ms).max(0.0) as u32;
        earliest_ms = at_ms.clamp(earliest_ms, length_ms.max(earliest_ms));
        WordTime { bytes: bytes.clone(), start_ms: earliest_ms }
    });
    Speech { sample_rate, words: timed.collect(), samples: samples[start..end].to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_around_the_sound_is_cut_and_words_move_with_it() {
        let mut samples = vec![0; 16_000];
        samples[8000..12_000].fill(1000);
        let speech = trim(16_000, &samples, &[(0..1, 0.48), (2..3, 0.6), (4..5, 0.99)]);
        assert_eq!(speech.samples.len(), 4000 + (LEAD_MS + TAIL_MS) * 16);
        let starts: Vec<u32> = speech.words.iter().map(|word| word.start_ms).collect();
        assert_eq!(starts, [0, 105, 280]);
    }

    #[test]
    fn silence_alone_is_no_speech() {
        let speech = trim(16_000, &[50; 100], &[(0..1, 0.0)]);
        assert!(speech.samples.is_empty() && speech.words.is_empty());
    }
}
