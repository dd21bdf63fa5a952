//! What every separation engine must do: each adapter's tests run this suite against it.

use kernel::ErrorKind;

use super::{Separated, Separator, Stretch};

/// A sound that the engine is asked to take apart.
#[derive(Debug, Clone)]
pub struct Material {
    /// What the engine takes for voices, three seconds or more.
    pub voice: Vec<[f32; 2]>,
    /// As long, and nothing that it takes for a voice.
    pub background: Vec<[f32; 2]>,
    /// How far below the voice all that is wrong with the voice found stays, in dB.
    pub least_db: f64,
}

impl Material {
    fn sound(&self) -> Stretch {
        let sum = |(voice, other): (&[f32; 2], &[f32; 2])| [voice[0] + other[0], voice[1] + other[1]];
        Stretch { frames: self.voice.iter().zip(&self.background).map(sum).collect() }
    }
}

/// Runs the whole suite.
///
/// # Panics
/// When the engine breaks a rule of the port; the message names the rule.
pub async fn run(separator: &dyn Separator, material: &Material) {
    the_engine_is_ready_and_says_what_it_takes(separator, material).await;
    voices_and_background_are_told_apart(separator, material).await;
    the_voices_are_as_long_as_the_stretch(separator, material).await;
    silence_has_no_voice(separator).await;
    a_stretch_over_the_limit_is_invalid(separator).await;
    stretches_with_their_context_make_up_the_whole(separator, material).await;
    the_same_stretch_gives_the_same_voices(separator, material).await;
    two_stretches_at_once_do_not_mix(separator, material).await;
}

async fn separate(separator: &dyn Separator, stretch: &Stretch) -> Separated {
    match separator.separate(stretch).await {
        Ok(separated) => separated,
        Err(error) => panic!("a stretch of {} frames is not separated: {error}", stretch.frames.len()),
    }
}

/// How far the difference of two sounds lies below the first, in dB.
fn distance_db(wanted: &[[f32; 2]], found: &[[f32; 2]]) -> f64 {
    let power = |sound: &mut dyn Iterator<Item = f32>| sound.map(|x| f64::from(x).powi(2)).sum::<f64>();
    let signal = power(&mut wanted.as_flattened().iter().copied());
    let (wanted, found) = (wanted.as_flattened().iter(), found.as_flattened().iter());
    let noise = power(&mut wanted.zip(found).map(|(a, b)| a - b));
    10.0 * (signal / noise.max(1e-30)).log10()
}

async fn the_engine_is_ready_and_says_what_it_takes(separator: &dyn Separator, material: &Material) {
    if let Err(error) = separator.check().await {
        panic!("the engine cannot work: {error}");
    }
    assert!(!separator.name().is_empty() && !separator.version().is_empty(), "the engine has a name and a version");
    let capability = separator.capability();
    let least = material.voice.len().max(4 * capability.context_frames);
    assert!(capability.max_frames >= least, "a stretch has room for more than its context: {capability:?}");
}

async fn voices_and_background_are_told_apart(separator: &dyn Separator, material: &Material) {
    let sound = material.sound();
    let separated = separate(separator, &sound).await;
    let db = distance_db(&material.voice, &separated.voice);
    assert!(db >= material.least_db, "the voice is found with errors only {db:.1} dB below it");
    let db = distance_db(&material.background, &separated.background(&sound));
    assert!(db >= material.least_db, "the background is left with errors only {db:.1} dB below it");
}

async fn the_voices_are_as_long_as_the_stretch(separator: &dyn Separator, material: &Material) {
    let sound = material.sound();
    for length in [0, 1, 1_000, sound.frames.len() / 2 + 1] {
        let stretch = Stretch { frames: sound.frames[..length].into() };
        assert_eq!(separate(separator, &stretch).await.voice.len(), length, "a frame for each frame of the stretch");
    }
}

async fn silence_has_no_voice(separator: &dyn Separator) {
    let silence = Stretch { frames: vec![[0.0; 2]; super::SAMPLE_RATE as usize].into() };
    let voice = separate(separator, &silence).await.voice;
    assert!(voice.as_flattened().iter().all(|sample| sample.abs() < 1e-4), "silence stays silent");
}

async fn a_stretch_over_the_limit_is_invalid(separator: &dyn Separator) {
    let long = Stretch { frames: vec![[0.0; 2]; separator.capability().max_frames + 1].into() };
    match separator.separate(&long).await {
        Ok(_) => panic!("a stretch over max_frames is taken"),
        Err(error) => assert_eq!(error.kind, ErrorKind::Invalid, "{error}"),
    }
}

async fn stretches_with_their_context_make_up_the_whole(separator: &dyn Separator, material: &Material) {
    let sound = material.sound();
    let (length, middle) = (sound.frames.len(), sound.frames.len() / 2);
    let context = separator.capability().context_frames;
    let (until, from) = ((middle + context).min(length), middle.saturating_sub(context));
    let mut joined = separate(separator, &Stretch { frames: sound.frames[..until].into() }).await.voice;
    joined.truncate(middle);
    let second = separate(separator, &Stretch { frames: sound.frames[from..].into() }).await.voice;
    joined.extend(&second[middle - from..]);
    let whole = separate(separator, &sound).await.voice;
    let db = distance_db(&whole, &joined);
    assert!(db >= material.least_db, "two stretches differ from the whole by what lies {db:.1} dB below it");
}

async fn the_same_stretch_gives_the_same_voices(separator: &dyn Separator, material: &Material) {
    let sound = material.sound();
    let first = separate(separator, &sound).await;
    separate(separator, &Stretch { frames: material.background.clone().into() }).await;
    assert!(
        separate(separator, &sound).await == first,
        "the same stretch gives the same voices, whatever came between"
    );
}

async fn two_stretches_at_once_do_not_mix(separator: &dyn Separator, material: &Material) {
    let (one, other) = (material.sound(), Stretch { frames: material.voice.clone().into() });
    let (alone, other_alone) = (separate(separator, &one).await, separate(separator, &other).await);
    let (both, other_both) = tokio::join!(separate(separator, &one), separate(separator, &other));
    assert!(both == alone && other_both == other_alone, "stretches at the same time do not mix");
}
