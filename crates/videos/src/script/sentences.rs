//! From blocks of text to blocks of sentences.

use kernel::Lang;

use super::{Block, markdown::Raw};

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
fn split(text: &str, lang: &Lang) -> Vec<String> {
    let mut sentences: Vec<String> = Vec::new();
    let mut waiting = String::new();
    for range in media::speech_text::sentences(text, lang) {
        let piece = &text[range];
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
    sentences
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
    fn a_list_of_long_items_becomes_paragraphs() {
        let raw = Raw::List { ordered: false, items: vec!["One. Two.".to_owned(), "Three.".to_owned()] };
        assert!(matches!(&split_block(raw, &Lang::english())[..], [Block::Paragraph { .. }, Block::Paragraph { .. }]));
    }
}
