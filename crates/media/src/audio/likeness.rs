//! How alike two sounds are over chosen stretches, once the one is as loud as the other; and how loud stretches are.

use std::iter::Sum;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::loudness::{Meter, SILENCE_DB};
use super::wav::WavReader;
use super::{BLOCK, SAMPLE_RATE, Span};
use crate::MediaError;

/// Two sounds compared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Likeness {
    /// From −1 to 1; 1 for two silences.
    pub correlation: f64,
    /// The first sound over what must be added to it to get the second, after one gain, in dB; at most 120.
    pub snr_db: f64,
    /// The gain, in dB, that brings the first sound nearest to the second.
    pub gain_db: f64,
    /// Compared, of each channel.
    pub samples: u64,
}

/// What two sounds give when they are multiplied sample by sample. Those of stretches add up to those of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Products {
    /// Of the first with itself.
    aa: f64,
    bb: f64,
    ab: f64,
    /// Compared, of each channel.
    samples: u64,
}

/// Compares two WAV files at [`SAMPLE_RATE`], sample by sample, where `stretches` are. The second begins `late` samples
/// after the first. A stretch beyond the end of either is compared with silence.
pub fn products(original: &Path, (made, late): (&Path, u64), stretches: &[Span]) -> Result<Products, MediaError> {
    let (mut original, mut made) = (open(original)?, open(made)?);
    let (mut a, mut b) = (vec![[0.0_f32; 2]; BLOCK], vec![[0.0_f32; 2]; BLOCK]);
    let mut sum = Products::default();
    let longest = original.frames().max(late + made.frames());
    for stretch in stretches {
        let end = stretch.end_sample.min(longest);
        let mut at = stretch.start_sample.max(late).min(end);
        original.seek(at)?;
        made.seek(at.saturating_sub(late))?;
        while at < end {
            let count = (end - at).min(BLOCK as u64) as usize;
            read(&mut original, &mut a[..count])?;
            read(&mut made, &mut b[..count])?;
            for (a, b) in a[..count].as_flattened().iter().zip(b[..count].as_flattened()) {
                let (a, b) = (f64::from(*a), f64::from(*b));
                sum.aa += a * a;
                sum.bb += b * b;
                sum.ab += a * b;
            }
            at += count as u64;
            sum.samples += count as u64;
        }
    }
    Ok(sum)
}

impl Sum for Products {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, more| Self {
            aa: sum.aa + more.aa,
            bb: sum.bb + more.bb,
            ab: sum.ab + more.ab,
            samples: sum.samples + more.samples,
        })
    }
}

impl Products {
    /// How alike the sounds are; none where nothing was compared.
    ///
    /// Least squares: with the gain `ab / aa` what is left over has the power `bb − ab² / aa`.
    pub fn likeness(self) -> Option<Likeness> {
        let Self { aa, bb, ab, samples } = self;
        if samples == 0 {
            return None;
        }
        if aa <= 0.0 || bb <= 0.0 {
            let same = aa <= 0.0 && bb <= 0.0;
            let (correlation, snr_db) = if same { (1.0, -SILENCE_DB) } else { (0.0, 0.0) };
            return Some(Likeness { correlation, snr_db, gain_db: 0.0, samples });
        }
        let explained = ab * ab / aa;
        let snr_db = 10.0 * (explained / (bb - explained).max(explained * 1e-12).max(f64::MIN_POSITIVE)).log10();
        Some(Likeness {
            correlation: ab / (aa * bb).sqrt(),
            snr_db: snr_db.clamp(SILENCE_DB, -SILENCE_DB),
            gain_db: 20.0 * (ab.abs() / aa).max(1e-6).log10(),
            samples,
        })
    }
}

/// The integrated loudness of the stretches of a WAV file taken together, in LUFS; none for silence and for less than
/// 400 ms in all.
pub fn loudness_within(path: &Path, stretches: &[Span]) -> Result<Option<f64>, MediaError> {
    let mut wav = open(path)?;
    let mut meter = Meter::loudness(2, SAMPLE_RATE)?;
    let mut block = vec![[0.0_f32; 2]; BLOCK];
    for stretch in stretches {
        let end = stretch.end_sample.min(wav.frames());
        let mut at = stretch.start_sample.min(end);
        wav.seek(at)?;
        while at < end {
            let count = wav.read(&mut block[..(end - at).min(BLOCK as u64) as usize])?;
            meter.add(block[..count].as_flattened())?;
            at += count.max(1) as u64;
        }
    }
    meter.integrated()
}

fn open(path: &Path) -> Result<WavReader, MediaError> {
    let wav = WavReader::open(path)?;
    if wav.sample_rate() != SAMPLE_RATE {
        let reason = format!("has {} samples a second, not {SAMPLE_RATE}; decode it again", wav.sample_rate());
        return Err(MediaError::BadFile { path: path.into(), reason });
    }
    Ok(wav)
}

fn read(wav: &mut WavReader, out: &mut [[f32; 2]]) -> Result<(), MediaError> {
    let count = wav.read(out)?;
    out[count..].fill([0.0; 2]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::wav::write_mono_s16;

    fn file(folder: &Path, name: &str, sample: impl Fn(usize) -> f64) -> std::path::PathBuf {
        let path = folder.join(name);
        let samples: Vec<i16> = (0..48_000).map(|n| (sample(n) * 10_000.0).round() as i16).collect();
        write_mono_s16(&path, SAMPLE_RATE, &samples).unwrap();
        path
    }

    fn alike(original: &Path, made: &Path, stretch: Span) -> Likeness {
        products(original, (made, 0), &[stretch]).unwrap().likeness().unwrap()
    }

    #[test]
    fn a_gain_is_no_difference_and_a_disturbance_counts_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let wave = |n: usize| (n as f64 * 0.05).sin();
        let original = file(folder.path(), "a.wav", wave);
        let softer = file(folder.path(), "b.wav", |n| 0.5 * wave(n));
        let disturbed =
            file(folder.path(), "c.wav", |n| wave(n) + if n >= 24_000 { 0.1 * (n as f64 * 0.7).sin() } else { 0.0 });
        let first = Span { start_sample: 0, end_sample: 24_000 };
        let second = Span { start_sample: 24_000, end_sample: 48_000 };
        let same = alike(&original, &softer, Span { start_sample: 0, end_sample: 48_000 });
        assert!(same.correlation > 0.999_99 && same.snr_db > 60.0 && (same.gain_db + 6.02).abs() < 0.01, "{same:?}");
        assert!(alike(&original, &disturbed, first).snr_db > 110.0);
        let noisy = alike(&original, &disturbed, second);
        assert!((noisy.snr_db - 20.0).abs() < 0.3 && noisy.samples == 24_000, "{noisy:?}");
        let halves = [first, second].map(|half| products(&original, (&disturbed, 0), &[half]).unwrap());
        let whole = products(&original, (&disturbed, 0), &[first, second]).unwrap().likeness().unwrap();
        let summed = halves.into_iter().sum::<Products>().likeness().unwrap();
        assert!((whole.snr_db - summed.snr_db).abs() < 1e-6 && whole.samples == summed.samples);
    }

    #[test]
    fn a_sound_that_begins_later_is_compared_from_there() {
        let folder = tempfile::tempdir().unwrap();
        let original = file(folder.path(), "a.wav", |n| (n as f64 * 0.05).sin());
        let later = file(folder.path(), "b.wav", |n| ((n + 10_000) as f64 * 0.05).sin());
        let stretch = Span { start_sample: 0, end_sample: 48_000 };
        let found = products(&original, (&later, 10_000), &[stretch]).unwrap().likeness().unwrap();
        assert!(found.snr_db > 60.0 && found.samples == 38_000, "{found:?}");
    }

    #[test]
    fn a_sound_that_ends_early_is_unlike_from_there() {
        let folder = tempfile::tempdir().unwrap();
        let original = file(folder.path(), "a.wav", |n| (n as f64 * 0.05).sin());
        let short = folder.path().join("short.wav");
        write_mono_s16(&short, SAMPLE_RATE, &[]).unwrap();
        let all = Span { start_sample: 0, end_sample: u64::MAX };
        assert!(alike(&original, &short, all).correlation.abs() < 1e-9);
        assert_eq!(products(&short, (&short, 0), &[all]).unwrap().likeness(), None);
        assert_eq!(loudness_within(&short, &[all]).unwrap(), None);
        assert!(loudness_within(&original, &[all]).unwrap().is_some());
    }
}
