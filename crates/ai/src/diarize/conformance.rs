//! What every speaker encoder must do: each adapter's tests run this suite against it.

use kernel::ErrorKind;

use super::{Embedding, SpeakerEncoder, Speech};

/// Speech of two people.
#[derive(Debug, Clone)]
pub struct Material {
    pub speech: Speech,
    /// Other speech of the same person.
    pub same: Speech,
    /// Speech of another person.
    pub another: Speech,
}

/// Runs the whole suite.
///
/// # Panics
/// When the engine breaks a rule of the port; the message names the rule.
pub async fn run(encoder: &dyn SpeakerEncoder, material: &Material) {
    the_engine_is_ready_and_says_what_it_takes(encoder).await;
    one_speaker_is_told_from_another(encoder, material).await;
    loudness_does_not_change_a_voice(encoder, material).await;
    speech_too_short_or_too_long_is_invalid(encoder).await;
    silence_is_no_failure(encoder).await;
    the_same_speech_gives_the_same_embedding(encoder, material).await;
    two_stretches_at_once_do_not_mix(encoder, material).await;
}

async fn embed(encoder: &dyn SpeakerEncoder, speech: &Speech) -> Embedding {
    match encoder.embed(speech).await {
        Ok(Some(embedding)) => embedding,
        Ok(None) => panic!("no voice is heard in {} samples of speech", speech.samples.len()),
        Err(error) => panic!("the voice of {} samples is not heard: {error}", speech.samples.len()),
    }
}

async fn the_engine_is_ready_and_says_what_it_takes(encoder: &dyn SpeakerEncoder) {
    if let Err(error) = encoder.check().await {
        panic!("the engine cannot work: {error}");
    }
    assert!(!encoder.name().is_empty() && !encoder.version().is_empty(), "the engine has a name and a version");
    let capability = encoder.capability();
    assert!(0 < capability.min_samples && capability.min_samples < capability.max_samples, "{capability:?}");
    assert!((-1.0..1.0).contains(&capability.same_voice), "a likeness is −1 to 1: {capability:?}");
}

async fn one_speaker_is_told_from_another(encoder: &dyn SpeakerEncoder, material: &Material) {
    let voice = embed(encoder, &material.speech).await;
    let (same, another) = (embed(encoder, &material.same).await, embed(encoder, &material.another).await);
    let sizes = [&voice, &same, &another].map(|embedding| embedding.direction().len());
    assert!(sizes[0] > 1 && sizes.iter().all(|size| *size == sizes[0]), "embeddings are of one size: {sizes:?}");
    let threshold = encoder.capability().same_voice;
    let (near, far) = (voice.likeness(&same), voice.likeness(&another));
    assert!(near >= threshold, "a speaker is like themselves by {near:.3}, less than {threshold}");
    assert!(far < threshold, "two speakers are alike by {far:.3}, not less than {threshold}");
}

async fn loudness_does_not_change_a_voice(encoder: &dyn SpeakerEncoder, material: &Material) {
    let soft = Speech { samples: material.speech.samples.iter().map(|sample| sample / 4).collect() };
    let likeness = embed(encoder, &material.speech).await.likeness(&embed(encoder, &soft).await);
    assert!(likeness >= encoder.capability().same_voice, "the same speech, softer, is like itself by {likeness:.3}");
}

async fn speech_too_short_or_too_long_is_invalid(encoder: &dyn SpeakerEncoder) {
    let capability = encoder.capability();
    for length in [0, capability.min_samples - 1, capability.max_samples + 1] {
        match encoder.embed(&Speech { samples: vec![0; length].into() }).await {
            Ok(_) => panic!("a stretch of {length} samples is taken"),
            Err(error) => assert_eq!(error.kind, ErrorKind::Invalid, "{error}"),
        }
    }
}

async fn silence_is_no_failure(encoder: &dyn SpeakerEncoder) {
    let silence = Speech { samples: vec![0; encoder.capability().min_samples].into() };
    if let Err(error) = encoder.embed(&silence).await {
        panic!("silence is a stretch like others, with or without a voice: {error}");
    }
}

async fn the_same_speech_gives_the_same_embedding(encoder: &dyn SpeakerEncoder, material: &Material) {
    let first = embed(encoder, &material.speech).await;
    embed(encoder, &material.another).await;
    assert_eq!(embed(encoder, &material.speech).await, first, "the same speech, whatever came between");
}

async fn two_stretches_at_once_do_not_mix(encoder: &dyn SpeakerEncoder, material: &Material) {
    let alone = (embed(encoder, &material.speech).await, embed(encoder, &material.another).await);
    let both = tokio::join!(embed(encoder, &material.speech), embed(encoder, &material.another));
    assert_eq!(both, alone, "stretches at the same time do not mix");
}
