//! Voice and background of a source taken apart, where the user has a model for it.

use std::sync::Arc;

use ai::separate::{SAMPLE_RATE, Separator};
use media::audio::{self, PIECE_STEP, Span};
use pipeline::{FanOut, FileRef, Run};

use crate::{
    DubbingError,
    document::Settings,
    service::Booth,
    stages::{
        extract::Extracted,
        separate::{JoinVoices, JoinVoicesInput, Separate, SeparateInput, Voices},
    },
};

/// Bytes of the voices of a second, in pieces and joined.
pub(crate) const BYTES_PER_SECOND: u64 = 2 * 4 * audio::SAMPLE_RATE as u64 + 2 * ai::stt::SAMPLE_RATE as u64;
/// A run that is killed has this much to find again at most.
const PIECE_SECONDS: u64 = 30;
/// One piece is made ready while the model works on another.
const PIECES_AT_ONCE: usize = 2;

/// The engine that separates where that is wanted. What a person says counts; else it is done where a model is there.
pub(crate) fn choose(booth: &Booth, settings: &Settings) -> Result<Option<Arc<dyn Separator>>, DubbingError> {
    match (settings.separate, &booth.separator) {
        (Some(false), _) | (None, None) => Ok(None),
        (_, Some(separator)) => Ok(Some(Arc::clone(separator))),
        (Some(true), None) => Err(DubbingError::Request(
            "there is no model that separates voice and background; add one with `pressroom models add`, or leave \
             --separate out"
                .to_owned(),
        )),
    }
}

/// Finds the voices of a source.
pub(crate) async fn separate(
    separator: &Arc<dyn Separator>,
    extracted: &Extracted,
    samples: u64,
    run: &Run,
) -> Result<Voices, DubbingError> {
    let input = |span: Span| SeparateInput {
        engine: separator.version().to_owned(),
        programme: extracted.programme.clone(),
        samples,
        span,
    };
    let inputs: Vec<SeparateInput> = pieces(samples, longest(separator.as_ref())).into_iter().map(input).collect();
    let length = |input: &SeparateInput| (input.span.end_sample - input.span.start_sample) as f64;
    let stage = Separate { engine: Arc::clone(separator) };
    let fan_out = FanOut::new(PIECES_AT_ONCE).longest_first(length);
    let made = run.make_all(&stage, &inputs, fan_out).await?;
    let pieces: Vec<FileRef> = made.into_iter().map(|made| made.output).collect();
    Ok(run.make(&JoinVoices, &JoinVoicesInput { pieces }).await?.output)
}

/// How many samples a piece may have, its context left aside: whole seconds.
fn longest(separator: &dyn Separator) -> u64 {
    let capability = separator.capability();
    let seconds = |frames: usize| frames as u64 / u64::from(SAMPLE_RATE);
    let context = seconds(capability.context_frames) + 1;
    let room = seconds(capability.max_frames).saturating_sub(2 * context);
    room.clamp(1, PIECE_SECONDS) * PIECE_STEP
}

/// A sound of `samples` in pieces.
fn pieces(samples: u64, longest: u64) -> Vec<Span> {
    let starts = (0..samples.max(1)).step_by(longest as usize);
    starts.map(|start_sample| Span { start_sample, end_sample: (start_sample + longest).min(samples.max(1)) }).collect()
}

#[cfg(test)]
mod tests {
    use ai::separate::FakeSeparator;

    use super::*;

    #[test]
    fn pieces_follow_each_other_and_end_with_the_sound() {
        let minute = 60 * 48_000;
        let ends = |samples| -> Vec<u64> { pieces(samples, minute).iter().map(|span| span.end_sample).collect() };
        assert_eq!(ends(2 * minute + 5), [minute, 2 * minute, 2 * minute + 5]);
        assert_eq!(ends(minute), [minute]);
        assert_eq!(longest(&FakeSeparator::new()), PIECE_SECONDS * 48_000);
    }
}
