//! Where a text may break, and where it should: lines of even length, no word alone, no break after a small word.

use icu_segmenter::{
    GraphemeClusterSegmenter, LineSegmenter, WordSegmenter,
    options::{LineBreakOptions, WordBreakInvariantOptions},
};

/// Characters after which a run of hiragana may be broken between any words.
const LONGEST_PHRASE: usize = 8;

/// What must stay on one line: a word with its punctuation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    pub(super) text: String,
    /// Width without the space after it.
    pub(super) width: f32,
    /// Width of the space after it.
    pub(super) space: f32,
}

/// Cuts a text at every place where a line may break (Unicode Standard Annex 14; dictionaries for Thai and its like). In
/// Chinese and Japanese only between words, as a line that ends within a word reads badly; and in Japanese not before the
/// particles and endings in hiragana that belong to the word before them.
pub(super) fn pieces(text: &str) -> Vec<&str> {
    let words: Vec<usize> = WordSegmenter::new_auto(WordBreakInvariantOptions::default()).segment_str(text).collect();
    let mut result = Vec::new();
    let mut start = 0;
    for end in LineSegmenter::new_auto(LineBreakOptions::default()).segment_str(text) {
        let inside_word = words.binary_search(&end).is_err() && end < text.len();
        let ideographic = text[..end].chars().next_back().is_some_and(is_ideographic);
        let ending = text[..end].chars().next_back().is_some_and(char::is_alphanumeric)
            && text[end..].chars().next().is_some_and(is_hiragana)
            && text[start..end].chars().count() < LONGEST_PHRASE;
        if end > start && !(inside_word && ideographic) && !ending {
            result.push(&text[start..end]);
            start = end;
        }
    }
    if start < text.len() {
        result.push(&text[start..]);
    }
    result
}

/// What a reader takes for one character each.
pub(super) fn graphemes(text: &str) -> Vec<&str> {
    let ends: Vec<usize> = GraphemeClusterSegmenter::new().segment_str(text).collect();
    ends.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

fn is_hiragana(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{309F}')
}

fn is_ideographic(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// The fewest lines of `width` that hold the pieces, or none when a piece is wider.
pub(super) fn fewest_lines(pieces: &[Piece], width: f32) -> Option<usize> {
    let mut lines = 1;
    let mut used = 0.0;
    for piece in pieces {
        if piece.width > width {
            return None;
        }
        if used > 0.0 && used + piece.width > width {
            lines += 1;
            used = 0.0;
        }
        used += piece.width + piece.space;
    }
    Some(lines)
}

/// Breaks pieces into exactly `count` lines of at most `width`, as even as can be: the sum of squares of what is left over
/// is least. Returns the index after the last piece of each line.
pub(super) fn balance(pieces: &[Piece], width: f32, count: usize) -> Vec<usize> {
    let total = pieces.len();
    // best[line][end]: least cost of setting the first `end` pieces in `line` lines, and where the last line starts.
    let mut best = vec![vec![(f32::INFINITY, 0_usize); total + 1]; count + 1];
    best[0][0] = (0.0, 0);
    for line in 1..=count {
        for end in line..=total {
            let mut used = 0.0;
            for start in (line - 1..end).rev() {
                let piece = &pieces[start];
                used += piece.width + if start + 1 < end { piece.space } else { 0.0 };
                if used > width && start + 1 < end {
                    break;
                }
                let slack = (width - used).max(0.0) / width;
                let cost = best[line - 1][start].0 + slack * slack + manners(pieces, start, end, total);
                if cost < best[line][end].0 {
                    best[line][end] = (cost, start);
                }
            }
        }
    }
    let mut ends = Vec::new();
    let mut end = total;
    for line in (1..=count).rev() {
        ends.push(end);
        end = best[line][end].1;
    }
    ends.reverse();
    ends
}

/// What the eye minds besides length: a word alone on the last line, a small word at an end; it likes ends of phrases.
fn manners(pieces: &[Piece], start: usize, end: usize, total: usize) -> f32 {
    if end == total {
        return if end - start == 1 && start > 0 && total > 2 { 0.06 } else { 0.0 };
    }
    let last = pieces[end - 1].text.trim_end();
    if last.ends_with([',', ';', ':', '.', '!', '?', '—', '、', '。', '，']) {
        -0.07
    } else if pieces[end - 1].space > 0.0 && last.chars().count() <= 3 {
        0.03
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(text: &str) -> Vec<Piece> {
        pieces(text)
            .into_iter()
            .map(|piece| {
                let word = piece.trim_end();
                let space = (piece.len() - word.len()) as f32;
                Piece { text: piece.to_owned(), width: word.chars().count() as f32, space }
            })
            .collect()
    }

    fn broken(text: &str, width: f32) -> Vec<String> {
        let pieces = sized(text);
        let count = fewest_lines(&pieces, width).unwrap();
        let mut start = 0;
        let mut lines = Vec::new();
        for end in balance(&pieces, width, count) {
            let line: String = pieces[start..end].iter().map(|piece| piece.text.as_str()).collect();
            lines.push(line.trim_end().to_owned());
            start = end;
        }
        lines
    }

    #[test]
    fn lines_are_even_and_no_word_stands_alone() {
        assert_eq!(broken("How the tides shape the life of a whole coast", 22.0).len(), 3);
        for line in broken("How the tides shape the life of a whole coast", 22.0) {
            assert!((12..=20).contains(&line.len()), "{line}");
        }
        assert_eq!(broken("The quiet power of habits", 24.0), ["The quiet power", "of habits"]);
    }

    #[test]
    fn a_break_comes_after_a_phrase_rather_than_a_small_word() {
        assert_eq!(
            broken("Slow down, and look at the sea", 22.0),
            ["Slow down,", "and look at the sea"].map(str::to_owned)
        );
    }

    #[test]
    fn thai_and_japanese_break_between_words() {
        let thai = pieces("ภาษาไทยไม่มีช่องว่างระหว่างคำ");
        assert!(thai.len() >= 4, "{thai:?}");
        let japanese = pieces("日本語の文章を改行する");
        assert!(japanese.iter().any(|piece| piece.starts_with("日本")), "{japanese:?}");
        assert_eq!(japanese.concat(), "日本語の文章を改行する");
        assert_eq!(pieces("潮の満ち引きは、月の力です。"), ["潮の", "満ち引きは、", "月の", "力です。"]);
    }

    #[test]
    fn a_family_emoji_is_one_character() {
        assert_eq!(graphemes("a👩‍👩‍👧é").len(), 3);
    }

    #[test]
    fn a_piece_wider_than_the_line_is_reported() {
        assert_eq!(fewest_lines(&sized("a incomprehensibilities"), 10.0), None);
    }
}
