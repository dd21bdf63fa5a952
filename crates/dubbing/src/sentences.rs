//! Whole sentences out of utterances, and their translations back into them: a sentence that was spoken with a pause in
//! it is translated as one, and each part of its time gets its part of the words.

use std::ops::Range;

use kernel::Lang;
use media::speech_text;

use crate::document::Utterance;

/// A longer silence ends a sentence, whatever its marks say.
const LONGEST_PAUSE_MS: u64 = 2_000;
/// Where nothing is punctuated, a silence this long ends a sentence.
const SENTENCE_PAUSE_MS: u64 = 450;
/// What is joined stays short enough that its parts are fitted back where they belong.
const MAX_JOINED_MS: u64 = 30_000;
const MAX_JOINED_CHARS: usize = 600;
/// What a cut away from a clause mark costs, in the unit of a quarter of the whole length missed.
const PLAIN_CUT_COST: f64 = 0.02;

/// The utterances of `utterances` that are one sentence each, as ranges; `joins` says which may be joined to others at
/// all. Every utterance is in exactly one range, in order.
pub fn join(utterances: &[Utterance], joins: impl Fn(&Utterance) -> bool) -> Vec<Range<usize>> {
    let punctuated = is_punctuated(utterances);
    let mut groups: Vec<Range<usize>> = Vec::with_capacity(utterances.len());
    for (index, utterance) in utterances.iter().enumerate() {
        match groups.last_mut() {
            Some(group) if joins(utterance) && goes_on(&utterances[group.clone()], utterance, punctuated, &joins) => {
                group.end = index + 1;
            }
            _ => groups.push(index..index + 1),
        }
    }
    groups
}

/// A listener may give no marks at all; then only silences tell sentences apart.
fn is_punctuated(utterances: &[Utterance]) -> bool {
    let ended = utterances.iter().filter(|utterance| ends_sentence(&utterance.text)).count();
    ended * 5 >= utterances.len().max(1)
}

fn goes_on(group: &[Utterance], next: &Utterance, punctuated: bool, joins: impl Fn(&Utterance) -> bool) -> bool {
    let (Some(first), Some(last)) = (group.first(), group.last()) else { return false };
    let longest_pause = if punctuated { LONGEST_PAUSE_MS } else { SENTENCE_PAUSE_MS };
    let chars: usize = group.iter().map(|utterance| utterance.text.chars().count()).sum();
    joins(last)
        && last.speaker == next.speaker
        && !ends_sentence(&last.text)
        && !(punctuated && is_heading_before(&last.text, &next.text))
        && next.start_ms.saturating_sub(last.end_ms) <= longest_pause
        && next.end_ms.saturating_sub(first.start_ms) <= MAX_JOINED_MS
        && chars + next.text.chars().count() <= MAX_JOINED_CHARS
}

/// Whether a text ends with the mark of a sentence's end, quotes and brackets aside.
pub fn ends_sentence(text: &str) -> bool {
    let closing =
        |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '”' | '’' | '»' | '›' | ')' | ']' | '」' | '』' | '）');
    text.trim_end_matches(closing).ends_with(['.', '!', '?', '…', '。', '！', '？', '।', '॥', '؟', '۔', '．'])
}

/// Whether a text without an end mark stands for itself before one that begins a sentence.
pub(crate) fn is_heading_before(text: &str, next: &str) -> bool {
    stands_alone(text) && begins_sentence(next)
}

/// Whether a text begins with a capital letter as a sentence does; the English `I` has one anywhere.
fn begins_sentence(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| !c.is_alphanumeric());
    let word = text.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    word != "I" && word.starts_with(char::is_uppercase)
}

/// Whether a text without an end mark may be all there is, as a heading is: it has no clause mark at its end, and no short
/// word, such as an article, that asks for another.
fn stands_alone(text: &str) -> bool {
    let last = text.split_whitespace().next_back().unwrap_or_default();
    let asks_for_more = last.chars().count() <= 2 && last.chars().all(char::is_lowercase);
    last.ends_with(char::is_alphanumeric) && !asks_for_more
}

/// Divides a text into as many parts as there are `weights`, about as long as they say, at words, and after a clause
/// where one ends near. Nothing is lost and the order is kept; a text of fewer words than parts leaves some empty.
pub fn divide(text: &str, weights: &[u64], lang: &Lang) -> Vec<String> {
    if weights.len() < 2 {
        let whole = text.split_whitespace().collect::<Vec<_>>().join(" ");
        return weights.iter().map(|_| whole.clone()).collect();
    }
    let words = speech_text::spoken(text, lang).words;
    let cuts = best_cuts(&words, weights);
    let mut parts = Vec::with_capacity(weights.len());
    let mut from = 0;
    for to in cuts.into_iter().chain([words.len()]) {
        let mut part = String::new();
        for word in &words[from..to] {
            if word.space_before && !part.is_empty() {
                part.push(' ');
            }
            part.push_str(&word.caption);
        }
        parts.push(part);
        from = to;
    }
    parts
}

/// Before which words to cut: the cheapest way over all, by how far each cut is from where it should be.
fn best_cuts(words: &[speech_text::SpokenWord], weights: &[u64]) -> Vec<usize> {
    let (count, parts) = (words.len(), weights.len());
    let mut position = vec![0.0];
    for word in words {
        let so_far: f64 = position.last().copied().unwrap_or(0.0);
        position.push(so_far + word.caption.chars().count() as f64 + 1.0);
    }
    let whole = position[count].max(1.0);
    let total = weights.iter().sum::<u64>().max(1) as f64;
    // Cutting at `k` before part `p + 1`; parts stay filled as long as there are words enough.
    let filled = count >= parts;
    let mut cost = vec![f64::INFINITY; count + 1];
    cost[0] = 0.0;
    let mut from = Vec::with_capacity(parts - 1);
    let mut before = 0_u64;
    for (part, weight) in weights[..parts - 1].iter().enumerate() {
        before += weight;
        let target = before as f64 / total;
        let mut next = vec![(f64::INFINITY, 0); count + 1];
        let mut best = (f64::INFINITY, 0);
        for at in 0..=count {
            if !filled || at > 0 {
                let reach = if filled { at - 1 } else { at };
                if cost[reach] < best.0 {
                    best = (cost[reach], reach);
                }
            }
            let leaves = !filled || count - at >= parts - 1 - part;
            if leaves && best.0.is_finite() {
                let miss = (position[at] / whole - target) * 4.0;
                next[at] = (best.0 + miss * miss + cut_cost(words, at), best.1);
            }
        }
        cost = next.iter().map(|(cost, _)| *cost).collect();
        from.push(next.into_iter().map(|(_, from)| from).collect::<Vec<_>>());
    }
    let last = (0..=count).min_by(|a, b| cost[*a].total_cmp(&cost[*b])).unwrap_or(count);
    let mut cuts = vec![last];
    for table in from.iter().skip(1).rev() {
        cuts.push(table[cuts[cuts.len() - 1]]);
    }
    cuts.reverse();
    cuts
}

fn cut_cost(words: &[speech_text::SpokenWord], at: usize) -> f64 {
    let Some(before) = at.checked_sub(1).and_then(|index| words.get(index)) else { return 0.0 };
    let clause = [',', ';', ':', '.', '!', '?', '…', '—', '–', '、', '，', '。', '；', '：', '،', '؛', '।'];
    if before.caption.ends_with(clause) { 0.0 } else { PLAIN_CUT_COST }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::document::tests::{lang, utterance};

    fn ranges(utterances: &[Utterance]) -> Vec<Range<usize>> {
        join(utterances, |_| true)
    }

    #[test]
    fn a_sentence_with_a_pause_in_it_is_one() {
        let utterances = [
            utterance(1, 0, 1000, "When the rain stops,"),
            utterance(2, 1400, 2000, "we leave."),
            utterance(3, 2100, 3000, "Bring a coat."),
        ];
        assert_eq!(ranges(&utterances), [0..2, 2..3]);
    }

    #[test]
    fn a_heading_is_no_part_of_the_sentence_after_it() {
        let utterances = [
            utterance(1, 0, 1000, "Three lights worth waiting for"),
            utterance(2, 1050, 2000, "A good painting needs a good hour."),
            utterance(3, 2100, 3000, "We saw them in"),
            utterance(4, 3000, 4000, "Venice, and"),
            utterance(5, 4000, 5000, "I liked it."),
        ];
        assert_eq!(ranges(&utterances), [0..1, 1..2, 2..5]);
        assert!(!stands_alone("When it rains,") && !begins_sentence("I liked it") && begins_sentence("“Élan vital"));
    }

    #[test]
    fn another_speaker_a_long_silence_and_what_may_not_be_joined_end_a_sentence() {
        let mut other = utterance(2, 1100, 2000, "yes");
        other.speaker = Some("S2".to_owned());
        let done = utterance(9, 59_000, 59_500, "Done.");
        assert_eq!(ranges(&[utterance(1, 0, 1000, "Well"), other, done.clone()]).len(), 3);
        let late = [utterance(1, 0, 1000, "Well"), utterance(2, 3100, 4000, "then."), done.clone()];
        assert_eq!(ranges(&late).len(), 3);
        let kept = [utterance(1, 0, 1000, "Well"), utterance(2, 1100, 2000, "then."), done];
        assert_eq!(join(&kept, |utterance| utterance.id != 1).len(), 3);
    }

    #[test]
    fn without_punctuation_silences_tell_sentences_apart() {
        let utterances = [
            utterance(1, 0, 1000, "go forward"),
            utterance(2, 1200, 2000, "ten meters"),
            utterance(3, 2600, 3000, "then stop"),
        ];
        assert_eq!(ranges(&utterances), [0..2, 2..3]);
    }

    #[test]
    fn a_translation_is_divided_at_a_clause_near_its_place() {
        let parts = divide("Cuando deje de llover, nos vamos.", &[1000, 600], &lang("es"));
        assert_eq!(parts, ["Cuando deje de llover,", "nos vamos."]);
        assert_eq!(divide("uno dos tres cuatro", &[1000, 1000], &lang("es")), ["uno dos", "tres cuatro"]);
    }

    #[test]
    fn a_text_without_spaces_is_divided_between_its_words() {
        let parts = divide("我们明天去北京。", &[1000, 1000], &lang("zh"));
        assert_eq!(parts.concat(), "我们明天去北京。");
        assert!(parts.iter().all(|part| !part.is_empty()), "{parts:?}");
    }

    #[test]
    fn marks_of_an_end_count_inside_quotes() {
        assert!(ends_sentence("He said “stop.”"));
        assert!(ends_sentence("Really?) "));
        assert!(!ends_sentence("Well,"));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_the_order_kept(
            words in prop::collection::vec("[a-z]{1,8}[,.]?", 0..40), weights in prop::collection::vec(0_u64..9000, 1..9),
        ) {
            let text = words.join(" ");
            let parts = divide(&text, &weights, &lang("es"));
            prop_assert_eq!(parts.len(), weights.len());
            let whole = parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ");
            prop_assert_eq!(&whole, &text);
            if words.len() >= weights.len() {
                prop_assert!(parts.iter().all(|part| !part.is_empty()), "{:?}", parts);
            }
        }

        #[test]
        fn every_utterance_is_in_one_sentence(lengths in prop::collection::vec((100_u64..9000, 0_u64..3000, "[a-z]{0,9}[.,]?"), 0..40)) {
            let mut at = 0;
            let mut utterances = Vec::new();
            for (index, (length, pause, text)) in lengths.iter().enumerate() {
                utterances.push(utterance(index as u32 + 1, at, at + length, text));
                at += length + pause;
            }
            let all: Vec<usize> = ranges(&utterances).into_iter().flatten().collect();
            prop_assert_eq!(all, (0..utterances.len()).collect::<Vec<_>>());
        }
    }
}
