//! What each scene is about, in single words.

use std::collections::{HashMap, HashSet};

use kernel::Lang;

use super::Scene;
use crate::words::{Term, Vocabulary};

/// The most words of a scene.
const MAX_KEYWORDS: usize = 12;
/// With fewer of its own, a scene is about what the whole script is about.
const FEW_KEYWORDS: usize = 3;

/// Fills the keywords of every scene: its own words, those first that the rest of the script uses least (term frequency
/// times inverse document frequency, the scenes being the documents), then the words of its section's heading, and where
/// that makes few, the title's.
pub(super) fn fill_keywords(scenes: &mut [Scene], headings: &[String], title: Option<&str>, lang: &Lang) {
    let vocabulary = Vocabulary::new(lang);
    let own: Vec<Vec<Term>> = scenes.iter().map(|scene| vocabulary.terms(&scene.sentences.join(" "))).collect();
    let mut scenes_with: HashMap<&str, usize> = HashMap::new();
    for terms in &own {
        let stems: HashSet<&str> = terms.iter().map(|term| term.stem.as_str()).collect();
        for stem in stems {
            *scenes_with.entry(stem).or_insert(0) += 1;
        }
    }
    let title = title.map(|title| vocabulary.terms(title)).unwrap_or_default();
    let headings: Vec<Vec<Term>> = headings.iter().map(|heading| vocabulary.terms(heading)).collect();
    let count = own.len() as f64;
    for (scene, terms) in scenes.iter_mut().zip(&own) {
        let weight = |term: &Term| {
            let frequency = terms.iter().filter(|other| other.stem == term.stem).count() as f64;
            let documents = scenes_with.get(term.stem.as_str()).copied().unwrap_or(1) as f64;
            (1.0 + frequency.ln()) * (1.0 + count / documents).ln()
        };
        let mut ranked: Vec<(f64, &Term)> = terms.iter().map(|term| (weight(term), term)).collect();
        // Stable: words of equal weight stay in the order they are said.
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let heading = headings.get(scene.section).into_iter().flatten();
        let mut known = HashSet::new();
        scene.keywords = ranked
            .into_iter()
            .map(|(_, term)| term)
            .chain(heading)
            .chain(title.iter().filter(|_| terms.len() < FEW_KEYWORDS))
            .filter(|term| known.insert(term.stem.as_str()))
            .take(MAX_KEYWORDS)
            .map(|term| term.word.clone())
            .collect();
    }
}
