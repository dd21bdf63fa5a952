//! The sound of a dub: the original, turned down where somebody speaks anew, and what it is measured by.

use media::audio::{SAMPLE_RATE, Span};
use pipeline::Run;

use crate::{
    DubbingError,
    document::Dub,
    performance::Performed,
    stages::{
        extract::Extracted,
        measure::{Compare, CompareInput, Compared, Levels, LevelsInput, SourceLevels},
        mix::{Mix, MixInput, MixedDub, MixedLine},
    },
};

/// How far the original goes down under dubbed speech.
pub const DEFAULT_DUCK_DB: f64 = 20.0;
/// Around a dubbed line the original comes and goes; further away it is as it was.
const RAMP_MS: u64 = 120;
/// Shorter gaps between dubbed lines stay down.
const SHORTEST_OPEN_MS: u64 = 600;

/// The sound of a dub and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sound {
    pub mixed: MixedDub,
    pub target_lufs: Option<f64>,
    /// Nothing where dubbed speech covers all.
    pub background: Option<Compared>,
}

/// The loudness of the source and of each of its speakers.
pub(crate) async fn levels(dub: &Dub, extracted: &Extracted, run: &Run) -> Result<SourceLevels, DubbingError> {
    let of = |id: &str| {
        let own = dub.utterances.iter().filter(|utterance| utterance.speaker.as_deref() == Some(id));
        own.map(|utterance| span(utterance.start_ms, utterance.end_ms)).collect()
    };
    let speakers = dub.speakers.iter().map(|speaker| of(&speaker.id)).collect();
    let input = LevelsInput { programme: extracted.programme.clone(), speakers };
    Ok(run.make(&Levels, &input).await?.output)
}

/// Mixes the lines of one language with the original.
pub(crate) async fn mix(
    dub: &Dub,
    (extracted, duration_samples): (&Extracted, u64),
    levels: &SourceLevels,
    lines: &[Performed],
    run: &Run,
) -> Result<Sound, DubbingError> {
    let target_lufs = dub.settings.loudness_lufs.or(levels.whole);
    let loudness = |line: &Performed| {
        let speaker = dub.utterances[line.utterance].speaker.as_deref();
        let index = dub.speakers.iter().position(|known| Some(known.id.as_str()) == speaker);
        index.and_then(|index| levels.speakers.get(index).copied().flatten()).or(levels.whole)
    };
    let is_dubbed = |index: usize| lines.iter().any(|line| line.utterance == index);
    let (replaced, kept): (Vec<_>, Vec<_>) =
        dub.utterances.iter().enumerate().partition(|(index, _)| is_dubbed(*index));
    let spans = |of: &[(usize, &crate::document::Utterance)]| {
        of.iter().map(|(_, utterance)| span(utterance.start_ms, utterance.end_ms)).collect::<Vec<_>>()
    };
    let input = MixInput {
        background: extracted.programme.clone(),
        duration_samples,
        voice: lines
            .iter()
            .map(|line| MixedLine {
                audio: line.audio.clone(),
                start_sample: samples(line.start_ms),
                loudness_lufs: loudness(line),
            })
            .collect(),
        replaced: spans(&replaced),
        kept: spans(&kept),
        duck_db: dub.settings.duck_db.unwrap_or(DEFAULT_DUCK_DB),
        target_lufs,
    };
    let mixed = run.make(&Mix, &input).await?.output;
    let mut covered: Vec<(u64, u64)> = replaced.iter().map(|(_, u)| (u.start_ms, u.end_ms)).collect();
    covered
        .extend(lines.iter().map(|line| (line.start_ms, line.words.last().map_or(line.start_ms, |word| word.end_ms))));
    let stretches = open(covered, duration_samples * 1000 / u64::from(SAMPLE_RATE));
    let background = if stretches.is_empty() {
        None
    } else {
        let input = CompareInput { original: extracted.programme.clone(), dub: mixed.file.clone(), stretches };
        Some(run.make(&Compare, &input).await?.output)
    };
    Ok(Sound { mixed, target_lufs, background })
}

/// Where nothing of the original was changed: what lies away from all of `covered`, which are in milliseconds.
fn open(mut covered: Vec<(u64, u64)>, duration_ms: u64) -> Vec<Span> {
    covered.sort_unstable();
    let mut open = Vec::new();
    let mut from_ms = 0;
    for (start_ms, end_ms) in covered.into_iter().chain([(duration_ms + RAMP_MS, duration_ms)]) {
        let until_ms = start_ms.saturating_sub(RAMP_MS);
        if until_ms >= from_ms + SHORTEST_OPEN_MS {
            open.push(span(from_ms, until_ms));
        }
        from_ms = from_ms.max(end_ms + RAMP_MS);
    }
    open
}

fn span(start_ms: u64, end_ms: u64) -> Span {
    Span { start_sample: samples(start_ms), end_sample: samples(end_ms) }
}

fn samples(ms: u64) -> u64 {
    ms * u64::from(SAMPLE_RATE) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_well_away_from_dubbed_speech_is_compared() {
        let ms = |span: &Span| (span.start_sample / 48, span.end_sample / 48);
        let spans = open(vec![(5000, 6000), (1000, 2000), (2700, 4000)], 10_000);
        assert_eq!(spans.iter().map(ms).collect::<Vec<_>>(), [(0, 880), (4120, 4880), (6120, 10_000)]);
        assert!(open(vec![(0, 10_000)], 10_000).is_empty());
        assert_eq!(open(Vec::new(), 10_000).len(), 1);
    }
}
