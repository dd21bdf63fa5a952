//! Sounds made from formulas, and what is asked of results.

use std::f32::consts::TAU;
use std::path::{Path, PathBuf};

use media::audio::wav::{WavReader, WavWriter, write_mono_s16};
use media::audio::{Loudness, MixPlan, MixReport, NoiseReduction, VoiceClip, VoiceTone, mix};
use tokio_util::sync::CancellationToken;

pub(super) const RATE: usize = 48_000;

/// A source of numbers from −1 to 1 that look random.
pub(super) struct Noise(u64);

impl Noise {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / 8_388_608.0 - 1.0
    }
}

pub(super) fn tone(hz: f32, amplitude: f32, samples: usize, rate: usize) -> Vec<f32> {
    (0..samples).map(|n| amplitude * (TAU * (hz * n as f32 / rate as f32).fract()).sin()).collect()
}

/// Syllables: bursts of a buzzing voice with pauses between them, as peaky as speech is.
pub(super) fn babble(seed: u64, seconds: f32, rate: usize, amplitude: f32) -> Vec<f32> {
    let mut noise = Noise::new(seed);
    let mut out = Vec::new();
    let wanted = (seconds * rate as f32) as usize;
    while out.len() < wanted {
        let length = rate / 8 + (noise.next().abs() * rate as f32 / 8.0) as usize;
        let pause = (noise.next().abs() * rate as f32 / 10.0) as usize;
        let pitch = 100.0 + 60.0 * noise.next();
        let level = amplitude * (0.4 + 0.6 * noise.next().abs());
        for n in 0..length {
            let time = n as f32 / rate as f32;
            let envelope = (std::f32::consts::PI * n as f32 / length as f32).sin();
            let buzz: f32 = (1..20).map(|k| (TAU * pitch * k as f32 * time).cos() / k as f32).sum();
            out.push(level * envelope * (0.3 * buzz + 0.05 * noise.next()));
        }
        out.extend(std::iter::repeat_n(0.0, pause));
    }
    out.truncate(wanted);
    out
}

pub(super) fn write_mono(path: &Path, rate: u32, samples: &[f32]) {
    let samples: Vec<i16> = samples.iter().map(|x| (x * 32_767.0).clamp(-32_767.0, 32_767.0) as i16).collect();
    write_mono_s16(path, rate, &samples).unwrap();
}

pub(super) fn write_stereo(path: &Path, frames: &[[f32; 2]]) {
    let samples: Vec<i16> =
        frames.as_flattened().iter().map(|x| (x * 32_767.0).clamp(-32_767.0, 32_767.0) as i16).collect();
    let mut writer = WavWriter::create(path, RATE as u32, 2).unwrap();
    writer.write(&samples).unwrap();
    writer.finish().unwrap();
}

pub(super) fn read_stereo(path: &Path) -> Vec<[f32; 2]> {
    let mut wav = WavReader::open(path).unwrap();
    let mut frames = vec![[0.0; 2]; wav.frames() as usize];
    wav.read(&mut frames).unwrap();
    frames
}

pub(super) fn plan(seconds: f32) -> MixPlan {
    MixPlan {
        duration_samples: (seconds * RATE as f32) as u64,
        voice: Vec::new(),
        voice_tone: VoiceTone::Plain,
        noise_reduction: NoiseReduction::Off,
        scene_sound: Vec::new(),
        music: None,
        loudness: Loudness::default(),
    }
}

pub(super) fn clip(path: PathBuf, start_seconds: f32) -> VoiceClip {
    VoiceClip { path, start_sample: (start_seconds * RATE as f32) as u64, gain_db: 0.0 }
}

pub(super) fn run(plan: &MixPlan, output: &Path) -> MixReport {
    mix(plan, output, &CancellationToken::new(), |_| ()).unwrap()
}

/// Level of a stretch in dB over full scale.
pub(super) fn level_db(frames: &[[f32; 2]]) -> f32 {
    let samples = frames.as_flattened();
    10.0 * (samples.iter().map(|x| x * x).sum::<f32>() / samples.len() as f32).max(1e-12).log10()
}

/// Level of one frequency in dB over full scale, by correlation with it.
pub(super) fn tone_db(frames: &[[f32; 2]], hz: f32) -> f32 {
    let (mut sine, mut cosine) = (0.0_f64, 0.0_f64);
    for (n, frame) in frames.iter().enumerate() {
        let (s, c) = (f64::from(hz) * std::f64::consts::TAU * n as f64 / RATE as f64).sin_cos();
        let window = 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / frames.len() as f64).cos();
        sine += f64::from(frame[0]) * s * window;
        cosine += f64::from(frame[0]) * c * window;
    }
    let amplitude = (sine * sine + cosine * cosine).sqrt() * 4.0 / frames.len() as f64;
    (20.0 * amplitude.max(1e-9).log10()) as f32
}
