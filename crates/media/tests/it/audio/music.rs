//! The bed: its loop, its fades, and how it makes room for speech.

use media::audio::{Music, mix};
use tokio_util::sync::CancellationToken;

use super::signals::{Noise, clip, level_db, plan, read_stereo, run, tone, tone_db, write_mono, write_stereo};

/// Mixes music alone, without fades, far longer than the file.
fn looped(frames: &[[f32; 2]], seconds: f32) -> Vec<[f32; 2]> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("music.wav");
    write_stereo(&path, frames);
    let mut plan = plan(seconds);
    plan.loudness.target_lufs = -20.0;
    plan.music = Some(Music { fade_in_ms: 0, fade_out_ms: 0, ..Music::bed(path) });
    let output = folder.path().join("out.wav");
    run(&plan, &output);
    read_stereo(&output)
}

/// The least and the most of the levels of windows, relative to the whole.
fn spread(frames: &[[f32; 2]], window: usize) -> (f32, f32) {
    let mean = level_db(frames);
    let levels = frames.windows(window).step_by(window / 4).map(|part| level_db(part) - mean);
    levels.fold((0.0, 0.0), |(least, most), level| (f32::min(least, level), f32::max(most, level)))
}

#[track_caller]
fn assert_seamless(frames: &[[f32; 2]], window: usize) {
    let (least, most) = spread(&frames[..frames.len() - 4_800], window);
    assert!(least > -0.5 && most < 0.5, "{least} to {most} dB");
}

#[test]
fn a_looped_noise_has_no_seam() {
    let mut noise = Noise::new(1);
    let frames: Vec<[f32; 2]> = (0..250_000).map(|_| [noise.next() * 0.3, noise.next() * 0.3]).collect();
    assert_seamless(&looped(&frames, 30.0), 9_600);
}

#[test]
fn a_looped_tone_has_no_seam() {
    for (hz, samples) in [(440.0, 161_803), (97.3, 110_000), (1_234.5, 333_333)] {
        let frames: Vec<[f32; 2]> = tone(hz, 0.3, samples, 48_000).into_iter().map(|x| [x, x]).collect();
        assert_seamless(&looped(&frames, 25.0), 4_800);
    }
}

#[test]
fn a_looped_chord_has_no_seam() {
    let parts = [220.0, 277.2, 329.6, 415.3].map(|hz| tone(hz, 0.1, 400_000, 48_000));
    let frames: Vec<[f32; 2]> = (0..400_000).map(|n| [parts.iter().map(|part| part[n]).sum::<f32>(); 2]).collect();
    // The notes beat against each other, the file as well as its loop: longer windows than the beats.
    assert_seamless(&looped(&frames, 40.0), 48_000);
}

#[test]
fn a_beat_goes_on_in_time() {
    // A click every half second, in a file whose length is no number of beats.
    let mut noise = Noise::new(4);
    let frames: Vec<[f32; 2]> = (0..450_000)
        .map(|n| {
            let loud = 0.5 * (-((n % 24_000) as f32) / 1_500.0).exp();
            [loud * noise.next(), loud * noise.next()]
        })
        .collect();
    let out = looped(&frames, 40.0);
    let rises = (480..out.len() / 480 - 20)
        .map(|hop| hop * 480)
        .filter(|&at| level_db(&out[at..at + 480]) > level_db(&out[at - 480..at]) + 10.0);
    let mut onsets: Vec<usize> = Vec::new();
    for at in rises {
        // A rise that falls on the edge of two windows counts once.
        if onsets.last().is_none_or(|&last| at - last > 960) {
            onsets.push(at);
        }
    }
    assert!(onsets.len() > 60);
    let odd = onsets.windows(2).filter(|pair| !(23_000..25_000).contains(&(pair[1] - pair[0]))).count();
    assert_eq!(odd, 0, "{onsets:?}");
}

#[test]
fn silent_ends_and_fades_of_the_file_leave_no_hole() {
    let mut noise = Noise::new(2);
    let frames: Vec<[f32; 2]> = (0..480_000)
        .map(|n| {
            let edge = (n.min(479_999 - n) as f32 - 48_000.0).max(0.0) / 96_000.0;
            [noise.next() * 0.3 * edge.min(1.0), noise.next() * 0.3 * edge.min(1.0)]
        })
        .collect();
    let out = looped(&frames, 30.0);
    let (least, _) = spread(&out[144_000..out.len() - 48_000], 9_600);
    // Up to 6 dB of the piece's own fade may stay; the silence and the rest of the fade may not.
    assert!(least > -7.5, "{least}");
}

#[test]
fn the_bed_ends_in_a_fade_that_reaches_silence_with_the_last_sample() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("music.wav");
    let frames: Vec<[f32; 2]> = tone(440.0, 0.3, 200_000, 48_000).into_iter().map(|x| [x, x]).collect();
    write_stereo(&path, &frames);
    let mut plan = plan(12.0);
    plan.music = Some(Music { fade_in_ms: 1_000, fade_out_ms: 2_000, ..Music::bed(path) });
    let output = folder.path().join("out.wav");
    run(&plan, &output);
    let out = read_stereo(&output);
    assert_eq!(out.last(), Some(&[0.0, 0.0]));
    let levels: Vec<f32> = out[480_000..].chunks(9_600).map(level_db).collect();
    assert!(levels.windows(2).all(|pair| pair[1] < pair[0]), "{levels:?}");
    assert!(levels[9] < levels[0] - 25.0, "{levels:?}");
    let rising: Vec<f32> = out[..48_000].chunks(4_800).map(level_db).collect();
    assert!(rising.windows(2).all(|pair| pair[1] > pair[0]), "{rising:?}");
}

#[test]
fn the_bed_makes_room_for_speech_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let voice = folder.path().join("voice.wav");
    // A voice at 2 kHz over music at 400 Hz: each can be measured by itself.
    write_mono(&voice, 48_000, &tone(2_000.0, 0.2, 240_000, 48_000));
    let music = folder.path().join("music.wav");
    let frames: Vec<[f32; 2]> = tone(400.0, 0.3, 200_000, 48_000).into_iter().map(|x| [x, x]).collect();
    write_stereo(&music, &frames);
    let mut plan = plan(30.0);
    plan.voice = vec![clip(voice.clone(), 6.0), clip(voice, 16.0)];
    plan.music = Some(Music { gain_db: -8.0, duck_db: 9.0, fade_in_ms: 0, fade_out_ms: 0, ..Music::bed(music) });
    let output = folder.path().join("out.wav");
    run(&plan, &output);
    let out = read_stereo(&output);
    let at = |seconds: f32| tone_db(&out[(seconds * 48_000.0) as usize..][..9_600], 400.0);
    let (pause, speech) = (at(3.0), at(8.0));
    assert!((pause - speech - 9.0).abs() < 0.3, "{pause} {speech}");
    // Down when the first word sounds, up again in the long pause and at the end.
    assert!((at(6.0) - speech).abs() < 0.5 && (at(15.95) - speech).abs() < 1.5);
    assert!((at(13.0) - pause).abs() < 0.3 && (at(25.0) - pause).abs() < 0.3);
}

#[test]
fn music_that_is_none_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, frames: Vec<[f32; 2]>| {
        let path = folder.path().join(name);
        write_stereo(&path, &frames);
        path
    };
    let slow = folder.path().join("slow.wav");
    write_mono(&slow, 44_100, &tone(440.0, 0.3, 200_000, 44_100));
    let mut mostly_silent = vec![[0.0; 2]; 480_000];
    mostly_silent[100_000..140_000].fill([0.2, -0.2]);
    let cases = [
        (write("short.wav", vec![[0.2; 2]; 90_000]), "at least 2 s"),
        (write("silent.wav", vec![[0.0; 2]; 200_000]), "silent"),
        (write("mostly.wav", mostly_silent), "at least 2 s"),
        (slow, "48000 Hz"),
        (folder.path().join("missing.wav"), "missing.wav"),
    ];
    for (path, reason) in cases {
        let mut plan = plan(10.0);
        plan.music = Some(Music::bed(path));
        let error = mix(&plan, &folder.path().join("out.wav"), &CancellationToken::new(), |_| ()).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}
