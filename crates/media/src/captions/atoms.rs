//! The pieces a sentence is broken into: words, and words too long for a line cut where that hurts least.

use super::{clauses::is_wide, layout::Setter, typeface::clusters};
use crate::{MediaError, speech_text::TimedWord};

/// Full-width characters count as this many: 16 of them fill a line of 42.
const WIDE_UNITS: f32 = 42.0 / 16.0;

/// A word, or a piece of one, with the room it takes.
#[derive(Debug, Clone)]
pub(super) struct Atom {
    pub(super) word: TimedWord,
    /// Characters, full-width ones counted 2.6 times.
    pub(super) units: f32,
    pub(super) width_px: f32,
    /// Whether it goes on the word of the atom before.
    pub(super) continues: bool,
}

/// What a line may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) units: f32,
    /// Infinite where nothing is drawn.
    pub(super) width_px: f32,
}

/// Measures words; without a setter only characters count.
pub(super) struct Scale<'a> {
    pub(super) setter: Option<&'a mut Setter>,
    pub(super) limits: Limits,
}

impl Scale<'_> {
    /// The word as atoms, each of which fits a line.
    pub(super) fn atoms(&mut self, word: &TimedWord) -> Result<Vec<Atom>, MediaError> {
        let whole = self.atom(word.clone(), false)?;
        if self.fits(&whole) {
            return Ok(vec![whole]);
        }
        let texts = self.pieces(&word.text)?;
        let total: usize = word.text.len().max(1);
        let length_ms = word.end_ms - word.start_ms;
        let mut atoms = Vec::with_capacity(texts.len());
        let mut taken = 0;
        for text in texts {
            let at = |bytes: usize| word.start_ms + length_ms * bytes as u64 / total as u64;
            let (start_ms, end_ms) = (at(taken), at(taken + text.len()));
            taken += text.len();
            let first = atoms.is_empty();
            let piece = TimedWord { text, space_before: word.space_before && first, start_ms, end_ms };
            atoms.push(self.atom(piece, !first)?);
        }
        Ok(atoms)
    }

    /// The width of the space between two words.
    pub(super) fn space(&mut self) -> Result<f32, MediaError> {
        match &mut self.setter {
            Some(setter) => Ok(setter.width("n n")? - setter.width("nn")?),
            None => Ok(0.0),
        }
    }

    fn atom(&mut self, word: TimedWord, continues: bool) -> Result<Atom, MediaError> {
        let (units, width_px) = self.size(&word.text)?;
        Ok(Atom { word, units, width_px, continues })
    }

    fn size(&mut self, text: &str) -> Result<(f32, f32), MediaError> {
        let width_px = match &mut self.setter {
            Some(setter) => setter.width(text)?,
            None => 0.0,
        };
        Ok((units(text), width_px))
    }

    fn fits(&self, atom: &Atom) -> bool {
        atom.units <= self.limits.units && atom.width_px <= self.limits.width_px
    }

    /// Cuts a long word into the fewest pieces of about the same length, after marks of URLs where there are some.
    fn pieces(&mut self, text: &str) -> Result<Vec<String>, MediaError> {
        let mut sizes = Vec::new();
        for cluster in clusters(text) {
            sizes.push((cluster, self.size(cluster)?));
        }
        let share = |(units, width): (f32, f32)| (units / self.limits.units).max(width / self.limits.width_px);
        let total: f32 = sizes.iter().map(|(_, size)| share(*size)).sum();
        // A little less than a line, because shaped together characters may be wider than apart.
        let target = (total / (total / 0.95).ceil()).min(0.95);
        let mut pieces: Vec<String> = vec![String::new()];
        let (mut filled, mut last) = (0.0, ' ');
        for (cluster, size) in sizes {
            let size = share(size);
            let full = filled + size > 0.98 || filled + size / 2.0 > target + 0.02;
            let good_cut = filled > target * 0.6 && is_cut_mark(last) && !cluster.starts_with(is_cut_mark);
            if filled > 0.0 && (full || good_cut) {
                pieces.push(String::new());
                filled = 0.0;
            }
            filled += size;
            last = cluster.chars().next_back().unwrap_or(' ');
            if let Some(piece) = pieces.last_mut() {
                piece.push_str(cluster);
            }
        }
        Ok(pieces)
    }
}

/// Characters as a reader counts them, full-width ones 2.6 times; never none.
pub(super) fn units(text: &str) -> f32 {
    let count = |cluster: &str| if cluster.chars().next().is_some_and(is_wide) { WIDE_UNITS } else { 1.0 };
    clusters(text).map(count).sum::<f32>().max(1.0)
}

fn is_cut_mark(c: char) -> bool {
    matches!(c, '/' | '.' | '-' | '_' | '?' | '&' | '=' | '#' | '@' | ':' | '+' | '%' | '\u{00AD}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<String> {
        let mut scale = Scale { setter: None, limits: Limits { units: 20.0, width_px: f32::INFINITY } };
        let word = TimedWord { text: text.to_owned(), space_before: true, start_ms: 100, end_ms: 1100 };
        let atoms = scale.atoms(&word).unwrap();
        assert!(atoms.windows(2).all(|pair| pair[0].word.end_ms == pair[1].word.start_ms));
        assert_eq!((atoms[0].word.start_ms, atoms[atoms.len() - 1].word.end_ms), (100, 1100));
        assert!(atoms.iter().all(|atom| atom.units <= 20.0));
        atoms.into_iter().map(|atom| atom.word.text).collect()
    }

    #[test]
    fn a_long_word_is_cut_into_even_pieces_without_losing_text() {
        let pieces = cut("Donaudampfschifffahrtsgesellschaft");
        assert_eq!(pieces.len(), 2);
        assert_eq!(pieces.concat(), "Donaudampfschifffahrtsgesellschaft");
        assert!(pieces.iter().all(|piece| (14..=20).contains(&piece.len())), "{pieces:?}");
    }

    #[test]
    fn an_address_is_cut_after_its_marks() {
        let pieces = cut("https://example.org/articles/2024/reading-rules");
        assert!(pieces[..pieces.len() - 1].iter().all(|piece| piece.ends_with(is_cut_mark)), "{pieces:?}");
    }

    #[test]
    fn full_width_characters_count_more_and_marks_on_letters_nothing() {
        assert!((units("你好") - 5.25).abs() < 0.01);
        assert!((units("é") - 1.0).abs() < 0.01);
        assert!((units("") - 1.0).abs() < 0.01);
    }
}
