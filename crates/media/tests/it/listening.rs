//! Speech found and speakers told apart, in synthetic voices under music and noise.

use std::path::{Path, PathBuf};

use media::audio::wav::{WavReader, write_mono_s16};
use media::process::Command;
use media::source::SPEECH_RATE;
use media::speakers::{Register, Speakers, tell_apart};
use media::speech::{TimeSpan, listen};
use tokio_util::sync::CancellationToken;

use crate::fixtures::Workbench;

const SENTENCES: [&str; 8] = [
    "Every ship that crosses the ocean leaves a trace behind it.",
    "It is drawn in light, and it fades slowly towards the evening.",
    "Scientists read it like a book, page by page, year after year.",
    "What would you ask the sea, if it could answer you?",
    "The harbour was quiet when we arrived early in the morning.",
    "Nobody had expected that the measurements would be so clear.",
    "Two hundred boats were counted between the islands that day.",
    "We shall come back in spring, when the water is warmer.",
];

/// A sentence at 16 kHz, without the silence around it.
async fn say(bench: &Workbench, voice: &str, text: &str) -> Vec<f32> {
    let spoken = bench.path("spoken.wav");
    let command = Command::new("espeak-ng").args(["-v", voice, "-w"]).arg(&spoken).arg(text);
    command.run().await.unwrap();
    let path = bench.generate(&format!("-i {} -ar 16000 -ac 1", spoken.display()), "spoken-16.wav").await;
    let mut wav = WavReader::open(&path).unwrap();
    let mut sound = vec![[0.0_f32]; wav.frames() as usize];
    wav.read(&mut sound).unwrap();
    let sound = sound.as_flattened();
    let loud = |sample: &f32| sample.abs() > 0.01;
    let (first, last) = (sound.iter().position(loud).unwrap(), sound.iter().rposition(loud).unwrap());
    sound[first..=last].to_vec()
}

/// Sentences with pauses between them, and where each is.
async fn talk(bench: &Workbench, lines: &[(&str, &str)], pause_ms: u64) -> (Vec<f32>, Vec<TimeSpan>) {
    let pause = (pause_ms * u64::from(SPEECH_RATE) / 1000) as usize;
    let (mut sound, mut spans) = (vec![0.0; pause], Vec::new());
    let at_ms = |samples: usize| samples as u64 * 1000 / u64::from(SPEECH_RATE);
    for (voice, text) in lines {
        let start_ms = at_ms(sound.len());
        sound.extend(say(bench, voice, text).await);
        spans.push(TimeSpan { start_ms, end_ms: at_ms(sound.len()) });
        sound.extend(std::iter::repeat_n(0.0, pause));
    }
    (sound, spans)
}

fn write(path: PathBuf, sound: &[f32]) -> PathBuf {
    let samples: Vec<i16> = sound.iter().map(|x| (x * 32_767.0).clamp(-32_767.0, 32_767.0) as i16).collect();
    write_mono_s16(&path, SPEECH_RATE, &samples).unwrap();
    path
}

/// Adds what `made` gives for each sample at this many dB below the speech.
fn disturbed(sound: &[f32], spans: &[TimeSpan], snr_db: f32, mut made: impl FnMut(usize) -> f32) -> Vec<f32> {
    let power = |samples: &[f32]| samples.iter().map(|x| x * x).sum::<f32>() / samples.len() as f32;
    let at = |ms: u64| (ms * u64::from(SPEECH_RATE) / 1000) as usize;
    let speech: Vec<f32> = spans.iter().flat_map(|span| sound[at(span.start_ms)..at(span.end_ms)].to_vec()).collect();
    let noise: Vec<f32> = (0..sound.len()).map(&mut made).collect();
    let gain = (power(&speech) / power(&noise) / 10.0_f32.powf(snr_db / 10.0)).sqrt();
    sound.iter().zip(noise).map(|(speech, noise)| speech + gain * noise).collect()
}

/// Chords that change twice a second, with a drum.
fn music(n: usize) -> f32 {
    let (time, beat) = (n as f32 / 16_000.0, n / 8_000);
    let root = [220.0_f32, 261.6, 196.0, 293.7][beat % 4];
    let chord: f32 = [1.0_f32, 1.26, 1.5].iter().map(|ratio| (std::f32::consts::TAU * root * ratio * time).sin()).sum();
    let since = (n % 8_000) as f32;
    let drum = (-since / 900.0).exp() * (std::f32::consts::TAU * 70.0 * since / 16_000.0).sin();
    0.2 * chord * (-since / 12_000.0).exp() + 0.6 * drum
}

fn white(n: usize) -> f32 {
    let hash = (n as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((hash ^ (hash >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) as f32 / 8_388_608.0 - 1.0
}

/// The harmonic mean of precision and recall, counted in steps of 10 ms.
fn f1(found: &[TimeSpan], wanted: &[TimeSpan], duration_ms: u64) -> f64 {
    let inside = |spans: &[TimeSpan], ms: u64| spans.iter().any(|span| (span.start_ms..span.end_ms).contains(&ms));
    let steps: Vec<(bool, bool)> =
        (0..duration_ms).step_by(10).map(|ms| (inside(found, ms), inside(wanted, ms))).collect();
    let count = |of: fn(&(bool, bool)) -> bool| steps.iter().filter(|step| of(step)).count() as f64;
    2.0 * count(|step| step.0 && step.1) / (count(|step| step.0) + count(|step| step.1))
}

#[tokio::test]
async fn speech_is_found_under_music_and_noise_and_never_cut() {
    let bench = Workbench::new().await;
    let voices = ["en-us", "en-gb+f3", "es", "de+m3"];
    let lines: Vec<_> = SENTENCES.iter().enumerate().map(|(n, text)| (voices[n % 4], *text)).collect();
    let (clean, spans) = talk(&bench, &lines, 1_300).await;
    let duration_ms = clean.len() as u64 / 16;
    let cases = [
        ("clean", clean.clone()),
        ("quiet", clean.iter().map(|x| 0.03 * x).collect()),
        ("music at 10 dB", disturbed(&clean, &spans, 10.0, music)),
        ("noise at 10 dB", disturbed(&clean, &spans, 10.0, white)),
        ("noise at 15 dB", disturbed(&clean, &spans, 15.0, white)),
    ];
    for (name, sound) in cases {
        let path = write(bench.path("talk.wav"), &sound);
        let activity = listen(&path, &CancellationToken::new()).unwrap();
        let score = f1(&activity.speech(), &spans, duration_ms);
        println!("{name}: F1 {score:.3}");
        assert!(score >= 0.95, "{name}: F1 {score:.3} {:?} {spans:?}", activity.speech());
        let utterances = activity.utterances();
        for utterance in &utterances {
            assert!((500..=15_000).contains(&utterance.duration_ms()), "{name}: {utterances:?}");
        }
        for span in &spans {
            // 40 ms: how far a soft first or last sound may lie outside.
            let holds = |u: &TimeSpan| u.start_ms <= span.start_ms + 40 && u.end_ms + 40 >= span.end_ms;
            assert!(utterances.iter().any(holds), "{name}: {span:?} is cut by {utterances:?}");
        }
    }
}

#[tokio::test]
async fn music_noise_and_silence_hold_no_speech() {
    let bench = Workbench::new().await;
    let samples = 0..20 * 16_000;
    let made = [
        ("music", samples.clone().map(|n| 0.3 * music(n)).collect()),
        ("noise", samples.clone().map(|n| 0.2 * white(n)).collect()),
        ("silence", vec![0.0; samples.len()]),
    ];
    for (name, sound) in made {
        let path = write(bench.path("other.wav"), &sound);
        let activity = listen(&path, &CancellationToken::new()).unwrap();
        let heard_ms: u64 = activity.utterances().iter().map(|span| span.duration_ms()).sum();
        assert!(heard_ms <= 1_000, "{name}: {:?}", activity.utterances());
    }
}

fn told(path: &Path, spans: &[TimeSpan]) -> Speakers {
    tell_apart(path, spans, &CancellationToken::new()).unwrap()
}

#[tokio::test]
async fn speakers_are_told_apart_and_their_voices_are_low_or_high() {
    let bench = Workbench::new().await;
    let cast = ["en-us+m3", "en-us+f2", "en-us+m3", "en-us+m3", "en-us+f2", "en-us+m3", "en-us+f2", "en-us+m3"];
    let lines: Vec<_> = cast.into_iter().zip(SENTENCES).collect();
    let (clean, spans) = talk(&bench, &lines, 600).await;
    for (name, sound) in [("clean", clean.clone()), ("music", disturbed(&clean, &spans, 20.0, music))] {
        let speakers = told(&write(bench.path("talk.wav"), &sound), &spans);
        let wanted: Vec<usize> = cast.iter().map(|voice| usize::from(*voice != "en-us+m3")).collect();
        let found: Vec<usize> = speakers.spoken.iter().map(|spoken| spoken.speaker).collect();
        assert_eq!(found, wanted, "{name}: {speakers:?}");
        let registers: Vec<Register> = speakers.voices.iter().map(|voice| voice.register).collect();
        assert_eq!(registers, [Register::Low, Register::High], "{name}: {speakers:?}");
    }
}

#[tokio::test]
async fn one_speaker_stays_one_whatever_is_said() {
    let bench = Workbench::new().await;
    for voice in ["en-us", "es+f3", "de+m1"] {
        let lines: Vec<_> = SENTENCES.iter().map(|text| (voice, *text)).collect();
        let (sound, spans) = talk(&bench, &lines, 500).await;
        let speakers = told(&write(bench.path("talk.wav"), &sound), &spans);
        assert_eq!(speakers.voices.len(), 1, "{voice}: {speakers:?}");
    }
}

#[tokio::test]
async fn human_like_voices_are_told_apart() {
    let bench = Workbench::new().await;
    if !bench.ffmpeg.has_filter("flite") {
        return;
    }
    let cast = ["slt", "rms", "awb", "slt", "rms", "awb", "rms", "slt"];
    let (mut sound, mut spans) = (vec![0.0; 8_000], Vec::new());
    for (voice, text) in cast.into_iter().zip(SENTENCES) {
        std::fs::write(bench.path("line.txt"), text).unwrap();
        let source = format!("-f lavfi -i flite=textfile=line.txt:voice={voice} -ar 16000 -ac 1");
        let mut wav = WavReader::open(&bench.generate(&source, "line.wav").await).unwrap();
        let mut line = vec![[0.0_f32]; wav.frames() as usize];
        wav.read(&mut line).unwrap();
        let start_ms = sound.len() as u64 / 16;
        sound.extend_from_slice(line.as_flattened());
        spans.push(TimeSpan { start_ms, end_ms: sound.len() as u64 / 16 });
        sound.extend(std::iter::repeat_n(0.0, 8_000));
    }
    let speakers = told(&write(bench.path("talk.wav"), &sound), &spans);
    let found: Vec<usize> = speakers.spoken.iter().map(|spoken| spoken.speaker).collect();
    assert_eq!(found, [0, 1, 2, 0, 1, 2, 1, 0], "{speakers:?}");
    let registers: Vec<Register> = speakers.voices.iter().map(|voice| voice.register).collect();
    assert_eq!(registers[..2], [Register::High, Register::Low], "{speakers:?}");
}
