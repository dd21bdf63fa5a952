//! Sounds placed on the programme's time, each opened when it begins and closed when it ends.

use std::path::PathBuf;

use super::BLOCK;
use super::duck::Curve;
use super::plan::check_together;
use super::resample::Stream;
use crate::MediaError;

/// A file and where it sounds, in samples of the programme.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub path: PathBuf,
    /// Samples left out at the file's beginning.
    pub skip: u64,
    pub start: u64,
    /// Cut here, or where the file ends.
    pub length: u64,
    /// A factor of amplitude.
    pub gain: f32,
    /// Samples over which both ends are faded.
    pub edge: u64,
    /// Decibels taken away under speech.
    pub duck_db: f32,
}

/// Placed sounds in the order of their beginnings, read block after block.
#[derive(Debug)]
pub(super) struct Timeline<const N: usize> {
    /// Latest first, so that the next one is popped.
    waiting: Vec<Placed>,
    playing: Vec<Playing<N>>,
    position: u64,
    scratch: Vec<[f32; N]>,
}

#[derive(Debug)]
struct Playing<const N: usize> {
    placed: Placed,
    stream: Stream<N>,
    /// Samples already sounded.
    done: u64,
    /// Samples in all: the placed length, or the file's.
    length: u64,
}

impl<const N: usize> Timeline<N> {
    pub(super) fn new(placed: Vec<Placed>) -> Self {
        Self::from_sample(placed, 0)
    }

    /// The timeline from a later sample on: what began before sounds from there on as it would have.
    pub(super) fn from_sample(mut placed: Vec<Placed>, position: u64) -> Self {
        placed.sort_by_key(|placed| std::cmp::Reverse(placed.start));
        // Equal starts sound in the order they were given: sums of floats depend on it.
        placed.chunk_by_mut(|a, b| a.start == b.start).for_each(<[Placed]>::reverse);
        Self { waiting: placed, playing: Vec::new(), position, scratch: vec![[0.0; N]; BLOCK] }
    }

    /// Adds the next block of at most [`BLOCK`] samples to `out`, ducked by `curve`.
    pub(super) fn add(&mut self, out: &mut [[f32; N]], curve: Option<&Curve>) -> Result<(), MediaError> {
        let end = self.position + out.len() as u64;
        while let Some(placed) = self.waiting.pop_if(|placed| placed.start < end) {
            check_together(self.playing.len(), &placed.path)?;
            let mut stream = Stream::open(&placed.path)?;
            stream.skip(placed.skip)?;
            let length = stream.left().min(placed.length);
            // Read through rather than leapt over: a converter's output depends on what it was given before.
            let mut done = 0;
            let missed = self.position.saturating_sub(placed.start).min(length);
            while done < missed {
                let count = (missed - done).min(BLOCK as u64) as usize;
                done += stream.read(&mut self.scratch[..count])?.max(1) as u64;
            }
            if done < length {
                self.playing.push(Playing { placed, stream, done, length });
            }
        }
        for playing in &mut self.playing {
            let begin = (playing.placed.start + playing.done - self.position) as usize;
            let count = (out.len() - begin).min((playing.length - playing.done) as usize);
            let part = &mut self.scratch[..count];
            playing.stream.read(part)?;
            playing.shape(part);
            if let Some(curve) = curve.filter(|_| playing.placed.duck_db > 0.0) {
                curve.apply(playing.placed.duck_db, begin, part);
            }
            for (sum, frame) in out[begin..begin + count].iter_mut().zip(part.iter()) {
                for (sum, sample) in sum.iter_mut().zip(frame) {
                    *sum += sample;
                }
            }
            playing.done += count as u64;
        }
        self.playing.retain(|playing| playing.done < playing.length);
        self.position = end;
        Ok(())
    }
}

impl<const N: usize> Playing<N> {
    /// Level and faded edges of the next samples.
    fn shape(&self, part: &mut [[f32; N]]) {
        let edge = self.placed.edge.min(self.length / 2);
        for (index, frame) in part.iter_mut().enumerate() {
            let from_start = self.done + index as u64;
            let near = from_start.min(self.length - 1 - from_start);
            let fade = if near < edge { near as f32 / edge as f32 } else { 1.0 };
            for sample in frame {
                *sample *= self.placed.gain * fade;
            }
        }
    }
}
