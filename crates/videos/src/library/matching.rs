//! How well the words of a scene fit the words of an asset.

use std::collections::{BTreeMap, HashMap};

use kernel::Lang;

use super::Asset;
use crate::words::Vocabulary;

/// Tags were written to be found, names mostly, folders are the widest net.
const TAG: f64 = 1.0;
const NAME: f64 = 0.9;
const FOLDER: f64 = 0.5;
/// Below this share of common trigrams two words are two words.
const MIN_SIMILARITY: f64 = 0.6;

/// The words of a library, ready to be asked.
#[derive(Debug)]
pub(super) struct Index {
    /// Stem to the assets that have it, each with the weight of the best place it stands in.
    postings: BTreeMap<String, Vec<(usize, f64)>>,
    /// Trigram to the stems that have it, for words whose inflections no stemmer knows.
    trigrams: HashMap<[char; 3], Vec<String>>,
    assets: usize,
    /// The script's language, and English, in which most files are named.
    vocabularies: Vec<Vocabulary>,
}

impl Index {
    pub(super) fn new(assets: &[Asset], lang: &Lang) -> Self {
        let mut vocabularies = vec![Vocabulary::new(lang)];
        if lang.primary() != "en" {
            vocabularies.push(Vocabulary::new(&Lang::english()));
        }
        let mut postings: BTreeMap<String, Vec<(usize, f64)>> = BTreeMap::new();
        for (at, asset) in assets.iter().enumerate() {
            let mut weights: BTreeMap<String, f64> = BTreeMap::new();
            for (text, weight) in [(&asset.tags, TAG), (&asset.name, NAME), (&asset.folders, FOLDER)] {
                for stem in vocabularies.iter().flat_map(|v| v.terms(text)).map(|term| term.stem) {
                    let best = weights.entry(stem).or_insert(0.0);
                    *best = best.max(weight);
                }
            }
            for (stem, weight) in weights {
                postings.entry(stem).or_default().push((at, weight));
            }
        }
        let mut trigrams: HashMap<[char; 3], Vec<String>> = HashMap::new();
        for stem in postings.keys() {
            for trigram in trigrams_of(stem) {
                trigrams.entry(trigram).or_default().push(stem.clone());
            }
        }
        Self { postings, trigrams, assets: assets.len(), vocabularies }
    }

    /// The assets that share words with a scene, each with its score. Keywords come with the most telling first, and
    /// weigh less the later they come; a word that many assets have tells little (inverse document frequency).
    pub(super) fn scores(&self, keywords: &[String]) -> BTreeMap<usize, f64> {
        let mut scores: BTreeMap<usize, f64> = BTreeMap::new();
        for (rank, keyword) in keywords.iter().enumerate() {
            let importance = 1.0 / (1.0 + 0.15 * rank as f64);
            let mut best: BTreeMap<usize, f64> = BTreeMap::new();
            for (stem, similarity) in self.stems_like(keyword) {
                let Some(found) = self.postings.get(&stem) else { continue };
                let rarity = (1.0 + self.assets as f64 / found.len() as f64).ln();
                for (asset, weight) in found {
                    let score = best.entry(*asset).or_insert(0.0);
                    *score = score.max(importance * similarity * rarity * weight);
                }
            }
            for (asset, score) in best {
                *scores.entry(asset).or_insert(0.0) += score;
            }
        }
        scores
    }

    /// The stems of the library that a keyword may mean, with how sure that is.
    fn stems_like(&self, keyword: &str) -> BTreeMap<String, f64> {
        let word = keyword.to_lowercase();
        let stems: Vec<String> = self.vocabularies.iter().map(|vocabulary| vocabulary.stem(&word)).collect();
        let mut like: BTreeMap<String, f64> = stems
            .iter()
            .chain(std::iter::once(&word))
            .filter(|stem| self.postings.contains_key(*stem))
            .map(|stem| (stem.clone(), 1.0))
            .collect();
        if like.is_empty() {
            let own = trigrams_of(&word);
            let mut common: BTreeMap<&String, usize> = BTreeMap::new();
            for stem in own.iter().filter_map(|trigram| self.trigrams.get(trigram)).flatten() {
                *common.entry(stem).or_insert(0) += 1;
            }
            for (stem, common) in common {
                // The Dice coefficient of the two sets of trigrams.
                let similarity = 2.0 * common as f64 / (own.len() + trigrams_of(stem).len()) as f64;
                if similarity >= MIN_SIMILARITY {
                    like.insert(stem.clone(), similarity * 0.8);
                }
            }
        }
        like
    }
}

/// The different runs of three characters in a word, its beginning marked: words of a family begin alike.
fn trigrams_of(word: &str) -> Vec<[char; 3]> {
    let characters: Vec<char> = "^".chars().chain(word.chars().take(64)).collect();
    let mut trigrams: Vec<[char; 3]> = characters.windows(3).map(|w| [w[0], w[1], w[2]]).collect();
    trigrams.sort_unstable();
    trigrams.dedup();
    trigrams
}
