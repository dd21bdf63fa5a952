//! The programme before its final level: voice, clips' sound and ducked music, summed block after block. It can be
//! played as often as the passes of the mix need it.

use std::collections::VecDeque;
use std::path::Path;

use super::compressor::Compressor;
use super::duck::{BLOCKS_AHEAD, Curve, Ducker};
use super::loudness::Meter;
use super::master::Blocks;
use super::mixer::Watch;
use super::music::{self, Bed, Survey};
use super::plan::{ClipSound, MixPlan, Music};
use super::resample::Stream;
use super::spool::SpoolReader;
use super::timeline::{Placed, Timeline};
use super::voice::{self, Voice};
use super::{BLOCK, REFERENCE_LUFS, SAMPLE_RATE, amplitude};
use crate::MediaError;

/// The most that a soft sound is raised, in dB: more would only bring up its noise.
const MOST_RAISED: f64 = 40.0;

/// What a compressor takes is given back up to this.
const MOST_RAISED_SPEECH: f64 = 12.0;

/// The same for the clips' own sound, which is often nothing but a room.
const MOST_RAISED_SCENE: f64 = 12.0;

/// Samples over which a clip's sound is faded at its ends: 20 ms.
const EDGE: u64 = 960;

/// Samples over which the end of everything is faded, so that it does not click: 10 ms.
const LAST_FADE: u64 = 480;

/// Everything that is known before the programme sounds.
#[derive(Debug)]
pub(super) struct Prepared<'a> {
    plan: &'a MixPlan,
    voice: Option<Levelled>,
    scene: Vec<Placed>,
    music: Option<(&'a Music, Survey)>,
}

/// The voice and the factors that bring it to the reference level: before the compressor, whose threshold is relative
/// to that level, and after it for what it took.
#[derive(Debug)]
struct Levelled {
    voice: Voice,
    before: f32,
    after: f32,
}

impl Levelled {
    fn new(voice: Voice, duration: u64, watch: &Watch<'_>) -> Result<Self, MediaError> {
        let before = level(voice.loudness, 0.0, MOST_RAISED);
        let mut levelled = Self { voice, before, after: 1.0 };
        let mut speech = levelled.speech()?;
        let mut meter = Meter::loudness(1, SAMPLE_RATE)?;
        let mut block = vec![0.0; BLOCK];
        let mut left = duration;
        while left > 0 {
            watch.check()?;
            let part = &mut block[..left.min(BLOCK as u64) as usize];
            speech.read(part)?;
            speech.finish(part);
            meter.add(part)?;
            left -= part.len() as u64;
        }
        levelled.after = level(meter.integrated()?, 0.0, MOST_RAISED_SPEECH);
        Ok(levelled)
    }

    fn speech(&mut self) -> Result<Speech<'_>, MediaError> {
        let (before, after) = (self.before, self.after);
        Ok(Speech { spool: self.voice.spool.reader()?, compressor: Compressor::new(), before, after })
    }
}

impl<'a> Prepared<'a> {
    /// Measures every part, and renders the voice into a spool in `folder`.
    pub(super) fn new(plan: &'a MixPlan, folder: &Path, watch: &mut Watch<'_>) -> Result<Self, MediaError> {
        let music = match &plan.music {
            Some(music) => Some((music, music::survey(music, plan.duration_samples, watch)?)),
            None => None,
        };
        let scene = plan.scene_sound.iter().map(|clip| place(clip, watch)).collect::<Result<_, _>>()?;
        let voice = match voice::render(plan, folder, watch)? {
            Some(voice) => Some(Levelled::new(voice, plan.duration_samples, watch)?),
            None => None,
        };
        Ok(Self { plan, voice, scene, music })
    }

    /// The programme from its beginning.
    pub(super) fn programme(&mut self) -> Result<Programme<'_>, MediaError> {
        let duration = self.plan.duration_samples;
        let bed = match &self.music {
            Some((music, survey)) => Some(Part::new(music, survey, duration)?),
            None => None,
        };
        let voice = match &mut self.voice {
            Some(voice) => Some(voice.speech()?),
            None => None,
        };
        let mut programme = Programme {
            voice,
            scene: Timeline::new(self.scene.clone()),
            bed,
            ducker: Ducker::new(),
            ahead: VecDeque::new(),
            scratch: vec![[0.0; 2]; BLOCK],
            position: 0,
            duration,
        };
        for _ in 0..BLOCKS_AHEAD {
            programme.look_ahead()?;
        }
        Ok(programme)
    }
}

/// The factor that brings a sound of a loudness to a level relative to the voice.
fn level(loudness: Option<f64>, relative_db: f64, most_raised: f64) -> f32 {
    let to_reference = loudness.map_or(0.0, |loudness| (REFERENCE_LUFS - loudness).clamp(-60.0, most_raised));
    amplitude(to_reference + relative_db)
}

/// Measures the part of a clip that will be heard.
fn place(clip: &ClipSound, watch: &Watch<'_>) -> Result<Placed, MediaError> {
    let mut stream = Stream::<2>::open(&clip.path)?;
    stream.skip(clip.skip_samples)?;
    let mut meter = Meter::loudness(2, SAMPLE_RATE)?;
    let mut block = vec![[0.0_f32; 2]; BLOCK];
    let mut left = clip.duration_samples;
    while left > 0 {
        watch.check()?;
        let part = &mut block[..left.min(BLOCK as u64) as usize];
        let count = stream.read(part)?;
        meter.add(part[..count].as_flattened())?;
        left = if count == part.len() { left - count as u64 } else { 0 };
    }
    Ok(Placed {
        path: clip.path.clone(),
        skip: clip.skip_samples,
        start: clip.start_sample,
        length: clip.duration_samples,
        gain: level(meter.integrated()?, f64::from(clip.gain_db), MOST_RAISED_SCENE),
        edge: EDGE,
        duck_db: clip.duck_db,
    })
}

/// The sum of all parts.
#[derive(Debug)]
pub(super) struct Programme<'a> {
    voice: Option<Speech<'a>>,
    scene: Timeline<2>,
    bed: Option<Part>,
    ducker: Ducker,
    /// Blocks of voice that the ducker already knows.
    ahead: VecDeque<Vec<f32>>,
    scratch: Vec<[f32; 2]>,
    position: u64,
    duration: u64,
}

#[derive(Debug)]
struct Speech<'a> {
    spool: SpoolReader<'a>,
    compressor: Compressor,
    before: f32,
    after: f32,
}

impl Speech<'_> {
    /// The next samples at the reference level.
    fn read(&mut self, out: &mut [f32]) -> Result<(), MediaError> {
        self.spool.read(out)?;
        for sample in out {
            *sample *= self.before;
        }
        Ok(())
    }

    /// Compresses what was read.
    fn finish(&mut self, samples: &mut [f32]) {
        self.compressor.run(samples);
        for sample in samples {
            *sample *= self.after;
        }
    }
}

impl Blocks for Programme<'_> {
    fn next_block(&mut self, out: &mut [[f32; 2]]) -> Result<usize, MediaError> {
        self.look_ahead()?;
        let voice = self.ahead.pop_front();
        let curve = self.ducker.next_block();
        let count = (self.duration - self.position).min(BLOCK as u64) as usize;
        let out = &mut out[..count];
        match &voice {
            Some(voice) => out.iter_mut().zip(voice).for_each(|(frame, &sample)| *frame = [sample; 2]),
            None => out.fill([0.0; 2]),
        }
        self.scene.add(out, Some(&curve))?;
        if let Some(bed) = &mut self.bed {
            let part = &mut self.scratch[..count];
            bed.read(part, self.position, &curve)?;
            for (sum, frame) in out.iter_mut().zip(part.iter()) {
                *sum = [sum[0] + frame[0], sum[1] + frame[1]];
            }
        }
        let end_fade = Fade { samples: LAST_FADE.min(self.duration / 4) };
        for (index, frame) in out.iter_mut().enumerate() {
            let factor = end_fade.factor(self.duration - 1 - self.position - index as u64);
            *frame = frame.map(|sample| sample * factor);
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl Programme<'_> {
    /// Reads one more block of voice and lets the ducker know it.
    fn look_ahead(&mut self) -> Result<(), MediaError> {
        let Some(voice) = &mut self.voice else {
            return Ok(());
        };
        let mut block = vec![0.0; BLOCK];
        voice.read(&mut block)?;
        self.ducker.push(&block);
        voice.finish(&mut block);
        self.ahead.push_back(block);
        Ok(())
    }
}

/// The bed at its level, with its fades.
#[derive(Debug)]
struct Part {
    bed: Bed,
    gain: f32,
    duck_db: f32,
    fade_in: Fade,
    fade_out: Fade,
    duration: u64,
}

impl Part {
    fn new(music: &Music, survey: &Survey, duration: u64) -> Result<Self, MediaError> {
        let samples = |ms: u32| u64::from(ms) * u64::from(SAMPLE_RATE) / 1000;
        // A programme too short for both fades gets them in proportion.
        let both = (samples(music.fade_in_ms) + samples(music.fade_out_ms)).max(1);
        let fitting = |wanted: u64| Fade { samples: wanted.min(wanted * duration / both) };
        Ok(Self {
            bed: Bed::open(music, survey)?,
            gain: level(survey.loudness, f64::from(music.gain_db), MOST_RAISED),
            duck_db: music.duck_db,
            fade_in: fitting(samples(music.fade_in_ms)),
            fade_out: fitting(samples(music.fade_out_ms)),
            duration,
        })
    }

    fn read(&mut self, out: &mut [[f32; 2]], position: u64, curve: &Curve) -> Result<(), MediaError> {
        self.bed.read(out)?;
        curve.apply(self.duck_db, 0, out);
        for (index, frame) in out.iter_mut().enumerate() {
            let at = position + index as u64;
            let factor = self.gain * self.fade_in.factor(at) * self.fade_out.factor(self.duration - 1 - at);
            *frame = frame.map(|sample| sample * factor);
        }
        Ok(())
    }
}

/// A ramp from silence, flat at both ends.
#[derive(Debug, Clone, Copy)]
struct Fade {
    samples: u64,
}

impl Fade {
    /// The factor at a distance from the silent end.
    fn factor(self, distance: u64) -> f32 {
        if distance >= self.samples {
            return 1.0;
        }
        let along = distance as f32 / self.samples as f32;
        along * along * (3.0 - 2.0 * along)
    }
}
