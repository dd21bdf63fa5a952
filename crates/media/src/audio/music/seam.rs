//! Where a piece of music is joined to its own beginning, and how.

use std::f32::consts::FRAC_PI_2;
use std::ops::Range;

use super::{HOP, SAMPLE_RATE, power};
use crate::MediaError;
use crate::audio::wav::WavReader;

/// The longest crossfade: 1.5 s.
const LONGEST_FADE: u64 = 3 * SAMPLE_RATE as u64 / 2;

/// How far into the loop a better beginning is searched for: 2 s.
const LONGEST_LAG: u64 = 2 * SAMPLE_RATE as u64;

/// Samples that are averaged into one for the search: 6 kHz tell where the music resembles itself.
const COARSE: usize = 8;

/// Part of the mean power that a step needs not to belong to a fade at an end of the file: −6 dB.
const BODY: f32 = 0.25;

/// Steps over which the power is looked at: 400 ms.
const BODY_HOPS: usize = 40;

/// A loop: at `end` the music goes on at `start`, after a crossfade of `fade` frames before `end` with those after
/// `start`.
#[derive(Debug, Clone)]
pub(super) struct Seam {
    pub start: u64,
    pub end: u64,
    pub fade: u64,
    /// Mean squares of the two stretches that are crossfaded, and their correlation coefficient.
    out_power: f32,
    in_power: f32,
    correlation: f32,
}

impl Seam {
    pub(super) fn fade_start(&self) -> u64 {
        self.end - self.fade
    }

    /// The factors of the ending and the beginning stretch at a frame of the crossfade.
    ///
    /// A quarter of a sine and cosine keep the power of sounds that have nothing in common. What they have in common
    /// adds `2 r a b sqrt(P Q)`, which would be a bump (or a dip, for a negative `r`): both are divided by it.
    pub(super) fn gains(&self, frame: u64) -> (f32, f32) {
        let (up, down) = (FRAC_PI_2 * (frame as f32 + 0.5) / self.fade as f32).sin_cos();
        let wanted = down * down * self.out_power + up * up * self.in_power;
        let shared = 2.0 * self.correlation * down * up * (self.out_power * self.in_power).sqrt();
        let factor = if wanted > 0.0 { (wanted / (wanted + shared)).sqrt() } else { 1.0 };
        (down * factor, up * factor)
    }
}

/// Finds the seam of the sound in `range`, whose mean square is `mean_power`.
pub(super) fn find(wav: &mut WavReader, range: Range<u64>, mean_power: f32) -> Result<Seam, MediaError> {
    let body = body(wav, range, mean_power)?;
    let length = body.end - body.start;
    let fade = LONGEST_FADE.min(length / 4);
    let most_lag = LONGEST_LAG.min(length / 4);
    let ending = read(wav, body.end - fade, fade)?;
    let beginning = read(wav, body.start, fade + most_lag)?;
    let lag = best_lag(&ending, &beginning);
    let beginning = &beginning[lag..lag + ending.len()];
    let (out_power, in_power) = (power(&ending), power(beginning));
    let shared = dot(ending.as_flattened(), beginning.as_flattened()) / (ending.len() * 2) as f32;
    let scale = (out_power * in_power).sqrt();
    // Two stretches that nearly cancel have no gain that would mend it; −0.6 bounds the factor to 2.5.
    let correlation = if scale > 0.0 { (shared / scale).clamp(-0.6, 1.0) } else { 0.0 };
    Ok(Seam { start: body.start + lag as u64, end: body.end, fade, out_power, in_power, correlation })
}

/// The sound without the fades that the piece itself begins and ends with, which would be heard as a dip. At most a
/// third is left out at either end.
fn body(wav: &mut WavReader, range: Range<u64>, mean_power: f32) -> Result<Range<u64>, MediaError> {
    // Bounded, as all that is looked at is held: a long piece's ends fade within half a minute.
    let third = ((range.end - range.start) / 3).min(30 * u64::from(SAMPLE_RATE));
    let enough = |frames: &[[f32; 2]]| power(frames) >= mean_power * BODY;
    let (window, step) = (BODY_HOPS * HOP, HOP as u64);
    let head = read(wav, range.start, third)?;
    let start = (0..head.len().saturating_sub(window)).step_by(HOP).position(|at| enough(&head[at..at + window]));
    let tail = read(wav, range.end - third, third)?;
    let end = (window..=tail.len()).rev().step_by(HOP).position(|at| enough(&tail[at - window..at]));
    Ok(range.start + start.unwrap_or(0) as u64 * step..range.end - end.unwrap_or(0) as u64 * step)
}

fn read(wav: &mut WavReader, start: u64, frames: u64) -> Result<Vec<[f32; 2]>, MediaError> {
    let mut out = vec![[0.0; 2]; frames as usize];
    wav.seek(start)?;
    let count = wav.read(&mut out)?;
    out.truncate(count);
    Ok(out)
}

/// How many frames into `beginning` lies the stretch most like `ending`.
fn best_lag(ending: &[[f32; 2]], beginning: &[[f32; 2]]) -> usize {
    let (coarse_ending, coarse_beginning) = (coarse(ending), coarse(beginning));
    let lags = coarse_beginning.len().saturating_sub(coarse_ending.len());
    let rough = best((0..=lags).map(|lag| likeness(&coarse_ending, &coarse_beginning[lag..]))) * COARSE;
    let (ending, beginning) = (mono(ending), mono(beginning));
    let first = rough.saturating_sub(COARSE);
    let last = (rough + COARSE).min(beginning.len() - ending.len());
    first + best((first..=last).map(|lag| likeness(&ending, &beginning[lag..])))
}

/// The correlation coefficient of `a` with as much of `b`.
fn likeness(a: &[f32], b: &[f32]) -> f32 {
    let b = &b[..a.len()];
    dot(a, b) / dot(b, b).max(f32::MIN_POSITIVE).sqrt()
}

/// The index of the largest value, the first of equals.
fn best(values: impl Iterator<Item = f32>) -> usize {
    let mut best = (0, f32::NEG_INFINITY);
    for (index, value) in values.enumerate() {
        if value > best.1 {
            best = (index, value);
        }
    }
    best.0
}

/// The sum of products, in lanes that the compiler turns into vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<16>();
    let (b, b_rest) = b.as_chunks::<16>();
    let mut lanes = [0.0_f32; 16];
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

fn mono(frames: &[[f32; 2]]) -> Vec<f32> {
    frames.iter().map(|frame| frame[0] + frame[1]).collect()
}

fn coarse(frames: &[[f32; 2]]) -> Vec<f32> {
    frames.chunks_exact(COARSE).map(|part| part.as_flattened().iter().sum()).collect()
}
