//! Speech made longer or shorter without a change of pitch, to an exact number of samples.
//!
//! The method is WSOLA (W. Verhelst and M. Roelands, "An overlap-add technique based on waveform similarity (WSOLA) for
//! high quality time-scale modification of speech", ICASSP 1993): windows of the input are laid over each other at the
//! new pace, each taken from where it goes on best from the one before it.

use super::wav::{WavReader, WavWriter};
use crate::{MediaError, partial::Partial};

/// How much longer or shorter a sound may become.
pub const STRETCH_FACTORS: std::ops::RangeInclusive<f64> = 0.5..=2.0;

/// No sound is longer: a line of speech is held in memory.
const MOST_SECONDS: u64 = 120;

/// Length of a window: two periods of the lowest voices (70 Hz).
const WINDOW_MS: usize = 30;
/// How far from its even place a window may be taken: a period of the lowest voices.
const SEARCH_MS: usize = 14;
/// Samples between those that are compared in the first, coarse search.
const COARSE: usize = 4;

/// Stretches `N` channels of `rate` samples a second to `length` samples. The first and the last sample stay the first
/// and the last.
///
/// # Errors
/// [`MediaError::Invalid`] where the factor is not one of [`STRETCH_FACTORS`] or the sound longer than two minutes.
pub fn stretch<const N: usize>(sound: &[[f32; N]], rate: u32, length: usize) -> Result<Vec<[f32; N]>, MediaError> {
    let factor = length as f64 / sound.len().max(1) as f64;
    if sound.is_empty() || !STRETCH_FACTORS.contains(&factor) {
        let (least, most) = (STRETCH_FACTORS.start(), STRETCH_FACTORS.end());
        let was = sound.len();
        return Err(MediaError::Invalid(format!(
            "a sound of {was} samples cannot be stretched to {length}; stay within {least} and {most} of its length"
        )));
    }
    if sound.len() as u64 > MOST_SECONDS * u64::from(rate) {
        return Err(MediaError::Invalid(format!("a sound of more than {MOST_SECONDS} s is not stretched; cut it")));
    }
    let window = (WINDOW_MS * rate as usize / 1000).next_multiple_of(2);
    if length == sound.len() {
        return Ok(sound.to_vec());
    }
    if sound.len().min(length) < 2 * window {
        return Ok(resized(sound, length));
    }
    Ok(Wsola::new(sound, rate, window).run(length))
}

/// Reads a WAV file, stretches it to `length_samples` of its own rate and writes it as 16 bits.
pub fn stretch_wav(input: &std::path::Path, output: &std::path::Path, length_samples: usize) -> Result<(), MediaError> {
    let mut wav = WavReader::open(input)?;
    let (rate, channels) = (wav.sample_rate(), wav.channels());
    let length = wav.frames();
    if length > MOST_SECONDS * u64::from(rate) {
        let reason = format!("is longer than {MOST_SECONDS} s; stretch line by line");
        return Err(MediaError::BadFile { path: input.into(), reason });
    }
    let samples = if channels == 1 {
        stretched::<1>(&mut wav, length_samples)?
    } else {
        stretched::<2>(&mut wav, length_samples)?
    };
    let partial = Partial::beside(output)?;
    let mut writer = WavWriter::create(partial.path(), rate, channels as u16)?;
    writer.write(&samples)?;
    writer.finish()?;
    partial.finish()
}

fn stretched<const N: usize>(wav: &mut WavReader, length: usize) -> Result<Vec<i16>, MediaError> {
    let mut sound = vec![[0.0; N]; wav.frames() as usize];
    wav.read(&mut sound)?;
    let sound = stretch(&sound, wav.sample_rate(), length)?;
    let quantise = |sample: &f32| (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16;
    Ok(sound.as_flattened().iter().map(quantise).collect())
}

/// A sound too short for windows, read faster or slower.
fn resized<const N: usize>(sound: &[[f32; N]], length: usize) -> Vec<[f32; N]> {
    let step = (sound.len() - 1) as f64 / (length.max(2) - 1) as f64;
    (0..length)
        .map(|index| {
            let at = index as f64 * step;
            let (first, part) = ((at as usize).min(sound.len() - 1), at.fract() as f32);
            let next = (first + 1).min(sound.len() - 1);
            std::array::from_fn(|channel| sound[first][channel] * (1.0 - part) + sound[next][channel] * part)
        })
        .collect()
}

struct Wsola<'a, const N: usize> {
    sound: &'a [[f32; N]],
    /// All channels as one: what is compared.
    mono: Vec<f32>,
    window: usize,
    search: usize,
}

impl<'a, const N: usize> Wsola<'a, N> {
    fn new(sound: &'a [[f32; N]], rate: u32, window: usize) -> Self {
        let mono = sound.iter().map(|frame| frame.iter().sum()).collect();
        Self { sound, mono, window, search: SEARCH_MS * rate as usize / 1000 }
    }

    fn run(&self, length: usize) -> Vec<[f32; N]> {
        let (hop, last) = (self.window / 2, length - self.window);
        let pace = (self.sound.len() - self.window) as f64 / last as f64;
        let mut sum = vec![[0.0_f32; N]; length];
        let mut weights = vec![0.0_f32; length];
        self.add(0, 0, &mut sum, &mut weights);
        let (mut at, mut taken) = (0, 0);
        while at < last {
            // The window before goes on here; the last one must end where the sound does.
            let step = hop.min(last - at);
            let continued = taken + step;
            at += step;
            taken = if at == last {
                self.sound.len() - self.window
            } else {
                self.best((at as f64 * pace).round() as usize, continued)
            };
            self.add(at, taken, &mut sum, &mut weights);
        }
        for (frame, weight) in sum.iter_mut().zip(weights) {
            *frame = frame.map(|sample| sample / weight);
        }
        sum
    }

    /// Lays the window that begins at `from` over the result at `at`. Divided by the sum of all weights later, the
    /// first and the last window have no faded end.
    fn add(&self, at: usize, from: usize, sum: &mut [[f32; N]], weights: &mut [f32]) {
        for index in 0..self.window {
            let weight = 0.5 - 0.5 * (std::f32::consts::TAU * (index as f32 + 0.5) / self.window as f32).cos();
            weights[at + index] += weight;
            for (sum, sample) in sum[at + index].iter_mut().zip(self.sound[from + index]) {
                *sum += weight * sample;
            }
        }
    }

    /// The place near `wanted` whose window is most like the one at `continued`.
    fn best(&self, wanted: usize, continued: usize) -> usize {
        let most = self.sound.len() - self.window;
        let continued = continued.min(most);
        let (first, last) = (wanted.saturating_sub(self.search), (wanted + self.search).min(most));
        let coarse = self.likest((first..=last).step_by(COARSE), (wanted, continued), COARSE);
        let near = coarse.saturating_sub(COARSE - 1).max(first)..=(coarse + COARSE - 1).min(last);
        self.likest(near, (coarse, continued), 1)
    }

    fn likest(&self, places: impl Iterator<Item = usize>, (fallback, continued): (usize, usize), step: usize) -> usize {
        let template = &self.mono[continued..continued + self.window];
        let mut best = (f32::MIN, fallback.min(self.sound.len() - self.window));
        for place in places {
            let window = &self.mono[place..place + self.window];
            let (mut together, mut power) = (0.0_f32, 1e-9_f32);
            for (a, b) in window.iter().step_by(step).zip(template.iter().step_by(step)) {
                together += a * b;
                power += a * a;
            }
            let likeness = together / power.sqrt();
            // In silence every place is as good: the even one is kept.
            if likeness > best.0 + 1e-6 {
                best = (likeness, place);
            }
        }
        if best.0.abs() < 1e-5 { fallback.min(self.sound.len() - self.window) } else { best.1 }
    }
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use proptest::prelude::*;

    use super::*;

    fn tone(hz: f32, samples: usize, rate: u32) -> Vec<[f32; 1]> {
        (0..samples).map(|n| [0.5 * (TAU * (hz * n as f32 / rate as f32).fract()).sin()]).collect()
    }

    /// A voice: harmonics under a level that rises and falls with each syllable.
    fn voice(hz: f32, samples: usize, rate: u32) -> Vec<[f32; 2]> {
        (0..samples)
            .map(|n| {
                let time = n as f32 / rate as f32;
                let level = 0.1 + 0.2 * (TAU * 4.0 * time).sin().powi(2);
                let sum: f32 = (1..12).map(|k| (TAU * (hz * k as f32 * time).fract()).sin() / k as f32).sum();
                [level * sum, 0.8 * level * sum]
            })
            .collect()
    }

    /// The mean frequency by zero crossings, upwards.
    fn pitch(sound: &[[f32; 1]], rate: u32) -> f32 {
        let crossings: Vec<usize> = (1..sound.len()).filter(|&n| sound[n - 1][0] < 0.0 && sound[n][0] >= 0.0).collect();
        let cycles = crossings.len() - 1;
        rate as f32 * cycles as f32 / (crossings[cycles] - crossings[0]) as f32
    }

    #[test]
    fn pitch_stays_and_length_is_exact_for_every_factor() {
        for rate in [16_000, 22_050, 48_000] {
            for hz in [80.0, 220.0, 440.0] {
                let sound = tone(hz, rate as usize * 2, rate);
                for factor in [0.5, 0.77, 0.95, 1.013, 1.3, 2.0] {
                    let length = (sound.len() as f64 * factor) as usize;
                    let made = stretch(&sound, rate, length).unwrap();
                    assert_eq!(made.len(), length);
                    assert!((pitch(&made, rate) / hz - 1.0).abs() < 0.01, "{hz} × {factor}: {}", pitch(&made, rate));
                    let power: f32 = made.iter().map(|frame| frame[0].powi(2)).sum::<f32>() / made.len() as f32;
                    assert!((power / 0.125 - 1.0).abs() < 0.1, "{hz} Hz × {factor} has the power {power}");
                }
            }
        }
    }

    #[test]
    fn no_sample_jumps_further_than_in_the_original() {
        let sound = voice(110.0, 96_000, 48_000);
        let steepest =
            |sound: &[[f32; 2]]| sound.windows(2).map(|pair| (pair[1][0] - pair[0][0]).abs()).fold(0.0_f32, f32::max);
        for factor in [0.6, 0.8, 1.2, 1.8] {
            let made = stretch(&sound, 48_000, (96_000.0 * factor) as usize).unwrap();
            assert!(steepest(&made) < 1.5 * steepest(&sound), "× {factor}: {} {}", steepest(&made), steepest(&sound));
            assert!((made[0][0] - sound[0][0]).abs() < 1e-4, "the beginning is another");
            assert!((made[made.len() - 1][0] - sound[95_999][0]).abs() < 1e-4, "the end is another");
            for frame in &made {
                assert!((frame[1] - 0.8 * frame[0]).abs() < 1e-4, "the channels came apart");
            }
        }
    }

    #[test]
    fn syllables_stay_in_their_places() {
        let sound = voice(110.0, 96_000, 48_000);
        let made = stretch(&sound, 48_000, 72_000).unwrap();
        let level = |sound: &[[f32; 2]], at: usize, width: usize| -> f32 {
            sound[at..at + width].iter().map(|frame| frame[0].powi(2)).sum::<f32>() / width as f32
        };
        for syllable in 0..16 {
            let (loud, soft) = (syllable * 4_500 + 2_250 - 400, syllable * 4_500);
            assert!(level(&made, loud, 800) > 3.0 * level(&made, soft, 400), "syllable {syllable}");
        }
    }

    #[test]
    fn silence_stays_silent() {
        let made = stretch(&vec![[0.0_f32]; 48_000], 48_000, 40_000).unwrap();
        assert!(made.iter().all(|frame| frame[0] == 0.0));
    }

    #[test]
    fn factors_that_speech_does_not_survive_are_refused() {
        let sound = tone(220.0, 10_000, 48_000);
        for length in [0, 4_999, 20_001] {
            assert!(stretch(&sound, 48_000, length).unwrap_err().to_string().contains(&length.to_string()));
        }
        assert!(stretch::<1>(&[], 48_000, 10).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_length_within_the_factors_is_met(samples in 1_usize..9_000, factor in 0.5_f64..2.0, rate in 8_000_u32..48_001) {
            let sound = tone(150.0, samples, rate);
            let length = ((samples as f64 * factor).ceil() as usize).min(samples * 2);
            let made = stretch(&sound, rate, length).unwrap();
            prop_assert_eq!(made.len(), length);
            prop_assert!(made.iter().all(|frame| frame[0].is_finite() && frame[0].abs() <= 0.6));
        }
    }
}
