//! Where somebody speaks in a source.

use media::speech::{self, TimeSpan};
use pipeline::{FileRef, Stage, StageContext, StageError};
use serde::{Deserialize, Serialize};

use super::computing;

/// Finds speech.
#[derive(Debug)]
pub(crate) struct FindSpeech;

/// A sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FindSpeechInput {
    /// 16 kHz, mono.
    pub speech: FileRef,
}

/// An utterance that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FoundSpeech {
    /// With some room before and after, to be listened to.
    pub heard: TimeSpan,
    /// From the first sound to the last.
    pub said: TimeSpan,
}

impl Stage for FindSpeech {
    type Input = FindSpeechInput;
    type Output = Vec<FoundSpeech>;

    fn name(&self) -> &'static str {
        "speech"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &FindSpeechInput, context: &StageContext) -> Result<Vec<FoundSpeech>, StageError> {
        let (path, cancellation) = (context.path(&input.speech), context.cancellation().clone());
        computing(move || {
            let activity = speech::listen(&path, &cancellation)?;
            let runs = activity.speech();
            Ok(activity.utterances().into_iter().map(|heard| FoundSpeech { heard, said: said(heard, &runs) }).collect())
        })
        .await
    }
}

/// The part of an utterance from the first run of speech in it to the last.
fn said(heard: TimeSpan, runs: &[TimeSpan]) -> TimeSpan {
    let inside = || runs.iter().filter(|run| run.start_ms < heard.end_ms && run.end_ms > heard.start_ms);
    let start_ms = inside().map(|run| run.start_ms.max(heard.start_ms)).min().unwrap_or(heard.start_ms);
    let end_ms = inside().map(|run| run.end_ms.min(heard.end_ms)).max().unwrap_or(heard.end_ms);
    if start_ms < end_ms { TimeSpan { start_ms, end_ms } } else { heard }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start_ms: u64, end_ms: u64) -> TimeSpan {
        TimeSpan { start_ms, end_ms }
    }

    #[test]
    fn an_utterance_is_said_from_its_first_sound_to_its_last() {
        let runs = [span(0, 900), span(1100, 1500), span(1700, 2300), span(2600, 3000)];
        assert_eq!(said(span(1000, 2400), &runs), span(1100, 2300));
        assert_eq!(said(span(2200, 2800), &runs), span(2200, 2800));
        assert_eq!(said(span(4000, 5000), &runs), span(4000, 5000));
    }
}
