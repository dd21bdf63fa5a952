//! The sound of a dub: the original, turned down where somebody speaks anew, and what it is measured by.

use std::collections::BTreeSet;

use media::audio::{DubGain, Levels, Likeness, Part, Products, SAMPLE_RATE, Span};
use pipeline::{FanOut, Run};

use crate::{
    DubbingError,
    document::Utterance,
    performance::Performed,
    production::Work,
    stages::{
        measure::{Levels as MeasureLevels, LevelsInput, SourceLevels},
        mix::{Mix, MixInput, MixedPart},
        survey::{HeardPart, MixedLine, Survey},
    },
};

/// The bound of the true peak of every result, in dBTP (EBU R 128).
const TRUE_PEAK_DBTP: f64 = -1.0;
/// How far the original goes down under dubbed speech.
pub const DEFAULT_DUCK_DB: f64 = 20.0;
/// Around a dubbed line the original comes and goes; further away it is as it was.
const RAMP_MS: u64 = 120;
/// Shorter gaps between dubbed lines stay down.
const SHORTEST_OPEN_MS: u64 = 600;

/// The sound of a dub and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sound {
    pub parts: Vec<MixedPart>,
    pub target_lufs: Option<f64>,
    pub loudness_lufs: Option<f64>,
    pub true_peak_dbtp: f64,
    /// How alike it is to the original where nothing was to change; nothing where dubbed speech covers all.
    pub background: Option<Likeness>,
}

/// The loudness of the source and of each of its speakers.
pub(crate) async fn levels(work: &Work, run: &Run) -> Result<SourceLevels, DubbingError> {
    let dub = &work.dub;
    let of = |id: &str| {
        let own = dub.utterances.iter().filter(|utterance| utterance.speaker.as_deref() == Some(id));
        own.map(|utterance| span(utterance.start_ms, utterance.end_ms)).collect()
    };
    let speakers = dub.speakers.iter().map(|speaker| of(&speaker.id)).collect();
    let (programme, voices) = (work.extracted.programme.clone(), work.voices_of_programme());
    let input = LevelsInput { programme, voices, speakers };
    Ok(run.make(&MeasureLevels, &input).await?.output)
}

/// Mixes the lines of one language with the original, part by part.
pub(crate) async fn mix(
    work: &Work,
    levels: &SourceLevels,
    lines: &[Performed],
    (jobs, run): (usize, &Run),
) -> Result<Sound, DubbingError> {
    let target_lufs = work.dub.settings.loudness_lufs.or(levels.whole);
    let heard = heard_parts(work, levels, lines);
    let survey = run.make_all(&Survey, &heard, FanOut::new(jobs)).await?;
    let unscaled = joined(survey.iter().map(|made| &made.output));
    let mut gain = DubGain::new(target_lufs, TRUE_PEAK_DBTP, &unscaled)?;
    let open = open_stretches(work, lines);
    loop {
        let input = |heard: &HeardPart| MixInput {
            open: within(&open, heard.part.span),
            heard: heard.clone(),
            gain_db: gain.gain_db(),
            true_peak_dbtp: gain.true_peak_dbtp(),
            original: work.extracted.programme.clone(),
        };
        let inputs: Vec<MixInput> = heard.iter().map(input).collect();
        let made = run.make_all(&Mix, &inputs, FanOut::new(jobs)).await?;
        let parts: Vec<MixedPart> = made.into_iter().map(|made| made.output).collect();
        let levels = joined(parts.iter().map(|part| &part.levels));
        if gain.misses(&levels) {
            continue;
        }
        return Ok(Sound {
            target_lufs,
            loudness_lufs: levels.integrated_lufs(),
            true_peak_dbtp: levels.true_peak_dbtp,
            background: parts.iter().map(|part| part.alike).sum::<Products>().likeness(),
            parts,
        });
    }
}

fn joined<'a>(levels: impl Iterator<Item = &'a Levels>) -> Levels {
    Levels::joined(&levels.cloned().collect::<Vec<_>>())
}

/// What is heard in each part: of all lines and utterances those that are near it.
fn heard_parts(work: &Work, levels: &SourceLevels, lines: &[Performed]) -> Vec<HeardPart> {
    let dub = &work.dub;
    let loudness = |line: &Performed| {
        let speaker = dub.utterances[line.utterance].speaker.as_deref();
        let index = dub.speakers.iter().position(|known| Some(known.id.as_str()) == speaker);
        index.and_then(|index| levels.speakers.get(index).copied().flatten()).or(levels.whole)
    };
    let voice: Vec<(Span, MixedLine)> = lines
        .iter()
        .map(|line| {
            let (audio, start_sample) = (line.audio.clone(), samples(line.start_ms));
            let mixed = MixedLine { audio, start_sample, loudness_lufs: loudness(line) };
            (span(line.start_ms, line.end_ms), mixed)
        })
        .collect();
    let dubbed: BTreeSet<usize> = lines.iter().map(|line| line.utterance).collect();
    let (replaced, kept): (Vec<_>, Vec<_>) =
        dub.utterances.iter().enumerate().partition(|(index, _)| dubbed.contains(index));
    let spans = |of: Vec<(usize, &Utterance)>| -> Vec<Span> {
        of.into_iter().map(|(_, utterance)| span(utterance.start_ms, utterance.end_ms)).collect()
    };
    let (replaced, kept) = (spans(replaced), spans(kept));
    let near = |part: Part, spans: &[Span]| spans.iter().copied().filter(|span| part.hears(*span)).collect();
    let heard = |part: Part| HeardPart {
        part,
        background: work.extracted.programme.clone(),
        voices: work.voices_of_programme(),
        voice: voice.iter().filter(|(span, _)| part.hears(*span)).map(|(_, line)| line.clone()).collect(),
        replaced: near(part, &replaced),
        kept: near(part, &kept),
        duck_db: dub.settings.duck_db.unwrap_or(DEFAULT_DUCK_DB),
    };
    Part::all(work.open.source.duration_samples()).into_iter().map(heard).collect()
}

/// Where nothing of the original is changed by the lines of a language.
fn open_stretches(work: &Work, lines: &[Performed]) -> Vec<Span> {
    let replaced = lines.iter().map(|line| &work.dub.utterances[line.utterance]);
    let replaced = replaced.map(|utterance| (utterance.start_ms, utterance.end_ms));
    let covered = replaced.chain(lines.iter().map(|line| (line.start_ms, line.end_ms))).collect();
    open(covered, work.open.source.duration_samples() * 1000 / u64::from(SAMPLE_RATE))
}

/// What of `stretches` lies in a span.
fn within(stretches: &[Span], span: Span) -> Vec<Span> {
    let inside = |stretch: &Span| Span {
        start_sample: stretch.start_sample.max(span.start_sample),
        end_sample: stretch.end_sample.min(span.end_sample),
    };
    stretches.iter().map(inside).filter(|stretch| stretch.start_sample < stretch.end_sample).collect()
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
    fn a_part_is_compared_where_it_is_open() {
        let open = [span(0, 1000), span(2000, 5000), span(7000, 8000)];
        assert_eq!(within(&open, span(3000, 7000)), [span(3000, 5000)]);
    }

    #[test]
    fn only_what_is_well_away_from_dubbed_speech_is_compared() {
        let ms = |span: &Span| (span.start_sample / 48, span.end_sample / 48);
        let spans = open(vec![(5000, 6000), (1000, 2000), (2700, 4000)], 10_000);
        assert_eq!(spans.iter().map(ms).collect::<Vec<_>>(), [(0, 880), (4120, 4880), (6120, 10_000)]);
        assert!(open(vec![(0, 10_000)], 10_000).is_empty());
        assert_eq!(open(Vec::new(), 10_000).len(), 1);
    }
}
