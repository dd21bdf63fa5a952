//! A WAV file as a stream of frames at [`SAMPLE_RATE`], whatever rate it was made at.

use std::path::Path;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler, WindowFunction};

use super::SAMPLE_RATE;
use super::wav::WavReader;
use crate::MediaError;

/// About how many input frames are converted at a time; also the length of the interpolation filter, which decides
/// how sharp its edge at the top of the band is.
const CHUNK: usize = 1_024;

/// Frames of `N` channels.
pub(super) struct Stream<const N: usize> {
    wav: WavReader,
    converter: Option<Converter<N>>,
    /// Output frames that are still to come.
    left: u64,
}

impl<const N: usize> Stream<N> {
    /// Opens a file, at its beginning.
    pub(super) fn open(path: &Path) -> Result<Self, MediaError> {
        let wav = WavReader::open(path)?;
        let rate = wav.sample_rate();
        let left = scale(wav.frames(), rate, SAMPLE_RATE);
        let converter = if rate == SAMPLE_RATE { None } else { Some(Converter::new(rate, path)?) };
        Ok(Self { wav, converter, left })
    }

    /// Frames at [`SAMPLE_RATE`] that are still to come.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Leaves out frames before the first read: exact at [`SAMPLE_RATE`], else to the nearest frame of the file.
    pub(super) fn skip(&mut self, frames: u64) -> Result<(), MediaError> {
        self.left = self.left.saturating_sub(frames);
        self.wav.seek(scale(frames, SAMPLE_RATE, self.wav.sample_rate()))
    }

    /// Fills `out` and says how much; fewer than asked only at the end.
    pub(super) fn read(&mut self, out: &mut [[f32; N]]) -> Result<usize, MediaError> {
        let wanted = self.left.min(out.len() as u64) as usize;
        let Some(converter) = &mut self.converter else {
            let count = self.wav.read(&mut out[..wanted])?;
            self.left -= count as u64;
            return Ok(count);
        };
        let mut filled = 0;
        while filled < wanted {
            if converter.ready.len() == converter.taken {
                converter.convert(&mut self.wav)?;
            }
            let ready = &converter.ready[converter.taken..];
            let count = ready.len().min(wanted - filled);
            out[filled..filled + count].copy_from_slice(&ready[..count]);
            converter.taken += count;
            filled += count;
        }
        self.left -= wanted as u64;
        Ok(wanted)
    }
}

impl<const N: usize> std::fmt::Debug for Stream<N> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Stream").field("wav", &self.wav).field("left", &self.left).finish_non_exhaustive()
    }
}

/// Converts the rate, and gives back what the first frame of the file became as its first frame.
struct Converter<const N: usize> {
    fft: Fft<f32>,
    input: Vec<[f32; N]>,
    output: Vec<[f32; N]>,
    ready: Vec<[f32; N]>,
    taken: usize,
    /// Frames of the filter's delay that are still to be dropped.
    delay: usize,
}

impl<const N: usize> Converter<N> {
    fn new(rate: u32, path: &Path) -> Result<Self, MediaError> {
        let (from, to) = (rate as usize, SAMPLE_RATE as usize);
        let window = WindowFunction::BlackmanHarris2;
        // A whole and even number of the least chunk: a filter of odd length is half an input sample off the delay
        // that it reports.
        let least = from / greatest_common_divisor(from, to);
        let chunk = CHUNK.div_ceil(least).next_multiple_of(2) * least;
        let fft = Fft::new_custom(from, to, chunk, 1, N, window, FixedSync::Both).map_err(|error| {
            MediaError::BadFile { path: path.into(), reason: format!("of {rate} Hz cannot be converted ({error})") }
        })?;
        Ok(Self {
            input: vec![[0.0; N]; fft.input_frames_next()],
            output: vec![[0.0; N]; fft.output_frames_next()],
            ready: Vec::new(),
            taken: 0,
            delay: fft.output_delay(),
            fft,
        })
    }

    /// Converts one more chunk; beyond the end of the file lies silence, which drives out what the filter holds.
    fn convert(&mut self, wav: &mut WavReader) -> Result<(), MediaError> {
        let count = wav.read(&mut self.input)?;
        self.input[count..].fill([0.0; N]);
        let (in_frames, out_frames) = (self.input.len(), self.output.len());
        let broken = |reason: String| MediaError::BadFile { path: wav.path().into(), reason };
        let source = InterleavedSlice::new(self.input.as_flattened(), N, in_frames)
            .map_err(|error| broken(error.to_string()))?;
        let mut target = InterleavedSlice::new_mut(self.output.as_flattened_mut(), N, out_frames)
            .map_err(|error| broken(error.to_string()))?;
        let (_, made) = self
            .fft
            .process_into_buffer(&source, &mut target, Some(&Indexing::new()))
            .map_err(|error| broken(error.to_string()))?;
        let dropped = self.delay.min(made);
        self.delay -= dropped;
        self.ready.clear();
        self.ready.extend_from_slice(&self.output[dropped..made]);
        self.taken = 0;
        Ok(())
    }
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// A number of frames at another rate, rounded.
fn scale(frames: u64, from: u32, to: u32) -> u64 {
    (u128::from(frames) * u128::from(to) + u128::from(from) / 2).checked_div(u128::from(from)).unwrap_or(0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::wav::write_mono_s16;

    fn read_all(path: &Path) -> Vec<f32> {
        let mut stream = Stream::<1>::open(path).unwrap();
        let mut all = Vec::new();
        let mut block = [[0.0]; 777];
        loop {
            let count = stream.read(&mut block).unwrap();
            all.extend(block[..count].iter().map(|frame| frame[0]));
            if count < block.len() {
                return all;
            }
        }
    }

    #[test]
    fn a_click_keeps_its_time_at_every_rate() {
        let folder = tempfile::tempdir().unwrap();
        for rate in [8_000_u32, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000, 11_111] {
            let path = folder.path().join(format!("{rate}.wav"));
            let mut samples = vec![0_i16; rate as usize];
            samples[rate as usize / 2] = 30_000;
            write_mono_s16(&path, rate, &samples).unwrap();
            let all = read_all(&path);
            assert_eq!(all.len(), 48_000, "{rate}");
            let loudest = (0..all.len()).max_by(|&a, &b| all[a].abs().total_cmp(&all[b].abs())).unwrap();
            let wanted = (f64::from(rate / 2) * 48_000.0 / f64::from(rate)).round() as usize;
            assert_eq!(loudest, wanted, "{rate}");
        }
    }

    #[test]
    fn a_tone_comes_through_clean() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tone.wav");
        let wave = |n: usize, rate: f64| (std::f64::consts::TAU * 1_000.0 * n as f64 / rate).sin() * 0.5;
        let samples: Vec<i16> = (0..22_050).map(|n| (wave(n, 22_050.0) * 32_768.0).round() as i16).collect();
        write_mono_s16(&path, 22_050, &samples).unwrap();
        let all = read_all(&path);
        let middle = 4_800..43_200;
        let error: f64 = middle.clone().map(|n| (f64::from(all[n]) - wave(n, 48_000.0)).powi(2)).sum();
        let noise_db = 10.0 * (error / middle.len() as f64 / 0.125).log10();
        assert!(noise_db < -75.0, "{noise_db}");
    }
}
