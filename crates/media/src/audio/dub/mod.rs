//! The sound of a dub: the original, turned down where somebody speaks anew, and the new voice over it. Elsewhere it is
//! the original under one constant gain: nothing is compressed, and the limiter touches only peaks.
//!
//! It is made in parts ([`Part`]), each from what is heard in it alone, so that a line that is edited costs its part.

mod ducking;
mod gain;
mod part;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::loudness::{LevelMeter, Levels, Meter};
use super::master::{self, Blocks, Master, Passage};
use super::mixer::{Watch, partial_file};
use super::resample::Stream;
use super::timeline::{Placed, Timeline};
use super::{BLOCK, MAX_SAMPLES, SAMPLE_RATE, Span, amplitude};
use crate::MediaError;
use ducking::Ducking;

pub use gain::DubGain;
pub use part::Part;

/// The most that a line is raised or lowered to the loudness it should have, in dB.
const MOST_LEVELLED: f64 = 24.0;

/// Samples over which a line is faded at both ends, so that an engine's cut does not click: 2 ms.
const EDGE: u64 = 96;

/// The shortest sound that has a loudness by EBU R 128: 400 ms.
const SHORTEST_MEASURED: usize = SAMPLE_RATE as usize * 2 / 5;

/// A programme of the original and a new voice, or as much of it as is heard in a part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DubMixPlan {
    /// A WAV file at [`SAMPLE_RATE`]: the original.
    pub background: PathBuf,
    /// Its voices, as long and at the same rate, where they are known apart from it. They are taken out of it where it
    /// would be turned down; what lies behind them stays at its level.
    #[serde(default)]
    pub voices: Option<PathBuf>,
    pub voice: Vec<DubClip>,
    /// Where the original voice is replaced. It is turned down there, and under every clip.
    pub replaced: Vec<Span>,
    /// Where the original voice is kept at its level, even when a clip is near.
    pub kept: Vec<Span>,
    /// How far the background is turned down, in dB, where its voices are not known.
    pub duck_db: f32,
}

/// A line of the new voice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DubClip {
    /// A WAV file of any usual rate; stereo is mixed to mono.
    pub path: PathBuf,
    /// Where its first sample lies, at [`SAMPLE_RATE`].
    pub start_sample: u64,
    /// What it is brought to, in LUFS: the loudness of the speech that it replaces. None leaves it.
    pub loudness_lufs: Option<f64>,
    /// Added to that.
    #[serde(default)]
    pub gain_db: f32,
}

/// Measures a part of a dub as it is before its gain. This blocks: run it where blocking is allowed.
///
/// # Errors
/// [`MediaError::Invalid`] for levels out of range and for clips that reach beyond the end or of which too many sound
/// at once.
pub fn survey_dub_part(plan: &DubMixPlan, part: Part, cancel: &CancellationToken) -> Result<Levels, MediaError> {
    let mut silent = |_| ();
    let mut watch = Watch::new(cancel, &mut silent);
    plan.check(part)?;
    let lead = part.span.start_sample.min(BLOCK as u64);
    let heard = Span { start_sample: part.span.start_sample - lead, end_sample: part.span.end_sample };
    let mut programme = Programme::new(plan, &place(plan, part, &watch)?, heard)?;
    let mut meter = LevelMeter::new()?;
    master::play(&mut programme, heard.end_sample - heard.start_sample, &mut watch, |block| meter.add(block))?;
    meter.finish(lead as usize / BLOCK)
}

/// Mixes what [`Part::written`] says of a part into a WAV file of 48 kHz, stereo, 16 bits, with a gain in dB and a bound of
/// the true peak once a lossy encoder has been at work. Gives the levels of the part itself.
///
/// Nothing is left under `output`'s name when it fails or is cancelled. This blocks: run it where blocking is allowed.
///
/// # Errors
/// As [`survey_dub_part`].
pub fn mix_dub_part(
    plan: &DubMixPlan,
    part: Part,
    (gain_db, true_peak_dbtp): (f64, f64),
    output: &Path,
    cancel: &CancellationToken,
) -> Result<Levels, MediaError> {
    let mut silent = |_| ();
    let mut watch = Watch::new(cancel, &mut silent);
    plan.check(part)?;
    let (heard, written) = (part.heard(), part.written());
    let from_heard = |span: Span| span.start_sample - heard.start_sample..span.end_sample - heard.start_sample;
    let passage =
        Passage { written: from_heard(written), measured: from_heard(part.span), number: part.span.start_sample };
    let mut programme = Programme::new(plan, &place(plan, part, &watch)?, heard)?;
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let partial = partial_file(folder)?;
    let levels = Master { true_peak_dbtp }.write(&mut programme, (gain_db, &passage), partial.path(), &mut watch)?;
    partial.persist(output).map_err(|error| MediaError::io(output, error.error))?;
    Ok(levels)
}

/// The loudness of a line of speech in a WAV file, in LUFS; none for silence. Lines below 400 ms, too short for EBU
/// R 128, are measured with silence after them, which is then reckoned out.
pub fn clip_loudness(path: &Path) -> Result<Option<f64>, MediaError> {
    let mut stream = Stream::<1>::open(path)?;
    let mut meter = Meter::loudness(1, SAMPLE_RATE)?;
    let mut block = vec![[0.0_f32]; BLOCK];
    let mut samples = 0;
    loop {
        let count = stream.read(&mut block)?;
        meter.add(block[..count].as_flattened())?;
        samples += count;
        if count < block.len() {
            break;
        }
    }
    if samples == 0 || samples >= SHORTEST_MEASURED {
        return meter.integrated();
    }
    meter.add(&vec![0.0; SHORTEST_MEASURED - samples])?;
    let diluted_db = 10.0 * (SHORTEST_MEASURED as f64 / samples as f64).log10();
    Ok(meter.integrated()?.map(|loudness| loudness + diluted_db))
}

/// The clips with their levels.
fn place(plan: &DubMixPlan, part: Part, watch: &Watch<'_>) -> Result<Vec<Placed>, MediaError> {
    let clips = plan.voice.iter();
    clips
        .map(|clip| {
            watch.check()?;
            let length = Stream::<1>::open(&clip.path)?.left();
            if clip.start_sample.saturating_add(length) > part.duration_samples {
                return Err(MediaError::Invalid(format!(
                    "speech `{}` reaches beyond the end of a sound of {} samples; fit it to its slot",
                    clip.path.display(),
                    part.duration_samples
                )));
            }
            let level_db = match clip.loudness_lufs {
                Some(wanted) => clip_loudness(&clip.path)?.map_or(0.0, |has| wanted - has),
                None => 0.0,
            };
            Ok(Placed {
                path: clip.path.clone(),
                skip: 0,
                start: clip.start_sample,
                length,
                gain: amplitude(level_db.clamp(-MOST_LEVELLED, MOST_LEVELLED) + f64::from(clip.gain_db)),
                edge: EDGE,
                duck_db: 0.0,
            })
        })
        .collect()
}

/// A stretch of the sum of background and voice.
#[derive(Debug)]
struct Programme {
    background: Stream<2>,
    voices: Option<Stream<2>>,
    voice: Timeline<1>,
    ducking: Ducking,
    duck_db: f32,
    scratch: Vec<[f32; 1]>,
    position: u64,
    end: u64,
}

impl Programme {
    /// The stretch begins at a whole block of the programme, from which levels move at the same samples in every stretch.
    fn new(plan: &DubMixPlan, placed: &[Placed], heard: Span) -> Result<Self, MediaError> {
        let under_clips =
            placed.iter().map(|clip| Span { start_sample: clip.start, end_sample: clip.start + clip.length });
        let down = plan.replaced.iter().copied().chain(under_clips).collect();
        let open = |path: &Path| {
            let mut stream = Stream::open(path)?;
            stream.skip(heard.start_sample)?;
            Ok::<_, MediaError>(stream)
        };
        let background = open(&plan.background)?;
        Ok(Self {
            background,
            voices: plan.voices.as_deref().map(open).transpose()?,
            voice: Timeline::from_sample(placed.to_vec(), heard.start_sample),
            ducking: Ducking::new(down, plan.kept.clone()),
            duck_db: plan.duck_db,
            scratch: vec![[0.0]; BLOCK],
            position: heard.start_sample,
            end: heard.end_sample,
        })
    }
}

impl Blocks for Programme {
    fn next_block(&mut self, out: &mut [[f32; 2]]) -> Result<usize, MediaError> {
        let count = (self.end - self.position).min(BLOCK as u64) as usize;
        let out = &mut out[..count];
        let read = self.background.read(out)?;
        out[read..].fill([0.0; 2]);
        let curve = self.ducking.curve(self.position);
        if let Some(voices) = &mut self.voices {
            let mut original = vec![[0.0; 2]; count];
            voices.read(&mut original)?;
            curve.take_out(&original, out);
        } else if self.duck_db > 0.0 {
            curve.apply(self.duck_db, 0, out);
        }
        let voice = &mut self.scratch[..count];
        voice.fill([0.0]);
        self.voice.add(voice, None)?;
        for (sum, &[sample]) in out.iter_mut().zip(voice.iter()) {
            *sum = [sum[0] + sample, sum[1] + sample];
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl DubMixPlan {
    /// Refuses what no mix could do, before any file is opened.
    fn check(&self, part: Part) -> Result<(), MediaError> {
        let samples = part.duration_samples;
        if part.span.start_sample >= part.span.end_sample || part.span.end_sample > samples || samples > MAX_SAMPLES {
            let hours = MAX_SAMPLES / 3600 / u64::from(SAMPLE_RATE);
            return Err(MediaError::Invalid(format!(
                "a sound of {samples} samples cannot be mixed; make it 1 to {MAX_SAMPLES} ({hours} hours)"
            )));
        }
        check_within("duck_db", f64::from(self.duck_db), &(0.0..=60.0))?;
        for clip in &self.voice {
            check_within("gain_db of a line", f64::from(clip.gain_db), &(-60.0..=24.0))?;
            check_within("loudness_lufs of a line", clip.loudness_lufs.unwrap_or(-23.0), &(-70.0..=0.0))?;
        }
        Ok(())
    }
}

fn check_within(name: &str, value: f64, range: &RangeInclusive<f64>) -> Result<(), MediaError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(MediaError::Invalid(format!("{name} is {value}; choose {} to {}", range.start(), range.end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_that_are_no_numbers_are_refused() {
        let plan = DubMixPlan {
            background: "a.wav".into(),
            voices: None,
            voice: Vec::new(),
            replaced: Vec::new(),
            kept: Vec::new(),
            duck_db: f32::NAN,
        };
        let part = Part::all(48_000)[0];
        assert!(plan.check(part).unwrap_err().to_string().contains("duck_db is NaN"));
        let plan = DubMixPlan { duck_db: 20.0, ..plan };
        plan.check(part).unwrap();
        assert!(plan.check(Part::all(MAX_SAMPLES + 1)[0]).is_err());
    }
}
