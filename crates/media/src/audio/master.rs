//! The last step of every mix: the final gain, the limiter and 16 bits, measured as it is written.

use std::ops::Range;
use std::path::Path;

use super::limiter::{LATENCY, Limiter};
use super::loudness::{LevelMeter, Levels};
use super::mixer::Watch;
use super::wav::WavWriter;
use super::{BLOCK, SAMPLE_RATE, amplitude};
use crate::MediaError;

/// How far below the wanted true peak the limiter works, in dB: what AAC at 192 kbit/s adds to peaks, and the
/// differences between meters. Measured on speech, music and noise through FFmpeg's encoder.
pub(super) const ENCODER_HEADROOM: f64 = 1.3;

/// The most times a programme is written to come closer to the wanted loudness.
const MOST_WRITES: u32 = 6;

/// The most that the programme is raised, in dB. It is near its reference level, unless it is nearly silent.
const MOST_GAIN: f64 = 40.0;

/// A programme, or a passage of one, that is read from its beginning to its end.
pub(super) trait Blocks {
    /// Fills `out` with the next frames, [`BLOCK`] or what is left, and says how many; 0 at the end.
    fn next_block(&mut self, out: &mut [[f32; 2]]) -> Result<usize, MediaError>;
}

/// Plays a programme of `total` samples to its end, to be measured as it is.
pub(super) fn play(
    programme: &mut dyn Blocks,
    total: u64,
    watch: &mut Watch<'_>,
    mut hear: impl FnMut(&[[f32; 2]]) -> Result<(), MediaError>,
) -> Result<(), MediaError> {
    let mut block = vec![[0.0_f32; 2]; BLOCK];
    let mut done = 0;
    loop {
        watch.step(done, total)?;
        let count = programme.next_block(&mut block)?;
        if count == 0 {
            return Ok(());
        }
        hear(&block[..count])?;
        done += count as u64;
    }
}

/// What becomes of a passage of a programme. Samples count from the first that the programme gives.
#[derive(Debug, Clone)]
pub(super) struct Passage {
    /// Those that are written. What comes before brings the limiter into its state.
    pub(super) written: Range<u64>,
    /// Those that are measured.
    pub(super) measured: Range<u64>,
    /// The number of its dither: passages of one programme have different ones.
    pub(super) number: u64,
}

impl Passage {
    /// All of a programme.
    pub(super) fn whole(duration_samples: u64) -> Self {
        Self { written: 0..duration_samples, measured: 0..duration_samples, number: 0 }
    }
}

/// How the result is finished.
#[derive(Debug, Clone, Copy)]
pub(super) struct Master {
    /// The bound once a lossy encoder has been at work.
    pub(super) true_peak_dbtp: f64,
}

impl Master {
    /// The level in dB over full scale that no peak passes.
    pub(super) fn ceiling_dbtp(self) -> f64 {
        self.true_peak_dbtp - ENCODER_HEADROOM
    }

    /// Writes a passage with a gain, limited, and says how loud it became.
    pub(super) fn write(
        self,
        programme: &mut dyn Blocks,
        (gain_db, passage): (f64, &Passage),
        path: &Path,
        watch: &mut Watch<'_>,
    ) -> Result<Levels, MediaError> {
        let gain = amplitude(gain_db);
        let mut limiter = Limiter::new(self.ceiling_dbtp());
        // The 100 ms before what is measured bring the meter's filters into their state.
        let lead = passage.measured.start.min(BLOCK as u64);
        let metered = passage.measured.start - lead..passage.measured.end;
        let mut meter = LevelMeter::new()?;
        let mut writer = WavWriter::create(path, SAMPLE_RATE, 2)?;
        let mut dither = Dither::new(passage.number);
        let mut block = vec![[0.0_f32; 2]; BLOCK];
        let mut samples = Vec::with_capacity(BLOCK * 2);
        let mut late = LATENCY;
        let end = passage.written.end.max(passage.measured.end);
        let mut at = 0;
        while at < end {
            watch.step(at, end)?;
            let count = programme.next_block(&mut block)?;
            block[count..].fill([0.0; 2]);
            for sample in block[..count].as_flattened_mut() {
                *sample *= gain;
            }
            limiter.run(&mut block);
            let dropped = late.min(block.len());
            late -= dropped;
            let fresh = &mut block[dropped..];
            samples.clear();
            for sample in within(fresh, at, &passage.written).as_flattened_mut() {
                let whole = dither.quantise(*sample);
                *sample = f32::from(whole) / FULL_SCALE;
                samples.push(whole);
            }
            writer.write(&samples)?;
            meter.add(within(fresh, at, &metered))?;
            at += fresh.len() as u64;
        }
        writer.finish()?;
        meter.finish(lead as usize / BLOCK)
    }
}

/// What of frames that begin at sample `at` lies within a range.
fn within<'a>(frames: &'a mut [[f32; 2]], at: u64, range: &Range<u64>) -> &'a mut [[f32; 2]] {
    let place = |sample: u64| sample.saturating_sub(at).min(frames.len() as u64) as usize;
    let (from, to) = (place(range.start), place(range.end));
    &mut frames[from..to.max(from)]
}

/// What is asked of the loudness of a programme, in LUFS and LU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Aim {
    pub(super) target: f64,
    pub(super) tolerance: f64,
    /// Gains are whole multiples of this many dB, so that what changes the loudness by a hair changes no gain.
    pub(super) step_db: f64,
}

/// Finds the gain with which the limited programme has the wanted loudness.
#[derive(Debug)]
pub(super) struct GainSearch {
    aim: Aim,
    gain_db: f64,
    writes: u32,
    /// The gain before, and the loudness that came of it.
    before: (f64, f64),
}

impl GainSearch {
    pub(super) fn new(aim: Aim, unscaled: Option<f64>) -> Self {
        let gain_db = unscaled.map_or(0.0, |unscaled| aim.stepped(aim.target - unscaled));
        // Far below any limiting the loudness follows the gain exactly.
        let before = (gain_db - 20.0, aim.target - 20.0);
        Self { aim, gain_db, writes: 0, before }
    }

    pub(super) fn gain_db(&self) -> f64 {
        self.gain_db
    }

    /// Whether the loudness that came of the gain is off by more than it may and another gain is worth a try; if so,
    /// chooses that along the line through the last two results.
    pub(super) fn misses(&mut self, integrated: Option<f64>) -> bool {
        self.writes += 1;
        let Some(integrated) = integrated else {
            return false;
        };
        let off = self.aim.target - integrated;
        if off.abs() <= self.aim.tolerance || self.writes >= MOST_WRITES {
            return false;
        }
        let (gain, loudness) = self.before;
        let slope = if self.writes == 1 {
            // Where the limiter took something of the first gain, it leaves about this much of what is added.
            0.5
        } else {
            ((integrated - loudness) / (self.gain_db - gain)).clamp(0.1, 1.0)
        };
        let next = self.aim.stepped(self.gain_db + off / slope);
        self.before = (self.gain_db, integrated);
        // At the end of its range the gain does what it can.
        let moves = (next - self.gain_db).abs() > 1e-3;
        self.gain_db = next;
        moves
    }
}

impl Aim {
    fn stepped(&self, gain_db: f64) -> f64 {
        let stepped = (gain_db / self.step_db).round() * self.step_db;
        stepped.clamp(-60.0, MOST_GAIN)
    }
}

/// What a sample of 16 bits counts from.
const FULL_SCALE: f32 = 32_768.0;

/// Rounds to 16 bits with triangular noise of one step, always the same, so that soft endings do not distort.
#[derive(Debug)]
struct Dither {
    state: u64,
}

impl Dither {
    fn new(number: u64) -> Self {
        let seed = 0x9E37_79B9_7F4A_7C15_u64;
        // Weyl's sequence: only one number in 2^64 makes the state 0, which would stay 0.
        Self { state: seed.wrapping_mul(number.wrapping_add(1)).max(1) }
    }

    fn quantise(&mut self, sample: f32) -> i16 {
        if sample == 0.0 {
            // Digital silence stays silent.
            return 0;
        }
        // xorshift64 (Marsaglia 2003); two halves of one number are two dice.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let dice = |bits: u64| (bits & 0xFFFF) as f32 / 65_536.0;
        let noise = dice(self.state >> 16) - dice(self.state >> 40);
        (sample * FULL_SCALE + noise).round().clamp(-FULL_SCALE, FULL_SCALE - 1.0) as i16
    }
}
