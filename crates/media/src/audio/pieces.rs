//! A long sound in pieces, so that what is slow to make of it is made piece by piece: each with some of the sound on both
//! sides, at the rate the maker works at, and joined again to the sample.

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::resample::{Stream, convert};
use super::wav::{WavReader, WavWriter};
use super::{BLOCK, SAMPLE_RATE, Span};
use crate::MediaError;

/// Pieces and what is given with them are whole numbers of this many samples, one second: that is a whole number of
/// samples at every usual rate.
pub const PIECE_STEP: u64 = SAMPLE_RATE as u64;

/// A part of a sound that something is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// What is made; it begins at a whole number of [`PIECE_STEP`].
    pub span: Span,
    /// What is given more on each side, where the sound has it.
    pub context: u64,
    /// Samples a second that the maker works at.
    pub rate: u32,
}

impl Piece {
    /// The span with what is given more, in a sound of `length` samples.
    fn given(&self, length: u64) -> Span {
        let context = self.context.next_multiple_of(PIECE_STEP);
        let start_sample = self.span.start_sample.saturating_sub(context);
        Span { start_sample, end_sample: self.span.end_sample.saturating_add(context).min(length).max(start_sample) }
    }
}

/// A piece of a WAV file at [`SAMPLE_RATE`] and what is given with it, at the maker's rate.
///
/// # Errors
/// [`MediaError::Invalid`] for a piece that does not begin at a whole second.
pub fn read_piece(path: &Path, piece: &Piece) -> Result<Vec<[f32; 2]>, MediaError> {
    if !piece.span.start_sample.is_multiple_of(PIECE_STEP) {
        let start = piece.span.start_sample;
        return Err(MediaError::Invalid(format!("a piece from sample {start} has no exact time at other rates")));
    }
    let mut wav = WavReader::open(path)?;
    let given = piece.given(wav.frames());
    wav.seek(given.start_sample)?;
    let mut frames = vec![[0.0; 2]; (given.end_sample - given.start_sample) as usize];
    let count = wav.read(&mut frames)?;
    convert(&frames[..count], (SAMPLE_RATE, piece.rate))
}

/// Writes what was made of a piece, without what was given more: a WAV file at [`SAMPLE_RATE`], as long as the span.
/// `length` is that of the whole sound.
pub fn write_piece(made: &[[f32; 2]], piece: &Piece, length: u64, path: &Path) -> Result<(), MediaError> {
    let lead = (piece.span.start_sample - piece.given(length).start_sample) as usize;
    let wanted = (piece.span.end_sample.min(length).saturating_sub(piece.span.start_sample)) as usize;
    let mut frames = convert(made, (piece.rate, SAMPLE_RATE))?;
    frames.drain(..lead.min(frames.len()));
    // Rounding at the other rate may have cost the last one.
    frames.resize(wanted, frames.last().copied().unwrap_or_default());
    let mut writer = WavWriter::create(path, SAMPLE_RATE, 2)?;
    writer.write(&frames.as_flattened().iter().map(|&sample| whole(sample)).collect::<Vec<_>>())?;
    writer.finish()
}

/// Joins pieces, WAV files at [`SAMPLE_RATE`], to one, and writes beside it the same as one channel at another rate.
pub fn join_pieces(
    pieces: &[PathBuf],
    joined: &Path,
    (mono, rate): (&Path, u32),
    cancel: &CancellationToken,
) -> Result<(), MediaError> {
    let mut block = vec![[0.0_f32; 2]; BLOCK];
    let mut writer = WavWriter::create(joined, SAMPLE_RATE, 2)?;
    for piece in pieces {
        let mut wav = WavReader::open(piece)?;
        loop {
            check(cancel)?;
            let count = wav.read(&mut block)?;
            if count == 0 {
                break;
            }
            writer.write(&block[..count].as_flattened().iter().map(|&sample| whole(sample)).collect::<Vec<_>>())?;
        }
    }
    writer.finish()?;
    let mut stream = Stream::<1>::open_at(joined, rate)?;
    let mut block = vec![[0.0_f32]; BLOCK];
    let mut writer = WavWriter::create(mono, rate, 1)?;
    while stream.left() > 0 {
        check(cancel)?;
        let count = stream.read(&mut block)?;
        if count == 0 {
            break;
        }
        writer.write(&block[..count].iter().map(|&[sample]| whole(sample)).collect::<Vec<_>>())?;
    }
    writer.finish()
}

fn check(cancel: &CancellationToken) -> Result<(), MediaError> {
    if cancel.is_cancelled() { Err(MediaError::Cancelled) } else { Ok(()) }
}

/// A sample as 16 bits; the inverse of how they are read, so that a file that is copied stays the same.
fn whole(sample: f32) -> i16 {
    (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 44_100;
    const LENGTH: u64 = 7 * SAMPLE_RATE as u64 + 123;

    fn sound(folder: &Path) -> PathBuf {
        let path = folder.join("sound.wav");
        let tone = |n: u64, hertz: f64| (std::f64::consts::TAU * (hertz * n as f64 / 48_000.0).fract()).sin();
        let samples: Vec<i16> = (0..LENGTH)
            .flat_map(|n| [tone(n, 311.0) * 9000.0, tone(n, 1_234.0) * 5000.0])
            .map(|sample| sample.round() as i16)
            .collect();
        let mut writer = WavWriter::create(&path, SAMPLE_RATE, 2).unwrap();
        writer.write(&samples).unwrap();
        writer.finish().unwrap();
        path
    }

    fn frames(path: &Path) -> Vec<[f32; 2]> {
        let mut wav = WavReader::open(path).unwrap();
        let mut frames = vec![[0.0; 2]; wav.frames() as usize];
        wav.read(&mut frames).unwrap();
        frames
    }

    #[test]
    fn pieces_that_were_made_at_another_rate_join_to_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let source = sound(folder.path());
        let second = PIECE_STEP;
        let spans = [(0, 2 * second), (2 * second, 5 * second), (5 * second, LENGTH)];
        let pieces = spans.map(|(start_sample, end_sample)| {
            let piece = Piece { span: Span { start_sample, end_sample }, context: 1_000, rate: RATE };
            let made = read_piece(&source, &piece).unwrap();
            let path = folder.path().join(format!("{start_sample}.wav"));
            write_piece(&made, &piece, LENGTH, &path).unwrap();
            path
        });
        let (joined, mono) = (folder.path().join("joined.wav"), folder.path().join("mono.wav"));
        join_pieces(&pieces, &joined, (&mono, 16_000), &CancellationToken::new()).unwrap();
        let (wanted, found) = (frames(&source), frames(&joined));
        assert_eq!(found.len() as u64, LENGTH);
        for n in 2_000..wanted.len() - 2_000 {
            let difference = (wanted[n][0] - found[n][0]).abs().max((wanted[n][1] - found[n][1]).abs());
            assert!(difference < 3e-4, "{n}: {:?} {:?}", wanted[n], found[n]);
        }
        let mono = WavReader::open(&mono).unwrap();
        assert_eq!((mono.sample_rate(), mono.channels(), mono.frames()), (16_000, 1, LENGTH.div_ceil(3)));
    }

    #[test]
    fn a_piece_that_begins_between_seconds_is_refused_and_a_cancelled_join_ends() {
        let folder = tempfile::tempdir().unwrap();
        let source = sound(folder.path());
        let piece = Piece { span: Span { start_sample: 5, end_sample: 500 }, context: 0, rate: RATE };
        assert!(read_piece(&source, &piece).is_err());
        let cancelled = CancellationToken::new();
        cancelled.cancel();
        let result = join_pieces(&[source], &folder.path().join("a"), (&folder.path().join("b"), 16_000), &cancelled);
        assert!(matches!(result, Err(MediaError::Cancelled)));
    }
}
