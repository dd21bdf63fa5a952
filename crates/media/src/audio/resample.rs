//! Sound of one rate as sound of another: WAV files as streams of frames at [`SAMPLE_RATE`], and sound in memory.

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
    rate: u32,
    /// Made when it is first needed: many a stream is only asked how long it is.
    converter: Option<Converter<N>>,
    /// Output frames that are still to come.
    left: u64,
}

impl<const N: usize> Stream<N> {
    /// Opens a file, at its beginning.
    pub(super) fn open(path: &Path) -> Result<Self, MediaError> {
        Self::open_at(path, SAMPLE_RATE)
    }

    /// Opens a file, at its beginning, to be read at another rate than [`SAMPLE_RATE`].
    pub(super) fn open_at(path: &Path, rate: u32) -> Result<Self, MediaError> {
        let wav = WavReader::open(path)?;
        let from = wav.sample_rate();
        Ok(Self { left: scale(wav.frames(), from, rate), wav, rate, converter: None })
    }

    /// Frames that are still to come, at the rate they are read at.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Leaves out frames before the first read: exact at the file's own rate, else to the nearest frame of the file.
    pub(super) fn skip(&mut self, frames: u64) -> Result<(), MediaError> {
        self.left = self.left.saturating_sub(frames);
        self.wav.seek(scale(frames, self.rate, self.wav.sample_rate()))
    }

    /// Fills `out` and says how much; fewer than asked only at the end.
    pub(super) fn read(&mut self, out: &mut [[f32; N]]) -> Result<usize, MediaError> {
        let wanted = self.left.min(out.len() as u64) as usize;
        let from = self.wav.sample_rate();
        if from == self.rate {
            let count = self.wav.read(&mut out[..wanted])?;
            self.left -= count as u64;
            return Ok(count);
        }
        let converter = match &mut self.converter {
            Some(converter) => converter,
            none => {
                let bad = |reason| MediaError::BadFile { path: self.wav.path().into(), reason };
                none.insert(Converter::new(from, self.rate).map_err(bad)?)
            }
        };
        let mut filled = 0;
        while filled < wanted {
            if converter.ready.len() == converter.taken {
                let count = self.wav.read(&mut converter.input)?;
                let bad = |reason| MediaError::BadFile { path: self.wav.path().into(), reason };
                converter.convert(count).map_err(bad)?;
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
    /// Fails, with the reason, for rates that have next to nothing in common.
    fn new(from_rate: u32, to_rate: u32) -> Result<Self, String> {
        let (from, to) = (from_rate as usize, to_rate as usize);
        let window = WindowFunction::BlackmanHarris2;
        // A whole and even number of the least chunk: a filter of odd length is half an input sample off the delay
        // that it reports.
        let least = from / greatest_common_divisor(from, to);
        let chunk = CHUNK.div_ceil(least).next_multiple_of(2) * least;
        let fft = Fft::new_custom(from, to, chunk, 1, N, window, FixedSync::Both)
            .map_err(|error| format!("of {from_rate} Hz cannot be converted to {to_rate} Hz ({error})"))?;
        Ok(Self {
            input: vec![[0.0; N]; fft.input_frames_next()],
            output: vec![[0.0; N]; fft.output_frames_next()],
            ready: Vec::new(),
            taken: 0,
            delay: fft.output_delay(),
            fft,
        })
    }

    /// Converts the first `count` frames of the input; beyond them lies silence, which drives out what the filter holds.
    fn convert(&mut self, count: usize) -> Result<(), String> {
        self.input[count..].fill([0.0; N]);
        let (in_frames, out_frames) = (self.input.len(), self.output.len());
        let source = InterleavedSlice::new(self.input.as_flattened(), N, in_frames).map_err(|e| e.to_string())?;
        let mut target = InterleavedSlice::new_mut(self.output.as_flattened_mut(), N, out_frames)
            .map_err(|error| error.to_string())?;
        let (_, made) = self
            .fft
            .process_into_buffer(&source, &mut target, Some(&Indexing::new()))
            .map_err(|error| error.to_string())?;
        let dropped = self.delay.min(made);
        self.delay -= dropped;
        self.ready.clear();
        self.ready.extend_from_slice(&self.output[dropped..made]);
        self.taken = 0;
        Ok(())
    }
}

/// Sound of one rate as sound of another, of the length that it has there, each frame at its time.
pub(super) fn convert<const N: usize>(
    frames: &[[f32; N]],
    (from, to): (u32, u32),
) -> Result<Vec<[f32; N]>, MediaError> {
    if from == to {
        return Ok(frames.to_vec());
    }
    let wanted = scale(frames.len() as u64, from, to) as usize;
    let bad = |reason: String| MediaError::Invalid(format!("sound {reason}"));
    let mut converter = Converter::new(from, to).map_err(bad)?;
    let mut made = Vec::with_capacity(wanted + converter.output.len());
    let mut left = frames;
    while made.len() < wanted {
        let count = left.len().min(converter.input.len());
        converter.input[..count].copy_from_slice(&left[..count]);
        left = &left[count..];
        converter.convert(count).map_err(bad)?;
        made.extend_from_slice(&converter.ready);
    }
    made.truncate(wanted);
    Ok(made)
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
    fn sound_that_is_converted_and_back_is_itself() {
        let tone = |n: usize| (std::f32::consts::TAU * (700.0 * n as f32 / 48_000.0).fract()).sin() * 0.5;
        let frames: Vec<[f32; 2]> = (0..48_123).map(|n| [tone(n), -tone(n)]).collect();
        let there = convert(&frames, (48_000, 44_100)).unwrap();
        assert_eq!(there.len(), 44_213);
        let back = convert(&there, (44_100, 48_000)).unwrap();
        assert!(back.len().abs_diff(frames.len()) <= 1);
        // Near the ends the filters reach into the silence beyond.
        for n in 5_000..43_000 {
            assert!((back[n][0] - frames[n][0]).abs() < 1e-4 && (back[n][1] + back[n][0]).abs() < 1e-6, "{n}");
        }
        assert_eq!(convert::<1>(&[], (48_000, 44_100)).unwrap(), Vec::<[f32; 1]>::new());
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
