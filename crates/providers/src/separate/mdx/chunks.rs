//! A stretch as chunks of the length that a model takes, and what it gave for them as a stretch: each chunk's edges, where
//! the model hears only one side, are cut off, and neighbours fade into each other.

/// Samples over which one chunk becomes the next: 0.2 s.
const FADE: usize = 8192;

/// How a stretch is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunks {
    /// Samples of a chunk.
    length: usize,
    /// Samples cut off at each edge.
    margin: usize,
    fade: usize,
}

impl Chunks {
    /// Chunks of `length` samples, of which `margin` on each side are cut off; less than half of it.
    pub(super) fn new(length: usize, margin: usize) -> Self {
        Self { length, margin, fade: FADE.min((length - 2 * margin) / 4) }
    }

    /// What is left of a chunk without its margins.
    fn useful(self) -> usize {
        self.length - 2 * self.margin
    }

    /// How many chunks a stretch of `frames` has.
    pub(super) fn count(self, frames: usize) -> usize {
        if frames == 0 {
            return 0;
        }
        let step = self.useful() - self.fade;
        1 + frames.saturating_sub(self.useful()).div_ceil(step)
    }

    /// Where the useful part of a chunk begins.
    fn start(self, index: usize) -> usize {
        index * (self.useful() - self.fade)
    }

    /// The samples of a chunk, of a stretch that lies in silence.
    pub(super) fn cut(self, stretch: &[[f32; 2]], index: usize) -> Vec<[f32; 2]> {
        let start = self.start(index);
        let at = |n: usize| n.checked_sub(self.margin).and_then(|n| stretch.get(n)).copied().unwrap_or_default();
        (start..start + self.length).map(at).collect()
    }

    /// Adds what was made of a chunk to what was made of the stretch.
    pub(super) fn add(self, made: &[[f32; 2]], index: usize, stretch: &mut [[f32; 2]]) {
        let (start, useful) = (self.start(index), self.useful());
        let is_last = index + 1 == self.count(stretch.len());
        let frames = stretch[start..].iter_mut().zip(&made[self.margin..self.margin + useful]);
        for (n, (sum, frame)) in frames.enumerate() {
            let rise = if index == 0 { 1.0 } else { (n as f32 + 0.5) / self.fade as f32 };
            let fall = if is_last { 1.0 } else { ((useful - n) as f32 - 0.5) / self.fade as f32 };
            let weight = rise.min(fall).min(1.0);
            *sum = [sum[0] + weight * frame[0], sum[1] + weight * frame[1]];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_every_sample_once() {
        let chunks = Chunks::new(1_000, 100);
        for frames in [0, 1, 799, 800, 801, 1_400, 1_401, 12_345] {
            let sound: Vec<[f32; 2]> = (0..frames).map(|n| [n as f32, -1.0]).collect();
            let mut whole = vec![[0.0; 2]; frames];
            for index in 0..chunks.count(frames) {
                let cut = chunks.cut(&sound, index);
                assert_eq!(cut.len(), 1_000);
                chunks.add(&cut, index, &mut whole);
            }
            for (wanted, found) in sound.iter().zip(&whole) {
                assert!((wanted[0] - found[0]).abs() <= wanted[0] * 1e-5 && (found[1] + 1.0).abs() < 1e-5, "{frames}");
            }
        }
    }

    #[test]
    fn what_a_model_gives_at_the_edges_is_not_used() {
        let chunks = Chunks::new(1_000, 100);
        let mut whole = vec![[0.0; 2]; 2_000];
        for index in 0..chunks.count(whole.len()) {
            let mut made = vec![[1.0; 2]; 1_000];
            made[..100].fill([1e6; 2]);
            made[900..].fill([1e6; 2]);
            chunks.add(&made, index, &mut whole);
        }
        assert!(whole.as_flattened().iter().all(|sample| (sample - 1.0).abs() < 1e-5));
    }
}
