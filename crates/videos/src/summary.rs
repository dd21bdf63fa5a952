//! Makes a script shorter by leaving out its least important sentences.

use std::collections::{BTreeMap, HashMap};

use crate::{
    VideosError,
    script::{Block, Script},
    words::Vocabulary,
};

/// How much of a sentence's importance comes from its neighbours rather than from everywhere (Mihalcea and Tarau 2004).
const DAMPING: f64 = 0.85;
const ROUNDS: usize = 40;
/// A word in more sentences than this links everything with everything and tells nothing.
const MAX_SENTENCES_PER_WORD: usize = 400;
/// What a sentence loses for each share of its words that was said already.
const REPETITION: f64 = 0.5;

/// Leaves sentences out until the narration lasts at most `max_ms`; `length_ms` says how long one lasts with the pause
/// after it.
///
/// What remains keeps its order and is never cut. The first sentence always remains, and a heading where something of
/// its section does. Sentences that say what many others say remain first (`TextRank`), and such that repeat what was
/// chosen come later (maximal marginal relevance, Carbonell and Goldstein 1998).
pub fn shorten(script: Script, max_ms: u64, length_ms: impl Fn(&str) -> u64) -> Result<Script, VideosError> {
    let total_ms: u64 = script.narration().iter().map(|spoken| length_ms(&spoken.text)).sum();
    if total_ms <= max_ms {
        return Ok(script);
    }
    let mut choice = Choice::new(&script, &length_ms);
    let least_ms = choice.begin();
    if least_ms > max_ms {
        return Err(VideosError::Script(format!(
            "the script cannot be told in {:.1} seconds: its title and first sentence alone take {:.1}; allow more with \
             --max-duration, or shorten them",
            max_ms as f64 / 1000.0,
            least_ms as f64 / 1000.0,
        )));
    }
    choice.fill(max_ms);
    let chosen = choice.chosen;
    Ok(keep(script, &chosen))
}

/// A sentence that may be chosen: one of a paragraph, an item of a list, or a whole quote.
struct Candidate {
    block: usize,
    /// Which sentence or item of the block.
    sentence: usize,
    section: usize,
    length_ms: u64,
    stems: Vec<usize>,
    importance: f64,
}

struct Choice {
    candidates: Vec<Candidate>,
    chosen: Vec<(usize, usize)>,
    /// What the heading of each section takes, until something of the section is chosen.
    heading_ms: Vec<u64>,
    said: Vec<usize>,
    used_ms: u64,
}

impl Choice {
    fn new(script: &Script, length_ms: &impl Fn(&str) -> u64) -> Self {
        let vocabulary = Vocabulary::new(&script.lang);
        let mut ids: HashMap<String, usize> = HashMap::new();
        let mut candidates: Vec<Candidate> = Vec::new();
        let mut heading_ms = vec![0];
        for (block, content) in script.blocks.iter().enumerate() {
            if let Block::Heading { text, .. } = content {
                heading_ms.push(length_ms(text));
            }
            for (sentence, text) in units(content).into_iter().enumerate() {
                let mut stems: Vec<usize> = vocabulary
                    .terms(&text.join(" "))
                    .into_iter()
                    .map(|term| {
                        let next = ids.len();
                        *ids.entry(term.stem).or_insert(next)
                    })
                    .collect();
                stems.sort_unstable();
                stems.dedup();
                let length_ms = text.iter().map(|text| length_ms(text)).sum();
                let section = heading_ms.len() - 1;
                candidates.push(Candidate { block, sentence, section, length_ms, stems, importance: 0.0 });
            }
        }
        let used_ms = script.title.as_ref().filter(|_| script.speaks_title()).map_or(0, |title| length_ms(title));
        let mut choice = Self { candidates, chosen: Vec::new(), heading_ms, said: Vec::new(), used_ms };
        choice.rank();
        choice
    }

    /// Gives every sentence its importance: the share of a reader who walks from sentence to sentence along common words.
    fn rank(&mut self) {
        let links = links(&self.candidates);
        let count = self.candidates.len();
        let strength: Vec<f64> = links.iter().map(|links| links.values().sum()).collect();
        let mut rank = vec![1.0; count];
        for _ in 0..ROUNDS {
            rank = (0..count)
                .map(|to| {
                    let flows = links[to].iter().map(|(from, weight)| rank[*from] * weight / strength[*from]);
                    1.0 - DAMPING + DAMPING * flows.sum::<f64>()
                })
                .collect();
        }
        for (candidate, rank) in self.candidates.iter_mut().zip(rank) {
            // Paragraphs begin with what they are about.
            candidate.importance = if candidate.sentence == 0 { rank * 1.15 } else { rank };
        }
    }

    /// Chooses the first sentence and returns how long the title and it take.
    fn begin(&mut self) -> u64 {
        if !self.candidates.is_empty() {
            self.choose(0);
        }
        self.used_ms
    }

    /// Chooses the best that still fits, until nothing fits.
    fn fill(&mut self, max_ms: u64) {
        while let Some(best) = self.best_that_fits(max_ms) {
            self.choose(best);
        }
    }

    fn best_that_fits(&self, max_ms: u64) -> Option<usize> {
        let fits =
            |candidate: &Candidate| self.used_ms + candidate.length_ms + self.heading_ms[candidate.section] <= max_ms;
        let open = self.candidates.iter().enumerate().filter(|(_, candidate)| fits(candidate));
        open.max_by(|a, b| self.worth(a.1).total_cmp(&self.worth(b.1)).then(b.0.cmp(&a.0))).map(|(at, _)| at)
    }

    fn worth(&self, candidate: &Candidate) -> f64 {
        let repeated = candidate.stems.iter().filter(|stem| self.said.binary_search(stem).is_ok()).count();
        let share = repeated as f64 / candidate.stems.len().max(1) as f64;
        candidate.importance * (1.0 - REPETITION * share)
    }

    fn choose(&mut self, at: usize) {
        let candidate = self.candidates.remove(at);
        self.used_ms += candidate.length_ms + std::mem::take(&mut self.heading_ms[candidate.section]);
        self.chosen.push((candidate.block, candidate.sentence));
        self.said.extend(candidate.stems);
        self.said.sort_unstable();
        self.said.dedup();
    }
}

/// What of a block is chosen or left out as a whole, each with its sentences.
fn units(block: &Block) -> Vec<&[String]> {
    match block {
        Block::Paragraph { sentences } => sentences.chunks(1).collect(),
        Block::List { items, .. } => items.chunks(1).collect(),
        Block::Quote { sentences, .. } => vec![sentences],
        Block::Heading { .. } | Block::Media { .. } | Block::Break => Vec::new(),
    }
}

/// How strongly sentences are linked: common words over the logarithms of their lengths (Mihalcea and Tarau 2004).
fn links(candidates: &[Candidate]) -> Vec<BTreeMap<usize, f64>> {
    let mut sentences_with: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, candidate) in candidates.iter().enumerate() {
        candidate.stems.iter().for_each(|stem| sentences_with.entry(*stem).or_default().push(at));
    }
    let mut links: Vec<BTreeMap<usize, f64>> = vec![BTreeMap::new(); candidates.len()];
    for sentences in sentences_with.values().filter(|sentences| sentences.len() <= MAX_SENTENCES_PER_WORD) {
        for (place, from) in sentences.iter().enumerate() {
            for to in &sentences[place + 1..] {
                let size = |at: usize| (1.0 + candidates[at].stems.len() as f64).ln();
                let weight = 1.0 / (size(*from) + size(*to));
                *links[*from].entry(*to).or_insert(0.0) += weight;
                *links[*to].entry(*from).or_insert(0.0) += weight;
            }
        }
    }
    links
}

/// The script with the chosen sentences only, the headings above them, and the pictures beside them.
fn keep(script: Script, chosen: &[(usize, usize)]) -> Script {
    let is_chosen = |block: usize, sentence: usize| chosen.contains(&(block, sentence));
    let mut blocks: Vec<Block> = Vec::new();
    for (at, block) in script.blocks.into_iter().enumerate() {
        let filtered = |texts: Vec<String>| -> Vec<String> {
            texts
                .into_iter()
                .enumerate()
                .filter(|(sentence, _)| is_chosen(at, *sentence))
                .map(|(_, text)| text)
                .collect()
        };
        match block {
            Block::Paragraph { sentences } => {
                let sentences = filtered(sentences);
                if !sentences.is_empty() {
                    blocks.push(Block::Paragraph { sentences });
                }
            }
            Block::List { ordered, items } => {
                let items = filtered(items);
                match items.len() {
                    0 => {}
                    1 => blocks.push(Block::Paragraph { sentences: items }),
                    _ => blocks.push(Block::List { ordered, items }),
                }
            }
            Block::Quote { .. } if !is_chosen(at, 0) => {}
            other => blocks.push(other),
        }
    }
    Script { blocks: without_empty_sections(blocks), ..script }
}

/// Drops headings with nothing said before the next one, and the pictures among them.
fn without_empty_sections(blocks: Vec<Block>) -> Vec<Block> {
    let mut kept = Vec::new();
    let mut waiting = Vec::new();
    for block in blocks {
        match block {
            Block::Heading { .. } => waiting = vec![block],
            Block::Media { .. } | Block::Break if !waiting.is_empty() => waiting.push(block),
            block => {
                kept.append(&mut waiting);
                kept.push(block);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests;
