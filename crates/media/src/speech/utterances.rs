//! Frames judged one by one become utterances: hysteresis, pauses, room at both ends, and bounds of length.

use super::{FRAME_MS, Heard, TimeSpan};

/// A frame begins speech from here on, and speech goes on down to the lower bound. Between them lie weak consonants and
/// the ends of words. Measured on two minutes of seven voices alone, under noise and under music at 5 to 15 dB: F1 is
/// 0.95 and more, and music alone passes for a voice where the first bound is below 0.8; a lower second bound hears the
/// voice go on in the noise after it.
const BEGINS: f32 = 0.8;
const GOES_ON: f32 = 0.6;
/// The judgement rises more slowly than it falls: speech that has begun is dated back to here.
const DATED_BACK: f32 = 0.4;

/// Speech of less than this in one piece (5 frames) is a click or a cough.
const SHORTEST_RUN: usize = 5;
/// Pauses up to this are within words: before a plosive, or a breath. 192 ms.
const WITHIN_WORDS: usize = 12;

/// What is softer than the loudest nearby by this, in dB, and for longer than a pause within words, lies behind the voice:
/// music that goes on when a sentence ends passes for more of it. The weakest consonants are softer still, but short.
const BEHIND_DB: f32 = 22.0;
/// How near, to both sides: 188 frames are 3 s.
const NEARBY: usize = 188;
/// What stays before and after what is not behind, for such consonants: 96 ms.
const EDGE: usize = 6;

/// A pause from which a new utterance begins.
const PAUSE_MS: u64 = 350;
const SHORTEST_MS: u64 = 500;
const LONGEST_MS: u64 = 15_000;

/// Room before the first sound, which under noise is found up to 180 ms late, and after the last, which fades.
const BEFORE_MS: u64 = 150;
const AFTER_MS: u64 = 150;

/// Frames over which the level is smoothed where speech must be cut: a cut needs more than one soft frame.
const SMOOTHED: usize = 5;

/// Runs of speech as first frame and the frame after the last.
pub(super) fn runs(frames: &[Heard]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = voiced(frames).into_iter().flat_map(|run| in_front(frames, run)).collect();
    runs.retain(|(first, end)| end - first >= SHORTEST_RUN);
    runs
}

/// Runs of frames that are judged to be a voice.
fn voiced(frames: &[Heard]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    while let Some(found) = frames[at..].iter().position(|frame| frame.voice >= BEGINS) {
        let inside = at + found;
        let first =
            frames[at..inside].iter().rposition(|frame| frame.voice < DATED_BACK).map_or(at, |soft| at + soft + 1);
        let end = frames[inside..].iter().position(|frame| frame.voice < GOES_ON).map_or(frames.len(), |n| inside + n);
        match runs.last_mut() {
            Some(last) if first - last.1 <= WITHIN_WORDS => last.1 = end,
            _ => runs.push((first, end)),
        }
        at = end;
    }
    runs
}

/// The parts of a run that are not behind what is loud nearby.
fn in_front(frames: &[Heard], (first, end): (usize, usize)) -> Vec<(usize, usize)> {
    let loudest = |part: &[Heard]| part.iter().map(|frame| frame.level_db).fold(f32::NEG_INFINITY, f32::max);
    let mut parts: Vec<(usize, usize)> = Vec::new();
    let (mut around, mut bound) = (usize::MAX, f32::NEG_INFINITY);
    for index in first..end {
        // Whoever is loud within seconds is so for neighbouring frames alike.
        if index / EDGE != around {
            around = index / EDGE;
            let nearby = index.saturating_sub(NEARBY)..(index + NEARBY).min(frames.len());
            bound = loudest(&frames[nearby]) - BEHIND_DB;
        }
        if frames[index].level_db < bound {
            continue;
        }
        match parts.last_mut() {
            Some(last) if index - last.1 <= WITHIN_WORDS => last.1 = index + 1,
            _ => parts.push((index, index + 1)),
        }
    }
    parts.into_iter().map(|(from, to)| (from.saturating_sub(EDGE).max(first), (to + EDGE).min(end))).collect()
}

/// The utterances of a sound that lasts `duration_ms`, in their order and apart from each other.
pub(super) fn utterances(frames: &[Heard], duration_ms: u64) -> Vec<TimeSpan> {
    let speech: Vec<TimeSpan> = runs(frames)
        .into_iter()
        .map(|(first, end)| TimeSpan {
            start_ms: first as u64 * FRAME_MS,
            end_ms: (end as u64 * FRAME_MS).min(duration_ms),
        })
        .filter(|span| span.start_ms < span.end_ms)
        .collect();
    let mut cores = Vec::new();
    for group in speech.chunk_by(|a, b| b.start_ms - a.end_ms < PAUSE_MS) {
        split(group, frames, &mut cores);
    }
    widened(&with_room(&cores, duration_ms), duration_ms)
}

/// The room that goes to an utterance of the greatest length must still fit.
const LONGEST_CORE_MS: u64 = LONGEST_MS - BEFORE_MS - AFTER_MS;

/// Splits a group that is too long at its longest pauses, the middle preferred, else where it is softest.
fn split(group: &[TimeSpan], frames: &[Heard], cores: &mut Vec<TimeSpan>) {
    let (Some(first), Some(last)) = (group.first(), group.last()) else { return };
    let whole = TimeSpan { start_ms: first.start_ms, end_ms: last.end_ms };
    if whole.duration_ms() <= LONGEST_CORE_MS {
        cores.push(whole);
        return;
    }
    let pause = |index: &usize| {
        let (before, after) = (group[index - 1].end_ms, group[*index].start_ms);
        let shorter = (before - whole.start_ms).min(whole.end_ms - after);
        // A pause near an end leaves a piece too short to be understood.
        (after - before) * shorter.min(LONGEST_CORE_MS / 3)
    };
    if let Some(index) = (1..group.len()).max_by_key(|index| (pause(index), usize::MAX - index)) {
        split(&group[..index], frames, cores);
        split(&group[index..], frames, cores);
        return;
    }
    let mut start_ms = whole.start_ms;
    while whole.end_ms - start_ms > LONGEST_CORE_MS {
        let latest_ms = (start_ms + LONGEST_CORE_MS).min(whole.end_ms - SHORTEST_MS);
        let cut_ms = softest(frames, start_ms + LONGEST_CORE_MS / 3, latest_ms);
        cores.push(TimeSpan { start_ms, end_ms: cut_ms });
        start_ms = cut_ms;
    }
    cores.push(TimeSpan { start_ms, end_ms: whole.end_ms });
}

/// The middle of the softest frames between two times.
fn softest(frames: &[Heard], from_ms: u64, to_ms: u64) -> u64 {
    let (from, to) = ((from_ms / FRAME_MS) as usize, (to_ms / FRAME_MS) as usize);
    let level = |middle: usize| -> f32 {
        let around = middle.saturating_sub(SMOOTHED / 2)..(middle + SMOOTHED / 2 + 1).min(frames.len());
        frames[around].iter().map(|frame| frame.level_db).sum()
    };
    // Of equally soft places the last: fewer pieces.
    let middle = (from..to).rev().min_by(|&a, &b| level(a).total_cmp(&level(b))).unwrap_or(from);
    (middle as u64 * FRAME_MS).clamp(from_ms, to_ms)
}

/// Gives every utterance room at its ends, at most half of the pause to its neighbour.
fn with_room(cores: &[TimeSpan], duration_ms: u64) -> Vec<TimeSpan> {
    let gap_after = |index: usize| {
        let next_ms = cores.get(index + 1).map_or(duration_ms, |next| next.start_ms);
        next_ms - cores[index].end_ms
    };
    (0..cores.len())
        .map(|index| {
            let before = if index == 0 { cores[0].start_ms } else { gap_after(index - 1) / 2 };
            let after = if index + 1 == cores.len() { gap_after(index) } else { gap_after(index) / 2 };
            TimeSpan {
                start_ms: cores[index].start_ms - before.min(BEFORE_MS),
                end_ms: cores[index].end_ms + after.min(AFTER_MS),
            }
        })
        .collect()
}

/// Makes those that are too short longer, into the silence around them, or part of a neighbour.
fn widened(spans: &[TimeSpan], duration_ms: u64) -> Vec<TimeSpan> {
    let mut made: Vec<TimeSpan> = Vec::with_capacity(spans.len());
    for (index, &span) in spans.iter().enumerate() {
        let free_from_ms = made.last().map_or(0, |last| last.end_ms);
        let free_to_ms = spans.get(index + 1).map_or(duration_ms, |next| next.start_ms);
        let mut span = span;
        if span.duration_ms() < SHORTEST_MS {
            span.end_ms = (span.start_ms + SHORTEST_MS).min(free_to_ms);
            span.start_ms = span.end_ms.saturating_sub(SHORTEST_MS).max(free_from_ms).min(span.start_ms);
        }
        match made.last_mut() {
            Some(last)
                if last.duration_ms().min(span.duration_ms()) < SHORTEST_MS
                    && span.end_ms - last.start_ms <= LONGEST_MS =>
            {
                last.end_ms = span.end_ms;
            }
            _ => made.push(span),
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Frames from lengths in milliseconds, speech and silence in turn, silence first.
    fn frames(lengths_ms: &[u64]) -> Vec<Heard> {
        let mut frames = Vec::new();
        for (index, &length_ms) in lengths_ms.iter().enumerate() {
            let heard = if index % 2 == 1 {
                Heard { voice: 0.95, level_db: -20.0 }
            } else {
                Heard { voice: 0.02, level_db: -60.0 }
            };
            frames.extend(std::iter::repeat_n(heard, (length_ms / FRAME_MS) as usize));
        }
        frames
    }

    fn found(frames: &[Heard]) -> Vec<(u64, u64)> {
        utterances(frames, frames.len() as u64 * FRAME_MS).iter().map(|span| (span.start_ms, span.end_ms)).collect()
    }

    #[test]
    fn pauses_part_utterances_and_breaths_do_not() {
        let found = found(&frames(&[992, 1_600, 160, 1_600, 800, 1_600, 1_600]));
        assert_eq!(found, [(842, 4_502), (5_002, 6_902)]);
    }

    #[test]
    fn clicks_are_nothing_and_short_answers_become_long_enough() {
        assert_eq!(found(&frames(&[992, 48, 992])), []);
        let found = found(&frames(&[2_000, 160, 2_000]));
        assert!(found.len() == 1 && found[0].1 - found[0].0 == 500, "{found:?}");
        assert!(found[0].0 < 2_000 && found[0].1 > 2_160, "{found:?}");
    }

    #[test]
    fn weak_frames_continue_speech_but_do_not_begin_it() {
        let mut weak = frames(&[992, 1_600, 992]);
        for frame in &mut weak[..62] {
            *frame = Heard { voice: 0.7, level_db: -30.0 };
        }
        weak[20].voice = 0.1;
        assert_eq!(runs(&weak)[0].0, 21, "the weak beginning belongs to it up to where there is none");
        assert!(runs(&weak[..62]).is_empty());
    }

    #[test]
    fn what_goes_on_softly_before_between_and_after_sentences_is_no_part_of_them() {
        let mut music = frames(&[992, 1_600, 800, 1_600, 1_600]);
        for frame in &mut music {
            *frame = Heard { voice: 0.95, level_db: frame.level_db.max(-44.0) };
        }
        // A weak consonant within a word.
        music[100..110].fill(Heard { voice: 0.95, level_db: -50.0 });
        assert_eq!(runs(&music), [(56, 168), (206, 318)]);
        assert_eq!(found(&music), [(746, 2_838), (3_146, 5_238)]);
    }

    #[test]
    fn a_soft_speaker_far_from_loud_ones_is_heard() {
        let mut soft = frames(&[992, 1_600, 4_000, 1_600, 992]);
        for frame in &mut soft[300..] {
            frame.level_db -= 30.0;
        }
        assert_eq!(runs(&soft).len(), 2);
    }

    #[test]
    fn long_speech_is_cut_at_its_longest_pauses_and_else_where_it_is_softest() {
        let spans = found(&frames(&[496, 8_000, 208, 4_000, 304, 8_000, 496]));
        assert_eq!(spans.len(), 2, "{spans:?}");
        assert!((12_704..=13_008).contains(&spans[0].1) && spans[0].1 <= spans[1].0, "{spans:?}");
        let mut endless = frames(&[0, 40_000]);
        for soft in [600, 601, 602, 603, 604, 605, 1_300, 1_301, 1_302, 1_303, 1_304] {
            endless[soft].level_db = -40.0;
        }
        let spans = found(&endless);
        assert!(spans.len() == 4, "{spans:?}");
        assert!((9_600..9_700).contains(&spans[0].1) && (20_800..20_900).contains(&spans[1].1), "{spans:?}");
    }

    #[test]
    fn silence_holds_no_utterance() {
        assert_eq!(found(&frames(&[60_000])), []);
        assert_eq!(found(&[]), []);
    }

    proptest! {
        #[test]
        fn utterances_are_apart_and_of_their_lengths_and_hold_every_word(
            lengths_ms in prop::collection::vec((0_u64..1_500, 90_u64..22_000), 1..12),
            longest_ms in 100_u64..22_000,
        ) {
            let lengths: Vec<u64> = lengths_ms.iter().flat_map(|&(silence, speech)| [silence, speech.min(longest_ms)]).collect();
            let frames = frames(&lengths);
            let duration_ms = frames.len() as u64 * FRAME_MS;
            let spans = utterances(&frames, duration_ms);
            for span in &spans {
                prop_assert!(span.end_ms <= duration_ms && span.duration_ms() <= LONGEST_MS, "{spans:?}");
                prop_assert!(span.duration_ms() >= SHORTEST_MS.min(duration_ms) || spans.len() > 1, "{spans:?}");
            }
            prop_assert!(spans.windows(2).all(|pair| pair[0].end_ms <= pair[1].start_ms), "{spans:?}");
            for (first, end) in runs(&frames) {
                let (start_ms, end_ms) = (first as u64 * FRAME_MS, end as u64 * FRAME_MS);
                let whole = spans.iter().any(|span| span.start_ms <= start_ms && span.end_ms >= end_ms);
                prop_assert!(whole || end_ms - start_ms > LONGEST_CORE_MS, "{start_ms}..{end_ms} is cut by {spans:?}");
            }
        }
    }
}
