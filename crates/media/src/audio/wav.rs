//! WAV files read and written in blocks, so that an hour costs no more memory than a second.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec};

use crate::MediaError;

/// Frames that are decoded at a time.
const CHUNK: usize = 4_096;

/// Rates that occur in practice; others are a broken header.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// Writes one channel of 16 bits.
pub fn write_mono_s16(path: &Path, rate: u32, samples: &[i16]) -> Result<(), MediaError> {
    let mut writer = WavWriter::create(path, rate, 1)?;
    writer.write(samples)?;
    writer.finish()
}

/// Writes 16-bit samples.
pub struct WavWriter {
    path: PathBuf,
    inner: hound::WavWriter<BufWriter<File>>,
}

impl WavWriter {
    /// Creates or overwrites `path`.
    pub fn create(path: &Path, rate: u32, channels: u16) -> Result<Self, MediaError> {
        let file = File::create(path).map_err(|error| MediaError::io(path, error))?;
        Self::over(file, path, rate, channels)
    }

    /// Writes into an open, empty file; `path` is what errors name.
    pub(super) fn over(file: File, path: &Path, rate: u32, channels: u16) -> Result<Self, MediaError> {
        let spec = WavSpec { channels, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let inner = hound::WavWriter::new(BufWriter::new(file), spec).map_err(|error| failure(path, error))?;
        Ok(Self { path: path.into(), inner })
    }

    /// Appends interleaved samples.
    pub fn write(&mut self, samples: &[i16]) -> Result<(), MediaError> {
        for part in samples.chunks(CHUNK) {
            let mut writer = self.inner.get_i16_writer(part.len() as u32);
            for &sample in part {
                writer.write_sample(sample);
            }
            writer.flush().map_err(|error| failure(&self.path, error))?;
        }
        Ok(())
    }

    /// Completes the header. A writer dropped without it leaves a file that must not be used.
    pub fn finish(self) -> Result<(), MediaError> {
        let path = self.path;
        self.inner.finalize().map_err(|error| failure(&path, error))
    }
}

impl std::fmt::Debug for WavWriter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("WavWriter").field("path", &self.path).finish_non_exhaustive()
    }
}

/// How samples lie in the file, little endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    S16,
    S24,
    S32,
    F32,
}

impl Coding {
    fn bytes(self) -> usize {
        match self {
            Self::S16 => 2,
            Self::S24 => 3,
            Self::S32 | Self::F32 => 4,
        }
    }

    /// A sample at full scale ±1. What is no number becomes silence, and runaway values are held.
    fn decode(self, bytes: &[u8]) -> f32 {
        match (self, bytes) {
            (Self::S16, &[a, b]) => f32::from(i16::from_le_bytes([a, b])) / 32_768.0,
            (Self::S24, &[a, b, c]) => i32::from_le_bytes([0, a, b, c]) as f32 / 2_147_483_648.0,
            (Self::S32, &[a, b, c, d]) => i32::from_le_bytes([a, b, c, d]) as f32 / 2_147_483_648.0,
            (Self::F32, &[a, b, c, d]) => {
                let value = f32::from_le_bytes([a, b, c, d]);
                if value.is_finite() { value.clamp(-8.0, 8.0) } else { 0.0 }
            }
            _ => 0.0,
        }
    }
}

/// Reads mono or stereo of 16, 24 or 32 bits or float.
#[derive(Debug)]
pub struct WavReader {
    path: PathBuf,
    input: BufReader<File>,
    coding: Coding,
    channels: usize,
    sample_rate: u32,
    data_start: u64,
    frames: u64,
    position: u64,
    bytes: Vec<u8>,
}

impl WavReader {
    /// Opens a file and reads its header.
    pub fn open(path: &Path) -> Result<Self, MediaError> {
        // Opening a pipe would wait for its writer.
        if !std::fs::metadata(path).map_err(|error| MediaError::io(path, error))?.is_file() {
            return Err(bad(path, "is not a file"));
        }
        let file = File::open(path).map_err(|error| MediaError::io(path, error))?;
        let size = file.metadata().map_err(|error| MediaError::io(path, error))?.len();
        let header = hound::WavReader::new(BufReader::new(file)).map_err(|error| failure(path, error))?;
        let spec = header.spec();
        let frames = u64::from(header.duration());
        let mut input = header.into_inner();
        let data_start = input.stream_position().map_err(|error| MediaError::io(path, error))?;
        let coding =
            coding(spec).ok_or_else(|| bad(path, "is a WAV file of an unusual sort; save it as 16-bit PCM"))?;
        let channels = usize::from(spec.channels);
        if !(1..=2).contains(&channels) || !RATES.contains(&spec.sample_rate) {
            return Err(bad(path, "is neither mono nor stereo of 8 to 192 kHz; convert it"));
        }
        if data_start + frames * (channels * coding.bytes()) as u64 > size {
            return Err(bad(path, "is cut short: its header promises more sound; make or copy it again"));
        }
        Ok(Self {
            path: path.into(),
            input,
            coding,
            channels,
            sample_rate: spec.sample_rate,
            data_start,
            frames,
            position: 0,
            bytes: Vec::new(),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Samples a second of each channel.
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// 1 or 2.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Samples of each channel.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Goes to a frame; beyond the end is the end.
    pub fn seek(&mut self, frame: u64) -> Result<(), MediaError> {
        self.position = frame.min(self.frames);
        let offset = self.data_start + self.position * (self.channels * self.coding.bytes()) as u64;
        self.input.seek(SeekFrom::Start(offset)).map_err(|error| MediaError::io(&self.path, error))?;
        Ok(())
    }

    /// Fills `out` with the next frames of `N` channels and says how many there were; fewer than asked only at the
    /// end. Stereo becomes mono as the mean, mono becomes stereo by saying it twice.
    pub fn read<const N: usize>(&mut self, out: &mut [[f32; N]]) -> Result<usize, MediaError> {
        let wanted = (self.frames - self.position).min(out.len() as u64) as usize;
        for part in out[..wanted].chunks_mut(CHUNK) {
            self.read_chunk(part)?;
        }
        self.position += wanted as u64;
        Ok(wanted)
    }

    fn read_chunk<const N: usize>(&mut self, out: &mut [[f32; N]]) -> Result<(), MediaError> {
        let width = self.coding.bytes();
        self.bytes.resize(out.len() * width * self.channels, 0);
        self.input.read_exact(&mut self.bytes).map_err(|error| MediaError::io(&self.path, error))?;
        if self.channels == 1 {
            for (frame, bytes) in out.iter_mut().zip(self.bytes.chunks_exact(width)) {
                *frame = [self.coding.decode(bytes); N];
            }
            return Ok(());
        }
        for (frame, bytes) in out.iter_mut().zip(self.bytes.chunks_exact(2 * width)) {
            let (left, right) = bytes.split_at(width);
            let pair = [self.coding.decode(left), self.coding.decode(right)];
            if N == 2 {
                frame.copy_from_slice(&pair);
            } else {
                frame.fill(f32::midpoint(pair[0], pair[1]));
            }
        }
        Ok(())
    }
}

fn coding(spec: WavSpec) -> Option<Coding> {
    match (spec.sample_format, spec.bits_per_sample) {
        (SampleFormat::Int, 16) => Some(Coding::S16),
        (SampleFormat::Int, 24) => Some(Coding::S24),
        (SampleFormat::Int, 32) => Some(Coding::S32),
        (SampleFormat::Float, 32) => Some(Coding::F32),
        _ => None,
    }
}

fn bad(path: &Path, reason: &str) -> MediaError {
    MediaError::BadFile { path: path.into(), reason: reason.into() }
}

fn failure(path: &Path, error: hound::Error) -> MediaError {
    match error {
        hound::Error::IoError(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            MediaError::io(path, error)
        }
        other => bad(path, &format!("is not a WAV file that can be read ({other}); convert it to 16-bit PCM")),
    }
}
