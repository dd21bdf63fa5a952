//! The voice of a programme as one track: clips at their times, brought to one rate, cleaned and equalised.

use std::f64::consts::FRAC_1_SQRT_2;
use std::path::Path;

use super::biquad::Biquad;
use super::denoise::Denoiser;
use super::loudness::Meter;
use super::mixer::Watch;
use super::plan::{MixPlan, NoiseReduction, VoiceTone};
use super::spool::{Spool, SpoolWriter};
use super::timeline::{Placed, Timeline};
use super::wav::WavReader;
use super::{BLOCK, SAMPLE_RATE, amplitude};
use crate::MediaError;

/// Below speech: the lowest voices begin at 80 Hz.
const RUMBLE_HZ: f64 = 70.0;

/// The voice's harmonics all peak at the same instant, in synthetic speech above all. All-pass filters around its
/// formants spread them over 3 ms, which is not heard, and lowers the peaks by 2 to 4 dB at the same loudness.
const TURN_HZ: f64 = 400.0;
const TURNS: usize = 4;

/// The track and its level as it lies in the spool.
#[derive(Debug)]
pub(super) struct Voice {
    pub spool: Spool,
    /// None where no clip holds a sound.
    pub loudness: Option<f64>,
}

/// Renders the voice into a spool in `folder`; none where the plan has none.
pub(super) fn render(plan: &MixPlan, folder: &Path, watch: &mut Watch<'_>) -> Result<Option<Voice>, MediaError> {
    if plan.voice.is_empty() {
        return Ok(None);
    }
    let mut timeline = Timeline::<1>::new(place(plan)?);
    let mut chain = Chain::new(plan);
    let mut meter = Meter::loudness(1, SAMPLE_RATE)?;
    let mut spool = SpoolWriter::create(folder)?;
    let mut block = vec![[0.0_f32]; BLOCK];
    // The denoiser is late by a frame: it gets one block more than there is, and its first frame is dropped.
    let mut late = chain.delay();
    let mut left = plan.duration_samples;
    while left > 0 {
        watch.step(plan.duration_samples - left, plan.duration_samples)?;
        block.fill([0.0]);
        timeline.add(&mut block, None)?;
        chain.run(block.as_flattened_mut());
        let fresh = &block.as_flattened()[late..];
        let count = left.min(fresh.len() as u64) as usize;
        spool.write(&fresh[..count])?;
        meter.add(&fresh[..count])?;
        left -= count as u64;
        late = 0;
    }
    Ok(Some(Voice { spool: spool.finish()?, loudness: meter.integrated()? }))
}

fn place(plan: &MixPlan) -> Result<Vec<Placed>, MediaError> {
    plan.voice
        .iter()
        .map(|clip| {
            let wav = WavReader::open(&clip.path)?;
            let samples = wav.frames() * u64::from(SAMPLE_RATE) / u64::from(wav.sample_rate());
            plan.check_voice_end(clip, samples)?;
            Ok(Placed {
                path: clip.path.clone(),
                skip: 0,
                start: clip.start_sample,
                length: u64::MAX,
                gain: amplitude(f64::from(clip.gain_db)),
                edge: 0,
                duck_db: 0.0,
            })
        })
        .collect()
}

/// What the voice goes through.
#[derive(Debug)]
struct Chain {
    denoiser: Option<Denoiser>,
    filters: Vec<Biquad>,
}

impl Chain {
    fn new(plan: &MixPlan) -> Self {
        let denoiser = match plan.noise_reduction {
            NoiseReduction::Off => None,
            NoiseReduction::On => Some(Denoiser::new()),
        };
        let mut filters = vec![Biquad::high_pass(RUMBLE_HZ)];
        filters.extend(std::iter::repeat_n(Biquad::all_pass(TURN_HZ, FRAC_1_SQRT_2), TURNS));
        if plan.voice_tone == VoiceTone::Warm {
            filters.push(Biquad::low_shelf(240.0, 4.0));
            filters.push(Biquad::peak(2_600.0, 0.6, -3.5));
        }
        Self { denoiser, filters }
    }

    fn delay(&self) -> usize {
        if self.denoiser.is_some() { Denoiser::FRAME } else { 0 }
    }

    fn run(&mut self, samples: &mut [f32]) {
        if let Some(denoiser) = &mut self.denoiser {
            denoiser.run(samples);
        }
        for filter in &mut self.filters {
            filter.run(samples);
        }
    }
}
