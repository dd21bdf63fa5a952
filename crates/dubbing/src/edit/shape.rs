//! Changes to which utterances there are: deleting, creating, splitting, merging.

use super::{EditError, impossible, position};
use crate::{
    document::{Dub, Line, Utterance, Word},
    sentences,
};

/// Where an utterance is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitAt {
    /// Milliseconds from the beginning of the source.
    Time(u64),
    /// Before this word, counted from 1.
    Word(usize),
}

pub(super) fn delete(dub: &mut Dub, id: u32) -> Result<Vec<u32>, EditError> {
    let index = position(dub, id)?;
    dub.utterances.remove(index);
    Ok(vec![id])
}

pub(super) fn create(dub: &mut Dub, start_ms: u64, end_ms: u64, text: &str) -> Vec<u32> {
    let id = dub.next_id();
    let index = dub.utterances.partition_point(|utterance| utterance.start_ms < start_ms);
    // Whoever spoke before goes on, unless nobody is known.
    let near = index.checked_sub(1).and_then(|before| dub.utterances.get(before)).or_else(|| dub.utterances.get(index));
    let speaker = near.and_then(|utterance| utterance.speaker.clone());
    let created = Utterance {
        id,
        start_ms,
        end_ms,
        speaker,
        text: text.to_owned(),
        words: Vec::new(),
        confidence: None,
        notes: Vec::new(),
        lines: std::collections::BTreeMap::new(),
    };
    dub.utterances.insert(index, created);
    vec![id]
}

pub(super) fn split(dub: &mut Dub, id: u32, at: SplitAt) -> Result<Vec<u32>, EditError> {
    let index = position(dub, id)?;
    let new_id = dub.next_id();
    let first = &mut dub.utterances[index];
    let words = first.timed_words();
    let (count, time_ms) = match at {
        SplitAt::Time(time_ms) => {
            let middle = |word: &&Word| u64::midpoint(word.start_ms, word.end_ms) < time_ms;
            (words.iter().take_while(middle).count(), time_ms)
        }
        SplitAt::Word(number) => {
            let start = number.checked_sub(1).and_then(|index| words.get(index)).map(|word| word.start_ms);
            let start = start
                .ok_or_else(|| impossible(id, format!("it has {} words; there is no word {number}", words.len())))?;
            (number - 1, start)
        }
    };
    if time_ms <= first.start_ms || time_ms >= first.end_ms {
        let (start, end) = (first.start_ms, first.end_ms);
        return Err(impossible(id, format!("it cannot be split at {time_ms} ms; it lasts from {start} to {end} ms")));
    }
    let had_words = first.words_match();
    let (head, tail) = words.split_at(count);
    let mut second = Utterance { id: new_id, start_ms: time_ms, notes: Vec::new(), ..first.clone() };
    first.end_ms = time_ms;
    for (part, words) in [(&mut *first, head), (&mut second, tail)] {
        part.text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        part.words = if had_words { inside(words, part.start_ms, part.end_ms) } else { Vec::new() };
    }
    let weights = [first.duration_ms(), second.duration_ms()];
    for (lang, line) in &mut first.lines {
        // A machine's translation is made again for each part; a person's is divided, so that nothing of it is lost.
        let by_person = line.translation.as_deref().filter(|_| line.is_by_person());
        let parts = by_person.map(|text| sentences::divide(text, &weights, lang)).unwrap_or_default();
        let mut parts = parts.into_iter();
        let rest = Line { dubbed: line.dubbed, voice: line.voice.clone(), speed: line.speed, ..Line::default() };
        let next = |parts: &mut std::vec::IntoIter<String>| Line { translation: parts.next(), ..rest.clone() };
        *line = next(&mut parts);
        second.lines.insert(lang.clone(), next(&mut parts));
    }
    dub.utterances.insert(index + 1, second);
    Ok(vec![id, new_id])
}

pub(super) fn merge(dub: &mut Dub, id: u32) -> Result<Vec<u32>, EditError> {
    let index = position(dub, id)?;
    if index + 1 >= dub.utterances.len() {
        return Err(impossible(id, "it is the last; there is nothing after it to merge with"));
    }
    let second = dub.utterances.remove(index + 1);
    let first = &mut dub.utterances[index];
    let words_match = (first.words_match() || first.text.trim().is_empty())
        && (second.words_match() || second.text.trim().is_empty());
    first.end_ms = second.end_ms;
    first.text = joined(&first.text, &second.text);
    first.words.extend(second.words);
    if !words_match {
        first.words.clear();
    }
    first.confidence = match (first.confidence, second.confidence) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    first.notes.extend(second.notes);
    for (lang, other) in second.lines {
        let line = first.lines.entry(lang).or_default();
        let translation = match (&line.translation, &other.translation) {
            (Some(a), Some(b)) if line.is_by_person() || other.is_by_person() => Some(joined(a, b)),
            _ => None,
        };
        *line = Line {
            translation,
            voice: line.voice.take().or(other.voice),
            speed: line.speed.or(other.speed),
            // Said of one half only it does not hold for the whole.
            dubbed: line.dubbed.filter(|dubbed| other.dubbed == Some(*dubbed)),
            ..Line::default()
        };
    }
    Ok(vec![id, second.id])
}

fn inside(words: &[Word], start_ms: u64, end_ms: u64) -> Vec<Word> {
    let clamp = |word: &Word| Word {
        start_ms: word.start_ms.clamp(start_ms, end_ms),
        end_ms: word.end_ms.clamp(start_ms, end_ms),
        ..word.clone()
    };
    words.iter().map(clamp).collect()
}

fn joined(a: &str, b: &str) -> String {
    [a.trim(), b.trim()].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}
