//! Whether everything sounds when it should.

use media::audio::wav::{WavReader, WavWriter};
use media::audio::{ClipSound, NoiseReduction, mix};
use tokio_util::sync::CancellationToken;

use super::signals::{babble, clip, level_db, plan, read_stereo, run, tone, write_mono, write_stereo};

#[test]
fn a_voice_clip_begins_at_its_exact_sample() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("click.wav");
    let mut samples = vec![0.0; 4_800];
    samples[0] = 0.5;
    write_mono(&path, 48_000, &samples);
    for start in [0_u64, 1, 4_799, 4_800, 4_801, 47_999, 70_003] {
        let mut plan = plan(2.0);
        plan.voice.push(clip(path.clone(), 0.0));
        plan.voice[0].start_sample = start;
        let output = folder.path().join("out.wav");
        run(&plan, &output);
        let frames = read_stereo(&output);
        let loudest = (0..frames.len()).max_by(|&a, &b| frames[a][0].abs().total_cmp(&frames[b][0].abs())).unwrap();
        assert_eq!(loudest as u64, start);
        assert!(frames[loudest][0].abs() > 0.05);
    }
}

#[test]
fn noise_reduction_keeps_the_time_and_takes_the_noise() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("noisy.wav");
    let mut samples = babble(5, 4.0, 48_000, 0.8);
    samples.splice(96_000..96_000, std::iter::repeat_n(0.0, 96_000));
    let mut hiss = super::signals::Noise::new(9);
    for sample in &mut samples {
        *sample = *sample * 0.8 + hiss.next() * 0.02;
    }
    write_mono(&path, 48_000, &samples);
    let mut plan = plan(samples.len() as f32 / 48_000.0);
    plan.voice.push(clip(path, 0.0));
    let noisy = folder.path().join("noisy-out.wav");
    run(&plan, &noisy);
    plan.noise_reduction = NoiseReduction::On;
    let clean = folder.path().join("clean-out.wav");
    run(&plan, &clean);
    let (noisy, clean) = (read_stereo(&noisy), read_stereo(&clean));
    let pause = 144_000..187_200;
    let gap = level_db(&noisy[pause.clone()]) - level_db(&clean[pause]);
    assert!(gap > 12.0, "{gap}");
    // The words lie where they lay: shifting one against the other makes them less alike.
    let likeness = |shift: i64| -> f64 {
        (20_000..80_000_i64).map(|n| f64::from(noisy[n as usize][0]) * f64::from(clean[(n + shift) as usize][0])).sum()
    };
    let best = (-600..=600).max_by(|&a, &b| likeness(a).total_cmp(&likeness(b))).unwrap();
    assert!(best.abs() <= 24, "{best}");
}

#[test]
fn clip_sound_starts_is_cut_and_does_not_click() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.wav");
    let frames: Vec<[f32; 2]> = tone(300.0, 0.3, 200_000, 48_000).into_iter().map(|x| [x, x * 0.5]).collect();
    write_stereo(&path, &frames);
    let mut plan = plan(4.0);
    plan.scene_sound.push(ClipSound {
        path,
        skip_samples: 48_000,
        start_sample: 48_000,
        duration_samples: 72_000,
        gain_db: 0.0,
        duck_db: 0.0,
    });
    let output = folder.path().join("out.wav");
    run(&plan, &output);
    let frames = read_stereo(&output);
    assert!(frames[..48_000].iter().all(|frame| frame[0] == 0.0));
    assert!(frames[120_000..].iter().all(|frame| frame[0] == 0.0));
    assert!(level_db(&frames[50_000..118_000]) > -20.0);
    let steps = frames.windows(2).map(|pair| (pair[1][0] - pair[0][0]).abs()).fold(0.0, f32::max);
    assert!(steps < 0.05, "{steps}");
    let (left, right): (f32, f32) = frames.iter().fold((0.0, 0.0), |sum, f| (sum.0 + f[0].abs(), sum.1 + f[1].abs()));
    assert!((left / right - 2.0).abs() < 0.02, "stereo stays stereo");
}

#[test]
fn speech_that_would_be_cut_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("voice.wav");
    write_mono(&path, 22_050, &babble(1, 3.0, 22_050, 0.5));
    let mut plan = plan(3.5);
    plan.voice.push(clip(path, 1.0));
    let error = mix(&plan, &folder.path().join("out.wav"), &CancellationToken::new(), |_| ()).unwrap_err();
    assert!(error.to_string().contains("make the sound longer"), "{error}");
}

#[test]
fn wav_files_come_back_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stereo.wav");
    let samples: Vec<i16> = (0..30_000).map(|n: i32| (n * 37 % 60_000 - 30_000) as i16).collect();
    let mut writer = WavWriter::create(&path, 44_100, 2).unwrap();
    writer.write(&samples).unwrap();
    writer.finish().unwrap();
    let mut wav = WavReader::open(&path).unwrap();
    assert_eq!((wav.sample_rate(), wav.channels(), wav.frames()), (44_100, 2, 15_000));
    wav.seek(5_000).unwrap();
    let mut frames = vec![[0.0_f32; 2]; 12_000];
    assert_eq!(wav.read(&mut frames).unwrap(), 10_000);
    let back: Vec<i16> = frames[..10_000].as_flattened().iter().map(|x| (x * 32_768.0) as i16).collect();
    assert!(back == samples[10_000..]);
}
