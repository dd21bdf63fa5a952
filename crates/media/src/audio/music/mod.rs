//! A bed of music of any length from a file of any length: silent ends are left out, and the loop is closed where
//! the music resembles itself, with a crossfade that keeps its power.

mod seam;

use self::seam::Seam;
use super::loudness::Meter;
use super::mixer::Watch;
use super::plan::Music;
use super::wav::WavReader;
use super::{BLOCK, SAMPLE_RATE};
use crate::MediaError;

/// Less sound than this is no music: two seconds.
const LEAST: u64 = 2 * SAMPLE_RATE as u64;

/// Samples of a step of the search for sound: 10 ms.
const HOP: usize = 480;

/// Mean square below which a step is silent: −60 dBFS.
const SILENT_POWER: f32 = 1e-6;

/// What is known of a file before it is played.
#[derive(Debug, Clone)]
pub(super) struct Survey {
    /// First and one past the last frame with sound.
    sound: std::ops::Range<u64>,
    /// Of the part that will be heard.
    pub loudness: Option<f64>,
    seam: Option<Seam>,
}

/// Looks through a file that is to sound for `samples`.
pub(super) fn survey(music: &Music, samples: u64, watch: &mut Watch<'_>) -> Result<Survey, MediaError> {
    let mut wav = WavReader::open(&music.path)?;
    let bad = |reason: String| MediaError::BadFile { path: music.path.clone(), reason };
    if wav.sample_rate() != SAMPLE_RATE {
        let rate = wav.sample_rate();
        return Err(bad(format!("is at {rate} Hz; music is mixed at {SAMPLE_RATE} Hz, decode it first")));
    }
    let too_short = |frames: u64| {
        let seconds = frames as f64 / f64::from(SAMPLE_RATE);
        bad(format!("has {seconds:.1} s of sound; music needs at least 2 s"))
    };
    if wav.frames() < LEAST {
        return Err(too_short(wav.frames()));
    }
    let silent = || bad("is silent; choose other music".into());
    let first = first_sound(&mut wav, watch)?.ok_or_else(silent)?;
    let end = last_sound(&mut wav, first, watch)?;
    if end - first < LEAST {
        return Err(too_short(end - first));
    }
    let heard = end.min(first + samples);
    let (loudness, power) = level(&mut wav, first..heard, watch)?;
    let seam = if end - first < samples { Some(seam::find(&mut wav, first..end, power)?) } else { None };
    Ok(Survey { sound: first..end, loudness: Some(loudness.ok_or_else(silent)?), seam })
}

fn first_sound(wav: &mut WavReader, watch: &Watch<'_>) -> Result<Option<u64>, MediaError> {
    let mut block = vec![[0.0_f32; 2]; BLOCK];
    let mut position = 0;
    wav.seek(0)?;
    loop {
        watch.check()?;
        let count = wav.read(&mut block)?;
        if let Some(hop) = block[..count].chunks(HOP).position(|hop| power(hop) > SILENT_POWER) {
            return Ok(Some(position + (hop * HOP) as u64));
        }
        position += count as u64;
        if count < block.len() {
            return Ok(None);
        }
    }
}

/// One past the last frame with sound, searched from the end.
fn last_sound(wav: &mut WavReader, first: u64, watch: &Watch<'_>) -> Result<u64, MediaError> {
    let mut block = vec![[0.0_f32; 2]; BLOCK];
    let mut end = wav.frames();
    while end > first {
        watch.check()?;
        let begin = end.saturating_sub(BLOCK as u64).max(first);
        wav.seek(begin)?;
        let part = &mut block[..(end - begin) as usize];
        wav.read(part)?;
        if let Some(hop) = part.rchunks(HOP).position(|hop| power(hop) > SILENT_POWER) {
            return Ok(end - (hop * HOP) as u64);
        }
        end = begin;
    }
    Ok(end)
}

/// Integrated loudness and mean square of a stretch.
fn level(
    wav: &mut WavReader,
    range: std::ops::Range<u64>,
    watch: &Watch<'_>,
) -> Result<(Option<f64>, f32), MediaError> {
    let mut block = vec![[0.0_f32; 2]; BLOCK];
    let mut meter = Meter::loudness(2, SAMPLE_RATE)?;
    let mut sum = 0.0_f64;
    let mut left = range.end - range.start;
    wav.seek(range.start)?;
    while left > 0 {
        watch.check()?;
        let part = &mut block[..left.min(BLOCK as u64) as usize];
        let count = wav.read(part)?;
        meter.add(part[..count].as_flattened())?;
        sum += f64::from(power(&part[..count])) * count as f64;
        left = if count == part.len() { left - count as u64 } else { 0 };
    }
    Ok((meter.integrated()?, (sum / (range.end - range.start).max(1) as f64) as f32))
}

/// Mean square over frames and channels.
fn power(frames: &[[f32; 2]]) -> f32 {
    frames.as_flattened().iter().map(|x| x * x).sum::<f32>() / (frames.len() * 2).max(1) as f32
}

/// Plays the bed for ever.
#[derive(Debug)]
pub(super) struct Bed {
    front: WavReader,
    /// Where `front` will read next.
    position: u64,
    /// Reads the beginning while `front` reads the end.
    back: WavReader,
    end: u64,
    seam: Option<Seam>,
    scratch: Vec<[f32; 2]>,
}

impl Bed {
    pub(super) fn open(music: &Music, survey: &Survey) -> Result<Self, MediaError> {
        let mut front = WavReader::open(&music.path)?;
        front.seek(survey.sound.start)?;
        Ok(Self {
            front,
            position: survey.sound.start,
            back: WavReader::open(&music.path)?,
            end: survey.sound.end,
            seam: survey.seam.clone(),
            scratch: vec![[0.0; 2]; BLOCK],
        })
    }

    /// Fills `out`, of at most [`BLOCK`] frames; a bed without a seam ends in silence.
    pub(super) fn read(&mut self, out: &mut [[f32; 2]]) -> Result<(), MediaError> {
        let Some(seam) = self.seam.clone() else {
            let count = out.len().min(self.end.saturating_sub(self.position) as usize);
            self.plain(&mut out[..count])?;
            out[count..].fill([0.0; 2]);
            return Ok(());
        };
        let mut filled = 0;
        while filled < out.len() {
            let rest = &mut out[filled..];
            let (until, fading) =
                if self.position < seam.fade_start() { (seam.fade_start(), false) } else { (seam.end, true) };
            let count = rest.len().min((until - self.position) as usize);
            let part = &mut rest[..count];
            if fading {
                self.crossfade(&seam, part)?;
            } else {
                self.plain(part)?;
            }
            filled += count;
        }
        Ok(())
    }

    fn plain(&mut self, out: &mut [[f32; 2]]) -> Result<(), MediaError> {
        self.front.read(out)?;
        self.position += out.len() as u64;
        Ok(())
    }

    fn crossfade(&mut self, seam: &Seam, out: &mut [[f32; 2]]) -> Result<(), MediaError> {
        let done = self.position - seam.fade_start();
        if done == 0 {
            self.back.seek(seam.start)?;
        }
        let incoming = &mut self.scratch[..out.len()];
        self.front.read(out)?;
        self.back.read(incoming)?;
        for (index, (frame, incoming)) in out.iter_mut().zip(incoming).enumerate() {
            let (down, up) = seam.gains(done + index as u64);
            *frame = [frame[0] * down + incoming[0] * up, frame[1] * down + incoming[1] * up];
        }
        self.position += out.len() as u64;
        if self.position == seam.end {
            std::mem::swap(&mut self.front, &mut self.back);
            self.position = seam.start + seam.fade;
        }
        Ok(())
    }
}
