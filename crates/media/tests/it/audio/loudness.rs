//! Whether a mix is as loud as it should be, whatever goes in.

use media::MediaError;
use media::audio::{ClipSound, Music, NoiseReduction, VoiceTone, measure, mix};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::signals::{Noise, babble, clip, plan, read_stereo, run, tone, write_mono, write_stereo};

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_plan_reaches_the_target_and_keeps_its_peaks_down(
        seed in 0_u64..1_000_000,
        voice_db in -40.0_f32..0.0,
        clips in 1_usize..4,
        rate in prop::sample::select(vec![16_000_u32, 22_050, 44_100, 48_000]),
        music_db in prop::option::of(-14.0_f32..-4.0),
        duck_db in 0.0_f32..14.0,
        scene_db in prop::option::of(-10.0_f32..0.0),
        warm in prop::sample::select(vec![VoiceTone::Plain, VoiceTone::Warm]),
        target in prop::sample::select(vec![-14.0, -16.0, -23.0]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut plan = plan(5.0 * clips as f32 + 1.0);
        plan.voice_tone = warm;
        plan.loudness.target_lufs = target;
        for index in 0..clips {
            let path = folder.path().join(format!("{index}.wav"));
            let samples = babble(seed + index as u64, 4.0, rate as usize, 10.0_f32.powf(voice_db / 20.0));
            write_mono(&path, rate, &samples);
            plan.voice.push(clip(path, 0.5 + 5.0 * index as f32));
        }
        let mut noise = Noise::new(seed);
        let frames: Vec<[f32; 2]> = (0..150_000).map(|_| [noise.next() * 0.3, noise.next() * 0.3]).collect();
        let path = folder.path().join("stereo.wav");
        write_stereo(&path, &frames);
        plan.music = music_db.map(|gain_db| Music { gain_db, duck_db, ..Music::bed(&path) });
        plan.scene_sound.extend(scene_db.map(|gain_db| ClipSound {
            path: path.clone(),
            skip_samples: 1_000,
            start_sample: 30_000,
            duration_samples: 90_000,
            gain_db,
            duck_db,
        }));
        let output = folder.path().join("out.wav");
        let report = run(&plan, &output);
        let measured = measure(&output).unwrap();
        let loudness = measured.integrated_lufs.unwrap();
        prop_assert!((loudness - target).abs() <= 0.2, "{loudness}");
        prop_assert!(measured.true_peak_dbtp <= -1.0, "{}", measured.true_peak_dbtp);
        prop_assert_eq!(measured.duration_samples, plan.duration_samples);
        // Two ways of measuring, of which one sees the samples as they were written.
        let told = report.integrated_lufs.unwrap();
        prop_assert!((told - loudness).abs() < 0.05, "{told} {loudness}");
        prop_assert!((report.true_peak_dbtp - measured.true_peak_dbtp).abs() < 0.01);
    }
}

#[test]
fn peaks_that_would_clip_are_limited_and_the_target_still_reached() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peaky.wav");
    // A soft tone with a full-scale click every quarter of a second.
    let mut samples = tone(440.0, 0.05, 480_000, 48_000);
    for click in samples.chunks_mut(12_000) {
        click[..24].fill(0.99);
    }
    write_mono(&path, 48_000, &samples);
    let mut plan = plan(10.0);
    plan.voice.push(clip(path, 0.0));
    let output = folder.path().join("out.wav");
    run(&plan, &output);
    let measured = measure(&output).unwrap();
    assert!((measured.integrated_lufs.unwrap() + 14.0).abs() < 0.3, "{measured:?}");
    assert!(measured.true_peak_dbtp <= -1.0, "{measured:?}");
}

#[test]
fn a_plan_without_any_sound_becomes_silence() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.wav");
    let report = run(&plan(2.0), &output);
    assert_eq!(report.integrated_lufs, None);
    assert!(read_stereo(&output).as_flattened().iter().all(|&sample| sample == 0.0));
}

#[test]
fn a_silent_voice_clip_is_not_raised_into_noise() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("silence.wav");
    write_mono(&path, 22_050, &vec![0.0; 22_050]);
    let mut plan = plan(2.0);
    plan.voice.push(clip(path, 0.5));
    let report = run(&plan, &folder.path().join("out.wav"));
    assert!(report.gain_db.abs() < f64::EPSILON);
    assert!(report.true_peak_dbtp < -80.0, "{report:?}");
}

#[test]
fn the_same_plan_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let voice = folder.path().join("voice.wav");
    write_mono(&voice, 22_050, &babble(7, 3.0, 22_050, 0.5));
    let music = folder.path().join("music.wav");
    let mut noise = Noise::new(3);
    write_stereo(&music, &(0..120_000).map(|_| [noise.next() * 0.2, noise.next() * 0.2]).collect::<Vec<_>>());
    let mut plan = plan(6.0);
    plan.voice.push(clip(voice, 1.0));
    plan.music = Some(Music::bed(music));
    plan.noise_reduction = NoiseReduction::On;
    let outputs = ["a.wav", "b.wav"].map(|name| {
        run(&plan, &folder.path().join(name));
        std::fs::read(folder.path().join(name)).unwrap()
    });
    assert!(outputs[0] == outputs[1]);
}

#[test]
fn cancelling_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let voice = folder.path().join("voice.wav");
    write_mono(&voice, 22_050, &babble(7, 20.0, 22_050, 0.5));
    let mut plan = plan(20.0);
    plan.voice.push(clip(voice, 0.0));
    let results = folder.path().join("results");
    std::fs::create_dir(&results).unwrap();
    for stop_at in [0.05_f32, 0.5, 0.7] {
        let cancel = CancellationToken::new();
        let mut last = 0.0_f32;
        let outcome = mix(&plan, &results.join("out.wav"), &cancel, |done| {
            assert!(done >= last && done <= 1.0);
            last = done;
            if done > stop_at {
                cancel.cancel();
            }
        });
        assert!(matches!(outcome, Err(MediaError::Cancelled)), "{stop_at}");
        assert_eq!(std::fs::read_dir(&results).unwrap().count(), 0, "{stop_at}");
    }
}

#[test]
fn a_missing_or_broken_file_is_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results");
    std::fs::create_dir(&results).unwrap();
    let whole = folder.path().join("whole.wav");
    write_mono(&whole, 22_050, &babble(1, 2.0, 22_050, 0.5));
    let bytes = std::fs::read(&whole).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("cut.wav", &bytes[..bytes.len() / 2]);
    write("header.wav", &bytes[..30]);
    write("empty.wav", b"");
    write("text.wav", b"This is no sound at all, only its name says so.");
    for name in ["cut.wav", "header.wav", "empty.wav", "text.wav", "missing.wav", "."] {
        let mut plan = plan(5.0);
        plan.voice.push(clip(folder.path().join(name), 0.0));
        let error = mix(&plan, &results.join("out.wav"), &CancellationToken::new(), |_| ()).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(std::fs::read_dir(&results).unwrap().count(), 0, "{name}");
    }
}
