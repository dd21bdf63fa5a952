//! Dubs mixed from generated sound, judged by measuring what came out.

use std::path::{Path, PathBuf};

use media::MediaError;
use media::audio::{
    DubClip, DubGain, DubMixPlan, Levels, Likeness, Part, Span, clip_loudness, encode_dub_part, join_encoded,
    join_mixed, loudness_within, measure, mix_dub_part, products, survey_dub_part,
};
use media::process::Command;
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use crate::fixtures::Workbench;

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

fn plan(background: PathBuf) -> DubMixPlan {
    let (voice, replaced, kept) = (Vec::new(), Vec::new(), Vec::new());
    DubMixPlan { background, voices: None, voice, replaced, kept, duck_db: 20.0 }
}

fn line(path: &Path, start: f32, loudness_lufs: Option<f64>) -> DubClip {
    DubClip { path: path.into(), start_sample: span(start, start).start_sample, loudness_lufs, gain_db: 0.0 }
}

/// What of a plan is near a part.
fn near(plan: &DubMixPlan, part: Part) -> DubMixPlan {
    let spans = |spans: &[Span]| spans.iter().copied().filter(|span| part.hears(*span)).collect();
    let is_near =
        |clip: &&DubClip| part.hears(Span { start_sample: clip.start_sample, end_sample: clip.start_sample + 480_000 });
    DubMixPlan {
        voice: plan.voice.iter().filter(is_near).cloned().collect(),
        replaced: spans(&plan.replaced),
        kept: spans(&plan.kept),
        ..plan.clone()
    }
}

/// Mixes every part, each from what is near it alone, into a folder.
fn parts(
    plan: &DubMixPlan,
    (seconds, target): (f32, Option<f64>),
    folder: &Path,
) -> Result<(Vec<(Part, PathBuf)>, Levels), MediaError> {
    let token = CancellationToken::new();
    let all = Part::all((seconds * RATE as f32) as u64);
    let survey: Result<Vec<Levels>, _> =
        all.iter().map(|&part| survey_dub_part(&near(plan, part), part, &token)).collect();
    let mut gain = DubGain::new(target, -1.0, &Levels::joined(&survey?))?;
    loop {
        let mut files = Vec::new();
        let mut levels = Vec::new();
        for (index, &part) in all.iter().enumerate() {
            let path = folder.join(format!("part-{index}.wav"));
            levels.push(mix_dub_part(&near(plan, part), part, (gain.gain_db(), -1.0), &path, &token)?);
            files.push((part, path));
        }
        let levels = Levels::joined(&levels);
        if !gain.misses(&levels) {
            return Ok((files, levels));
        }
    }
}

fn run(plan: &DubMixPlan, how: (f32, Option<f64>), output: &Path) -> Levels {
    let folder = tempfile::tempdir().unwrap();
    let (files, levels) = parts(plan, how, folder.path()).unwrap();
    join_mixed(&files, output).unwrap();
    levels
}

fn likeness(original: &Path, made: &Path, stretches: &[Span]) -> Likeness {
    products(original, (made, 0), stretches).unwrap().likeness().unwrap()
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
    let mut plan = plan(source.clone());
    plan.voice = vec![line(&voice, 2.0, speech), line(&voice, 8.0, speech)];
    plan.replaced = vec![span(2.0, 5.0), span(8.0, 11.0)];
    plan.kept = vec![span(14.0, 16.0)];
    let report = run(&plan, (20.0, loudness), &output);
    assert_eq!(measure(&output).unwrap().duration_samples, 20 * 48_000);
    assert!((report.integrated_lufs().unwrap() - loudness.unwrap()).abs() < 1.0, "{report:?} {loudness:?}");
    assert!(report.true_peak_dbtp <= -1.0, "{report:?}");
    let outside = [span(0.0, 1.9), span(5.1, 7.9), span(11.1, 20.0)];
    let Likeness { correlation, snr_db, .. } = likeness(&source, &output, &outside);
    assert!(correlation >= 0.999 && snr_db >= 30.0, "{correlation} {snr_db}");
    // Under the first line what was there is 20 dB down, which the new voice hides.
    let under = likeness(&source, &output, &[span(2.0, 5.0)]);
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
        let mut plan = plan(source.clone());
        plan.duck_db = duck_db;
        plan.voice = vec![line(&voice, 4.0, None)];
        run(&plan, (10.0, None), &output);
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
        let mut plan = plan(silence.clone());
        plan.voice = vec![line(&voice, 1.0, Some(-23.0))];
        run(&plan, (4.0, None), &output);
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
    let report = run(&plan(source.clone()), (12.0, loud.integrated_lufs), &output);
    assert!(report.true_peak_dbtp <= -1.0, "{report:?}");
    assert!((report.integrated_lufs().unwrap() - loud.integrated_lufs.unwrap()).abs() < 1.0, "{report:?} {loud:?}");
    let alike = likeness(&source, &output, &[span(0.0, 12.0)]);
    assert!(alike.correlation >= 0.98 && alike.snr_db >= 20.0, "{alike:?}");
}

#[test]
fn voices_that_are_known_apart_are_taken_out_and_what_lies_behind_them_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (hum, voice) = (tone(440.0, 0.1, 480_000, RATE), tone(1_000.0, 0.2, 480_000, RATE));
    let stereo = |samples: &[f32]| -> Vec<[f32; 2]> { samples.iter().map(|&sample| [sample; 2]).collect() };
    write_stereo(&path("voices.wav"), &stereo(&voice));
    let sum: Vec<f32> = hum.iter().zip(&voice).map(|(hum, voice)| hum + voice).collect();
    write_stereo(&path("source.wav"), &stereo(&sum));
    let mut plan = plan(path("source.wav"));
    plan.voices = Some(path("voices.wav"));
    plan.replaced = vec![span(2.0, 5.0)];
    run(&plan, (10.0, None), &path("out.wav"));
    let frames = read_stereo(&path("out.wav"));
    let strength = |hz: f32, from: usize, until: usize| tone_db(&frames[from * 48_000..until * 48_000], hz);
    assert!((strength(440.0, 3, 4) - strength(440.0, 7, 8)).abs() < 0.1, "the hum is neither up nor down");
    assert!(strength(1_000.0, 3, 4) < strength(1_000.0, 7, 8) - 50.0, "the voice is gone under the line");
}

#[test]
fn a_background_that_ends_early_goes_on_as_silence() {
    let folder = tempfile::tempdir().unwrap();
    let (source, output) = (folder.path().join("a.wav"), folder.path().join("out.wav"));
    write_stereo(&source, &vec![[0.1; 2]; 48_000]);
    run(&plan(source), (2.0, None), &output);
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
    let mut plan = plan(source);
    plan.voice = vec![line(&voice, 0.5, None)];
    let part = Part::all(48_000)[0];
    let output = folder.path().join("out.wav");
    let error = mix_dub_part(&plan, part, (0.0, -1.0), &output, &CancellationToken::new()).unwrap_err().to_string();
    assert!(error.contains("v.wav") && error.contains("reaches beyond the end"), "{error}");
    plan.voice.clear();
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    mix_dub_part(&plan, part, (0.0, -1.0), &output, &cancelled).unwrap_err();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

/// Half a minute of an original, and lines over it, two of them where parts meet.
fn long_dub(folder: &Path) -> DubMixPlan {
    let (source, voice) = (folder.join("a.wav"), folder.join("v.wav"));
    original(&source, 30.0, &[(2.0, 5.0), (9.0, 11.0), (18.5, 21.0)], 1.0);
    write_mono(&voice, 22_050, &babble(9, 2.5, 22_050, 0.2));
    DubMixPlan {
        voice: [2.0, 8.4, 19.0].iter().map(|&start| line(&voice, start, Some(-16.0))).collect(),
        replaced: vec![span(2.0, 5.0), span(9.0, 11.0), span(18.5, 21.0)],
        ..plan(source)
    }
}

/// All of a sound as if it were one part.
fn whole(duration_samples: u64) -> Part {
    Part { span: Span { start_sample: 0, end_sample: duration_samples }, duration_samples }
}

#[test]
fn parts_meet_without_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, token) = (long_dub(folder.path()), CancellationToken::new());
    // So loud that the limiter works all the time, also where parts meet.
    let level = (9.0, -1.0);
    let (joined, single) = (folder.path().join("joined.wav"), folder.path().join("single.wav"));
    let all = Part::all(1_440_000);
    let path = |part: &Part| folder.path().join(format!("{}.wav", part.span.start_sample));
    let mix = |part: &Part| mix_dub_part(&near(&plan, *part), *part, level, &path(part), &token).unwrap();
    let levels = Levels::joined(&all.iter().map(mix).collect::<Vec<_>>());
    join_mixed(&all.iter().map(|part| (*part, path(part))).collect::<Vec<_>>(), &joined).unwrap();
    let at_once = mix_dub_part(&plan, whole(1_440_000), level, &single, &token).unwrap();
    let (joined_frames, single_frames) = (read_stereo(&joined), read_stereo(&single));
    assert_eq!(joined_frames.len(), single_frames.len());
    let difference = |(a, b): (&f32, &f32)| (a - b).abs() * 32_768.0;
    let greatest = joined_frames.as_flattened().iter().zip(single_frames.as_flattened()).map(difference);
    let greatest = greatest.fold(0.0_f32, f32::max);
    // Each is dithered by at most one step and a half.
    assert!(greatest <= 4.0, "{greatest} steps of 16 bits");
    let measured = measure(&joined).unwrap();
    let loudness = levels.integrated_lufs().unwrap();
    assert!((loudness - measured.integrated_lufs.unwrap()).abs() < 0.05, "{loudness} {measured:?}");
    assert!((loudness - at_once.integrated_lufs().unwrap()).abs() < 0.01);
    assert!(
        (levels.true_peak_dbtp - measured.true_peak_dbtp).abs() < 0.05 && levels.true_peak_dbtp > -3.0,
        "{levels:?}"
    );
}

/// Decodes packets of AAC, without what the first gives.
async fn decoded(bench: &Workbench, packets: &Path, name: &str) -> Vec<[f32; 2]> {
    let wav = bench.path(name);
    let command = Command::new(bench.ffmpeg.path()).args(["-nostdin", "-v", "error", "-y", "-f", "aac", "-i"]);
    command.arg(packets).args(["-af", "atrim=start_sample=1024", "-c:a", "pcm_s16le"]).arg(&wav).run().await.unwrap();
    read_stereo(&wav)
}

#[tokio::test]
async fn packets_of_parts_are_as_good_where_they_meet_as_those_of_one_encoder() {
    let bench = Workbench::new().await;
    let token = CancellationToken::new();
    let plan = long_dub(&bench.path("."));
    let encoded = async |part: Part| {
        let (wav, packets) =
            (bench.path("part.wav"), bench.path(&format!("{}-{}.aac", part.span.start_sample, part.span.end_sample)));
        mix_dub_part(&near(&plan, part), part, (0.0, -1.0), &wav, &token).unwrap();
        encode_dub_part(&bench.ffmpeg, &wav, part, &packets).await.unwrap();
        (wav, packets)
    };
    let mut packets = Vec::new();
    for part in Part::all(1_440_000) {
        packets.push(encoded(part).await.1);
    }
    let joined = bench.path("joined.aac");
    join_encoded(&packets, &joined).unwrap();
    let (wav, single) = encoded(whole(1_440_000)).await;
    let frames = read_stereo(&wav);
    let (joined, single) = (decoded(&bench, &joined, "joined.wav").await, decoded(&bench, &single, "single.wav").await);
    assert_eq!((joined.len(), single.len()), (1_440_768, 1_440_768), "whole frames of 1024");
    let error_db = |made: &[[f32; 2]], from: usize, to: usize| {
        let differences: Vec<[f32; 2]> =
            made[from..to].iter().zip(&frames[from..to]).map(|(a, b)| [a[0] - b[0], a[1] - b[1]]).collect();
        level_db(&differences)
    };
    for meeting in [460_800, 921_600, 1_382_400] {
        let (from, to) = (meeting - 1024, meeting + 2048);
        let (of_joined, of_single) = (error_db(&joined, from, to), error_db(&single, from, to));
        assert!(of_joined < of_single + 4.0, "{meeting}: {of_joined} dB, not {of_single} dB");
    }
    let (of_joined, of_single) = (error_db(&joined, 0, 1_440_000), error_db(&single, 0, 1_440_000));
    assert!((of_joined - of_single).abs() < 1.0, "{of_joined} {of_single}");
}

/// Dubs a source of nine seconds and a level with lines of a voice, and measures what came of it.
fn keeps_length_loudness_and_peaks((seed, level): (u64, f32), starts: &[f32], target: Option<f64>, duck_db: f32) {
    let folder = tempfile::tempdir().unwrap();
    let (source, voice, output) =
        (folder.path().join("a.wav"), folder.path().join("v.wav"), folder.path().join("out.wav"));
    original(&source, 9.0, &[(1.0, 3.0), (5.0, 6.0)], level);
    write_mono(&voice, 16_000, &babble(seed, 1.5, 16_000, 0.4));
    let mut plan = plan(source);
    plan.duck_db = duck_db;
    plan.voice = starts.iter().map(|&start| line(&voice, start, Some(-20.0))).collect();
    let report = run(&plan, (9.0, target), &output);
    let measured = measure(&output).unwrap();
    assert_eq!(measured.duration_samples, 9 * 48_000);
    assert!(measured.true_peak_dbtp <= -1.0, "{measured:?}");
    if let Some(target) = target {
        assert!((report.integrated_lufs().unwrap() - target).abs() <= 1.0, "{report:?} {target}");
    }
}

#[test]
fn a_loudness_that_the_limiter_fights_is_reached() {
    keeps_length_loudness_and_peaks((309, 0.103_739_38), &[1.526_679_3], Some(-16.110_408_8), 0.0);
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
        keeps_length_loudness_and_peaks((seed, level), &starts, target, duck_db);
    }
}
