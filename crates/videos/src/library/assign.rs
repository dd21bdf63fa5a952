//! Which footage shows which scene.
//!
//! Every scene gets a clip or still while there is some that was not shown yet: the one whose words fit best, else the
//! next in order. Only when all were shown may one come again, where its words fit, and then with another part of it.

use std::collections::{BTreeMap, BTreeSet};

use kernel::Lang;

use super::{
    Asset, AssetKind,
    cutting::{Need, Reel},
    matching::Index,
    matrix::best_assignment,
};
use crate::request::Order;

/// Scenes assigned at a time: the assignment costs their number squared.
const WINDOW: usize = 200;
/// Columns of one assignment at most.
const MAX_CANDIDATES: usize = 1200;
/// How many scenes must lie between two showings of one asset.
const REST: usize = 2;
/// What is never chosen; finite, so that sums stay numbers.
const NEVER: f64 = -1e6;
/// A match of words outweighs every other preference.
const MATCHED: f64 = 4.0;

/// What a scene asks of footage.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SceneNeed {
    /// The most telling first.
    pub keywords: Vec<String>,
    /// How long each sentence of the scene is seen, in milliseconds. The first and the last include what the
    /// transitions show of the scene, so that the sum is all that must be covered.
    pub beats_ms: Vec<u64>,
    /// The file that the script itself shows here; nothing is chosen for such a scene.
    pub given: Option<std::path::PathBuf>,
}

/// How footage is chosen.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// The script's language.
    pub lang: &'a Lang,
    /// Width over height of the video.
    pub ratio: f64,
    pub order: Order,
    pub seed: u64,
}

/// What is seen for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Part {
    /// `duration_ms` on screen, from `start_ms` of the clip on, played at `speed` (1.0 is its own).
    Clip {
        asset: usize,
        start_ms: u64,
        duration_ms: u64,
        speed: f64,
    },
    Still {
        asset: usize,
        duration_ms: u64,
    },
    /// Nothing fits: to be drawn.
    Card {
        duration_ms: u64,
    },
}

impl Part {
    /// How long the part is on screen, in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        match self {
            Self::Clip { duration_ms, .. } | Self::Still { duration_ms, .. } | Self::Card { duration_ms } => {
                *duration_ms
            }
        }
    }

    /// The asset that is shown, as its place in the list.
    pub fn asset(&self) -> Option<usize> {
        match self {
            Self::Clip { asset, .. } | Self::Still { asset, .. } => Some(*asset),
            Self::Card { .. } => None,
        }
    }
}

/// Chooses footage for every scene. A scene has one part, or several where the clip is too short for it, cut between
/// its sentences where that can be; a scene whose file is given has none.
///
/// The same input gives the same choice.
pub fn assign(scenes: &[SceneNeed], assets: &[Asset], plan: Plan<'_>) -> Vec<Vec<Part>> {
    let index = Index::new(assets, plan.lang);
    let scores = scenes.iter().map(|scene| index.scores(&scene.keywords)).collect();
    let mut reel = Reel::new(assets);
    for given in scenes.iter().filter_map(|scene| scene.given.as_deref()) {
        reel.set_aside(given);
    }
    let wants: Vec<usize> = (0..scenes.len()).filter(|scene| scenes[*scene].given.is_none()).collect();
    let mut chooser = Chooser { scenes, assets, plan, scores, reel, parts: vec![Vec::new(); scenes.len()] };
    let mut done = 0;
    while done < wants.len() {
        let unseen = chooser.unseen();
        let room = if unseen.is_empty() { assets.len().max(1) } else { unseen.len() };
        let window = &wants[done..wants.len().min(done + room.min(WINDOW))];
        if unseen.is_empty() {
            chooser.show_again(window);
        } else {
            chooser.show_unseen(window, &unseen);
        }
        done += window.len();
    }
    chooser.parts
}

struct Chooser<'a> {
    scenes: &'a [SceneNeed],
    assets: &'a [Asset],
    plan: Plan<'a>,
    /// For each scene the assets whose words fit, and how well.
    scores: Vec<BTreeMap<usize, f64>>,
    reel: Reel<'a>,
    parts: Vec<Vec<Part>>,
}

impl Chooser<'_> {
    /// The assets nobody has seen, in the order they are to come.
    fn unseen(&self) -> Vec<usize> {
        let mut unseen: Vec<usize> = (0..self.assets.len()).filter(|asset| self.reel.is_unseen(*asset)).collect();
        if self.plan.order == Order::Random {
            unseen.sort_by_key(|asset| (scatter(self.plan.seed, *asset as u64), *asset));
        }
        unseen
    }

    /// Gives each scene of the window an asset of its own that was not shown yet.
    fn show_unseen(&mut self, window: &[usize], unseen: &[usize]) {
        let candidates = self.candidates(window, unseen);
        let last = window.last().copied().unwrap_or_default();
        let wanted_later: Vec<bool> = candidates
            .iter()
            .map(|asset| self.scores[last + 1..].iter().any(|scores| scores.contains_key(asset)))
            .collect();
        let weigh = |(place, scene): (usize, &usize)| {
            let weigh_asset = |(rank, asset): (usize, &usize)| {
                let apart = (rank as f64 - place as f64) / candidates.len() as f64;
                let matched = self.scores[*scene].get(asset);
                // Footage that fits a later scene is not spent on one it does not fit, as long as there is other.
                let kept = if matched.is_none() && wanted_later[rank] { 0.5 } else { 0.0 };
                self.worth(*scene, *asset, matched) - 0.2 * apart * apart - kept
            };
            candidates.iter().enumerate().map(weigh_asset).collect()
        };
        let weights: Vec<Vec<f64>> = window.iter().enumerate().map(weigh).collect();
        let chosen: Vec<usize> = best_assignment(&weights).into_iter().map(|column| candidates[column]).collect();
        for asset in &chosen {
            self.reel.reserve(*asset);
        }
        for (scene, asset) in window.iter().zip(chosen) {
            self.show(*scene, asset);
        }
    }

    /// All were shown: what fits by its words may come again, with another part; the other scenes are drawn.
    fn show_again(&mut self, window: &[usize]) {
        let length_ms = |scene: usize| self.scenes[scene].beats_ms.iter().sum::<u64>();
        let may_return = |reel: &Reel<'_>, asset, scene| reel.can_return(asset, scene, REST, length_ms(scene));
        let candidates = self.best_of(window, |asset, scene| may_return(&self.reel, asset, scene));
        let weigh = |scene: &usize| {
            let weigh_asset = |asset: &usize| match self.scores[*scene].get(asset) {
                Some(score) if may_return(&self.reel, *asset, *scene) => self.worth(*scene, *asset, Some(score)),
                _ => NEVER,
            };
            // A card of its own for each scene that finds nothing.
            candidates.iter().map(weigh_asset).chain(window.iter().map(|_| 0.0)).collect()
        };
        let weights: Vec<Vec<f64>> = window.iter().map(weigh).collect();
        for (scene, column) in window.iter().zip(best_assignment(&weights)) {
            let duration_ms = self.scenes[*scene].beats_ms.iter().sum();
            // A neighbour may have taken it in this very window.
            match candidates.get(column).filter(|asset| self.reel.can_return(**asset, *scene, REST, duration_ms)) {
                Some(asset) => self.show(*scene, *asset),
                None => self.parts[*scene] = vec![Part::Card { duration_ms }],
            }
        }
    }

    /// For each scene a few of the allowed assets whose words fit best, beside those that were found for the scenes before
    /// it: where many fit alike, every scene still has its own to choose from.
    fn best_of(&self, window: &[usize], allowed: impl Fn(usize, usize) -> bool) -> Vec<usize> {
        let mut found = BTreeSet::new();
        for scene in window {
            let mut best: Vec<(&usize, &f64)> =
                self.scores[*scene].iter().filter(|(asset, _)| allowed(**asset, *scene)).collect();
            best.sort_by(|a, b| b.1.total_cmp(a.1).then(a.0.cmp(b.0)));
            let new: Vec<usize> =
                best.into_iter().map(|(asset, _)| *asset).filter(|asset| !found.contains(asset)).collect();
            found.extend(new.into_iter().take(MAX_CANDIDATES / WINDOW - 1));
        }
        found.into_iter().collect()
    }

    fn show(&mut self, scene: usize, asset: usize) {
        let need = Need { scene, beats_ms: &self.scenes[scene].beats_ms, scores: &self.scores[scene] };
        self.parts[scene] = self.reel.cut(asset, &need);
    }

    /// What is worth considering for a window: everything, or of a huge library the best of each scene and the first
    /// of the rest.
    fn candidates(&self, window: &[usize], unseen: &[usize]) -> Vec<usize> {
        if unseen.len() <= MAX_CANDIDATES {
            return unseen.to_vec();
        }
        let mut wanted = vec![false; self.assets.len()];
        for asset in self.best_of(window, |asset, _| self.reel.is_unseen(asset)) {
            wanted[asset] = true;
        }
        let mut spare = window.len();
        let keep = |asset: &&usize| {
            let spared = !wanted[**asset] && spare > 0;
            spare -= usize::from(spared);
            wanted[**asset] || spared
        };
        unseen.iter().filter(keep).copied().collect()
    }

    /// How gladly an asset is shown for a scene: its words, its shape, and whether it is long enough.
    fn worth(&self, scene: usize, asset: usize, score: Option<&f64>) -> f64 {
        let words = score.map_or(0.0, |score| MATCHED + score);
        let facts = self.assets[asset].facts;
        let shape = facts.map_or(0.5, |facts| {
            let ratio = facts.size.ratio() / self.plan.ratio;
            ratio.min(1.0 / ratio).max(0.0).sqrt()
        });
        let duration_ms: u64 = self.scenes[scene].beats_ms.iter().sum();
        let length = match facts {
            Some(facts) if self.assets[asset].kind == AssetKind::Clip && facts.duration_ms < duration_ms => {
                -1.5 * (1.0 - facts.duration_ms as f64 / duration_ms as f64)
            }
            _ => 0.0,
        };
        let chance = match self.plan.order {
            Order::Sequential => 0.0,
            Order::Random => (scatter(self.plan.seed ^ scene as u64, asset as u64) % 1000) as f64 / 10_000.0,
        };
        words + 0.6 * shape + length + chance
    }
}

/// A number that looks like chance and is not (the finaliser of `SplitMix64`, Steele, Lea and Flood 2014).
fn scatter(seed: u64, value: u64) -> u64 {
    let mut x = seed
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(value.wrapping_add(1).wrapping_mul(0xbf58_476d_1ce4_e5b9));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests;
