//! When the music makes room for speech. It looks ahead, so that the bed is down when the first word sounds and does
//! not pump up in the short pauses between sentences.

use std::collections::VecDeque;

use super::{BLOCK, amplitude};

/// Samples of one step: 10 ms.
pub(super) const HOP: usize = 480;

/// Steps of a block.
const HOPS: usize = BLOCK / HOP;

/// Steps the bed takes to go down, before speech begins.
const ATTACK: usize = 30;

/// Steps it takes to come up again.
const RELEASE: usize = 90;

/// A pause of up to this many steps is none: the bed stays down.
const BRIDGE: usize = 90;

/// Blocks that must be known beyond the one that is mixed.
pub(super) const BLOCKS_AHEAD: usize = BRIDGE.div_ceil(HOPS);

/// Mean square of a step of the voice, at its reference level, that counts as speech: 20 dB below the mean.
const SPEECH_POWER: f32 = 1e-4;

/// Follows speech.
#[derive(Debug)]
pub(super) struct Ducker {
    ahead: VecDeque<bool>,
    /// Steps since speech; none before the first.
    since: Option<usize>,
    /// 0 is up, 1 is down; none before the first step.
    position: Option<f32>,
}

/// How far down the bed is at the edges of the steps of one block: 0 is up, 1 is down.
#[derive(Debug, Clone, Copy)]
pub(super) struct Curve([f32; HOPS + 1]);

impl Ducker {
    pub(super) fn new() -> Self {
        Self { ahead: VecDeque::new(), since: None, position: None }
    }

    /// Makes a block of voice known, [`BLOCKS_AHEAD`] before its curve is asked for.
    pub(super) fn push(&mut self, voice: &[f32]) {
        for hop in voice.chunks(HOP) {
            let power = hop.iter().map(|x| x * x).sum::<f32>() / hop.len() as f32;
            self.ahead.push_back(power > SPEECH_POWER);
        }
    }

    /// The curve of the next block.
    pub(super) fn next_block(&mut self) -> Curve {
        let mut curve = [0.0; HOPS + 1];
        for index in 0..HOPS {
            let down = self.should_be_down();
            let before = self.position.unwrap_or(if down { 1.0 } else { 0.0 });
            let after = if down { before + 1.0 / ATTACK as f32 } else { before - 1.0 / RELEASE as f32 };
            self.position = Some(after.clamp(0.0, 1.0));
            curve[index] = smooth(before);
            curve[index + 1] = smooth(after.clamp(0.0, 1.0));
        }
        Curve(curve)
    }

    fn should_be_down(&mut self) -> bool {
        if self.ahead.pop_front().unwrap_or(false) {
            self.since = Some(0);
            return true;
        }
        self.since = self.since.map(|since| since + 1);
        let Some(until) = self.ahead.iter().position(|&speech| speech) else {
            return false;
        };
        until < ATTACK || self.since.is_some_and(|since| since + until < BRIDGE)
    }
}

impl Curve {
    /// The curve of a block that begins at sample `start`, from how far down the bed is at a sample.
    pub(super) fn of_block(start: u64, mut down_at: impl FnMut(u64) -> f32) -> Self {
        Self(std::array::from_fn(|edge| down_at(start + (edge * HOP) as u64)))
    }

    /// Turns down samples that begin at sample `offset` of the block by at most `depth_db`.
    pub(super) fn apply<const N: usize>(&self, depth_db: f32, offset: usize, samples: &mut [[f32; N]]) {
        let gains = self.0.map(|down| amplitude(f64::from(-depth_db * down)));
        for (index, frame) in samples.iter_mut().enumerate() {
            let (hop, inside) = ((offset + index) / HOP, (offset + index) % HOP);
            let gain = gains[hop] + (gains[hop + 1] - gains[hop]) * (inside as f32 / HOP as f32);
            for sample in frame {
                *sample *= gain;
            }
        }
    }

    /// Takes `part` out of the samples of the block as far as the bed is down: all of it where that is 1.
    pub(super) fn take_out<const N: usize>(&self, part: &[[f32; N]], samples: &mut [[f32; N]]) {
        for (index, (frame, part)) in samples.iter_mut().zip(part).enumerate() {
            let (hop, inside) = (index / HOP, index % HOP);
            let down = self.0[hop] + (self.0[hop + 1] - self.0[hop]) * (inside as f32 / HOP as f32);
            for (sample, part) in frame.iter_mut().zip(part) {
                *sample -= down * part;
            }
        }
    }
}

/// Slow at both ends, so that neither is heard as an edge.
pub(super) fn smooth(position: f32) -> f32 {
    position * position * (3.0 - 2.0 * position)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The position at the start of every step for speech in the given steps.
    fn positions(hops: usize, speech: impl Fn(usize) -> bool) -> Vec<f32> {
        let mut ducker = Ducker::new();
        let block = |index: usize| -> Vec<f32> {
            (0..BLOCK).map(|n| if speech(index * HOPS + n / HOP) { 0.1 } else { 0.0 }).collect()
        };
        (0..BLOCKS_AHEAD).for_each(|index| ducker.push(&block(index)));
        let mut all = Vec::new();
        for index in 0..hops / HOPS {
            ducker.push(&block(index + BLOCKS_AHEAD));
            all.extend_from_slice(&ducker.next_block().0[..HOPS]);
        }
        all
    }

    #[test]
    fn the_bed_is_down_when_speech_begins_and_up_long_after() {
        let all = positions(1_000, |hop| (300..500).contains(&hop));
        assert!(all[..300 - ATTACK].iter().all(|&down| down < 1e-6));
        assert!(all[300..500].iter().all(|&down| down > 0.99), "{:?}", &all[295..305]);
        assert!(all[500 + RELEASE + 2..].iter().all(|&down| down < 1e-6));
    }

    #[test]
    fn short_pauses_do_not_pump() {
        let all = positions(1_000, |hop| (100..900).contains(&hop) && hop % 200 < 120);
        assert!(all[100..900].iter().all(|&down| down > 0.99));
    }

    #[test]
    fn long_pauses_let_the_bed_up() {
        let all = positions(1_000, |hop| !(300..600).contains(&hop));
        assert!(all[300 + RELEASE + 2..600 - ATTACK].iter().all(|&down| down < 1e-6));
        assert!(all[600] > 0.99);
    }

    #[test]
    fn speech_at_once_begins_with_the_bed_down() {
        assert!(positions(100, |_| true).iter().all(|&down| down > 0.999));
    }

    #[test]
    fn a_curve_takes_out_as_much_as_it_is_down() {
        let mut curve = [0.5; HOPS + 1];
        curve[HOPS / 2..].fill(1.0);
        let mut samples = vec![[1.0_f32, 0.25]; BLOCK];
        Curve(curve).take_out(&vec![[0.5, 0.25]; BLOCK], &mut samples);
        let same = |found: [f32; 2], wanted: [f32; 2]| found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(same(samples[0], [0.75, 0.125]) && same(samples[BLOCK - 1], [0.5, 0.0]), "{:?}", samples[0]);
    }

    #[test]
    fn a_curve_turns_down_by_its_depth() {
        let mut samples = vec![[1.0_f32; 2]; BLOCK];
        Curve([1.0; HOPS + 1]).apply(6.0, 0, &mut samples);
        assert!(
            samples.iter().all(|frame| (frame[0] - 0.501_187).abs() < 1e-5 && frame[0].to_bits() == frame[1].to_bits())
        );
    }
}
