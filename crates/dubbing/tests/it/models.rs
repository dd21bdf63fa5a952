//! Dubs with models that separate voice and background, and that hear whose voice it is.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use ai::{
    ProviderError,
    diarize::FakeSpeakerEncoder,
    separate::{Capability, FakeSeparator, Separated, Separator, Stretch},
};
use dubbing::{document::Settings, request::DubRequest};
use kernel::ErrorKind;
use media::audio::wav::WavReader;

use crate::studio::{Studio, request};

/// The voice of the source, the same on both sides, and what lies behind it, which is not.
const VOICE_HERTZ: f64 = 2_500.0;
const BACKGROUND_HERTZ: f64 = 1_000.0;

/// Speaks at 0.2 of full scale all the time, over a background of 0.1.
async fn duet(studio: &Studio, seconds: u32) -> PathBuf {
    let voice = format!("0.2*sin(2*PI*{VOICE_HERTZ}*t)");
    let background = format!("0.1*sin(2*PI*{BACKGROUND_HERTZ}*t)");
    let sound = format!("-f lavfi -i aevalsrc={voice}+{background}|{voice}-{background}:s=48000:d={seconds}");
    let pictures = format!("-f lavfi -i color=s=64x36:r=10:d={seconds}");
    let encoding = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac -b:a 256k -ac 2";
    studio.generate(&format!("{pictures} {sound} {encoding}"), "talk.mp4").await
}

/// How strong a frequency is between two times, in the middle of a stereo sound and in its sides.
async fn strength(studio: &Studio, file: &Path, hertz: f64, (from_s, to_s): (f64, f64)) -> (f64, f64) {
    let name = file.file_name().unwrap().to_str().unwrap();
    let sound = studio.generate(&format!("-i {name} -map 0:a:0 -ac 2 -ar 48000 -c:a pcm_s16le"), "heard.wav").await;
    let mut wav = WavReader::open(&sound).unwrap();
    wav.seek((from_s * 48_000.0) as u64).unwrap();
    let mut frames = vec![[0.0_f32; 2]; ((to_s - from_s) * 48_000.0) as usize];
    let count = wav.read(&mut frames).unwrap();
    let amplitude = |of: &dyn Fn(&[f32; 2]) -> f32| {
        let (mut re, mut im) = (0.0_f64, 0.0_f64);
        for (n, frame) in frames[..count].iter().enumerate() {
            let phase = std::f64::consts::TAU * (hertz * n as f64 / 48_000.0).fract();
            re += f64::from(of(frame)) * phase.cos();
            im += f64::from(of(frame)) * phase.sin();
        }
        2.0 * re.hypot(im) / count as f64
    };
    (amplitude(&|frame| f32::midpoint(frame[0], frame[1])), amplitude(&|frame| (frame[0] - frame[1]) / 2.0))
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_dub_the_separated_voice_is_gone_and_the_background_stays_as_it_was() {
    let mut studio = Studio::new().await;
    let separator = Arc::new(FakeSeparator::new());
    studio.dubbing.booth.separator = Some(separator.clone());
    let source = duet(&studio, 12).await;
    let transcript = studio.transcript("talk.en.srt", "1\n00:00:03,000 --> 00:00:09,000\nThe river is high.\n");
    let request = request(&source, Some(&transcript), &["es"]);
    let finished = studio.dub(&request).await.unwrap();
    let (under, beside) = ((4.0, 8.0), (0.5, 2.5));
    let voice_before = strength(&studio, &source, VOICE_HERTZ, under).await.0;
    let made = finished.outputs[0].clone();
    let (voice, background) = (
        strength(&studio, &made, VOICE_HERTZ, under).await.0,
        strength(&studio, &made, BACKGROUND_HERTZ, under).await.1,
    );
    let (voice_beside, background_beside) = (
        strength(&studio, &made, VOICE_HERTZ, beside).await.0,
        strength(&studio, &made, BACKGROUND_HERTZ, beside).await.1,
    );
    assert!(voice < voice_before / 100.0, "of the voice of {voice_before:.3} there is {voice:.5} left");
    assert!((background / background_beside - 1.0).abs() < 0.02, "{background:.4}, beside it {background_beside:.4}");
    let ratio = voice_beside / background_beside;
    assert!((ratio / 2.0 - 1.0).abs() < 0.02, "where nothing is dubbed voice and background are as before: {ratio:.3}");
    assert_eq!(separator.calls(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_separated_is_kept_and_false_is_a_decision() {
    let mut studio = Studio::new().await;
    let separator = Arc::new(FakeSeparator::new());
    studio.dubbing.booth.separator = Some(separator.clone());
    let source = duet(&studio, 12).await;
    let transcript = studio.transcript("talk.en.srt", "1\n00:00:03,000 --> 00:00:09,000\nThe river is high.\n");
    let plain = request(&source, Some(&transcript), &["es"]);
    let without = Settings { separate: Some(false), ..Settings::default() };
    let finished = studio.dub(&DubRequest { settings: without, ..plain.clone() }).await.unwrap();
    assert_eq!(separator.calls(), 0);
    let left = strength(&studio, &finished.outputs[0], VOICE_HERTZ, (4.0, 8.0)).await.0;
    assert!(left > 0.005, "ducked, the original voice is still there: {left:.4}");
    let with = Settings { separate: Some(true), ..Settings::default() };
    studio.dub(&DubRequest { settings: with, ..plain }).await.unwrap();
    assert_eq!(separator.calls(), 1);
    studio.resume().await.unwrap();
    assert_eq!(separator.calls(), 1, "the voices of an unchanged source are found once");
}

#[tokio::test(flavor = "multi_thread")]
async fn separating_without_a_model_is_refused_before_anything_is_made() {
    let studio = Studio::new().await;
    let (source, transcript) = studio.talk().await;
    let settings = Settings { separate: Some(true), ..Settings::default() };
    let request = DubRequest { settings, ..request(&source, Some(&transcript), &["es"]) };
    let error = studio.dub(&request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("`pressroom models add`"), "{error}");
    assert_eq!(studio.voices.calls(), 0);
}

/// Fails at one of the stretches, once.
#[derive(Debug)]
struct Failing {
    inner: FakeSeparator,
    left: AtomicUsize,
}

#[async_trait::async_trait]
impl Separator for Failing {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn version(&self) -> &str {
        self.inner.version()
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    async fn check(&self) -> Result<(), ProviderError> {
        self.inner.check().await
    }

    async fn separate(&self, stretch: &Stretch) -> Result<Separated, ProviderError> {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            // Others that are under way are finished before.
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            return Err(ProviderError::new("failing", ErrorKind::Internal, "the machine was turned off"));
        }
        self.inner.separate(stretch).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ended_goes_on_with_the_pieces_that_it_had() {
    let mut studio = Studio::new().await;
    let separator = Arc::new(Failing { inner: FakeSeparator::new(), left: AtomicUsize::new(3) });
    studio.dubbing.booth.separator = Some(separator.clone());
    let source = duet(&studio, 100).await;
    let transcript = studio.transcript("talk.en.srt", "1\n00:00:03,000 --> 00:00:09,000\nThe river is high.\n");
    let request = request(&source, Some(&transcript), &["es"]);
    let error = studio.dub(&request).await.unwrap_err();
    assert!(error.to_string().contains("turned off"), "{error}");
    let before = separator.inner.calls();
    studio.dub(&request).await.unwrap();
    // A hundred seconds are four pieces.
    assert_eq!(separator.inner.calls(), 4, "{before} were made before; each is made once");
    assert!(before >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn speakers_are_those_that_a_model_hears() {
    let mut studio = Studio::new().await;
    let encoder = Arc::new(FakeSpeakerEncoder::new());
    studio.dubbing.booth.speaker_encoder = Some(encoder.clone());
    // Lines 1, 3 and 4 in a low voice, 2 and 5 in a high one.
    let sound = "-f lavfi -i aevalsrc=0.3*sin(2*PI*(200+300*(between(t\\,2.7\\,5.5)+gt(t\\,9.7)))*t):s=48000:d=12";
    let source = studio.generate(&format!("{sound} -c:a pcm_s16le"), "talk.wav").await;
    let transcript = studio.transcript("talk.en.srt", crate::studio::TRANSCRIPT);
    studio.dub(&request(&source, Some(&transcript), &["es"])).await.unwrap();
    let speakers: Vec<_> = studio.document().utterances.into_iter().filter_map(|line| line.speaker).collect();
    assert_eq!(speakers, ["S1", "S2", "S1", "S1", "S2"]);
    assert_eq!(encoder.calls(), 5);
}
