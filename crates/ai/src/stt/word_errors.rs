//! How far a text that was heard is from what was said, counted in words.

use std::{iter::Sum, ops::AddAssign};

/// Errors of a hypothesis against its reference, and what they are measured by.
///
/// The counts are those of a cheapest alignment (Levenshtein distance over words); where several cost the same, the one
/// with most substitutions counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WordErrors {
    /// Words heard as another.
    pub substitutions: usize,
    /// Words heard that nobody said.
    pub insertions: usize,
    /// Words said that were not heard.
    pub deletions: usize,
    /// Words of the reference.
    pub reference_words: usize,
}

impl WordErrors {
    /// Compares two texts. Case and punctuation do not count; an apostrophe within a word does. A number in digits is not
    /// the number in words.
    pub fn count(reference: &str, hypothesis: &str) -> Self {
        let (said, heard) = (words(reference), words(hypothesis));
        // Errors of aligning the words said so far with the first n words heard.
        let mut row: Vec<Self> = (0..=heard.len()).map(|n| Self { insertions: n, ..Self::default() }).collect();
        for word in &said {
            let mut diagonal = row[0];
            row[0].deletions += 1;
            for (index, other) in heard.iter().enumerate() {
                let (above, left) = (row[index + 1], row[index]);
                let mut best = diagonal;
                best.substitutions += usize::from(word != other);
                if above.errors() + 1 < best.errors() {
                    best = Self { deletions: above.deletions + 1, ..above };
                }
                if left.errors() + 1 < best.errors() {
                    best = Self { insertions: left.insertions + 1, ..left };
                }
                diagonal = above;
                row[index + 1] = best;
            }
        }
        Self { reference_words: said.len(), ..row.last().copied().unwrap_or_default() }
    }

    /// All errors together.
    pub fn errors(&self) -> usize {
        self.substitutions + self.insertions + self.deletions
    }

    /// Word error rate: errors for each word of the reference; above 1 where more is heard than was said. A reference
    /// without words counts as one word.
    pub fn rate(&self) -> f64 {
        self.errors() as f64 / self.reference_words.max(1) as f64
    }
}

impl AddAssign for WordErrors {
    fn add_assign(&mut self, other: Self) {
        self.substitutions += other.substitutions;
        self.insertions += other.insertions;
        self.deletions += other.deletions;
        self.reference_words += other.reference_words;
    }
}

/// The errors of several texts taken as one, so that long texts weigh more than short ones.
impl Sum for WordErrors {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        let mut total = Self::default();
        for each in all {
            total += each;
        }
        total
    }
}

/// Runs of letters, digits and inner apostrophes in lower case; each East Asian character is a word of its own.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut finish = |word: &mut String| {
        let inner = word.trim_matches('\'');
        if !inner.is_empty() {
            words.push(inner.to_owned());
        }
        word.clear();
    };
    for character in text.chars() {
        match character {
            '\'' | '’' => word.push('\''),
            _ if !character.is_alphanumeric() => finish(&mut word),
            '\u{2e80}'.. => {
                finish(&mut word);
                word.push(character);
                finish(&mut word);
            }
            _ => word.extend(character.to_lowercase()),
        }
    }
    finish(&mut word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(reference: &str, hypothesis: &str) -> (usize, usize, usize, usize) {
        let errors = WordErrors::count(reference, hypothesis);
        (errors.substitutions, errors.insertions, errors.deletions, errors.reference_words)
    }

    #[test]
    fn each_kind_of_error_is_counted() {
        assert_eq!(counts("he was not an ill man", "he was not an ill man"), (0, 0, 0, 6));
        assert_eq!(counts("he was not an ill man", "she was not ill young man"), (3, 0, 0, 6));
        assert_eq!(counts("a short walk then home", "walk then home slowly now"), (0, 2, 2, 5));
        assert_eq!(counts("one two", "one two three"), (0, 1, 0, 2));
        assert_eq!(counts("one two three", "three"), (0, 0, 2, 3));
    }

    #[test]
    fn case_and_punctuation_do_not_count() {
        assert_eq!(counts("“Don’t!” she said – twice.", "don't SHE said twice"), (0, 0, 0, 4));
        assert_eq!(counts("well-known 'quote'", "well known quote"), (0, 0, 0, 3));
        assert_eq!(counts("今天天气", "今天 氣"), (1, 0, 1, 4));
    }

    #[test]
    fn the_rate_of_several_texts_weighs_them_by_their_words() {
        let total: WordErrors =
            [WordErrors::count("a b c d", "a b c d"), WordErrors::count("e", "f")].into_iter().sum();
        assert!((total.rate() - 0.2).abs() < 1e-9, "{total:?}");
        assert!((WordErrors::count("", "noise here").rate() - 2.0).abs() < 1e-9);
        assert_eq!(WordErrors::count("", " — ").errors(), 0);
    }
}
