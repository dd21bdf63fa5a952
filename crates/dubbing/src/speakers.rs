//! Who speaks in a source: as a transcript says, as a model hears it, or by timbre.

use std::{collections::BTreeMap, sync::Arc};

use ai::diarize::{Embedding, SpeakerEncoder};
use media::{
    speakers::{Register, Speakers},
    speech::TimeSpan,
};
use pipeline::{FanOut, FileRef, Run};

use crate::{
    DubbingError,
    document::{Pitch, Speaker, Utterance},
    service::Booth,
    stages::{
        embed::{Embed, EmbedInput},
        speakers::{HearingModel, TellSpeakers, TellSpeakersInput},
    },
};

/// Finds out who speaks, unless a transcript says so, and whether their voices are low or high.
pub(crate) async fn name(
    booth: &Booth,
    utterances: &mut [Utterance],
    speech: &FileRef,
    run: &Run,
) -> Result<Vec<Speaker>, DubbingError> {
    let span = |utterance: &Utterance| TimeSpan { start_ms: utterance.start_ms, end_ms: utterance.end_ms };
    let spans: Vec<TimeSpan> = utterances.iter().map(span).collect();
    let named = utterances.iter().any(|utterance| utterance.speaker.is_some());
    let encoder = booth.speaker_encoder.as_ref().filter(|_| !named);
    let heard = match encoder {
        Some(encoder) => Some(embed(encoder, (speech, &spans), booth.jobs, run).await?),
        None => None,
    };
    let model = encoder.map(|encoder| HearingModel {
        version: encoder.version().to_owned(),
        same_voice: encoder.capability().same_voice,
    });
    let input = TellSpeakersInput { speech: speech.clone(), spans, model };
    let told = run.make(&TellSpeakers { heard }, &input).await?.output;
    if !named {
        for (utterance, spoken) in utterances.iter_mut().zip(&told.spoken) {
            utterance.speaker = Some(format!("S{}", spoken.speaker + 1));
        }
    }
    Ok(speakers(utterances, &told))
}

/// The voice of every span, as a model hears it.
async fn embed(
    encoder: &Arc<dyn SpeakerEncoder>,
    (speech, spans): (&FileRef, &[TimeSpan]),
    jobs: usize,
    run: &Run,
) -> Result<Vec<Option<Embedding>>, DubbingError> {
    let input =
        |span: &TimeSpan| EmbedInput { engine: encoder.version().to_owned(), speech: speech.clone(), span: *span };
    let inputs: Vec<EmbedInput> = spans.iter().map(input).collect();
    let stage = Embed { engine: Arc::clone(encoder) };
    let made = run.make_all(&stage, &inputs, FanOut::new(jobs)).await?;
    Ok(made.into_iter().map(|made| made.output).collect())
}

/// Everybody who speaks, in the order of their first words.
fn speakers(utterances: &[Utterance], told: &Speakers) -> Vec<Speaker> {
    let mut speakers: Vec<Speaker> = Vec::new();
    for utterance in utterances {
        let Some(id) = &utterance.speaker else { continue };
        if speakers.iter().all(|speaker| speaker.id != *id) {
            let pitch = pitch_of(id, utterances, told);
            speakers.push(Speaker { id: id.clone(), pitch, voices: BTreeMap::new() });
        }
    }
    speakers
}

/// Whether most of what a speaker says is in a low or a high voice.
fn pitch_of(id: &str, utterances: &[Utterance], told: &Speakers) -> Option<Pitch> {
    let (mut low_ms, mut high_ms) = (0, 0);
    for (utterance, spoken) in utterances.iter().zip(&told.spoken) {
        if utterance.speaker.as_deref() != Some(id) {
            continue;
        }
        match told.voices.get(spoken.speaker).map(|voice| voice.register) {
            Some(Register::Low) => low_ms += utterance.duration_ms(),
            Some(Register::High) => high_ms += utterance.duration_ms(),
            Some(Register::Unknown) | None => {}
        }
    }
    match low_ms.cmp(&high_ms) {
        std::cmp::Ordering::Greater => Some(Pitch::Low),
        std::cmp::Ordering::Less => Some(Pitch::High),
        std::cmp::Ordering::Equal => None,
    }
}
