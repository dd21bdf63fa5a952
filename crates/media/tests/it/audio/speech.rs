//! Real speech, with a bed, as it leaves the encoder.

use std::path::{Path, PathBuf};

use media::audio::{Measured, Music, VoiceTone, encode_audio, measure};
use media::process::Command;

use super::signals::{Noise, clip, plan, run, write_stereo};
use crate::fixtures::Workbench;

const SENTENCES: [&str; 4] = [
    "Every ship that crosses the ocean leaves a trace.",
    "It is drawn in light, and it fades slowly.",
    "Scientists read it like a book, page by page.",
    "What would you ask the sea, if it could answer you?",
];

async fn say(bench: &Workbench, voice: &str, text: &str, name: &str) -> PathBuf {
    let path = bench.path(name);
    let command = Command::new("espeak-ng").args(["-v", voice, "-w"]).arg(&path).arg(text);
    command.run().await.unwrap();
    path
}

/// Loudness and true peak by FFmpeg's own meter, of any file.
async fn heard(bench: &Workbench, path: &Path) -> (f64, f64) {
    let command = Command::new(bench.ffmpeg.path())
        .args(["-nostdin", "-hide_banner", "-nostats", "-i"])
        .arg(path)
        .args(["-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-"])
        .stderr_kept(64 * 1024);
    let said = command.run().await.unwrap().stderr;
    let summary = &said[said.rfind("Summary:").unwrap()..];
    let number = |label: &str| -> f64 {
        let rest = &summary[summary.find(label).unwrap() + label.len()..];
        rest.split_whitespace().next().unwrap().parse().unwrap()
    };
    (number("I:"), number("Peak:"))
}

#[tokio::test]
async fn speech_with_music_is_right_after_the_encoder_too() {
    let bench = Workbench::new().await;
    let mut noise = Noise::new(8);
    let music = bench.path("music.wav");
    let frames: Vec<[f32; 2]> = (0..400_000)
        .map(|n| {
            let beat = 0.5 * (-((n % 24_000) as f32) / 4_000.0).exp();
            let chord: f32 = [130.8_f32, 196.0, 261.6].iter().map(|hz| (hz * n as f32 / 7_639.437).sin() * 0.1).sum();
            [chord + beat * noise.next() * 0.4, chord + beat * noise.next() * 0.4]
        })
        .collect();
    write_stereo(&music, &frames);
    for (voice, tone, bed) in
        [("en-us", VoiceTone::Warm, true), ("es", VoiceTone::Plain, false), ("en-gb+f3", VoiceTone::Warm, true)]
    {
        let mut mixed = plan(18.0);
        mixed.voice_tone = tone;
        for (index, sentence) in SENTENCES.iter().enumerate() {
            let path = say(&bench, voice, sentence, &format!("{index}.wav")).await;
            mixed.voice.push(clip(path, 0.5 + 4.2 * index as f32));
        }
        mixed.music = bed.then(|| Music::bed(&music));
        let wav = bench.path("mix.wav");
        let report = run(&mixed, &wav);
        assert!((report.integrated_lufs.unwrap() + 14.0).abs() <= 0.2, "{report:?}");
        for name in ["mix.m4a", "mix.opus", "mix.mp3"] {
            let encoded = bench.path(name);
            encode_audio(&bench.ffmpeg, &wav, &encoded, &media::audio::AudioTags::default()).await.unwrap();
            let (loudness, peak) = heard(&bench, &encoded).await;
            println!("{voice} {name}: {loudness} LUFS, {peak} dBTP (mix {report:?})");
            assert!((loudness + 14.0).abs() <= 0.5, "{voice} {name}: {loudness}");
            assert!(peak <= -1.0, "{voice} {name}: {peak}");
        }
    }
}

#[tokio::test]
async fn dense_and_peaky_music_keeps_its_bound_through_the_encoder() {
    let bench = Workbench::new().await;
    let music = bench.path("music.wav");
    let mut noise = Noise::new(5);
    for decay in [1_000.0_f32, 6_000.0, 1e9] {
        // Noise that falls by 6 dB an octave above 1.2 kHz, as the spectrum of music does.
        let mut soft = [0.0_f32; 2];
        let frames: Vec<[f32; 2]> = (0..300_000)
            .map(|n| {
                let loud = 0.1 + (-((n % 20_000) as f32) / decay).exp();
                soft = soft.map(|sample| sample + 0.15 * (noise.next() - sample));
                soft.map(|sample| loud * sample)
            })
            .collect();
        write_stereo(&music, &frames);
        let mut mixed = plan(8.0);
        mixed.music = Some(Music::bed(&music));
        let wav = bench.path("mix.wav");
        let report = run(&mixed, &wav);
        let encoded = bench.path("mix.m4a");
        encode_audio(&bench.ffmpeg, &wav, &encoded, &media::audio::AudioTags::default()).await.unwrap();
        let (loudness, peak) = heard(&bench, &encoded).await;
        println!("{decay}: {loudness} LUFS, {peak} dBTP (mix {report:?})");
        assert!((loudness + 14.0).abs() <= 0.5 && peak <= -1.0, "{decay}: {loudness} {peak}");
    }
}

#[tokio::test]
async fn our_meter_agrees_with_ffmpeg() {
    let bench = Workbench::new().await;
    let path = say(&bench, "en-us", &SENTENCES.join(" "), "speech.wav").await;
    let (loudness, peak) = heard(&bench, &path).await;
    let Measured { integrated_lufs, true_peak_dbtp, momentary_max_lufs, .. } = measure(&path).unwrap();
    // FFmpeg hears a mono file from one loudspeaker, we from two: 3 dB.
    assert!((integrated_lufs.unwrap() - loudness - 3.01).abs() < 0.3, "{integrated_lufs:?} {loudness}");
    assert!((true_peak_dbtp - peak).abs() < 0.3, "{true_peak_dbtp} {peak}");
    assert!(momentary_max_lufs.unwrap() > integrated_lufs.unwrap());
}
