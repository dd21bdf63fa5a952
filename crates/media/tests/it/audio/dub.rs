//! Dubs mixed from generated sound, judged by measuring what came out.

use std::path::{Path, PathBuf};

use media::audio::{
    DubClip, DubMixPlan, Likeness, MixReport, Span, clip_loudness, dub_mix, likeness, loudness_within, measure,
};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::signals::{Noise, RATE, babble, level_db, read_stereo, tone, tone_db, write_mono, write_stereo};

/// Seconds of music with a drum, and a voice over it in the given stretches.
fn original(path: &Path, seconds: f32, voice: &[(f32, f32)], level: f32) {
    let mut noise = Noise::new(3);
    let samples = (seconds * RATE as f32) as usize;
    let mut frames: Vec<[f32; 2]> = (0..samples)
        .map(|n| {
            let beat = 0.3 * (-((n % 24_000) as f32) / 3_000.0).exp() * noise.next();
            let chord: f32 = [196.0_f32, 246.9, 293.7].iter().map(|hz| (hz * n as f32 / 7_639.437).sin() * 0.05).sum();
            [level * (chord + beat), level * (0.8 * chord + beat)]
        })
        .collect();
    for (index, &(start, end)) in voice.iter().enumerate() {
        let from = (start * RATE as f32) as usize;
        for (frame, sample) in frames[from..].iter_mut().zip(babble(index as u64, end - start, RATE, 0.3 * level)) {
            *frame = frame.map(|before| before + sample);
        }
    }
    write_stereo(path, &frames);
}

fn span(start: f32, end: f32) -> Span {
    let at = |seconds: f32| (seconds * RATE as f32) as u64;
    Span { start_sample: at(start), end_sample: at(end) }
}

fn plan(background: PathBuf, seconds: f32) -> DubMixPlan {
    DubMixPlan {
        background,
        duration_samples: (seconds * RATE as f32) as u64,
        voice: Vec::new(),
        replaced: Vec::new(),
        kept: Vec::new(),
        duck_db: 20.0,
        target_lufs: None,
        true_peak_dbtp: -1.0,
    }
}

fn line(path: &Path, start: f32, loudness_lufs: Option<f64>) -> DubClip {
    DubClip { path: path.into(), start_sample: span(start, start).start_sample, loudness_lufs, gain_db: 0.0 }
}

fn run(plan: &DubMixPlan, output: &Path) -> MixReport {
    dub_mix(plan, output, &CancellationToken::new(), |_| ()).unwrap()
}

#[test]
fn outside_the_dubbed_lines_the_result_is_the_original() {
    let folder = tempfile::tempdir().unwrap();
    let (source, voice, output) =
        (folder.path().join("a.wav"), folder.path().join("v.wav"), folder.path().join("out.wav"));
    original(&source, 20.0, &[(2.0, 5.0), (8.0, 11.0), (14.0, 16.0)], 1.0);
    write_mono(&voice, 22_050, &babble(9, 2.5, 22_050, 0.2));
    let loudness = measure(&source).unwrap().integrated_lufs;
    let speech = loudness_within(&source, &[span(2.0, 5.0), span(8.0, 11.0)]).unwrap();
    let mut plan = plan(source.clone(), 20.0);
    plan.voice = vec![line(&voice, 2.0, speech), line(&voice, 8.0, speech)];
    plan.replaced = vec![span(2.0, 5.0), span(8.0, 11.0)];
    plan.kept = vec![span(14.0, 16.0)];
    plan.target_lufs = loudness;
    let report = run(&plan, &output);
    assert_eq!(measure(&output).unwrap().duration_samples, 20 * 48_000);
    assert!((report.integrated_lufs.unwrap() - loudness.unwrap()).abs() < 1.0, "{report:?} {loudness:?}");
    assert!(report.true_peak_dbtp <= -1.0, "{report:?}");
    let outside = [span(0.0, 1.9), span(5.1, 7.9), span(11.1, 20.0)];
    let Likeness { correlation, snr_db, .. } = likeness(&source, &output, &outside).unwrap();
    assert!(correlation >= 0.999 && snr_db >= 30.0, "{correlation} {snr_db}");
    // Under the first line what was there is 20 dB down, which the new voice hides.
    let under = likeness(&source, &output, &[span(2.0, 5.0)]).unwrap();
    assert!(under.correlation < 0.5, "{under:?}");
}

#[test]
fn under_a_line_the_original_is_down_by_just_as_much_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (source, voice, output) =
        (folder.path().join("a.wav"), folder.path().join("v.wav"), folder.path().join("out.wav"));
    let hum: Vec<[f32; 2]> = tone(1_000.0, 0.2, 480_000, RATE).into_iter().map(|sample| [sample; 2]).collect();
    write_stereo(&source, &hum);
    write_mono(&voice, 48_000, &tone(300.0, 0.1, 96_000, RATE));
    for duck_db in [20.0_f32, 12.0, 0.0] {
        let mut plan = plan(source.clone(), 10.0);
        plan.duck_db = duck_db;
        plan.voice = vec![line(&voice, 4.0, None)];
        run(&plan, &output);
        let frames = read_stereo(&output);
        let before = tone_db(&frames[48_000..144_000], 1_000.0);
        let under = tone_db(&frames[196_800..283_200], 1_000.0);
        assert!((before - under - duck_db).abs() < 0.2, "{duck_db}: {before} {under}");
        let after = tone_db(&frames[300_000..400_000], 1_000.0);
        assert!((before - after).abs() < 0.05, "{before} {after}");
        let voice_db = tone_db(&frames[196_800..283_200], 300.0);
        assert!((voice_db + 20.0).abs() < 0.2, "{voice_db}");
    }
}

#[test]
fn lines_get_the_loudness_of_what_they_replace_even_short_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (silence, voice, output) =
        (folder.path().join("a.wav"), folder.path().join("v.wav"), folder.path().join("out.wav"));
    write_stereo(&silence, &[[0.0; 2]; 1_000]);
    for samples in [2_000, 40_000] {
        write_mono(&voice, 22_050, &tone(500.0, 0.02, samples, 22_050));
        let mut plan = plan(silence.clone(), 4.0);
        plan.voice = vec![line(&voice, 1.0, Some(-23.0))];
        run(&plan, &output);
        let frames = read_stereo(&output);
        let samples = samples * 48_000 / 22_050;
        // A tone at −23 LUFS in both channels lies at −26 dB in each (BS.1770: −0.691 and its filter cancel at 1 kHz).
        let level = level_db(&frames[48_500..48_000 + samples - 500]);
        assert!((level + 26.0).abs() < 1.2, "{samples}: {level}");
        assert!(clip_loudness(&voice).unwrap().unwrap() < -30.0);
    }
}

#[test]
fn a_loud_master_is_limited_only_at_its_peaks() {
    let folder = tempfile::tempdir().unwrap();
    let (source, output) = (folder.path().join("a.wav"), folder.path().join("out.wav"));
    original(&source, 12.0, &[(1.0, 11.0)], 1.0);
    let peak = 10.0_f32.powf(measure(&source).unwrap().true_peak_dbtp as f32 / 20.0);
    let frames: Vec<[f32; 2]> = read_stereo(&source).iter().map(|frame| frame.map(|x| x / peak)).collect();
    write_stereo(&source, &frames);
    let loud = measure(&source).unwrap();
    assert!(loud.true_peak_dbtp > -0.1, "{loud:?}");
    let plan = DubMixPlan { target_lufs: loud.integrated_lufs, ..plan(source.clone(), 12.0) };
    let report = run(&plan, &output);
    assert!(report.true_peak_dbtp <= -1.0, "{report:?}");
    assert!((report.integrated_lufs.unwrap() - loud.integrated_lufs.unwrap()).abs() < 1.0, "{report:?} {loud:?}");
    let alike = likeness(&source, &output, &[span(0.0, 12.0)]).unwrap();
    assert!(alike.correlation >= 0.98 && alike.snr_db >= 20.0, "{alike:?}");
}

#[test]
fn a_background_that_ends_early_goes_on_as_silence() {
    let folder = tempfile::tempdir().unwrap();
    let (source, output) = (folder.path().join("a.wav"), folder.path().join("out.wav"));
    write_stereo(&source, &vec![[0.1; 2]; 48_000]);
    run(&plan(source, 2.0), &output);
    let frames = read_stereo(&output);
    assert_eq!(frames.len(), 96_000);
    assert!(frames[48_000..].iter().all(|frame| frame.iter().all(|sample| sample.abs() < f32::EPSILON)));
}

#[test]
fn a_line_beyond_the_end_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (source, voice) = (folder.path().join("a.wav"), folder.path().join("v.wav"));
    write_stereo(&source, &vec![[0.1; 2]; 48_000]);
    write_mono(&voice, 22_050, &vec![0.1; 22_050]);
    let mut plan = plan(source, 1.0);
    plan.voice = vec![line(&voice, 0.5, None)];
    let output = folder.path().join("out.wav");
    let error = dub_mix(&plan, &output, &CancellationToken::new(), |_| ()).unwrap_err().to_string();
    assert!(error.contains("v.wav") && error.contains("reaches beyond the end"), "{error}");
    plan.voice.clear();
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    dub_mix(&plan, &output, &cancelled, |_| ()).unwrap_err();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_dub_keeps_its_length_loudness_and_peaks(
        seed in 0_u64..1_000,
        level in 0.05_f32..2.5,
        starts in prop::collection::vec(0.0_f32..7.0, 0..4),
        target in prop::option::of(-24.0_f64..-14.0),
        duck_db in 0.0_f32..30.0,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (source, voice, output) =
            (folder.path().join("a.wav"), folder.path().join("v.wav"), folder.path().join("out.wav"));
        original(&source, 9.0, &[(1.0, 3.0), (5.0, 6.0)], level);
        write_mono(&voice, 16_000, &babble(seed, 1.5, 16_000, 0.4));
        let mut plan = plan(source, 9.0);
        plan.duck_db = duck_db;
        plan.target_lufs = target;
        plan.voice = starts.iter().map(|&start| line(&voice, start, Some(-20.0))).collect();
        let report = run(&plan, &output);
        let measured = measure(&output).unwrap();
        prop_assert_eq!(measured.duration_samples, 9 * 48_000);
        prop_assert!(measured.true_peak_dbtp <= -1.0, "{measured:?}");
        if let Some(target) = target {
            prop_assert!((report.integrated_lufs.unwrap() - target).abs() <= 1.0, "{report:?} {target}");
        }
    }
}
