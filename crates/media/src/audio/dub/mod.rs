//! The sound of a dub: the original, turned down where somebody speaks anew, and the new voice over it. Elsewhere it is
//! the original under one constant gain: nothing is compressed, and the limiter touches only peaks.

mod ducking;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::loudness::Meter;
use super::master::{Blocks, GainSearch, MOST_WRITES, Master};
use super::mixer::{MixReport, Watch, partial_file};
use super::resample::Stream;
use super::timeline::{Placed, Timeline};
use super::{BLOCK, MAX_SAMPLES, SAMPLE_RATE, Span, amplitude};
use crate::MediaError;
use ducking::Ducking;

/// The most that a line is raised or lowered to the loudness it should have, in dB.
const MOST_LEVELLED: f64 = 24.0;

/// Samples over which a line is faded at both ends, so that an engine's cut does not click: 2 ms.
const EDGE: u64 = 96;

/// Most of the 1 LU that the result may miss its loudness by: given up before the limiter has to work.
const YIELD: f64 = 0.7;
/// What the limiter may take beyond that, in LU, before the programme is written again with more gain.
const LIMITED: f64 = 0.2;

/// The shortest sound that has a loudness by EBU R 128: 400 ms.
const SHORTEST_MEASURED: usize = SAMPLE_RATE as usize * 2 / 5;

/// A programme of the original and a new voice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DubMixPlan {
    /// A WAV file at [`SAMPLE_RATE`]: the original, or what is left of it without the voices.
    pub background: PathBuf,
    /// Length of the result: the source's.
    pub duration_samples: u64,
    pub voice: Vec<DubClip>,
    /// Where the original voice is replaced. It is turned down there, and under every clip.
    pub replaced: Vec<Span>,
    /// Where the original voice is kept at its level, even when a clip is near.
    pub kept: Vec<Span>,
    /// How far the background is turned down, in dB: 20 for an original with its voices, 0 for one without.
    pub duck_db: f32,
    /// Of the result, in LUFS; none leaves the level as it comes.
    pub target_lufs: Option<f64>,
    /// The bound of the true peak once a lossy encoder has been at work.
    pub true_peak_dbtp: f64,
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

/// Mixes a dub into a WAV file of 48 kHz, stereo, 16 bits, as long as the plan says.
///
/// `progress` gets ever larger parts of 1. Nothing is left under `output`'s name when it fails or is cancelled. This
/// blocks: run it where blocking is allowed.
///
/// # Errors
/// [`MediaError::Invalid`] for levels out of range and for clips that reach beyond the end or of which too many sound
/// at once.
pub fn dub_mix(
    plan: &DubMixPlan,
    output: &Path,
    cancel: &CancellationToken,
    mut progress: impl FnMut(f32) + Send,
) -> Result<MixReport, MediaError> {
    plan.check()?;
    let mut watch = Watch::new(cancel, &mut progress);
    watch.stage(0.0, 0.1);
    let placed = place(plan, &mut watch)?;
    watch.stage(0.1, 0.4);
    let (unscaled, peak) = survey(&mut Programme::new(plan, &placed)?, plan.duration_samples, &mut watch)?;
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let partial = partial_file(folder)?;
    let master = Master { duration_samples: plan.duration_samples, true_peak_dbtp: plan.true_peak_dbtp };
    let (target, tolerance) = reachable(plan.target_lufs.or(unscaled), unscaled, master.ceiling_dbtp() - peak);
    let mut search = GainSearch::new(target, unscaled);
    let (mut from, mut share) = (0.5, 0.25);
    loop {
        watch.stage(from, share);
        let mut programme = Programme::new(plan, &placed)?;
        let (integrated, true_peak) = master.write(&mut programme, search.gain_db, partial.path(), &mut watch)?;
        if plan.target_lufs.is_some() && search.writes + 1 < MOST_WRITES && search.misses(integrated, tolerance) {
            from += share;
            share /= 2.0;
            continue;
        }
        partial.persist(output).map_err(|error| MediaError::io(output, error.error))?;
        watch.finish();
        return Ok(MixReport {
            integrated_lufs: integrated,
            true_peak_dbtp: true_peak,
            gain_db: search.gain_db,
            duration_samples: plan.duration_samples,
        });
    }
}

/// The loudness to aim for, and by how much the result may miss it. `free_db` is how far the programme can be raised
/// before the limiter has to work; the target gives way to it a little.
fn reachable(target: Option<f64>, unscaled: Option<f64>, free_db: f64) -> (f64, f64) {
    let (Some(target), Some(unscaled)) = (target, unscaled) else {
        return (0.0, f64::INFINITY);
    };
    let given_up = (target - unscaled - free_db).clamp(0.0, YIELD);
    (target - given_up, YIELD - given_up + LIMITED)
}

/// Loudness and true peak of the programme as it is.
fn survey(programme: &mut dyn Blocks, duration: u64, watch: &mut Watch<'_>) -> Result<(Option<f64>, f64), MediaError> {
    let mut meter = Meter::full(2, SAMPLE_RATE)?;
    let mut block = vec![[0.0_f32; 2]; BLOCK];
    let mut done = 0;
    loop {
        watch.step(done, duration)?;
        let count = programme.next_block(&mut block)?;
        if count == 0 {
            return Ok((meter.integrated()?, meter.true_peak()?));
        }
        meter.add(block[..count].as_flattened())?;
        done += count as u64;
    }
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
fn place(plan: &DubMixPlan, watch: &mut Watch<'_>) -> Result<Vec<Placed>, MediaError> {
    let count = plan.voice.len() as u64;
    (0..)
        .zip(&plan.voice)
        .map(|(index, clip)| {
            watch.step(index, count)?;
            let length = Stream::<1>::open(&clip.path)?.left();
            if clip.start_sample.saturating_add(length) > plan.duration_samples {
                return Err(MediaError::Invalid(format!(
                    "speech `{}` reaches beyond the end of a sound of {} samples; fit it to its slot",
                    clip.path.display(),
                    plan.duration_samples
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

/// The sum of background and voice.
#[derive(Debug)]
struct Programme {
    background: Stream<2>,
    voice: Timeline<1>,
    ducking: Ducking,
    duck_db: f32,
    scratch: Vec<[f32; 1]>,
    position: u64,
    duration: u64,
}

impl Programme {
    fn new(plan: &DubMixPlan, placed: &[Placed]) -> Result<Self, MediaError> {
        let under_clips =
            placed.iter().map(|clip| Span { start_sample: clip.start, end_sample: clip.start + clip.length });
        let down = plan.replaced.iter().copied().chain(under_clips).collect();
        Ok(Self {
            background: Stream::open(&plan.background)?,
            voice: Timeline::new(placed.to_vec()),
            ducking: Ducking::new(down, plan.kept.clone()),
            duck_db: plan.duck_db,
            scratch: vec![[0.0]; BLOCK],
            position: 0,
            duration: plan.duration_samples,
        })
    }
}

impl Blocks for Programme {
    fn next_block(&mut self, out: &mut [[f32; 2]]) -> Result<usize, MediaError> {
        let count = (self.duration - self.position).min(BLOCK as u64) as usize;
        let out = &mut out[..count];
        let read = self.background.read(out)?;
        out[read..].fill([0.0; 2]);
        if self.duck_db > 0.0 {
            self.ducking.curve(self.position).apply(self.duck_db, 0, out);
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
    fn check(&self) -> Result<(), MediaError> {
        let refuse = |what: String| Err(MediaError::Invalid(what));
        if self.duration_samples == 0 || self.duration_samples > MAX_SAMPLES {
            let hours = MAX_SAMPLES / 3600 / u64::from(SAMPLE_RATE);
            let samples = self.duration_samples;
            return refuse(format!(
                "a sound of {samples} samples cannot be mixed; make it 1 to {MAX_SAMPLES} ({hours} hours)"
            ));
        }
        let levels = [
            ("duck_db", f64::from(self.duck_db), 0.0..=60.0),
            ("target_lufs", self.target_lufs.unwrap_or(-23.0), -70.0..=-5.0),
            ("true_peak_dbtp", self.true_peak_dbtp, -20.0..=0.0),
        ];
        let clips = self.voice.iter().flat_map(|clip| {
            let wanted = clip.loudness_lufs.unwrap_or(-23.0);
            [
                ("gain_db of a line", f64::from(clip.gain_db), -60.0..=24.0),
                ("loudness_lufs of a line", wanted, -70.0..=0.0),
            ]
        });
        for (name, value, range) in levels.into_iter().chain(clips) {
            if !range.contains(&value) {
                return refuse(format!("{name} is {value}; choose {} to {}", range.start(), range.end()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_gives_way_before_the_limiter_has_to_work() {
        assert_eq!(reachable(Some(-16.0), Some(-20.0), 10.0), (-16.0, YIELD + LIMITED));
        let (target, tolerance) = reachable(Some(-16.0), Some(-20.0), 3.8);
        assert!((target + 16.2).abs() < 1e-9 && (tolerance - 0.7).abs() < 1e-9);
        assert_eq!(reachable(Some(-16.0), Some(-20.0), -5.0), (-16.7, LIMITED));
        assert!(reachable(Some(-16.0), None, -5.0).0.abs() < 1e-9, "silence has no loudness to reach");
    }

    #[test]
    fn levels_that_are_no_numbers_are_refused() {
        let plan = DubMixPlan {
            background: "a.wav".into(),
            duration_samples: 48_000,
            voice: Vec::new(),
            replaced: Vec::new(),
            kept: Vec::new(),
            duck_db: f32::NAN,
            target_lufs: None,
            true_peak_dbtp: -1.0,
        };
        assert!(plan.check().unwrap_err().to_string().contains("duck_db is NaN"));
        let plan = DubMixPlan { duck_db: 20.0, ..plan };
        plan.check().unwrap();
        assert!(DubMixPlan { duration_samples: 0, ..plan }.check().is_err());
    }
}
