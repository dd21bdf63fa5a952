//! From blocks of text to blocks of sentences.

use kernel::Lang;

use super::{Block, markdown::Raw};

/// The longest sentence that is spoken and captioned in one piece, in characters; a text without full stops is cut
/// where it can be.
const MAX_SENTENCE: usize = 500;
/// The longest item that reads as a line of a list.
const MAX_ITEM: usize = 140;

/// Whether there is anything in a text that a voice can say.
pub(super) fn is_speakable(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// A block with its text cut into sentences; nothing remains of a block without words.
pub(super) fn split_block(raw: Raw, lang: &Lang) -> Vec<Block> {
    match raw {
        Raw::Heading { level, text } if is_speakable(&text) => vec![Block::Heading { level, text }],
        Raw::Paragraph(text) => paragraph(&text, lang).into_iter().collect(),
        Raw::List { ordered, items } => list(ordered, items, lang),
        Raw::Quote { text, by } => {
            let sentences = split(&text, lang);
            if sentences.is_empty() { Vec::new() } else { vec![Block::Quote { sentences, by }] }
        }
        Raw::Media { path, alt } => vec![Block::Media { path, alt }],
        Raw::Break => vec![Block::Break],
        Raw::Heading { .. } => Vec::new(),
    }
}

fn paragraph(text: &str, lang: &Lang) -> Option<Block> {
    let sentences = split(text, lang);
    (!sentences.is_empty()).then_some(Block::Paragraph { sentences })
}

fn list(ordered: bool, items: Vec<String>, lang: &Lang) -> Vec<Block> {
    let items: Vec<(String, Vec<String>)> = items
        .into_iter()
        .map(|item| {
            let sentences = split(&item, lang);
            (item, sentences)
        })
        .filter(|(_, sentences)| !sentences.is_empty())
        .collect();
    let reads_as_list = items.len() > 1
        && items.iter().all(|(item, sentences)| sentences.len() == 1 && item.chars().count() <= MAX_ITEM);
    if reads_as_list {
        vec![Block::List { ordered, items: items.into_iter().map(|(item, _)| item).collect() }]
    } else {
        items.into_iter().map(|(_, sentences)| Block::Paragraph { sentences }).collect()
    }
}

/// The sentences of a text. What cannot be spoken, such as a lone emoji, stays with the sentence before it, or with
/// the one after it at the start.
fn split(text: &str, _lang: &Lang) -> Vec<String> {
    let mut sentences: Vec<String> = Vec::new();
    let mut waiting = String::new();
    for range in ranges(text) {
        for piece in bounded(text[range].trim()) {
            if is_speakable(piece) {
                let sentence = if waiting.is_empty() { piece.to_owned() } else { format!("{waiting} {piece}") };
                waiting.clear();
                sentences.push(sentence);
            } else if !piece.is_empty() {
                let holder = sentences.last_mut().unwrap_or(&mut waiting);
                if !holder.is_empty() {
                    holder.push(' ');
                }
                holder.push_str(piece);
            }
        }
    }
    sentences
}

/// Where each sentence stands (Unicode UAX 29).
fn ranges(text: &str) -> Vec<std::ops::Range<usize>> {
    let segmenter =
        icu_segmenter::SentenceSegmenter::new(icu_segmenter::options::SentenceBreakInvariantOptions::default());
    let ends: Vec<usize> = segmenter.segment_str(text).collect();
    ends.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

/// A sentence in pieces of at most [`MAX_SENTENCE`] characters, cut after the last comma, space or letter that fits.
fn bounded(sentence: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = sentence;
    while let Some((limit, _)) = rest.char_indices().nth(MAX_SENTENCE) {
        let fits = &rest[..limit];
        let comma = |c: char| matches!(c, ',' | ';' | ':' | '，' | '、' | '；' | '：' | '،' | '؛' | '—');
        let after = |at: Option<(usize, &str)>| at.map(|(at, found)| at + found.len()).filter(|at| *at > limit / 4);
        let cut = after(fits.rmatch_indices(comma).next())
            .or_else(|| after(fits.rmatch_indices(char::is_whitespace).next()))
            .unwrap_or(limit);
        pieces.push(rest[..cut].trim());
        rest = rest[cut..].trim_start();
    }
    pieces.push(rest);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_emoji_stays_with_its_sentence() {
        let sentences = split("🎉 We did it! 🚀", &Lang::english());
        assert_eq!(sentences, ["🎉 We did it! 🚀"]);
    }

    #[test]
    fn a_text_without_an_end_is_cut_at_its_commas() {
        let text = "and then the river ran on, ".repeat(60);
        let sentences = split(&text, &Lang::english());
        assert!(sentences.len() > 2);
        assert!(sentences.iter().all(|sentence| sentence.chars().count() <= MAX_SENTENCE));
        assert!(sentences[..sentences.len() - 1].iter().all(|sentence| sentence.ends_with(',')));
        assert_eq!(sentences.join(" "), text.trim());
    }

    #[test]
    fn a_list_of_long_items_becomes_paragraphs() {
        let raw = Raw::List { ordered: false, items: vec!["One. Two.".to_owned(), "Three.".to_owned()] };
        assert!(matches!(&split_block(raw, &Lang::english())[..], [Block::Paragraph { .. }, Block::Paragraph { .. }]));
    }
}
