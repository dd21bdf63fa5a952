//! Which part of a clip is shown, and what follows when it is too short.

use std::{collections::BTreeMap, path::Path};

use super::{Asset, AssetKind, Part};

/// The shortest part that reads as a picture and not as a flash.
const MIN_PART_MS: u64 = 1200;
/// How far a clip is slowed down to cover a scene; slower is seen.
const SLOWEST: f64 = 0.85;
/// The most a first showing leaves out at the start of a long clip, where cameras shake.
const HEAD_MS: u64 = 800;
/// Parts of one scene at most.
const MAX_PARTS: usize = 6;

/// A scene that footage is cut for.
pub(super) struct Need<'a> {
    pub(super) scene: usize,
    pub(super) beats_ms: &'a [u64],
    /// The assets whose words fit.
    pub(super) scores: &'a BTreeMap<usize, f64>,
}

/// What was shown of each asset so far.
pub(super) struct Reel<'a> {
    assets: &'a [Asset],
    shown: Vec<Shown>,
}

#[derive(Debug, Clone, Default)]
struct Shown {
    /// Promised to a scene, shown or not yet.
    reserved: bool,
    last_scene: Option<usize>,
    /// The milliseconds that were seen, as start and end.
    taken: Vec<(u64, u64)>,
}

/// A stretch of a clip that nobody has seen.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    start_ms: u64,
    length_ms: u64,
}

impl<'a> Reel<'a> {
    pub(super) fn new(assets: &'a [Asset]) -> Self {
        Self { assets, shown: vec![Shown::default(); assets.len()] }
    }

    /// Takes a file that the script shows itself out of the choice.
    pub(super) fn set_aside(&mut self, path: &Path) {
        for (asset, shown) in self.assets.iter().zip(&mut self.shown) {
            if asset.path == path {
                *shown = Shown { reserved: true, last_scene: Some(0), taken: vec![(0, u64::MAX)] };
            }
        }
    }

    /// Whether an asset can be shown and was promised to nobody. A clip shorter than a glance cannot.
    pub(super) fn is_unseen(&self, asset: usize) -> bool {
        !self.shown[asset].reserved && self.is_usable(asset)
    }

    pub(super) fn reserve(&mut self, asset: usize) {
        self.shown[asset].reserved = true;
    }

    /// Whether an asset may come again in `scene`: not too soon after the last time, and with a part not yet seen that
    /// covers the scene. A still has no other part, but moves differently.
    pub(super) fn can_return(&self, asset: usize, scene: usize, rest: usize, duration_ms: u64) -> bool {
        let rested = self.shown[asset].last_scene.is_none_or(|last| scene.abs_diff(last) > rest);
        let least_ms = (duration_ms as f64 * SLOWEST).ceil() as u64;
        let fresh = self.stretch(asset).is_none_or(|stretch| stretch.length_ms >= least_ms.max(1));
        rested && fresh && self.is_usable(asset) && !self.shown[asset].taken.contains(&(0, u64::MAX))
    }

    /// Covers a scene, beginning with `asset`. Where it ends too early another follows, as far as there is one;
    /// after that the scene is drawn.
    pub(super) fn cut(&mut self, asset: usize, need: &Need<'_>) -> Vec<Part> {
        let total_ms: u64 = need.beats_ms.iter().sum();
        let mut parts: Vec<Part> = Vec::new();
        let mut at_ms = 0;
        let mut next = Some(asset);
        while at_ms < total_ms {
            let part = match next.filter(|_| parts.len() < MAX_PARTS) {
                Some(asset) => self.part(asset, need, at_ms),
                None => Part::Card { duration_ms: total_ms - at_ms },
            };
            at_ms += part.duration_ms();
            parts.push(part);
            next = self.follower(need, &parts, total_ms - at_ms);
        }
        parts
    }

    /// The part of `asset` for a scene from `at_ms` on.
    fn part(&mut self, asset: usize, need: &Need<'_>, at_ms: u64) -> Part {
        let left_ms = need.beats_ms.iter().sum::<u64>() - at_ms;
        let shown = &mut self.shown[asset];
        shown.reserved = true;
        shown.last_scene = Some(need.scene);
        if self.assets[asset].kind == AssetKind::Still {
            return Part::Still { asset, duration_ms: left_ms };
        }
        let Some(stretch) = self.stretch(asset) else {
            return Part::Clip { asset, start_ms: 0, duration_ms: left_ms, speed: 1.0 };
        };
        let spare_ms = stretch.length_ms.saturating_sub(left_ms);
        let (start_ms, duration_ms, speed) = if stretch.length_ms >= left_ms {
            (stretch.start_ms + (spare_ms / 4).min(HEAD_MS), left_ms, 1.0)
        } else if stretch.length_ms as f64 >= left_ms as f64 * SLOWEST {
            (stretch.start_ms, left_ms, stretch.length_ms as f64 / left_ms as f64)
        } else {
            (stretch.start_ms, cut_point(need.beats_ms, at_ms, stretch.length_ms), 1.0)
        };
        let end_ms = start_ms + (duration_ms as f64 * speed).round() as u64;
        self.shown[asset].taken.push((start_ms, end_ms));
        Part::Clip { asset, start_ms, duration_ms, speed }
    }

    /// What follows when the parts so far end too early: the best match nobody was promised, else the first of the
    /// rest; once all were shown, another part of one that is long enough.
    fn follower(&self, need: &Need<'_>, parts: &[Part], left_ms: u64) -> Option<usize> {
        let best = |candidates: &mut dyn Iterator<Item = usize>| {
            let score = |asset: usize| need.scores.get(&asset).copied().unwrap_or(0.0);
            candidates.max_by(|a, b| score(*a).total_cmp(&score(*b)).then(b.cmp(a)))
        };
        let all = 0..self.assets.len();
        let unseen = best(&mut all.clone().filter(|asset| self.is_unseen(*asset)));
        let all_shown = all.clone().all(|asset| self.shown[asset].last_scene.is_some() || !self.is_usable(asset));
        if unseen.is_some() || !all_shown {
            return unseen;
        }
        let is_new = |asset: &usize| parts.iter().all(|part| part.asset() != Some(*asset));
        best(&mut all.filter(is_new).filter(|asset| self.can_return(*asset, need.scene, 1, left_ms)))
    }

    fn is_usable(&self, asset: usize) -> bool {
        let asset = &self.assets[asset];
        asset.kind == AssetKind::Still || asset.facts.is_none_or(|facts| facts.duration_ms >= MIN_PART_MS)
    }

    /// The longest stretch of a clip that was not seen; `None` when its length is not known, or it is a still.
    fn stretch(&self, asset: usize) -> Option<Stretch> {
        let facts = self.assets[asset].facts.filter(|_| self.assets[asset].kind == AssetKind::Clip)?;
        let mut taken = self.shown[asset].taken.clone();
        taken.push((facts.duration_ms, u64::MAX));
        taken.sort_unstable();
        let mut best = Stretch { start_ms: 0, length_ms: 0 };
        let mut from = 0;
        for (start, end) in taken {
            let length_ms = start.saturating_sub(from);
            if length_ms > best.length_ms {
                best = Stretch { start_ms: from, length_ms };
            }
            from = from.max(end);
        }
        Some(best)
    }
}

/// How long a clip of `length_ms` is shown from `at_ms` of a scene on, when it cannot cover the rest: to the last end
/// of a sentence it reaches, else to its own end, but so that neither part becomes a flash.
fn cut_point(beats_ms: &[u64], at_ms: u64, length_ms: u64) -> u64 {
    let left_ms = beats_ms.iter().sum::<u64>() - at_ms;
    let ends = beats_ms.iter().scan(0, |end, beat| {
        *end += beat;
        Some(*end)
    });
    let sentence = ends
        .filter_map(|end| end.checked_sub(at_ms))
        .filter(|end| *end <= length_ms && *end >= MIN_PART_MS && left_ms - end >= MIN_PART_MS)
        .max();
    sentence.unwrap_or_else(|| length_ms.min(left_ms.saturating_sub(MIN_PART_MS).max(MIN_PART_MS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_falls_between_sentences() {
        assert_eq!(cut_point(&[2000, 3000, 4000], 0, 6000), 5000);
        assert_eq!(cut_point(&[2000, 3000, 4000], 5000, 3000), 2800);
    }

    #[test]
    fn neither_part_becomes_a_flash() {
        assert_eq!(cut_point(&[4000], 0, 3500), 2800);
        assert_eq!(cut_point(&[500, 8000], 0, 3000), 3000);
    }
}
