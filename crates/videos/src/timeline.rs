//! When everything happens: scenes, shots and transitions on a grid of whole frames.
//!
//! Scenes begin on a frame, and all times inside a scene count from its beginning. So a sentence that grows moves the
//! scenes after it without changing them, and their encoded segments are used again.

use kernel::Lang;
use media::speech_text::{TimedSentence, TimedWord};
use serde::{Deserialize, Serialize};

use crate::{request::Pauses, stages::voice::SpokenSentence};

/// Silence before the first word, so that the first picture is seen before it is talked about.
const LEAD_IN_MS: u64 = 300;
/// What stays after the last word, while music and picture fade.
const LEAD_OUT_MS: u64 = 1500;

/// Where a scene stands in its text, and what is said in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SceneSpeech<'a> {
    pub section: usize,
    pub paragraph: usize,
    pub sentences: &'a [SpokenSentence],
    /// How long it stays at least: a card must have arrived and been read, a silent clip is played.
    pub least_ms: u64,
}

/// A scene with the time of its speech.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TimedScene {
    /// Absolute, on the grid.
    pub first_frame: u32,
    pub frames: u32,
    /// Times from the beginning of the scene, parallel to the scene's sentences.
    pub sentences: Vec<TimedSentence>,
}

/// Places every sentence, with pauses by what comes after it, and rounds scenes up to whole frames.
pub(crate) fn time_scenes(scenes: &[SceneSpeech<'_>], pauses: Pauses, grid: Grid, lang: &Lang) -> Vec<TimedScene> {
    let mut first_frame = 0;
    let mut timed = Vec::with_capacity(scenes.len());
    for (index, scene) in scenes.iter().enumerate() {
        let pause_after = match scenes.get(index + 1) {
            None => LEAD_OUT_MS,
            Some(next) if next.section != scene.section => pauses.section_ms,
            Some(next) if next.paragraph != scene.paragraph => pauses.paragraph_ms,
            Some(_) => pauses.sentence_ms,
        };
        let opens = index == 0 || scenes[index - 1].sentences.is_empty();
        let mut at_ms = if opens { LEAD_IN_MS } else { 0 };
        let mut sentences = Vec::with_capacity(scene.sentences.len());
        for (number, spoken) in scene.sentences.iter().enumerate() {
            if number > 0 {
                at_ms += pauses.sentence_ms;
            }
            sentences.push(place(spoken, at_ms, lang));
            at_ms += spoken.duration_ms;
        }
        let spoken_ms = if sentences.is_empty() { 0 } else { at_ms + pause_after };
        let duration_ms = spoken_ms.max(scene.least_ms);
        let frames = grid.frames_covering(duration_ms).max(1);
        timed.push(TimedScene { first_frame, frames, sentences });
        first_frame += frames;
    }
    timed
}

fn place(spoken: &SpokenSentence, at_ms: u64, lang: &Lang) -> TimedSentence {
    let shift =
        |word: &TimedWord| TimedWord { start_ms: word.start_ms + at_ms, end_ms: word.end_ms + at_ms, ..word.clone() };
    TimedSentence {
        words: spoken.words.iter().map(shift).collect(),
        lang: lang.clone(),
        start_ms: at_ms,
        end_ms: at_ms + spoken.duration_ms,
    }
}

/// Frames a second, and the conversions that follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grid {
    pub fps: u32,
}

impl Grid {
    /// The least number of frames that lasts at least `ms`.
    pub(crate) fn frames_covering(self, ms: u64) -> u32 {
        u32::try_from((ms * u64::from(self.fps)).div_ceil(1000)).unwrap_or(u32::MAX)
    }

    /// Milliseconds from the start to the beginning of `frame`, rounded down.
    pub(crate) fn ms(self, frame: u32) -> u64 {
        u64::from(frame) * 1000 / u64::from(self.fps)
    }

    /// The audio sample that sounds when `frame` begins.
    pub(crate) fn sample(self, frame: u32, sample_rate: u32) -> u64 {
        u64::from(frame) * u64::from(sample_rate) / u64::from(self.fps)
    }
}

/// One picture with everything it shows: its shot, and the transitions it shares with its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShotSpan {
    pub scene: usize,
    /// Which of the scene's shots.
    pub shot: usize,
    /// Frame of the scene at which the shot begins.
    pub offset: u32,
    /// Length of the shot without what transitions add.
    pub frames: u32,
    /// Frames of the transition from the shot before; half of them lie before the shot begins.
    pub transition_in: u32,
    /// Frames of the transition to the next shot; half of them lie after the shot ends.
    pub transition_out: u32,
}

impl ShotSpan {
    /// Frames for which the picture is seen at all.
    pub(crate) fn visible_frames(&self) -> u32 {
        self.transition_in / 2 + self.frames + self.transition_out / 2
    }

    /// Frames from the end of the transition before the shot to the end of the one after it, which are encoded together.
    /// None in a shot that the transition before it covers whole.
    pub(crate) fn piece_frames(&self) -> u32 {
        self.visible_frames() - self.transition_in
    }
}

/// Frames of the transition at each cut between scenes: `wanted`, or fewer where a scene is too short for it.
///
/// Each is an even number of frames, centred on its cut, and takes at most a third of either scene.
pub(crate) fn transitions(scenes: &[TimedScene], wanted: u32) -> Vec<u32> {
    let at_cut = |pair: &[TimedScene]| wanted.min(pair[0].frames.min(pair[1].frames) / 3 * 2) & !1;
    scenes.windows(2).map(at_cut).collect()
}

/// Lays the shots of all scenes one after another. `shots` has the lengths of each scene's shots, which add up to the
/// scene; inside a scene shots follow with a plain cut.
pub(crate) fn lay_shots(shots: &[Vec<u32>], transitions: &[u32]) -> Vec<ShotSpan> {
    let mut spans = Vec::new();
    for (scene, lengths) in shots.iter().enumerate() {
        let mut offset = 0;
        for (shot, &frames) in lengths.iter().enumerate() {
            let at_start = (shot == 0 && scene > 0).then(|| transitions[scene - 1]);
            let at_end = (shot + 1 == lengths.len()).then(|| transitions.get(scene).copied()).flatten();
            let (transition_in, transition_out) = (at_start.unwrap_or(0), at_end.unwrap_or(0));
            spans.push(ShotSpan { scene, shot, offset, frames, transition_in, transition_out });
            offset += frames;
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spoken(duration_ms: u64) -> SpokenSentence {
        let word = TimedWord { text: "so".to_owned(), space_before: false, start_ms: 10, end_ms: duration_ms };
        SpokenSentence { audio: None, duration_ms, words: vec![word] }
    }

    fn scene(frames: u32) -> TimedScene {
        TimedScene { first_frame: 0, frames, sentences: Vec::new() }
    }

    proptest! {
        #[test]
        fn pieces_add_up_to_the_frames_of_all_scenes(
            shots in prop::collection::vec(prop::collection::vec(20u32..400, 1..4), 1..12), wanted in 0u32..40,
        ) {
            let scenes: Vec<_> = shots.iter().map(|shots| scene(shots.iter().sum())).collect();
            let spans = lay_shots(&shots, &transitions(&scenes, wanted.min(20)));
            let total: u32 = spans.iter().map(ShotSpan::piece_frames).sum();
            prop_assert_eq!(total, scenes.iter().map(|scene| scene.frames).sum::<u32>());
        }
    }

    #[test]
    fn a_transition_is_shortened_for_a_short_scene() {
        assert_eq!(transitions(&[scene(90), scene(6), scene(90)], 12), [4, 4]);
    }

    #[test]
    fn a_longer_sentence_moves_later_scenes_and_changes_nothing_in_them() {
        let (pauses, grid, lang) =
            (Pauses { sentence_ms: 200, paragraph_ms: 400, section_ms: 800 }, Grid { fps: 30 }, Lang::english());
        let time = |first_ms| {
            let sentences = [vec![spoken(first_ms)], vec![spoken(1500), spoken(700)], vec![spoken(900)]];
            let scenes: Vec<_> = sentences
                .iter()
                .enumerate()
                .map(|(paragraph, sentences)| SceneSpeech { section: 0, paragraph, sentences, least_ms: 0 })
                .collect();
            time_scenes(&scenes, pauses, grid, &lang)
        };
        let (brief, extended) = (time(1000), time(2345));
        for scene in 1..3 {
            assert_eq!(brief[scene].sentences, extended[scene].sentences);
            assert_eq!(brief[scene].frames, extended[scene].frames);
            assert!(brief[scene].first_frame < extended[scene].first_frame);
        }
        assert_eq!(brief[1].sentences[1].start_ms, 1500 + 200);
        assert_eq!(brief[1].sentences[1].words[0].start_ms, 1500 + 200 + 10);
    }

    #[test]
    fn frames_cover_what_is_said() {
        let grid = Grid { fps: 30 };
        assert_eq!(grid.frames_covering(1000), 30);
        assert_eq!(grid.frames_covering(1001), 31);
        assert_eq!(grid.sample(3, 48_000), 4800);
    }
}
