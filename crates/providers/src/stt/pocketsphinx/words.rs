//! From entries of the dictionary to words with times.

use ai::stt::Word;

use super::ffi::Segment;

/// Length of a frame of the acoustic model.
const FRAME_MS: u32 = 10;

/// The words among `segments`: what marks silence, noise, or the ends of an utterance is left out. The first frame stands
/// at `offset_ms` of an utterance of `duration_ms`.
pub(super) fn words(segments: &[Segment], offset_ms: u32, duration_ms: u32) -> Vec<Word> {
    let is_word = |segment: &&Segment| !segment.entry.starts_with(['<', '[', '+']);
    let mut end_before_ms = 0;
    let spoken = segments.iter().filter(is_word).map(|segment| {
        let start_ms =
            (offset_ms + segment.first_frame * FRAME_MS).clamp(end_before_ms, duration_ms.max(end_before_ms));
        let end_ms = (offset_ms + (segment.last_frame + 1) * FRAME_MS).clamp(start_ms, duration_ms.max(start_ms));
        end_before_ms = end_ms;
        Word { text: spelling(&segment.entry), start_ms, end_ms, confidence: Some(segment.probability as f32) }
    });
    spoken.collect()
}

/// How sure the engine is of all words: their confidences, weighted by their lengths.
pub(super) fn confidence(words: &[Word]) -> Option<f32> {
    let length = |word: &Word| (word.end_ms - word.start_ms).max(1) as f32;
    let total: f32 = words.iter().map(length).sum();
    let sum: f32 = words.iter().map(|word| word.confidence.unwrap_or(0.0) * length(word)).sum();
    (!words.is_empty()).then(|| (sum / total).clamp(0.0, 1.0))
}

/// The word of an entry: `word(2)` is another way to pronounce `word`. The dictionary is all lower case; of what English
/// writes large without knowing names or sentences, there is only `I`.
fn spelling(entry: &str) -> String {
    let word = entry.split('(').next().unwrap_or(entry);
    match word.strip_prefix('i') {
        Some(rest) if rest.is_empty() || rest.starts_with('\'') => format!("I{rest}"),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(entry: &str, first_frame: u32, last_frame: u32, probability: f64) -> Segment {
        Segment { entry: entry.to_owned(), first_frame, last_frame, probability }
    }

    #[test]
    fn fillers_are_left_out_and_alternates_are_spelled_as_their_word() {
        let segments = [
            segment("<s>", 0, 4, 1.0),
            segment("i'm(2)", 5, 19, 0.9),
            segment("[NOISE]", 20, 22, 1.0),
            segment("++UM++", 23, 24, 1.0),
            segment("in", 25, 30, 0.3),
            segment("<sil>", 31, 40, 1.0),
            segment("</s>", 41, 45, 1.0),
        ];
        let heard = words(&segments, 0, 305);
        let flat: Vec<(&str, u32, u32)> = heard.iter().map(|w| (w.text.as_str(), w.start_ms, w.end_ms)).collect();
        assert_eq!(flat, [("I'm", 50, 200), ("in", 250, 305)]);
    }

    #[test]
    fn times_never_run_back_or_out_of_the_utterance() {
        let heard =
            words(&[segment("a", 5, 90, 1.0), segment("b", 40, 95, 1.0), segment("c", 99, 120, 1.0)], 100, 1000);
        assert!(heard.windows(2).all(|pair| pair[0].end_ms <= pair[1].start_ms), "{heard:?}");
        assert!(heard.iter().all(|word| word.start_ms <= word.end_ms && word.end_ms <= 1000), "{heard:?}");
    }

    #[test]
    fn an_offset_moves_every_word() {
        let heard = words(&[segment("a", 5, 9, 1.0)], 1000, 2000);
        assert_eq!((heard[0].start_ms, heard[0].end_ms), (1050, 1100));
    }

    #[test]
    fn long_words_weigh_more_in_the_confidence() {
        let heard = words(&[segment("a", 0, 9, 0.0), segment("long", 10, 39, 1.0)], 0, 400);
        assert!((confidence(&heard).unwrap() - 0.75).abs() < 1e-6);
        assert_eq!(confidence(&[]), None);
    }
}
