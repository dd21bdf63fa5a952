//! The parts that a dub is mixed and encoded in, each by itself: where nothing changed, a part is as it was.

use serde::{Deserialize, Serialize};

use super::super::aac::FRAME;
use super::super::{BLOCK, SAMPLE_RATE, Span};
use super::ducking::{BRIDGE, RAMP};

/// Samples of a part: 9.6 s, whole frames of AAC as well as whole blocks. A shorter one would begin more often what a part
/// costs to begin, a longer one make more again for an edited line.
const LENGTH: u64 = 450 * FRAME;

/// Samples that the file of a part holds before it, from which an encoder finds into the state it would be in: 341 ms.
const BEFORE: u64 = 16 * FRAME;

/// Samples that it holds after it, which an encoder looks at ahead.
const AFTER: u64 = 4 * FRAME;

/// Samples before a part with which its limiter begins: in a second it comes up again from wherever it was.
const WARM_UP: u64 = SAMPLE_RATE as u64;

/// Samples beyond what is heard within which a line still moves the level of the original; lengths of lines are rounded to
/// milliseconds, which the last hundredth of a second is for.
const NEAR: u64 = BRIDGE + RAMP + SAMPLE_RATE as u64 / 100;

/// A part of a programme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub span: Span,
    /// Of the whole programme.
    pub duration_samples: u64,
}

impl Part {
    /// All parts of a programme, in order.
    pub fn all(duration_samples: u64) -> Vec<Self> {
        let part = |index: u64| {
            let start_sample = index * LENGTH;
            let end_sample = (start_sample + LENGTH).min(duration_samples);
            Self { span: Span { start_sample, end_sample }, duration_samples }
        };
        (0..duration_samples.div_ceil(LENGTH)).map(part).collect()
    }

    /// What its file holds: itself, and some of what is before and after it.
    pub fn written(&self) -> Span {
        Span {
            start_sample: self.span.start_sample.saturating_sub(BEFORE),
            end_sample: (self.span.end_sample + AFTER).min(self.duration_samples),
        }
    }

    /// Whether it is the last of its programme.
    pub fn is_last(&self) -> bool {
        self.span.end_sample >= self.duration_samples
    }

    /// Whether it can sound otherwise because of what lies there: a line, or an utterance of the original.
    pub fn hears(&self, span: Span) -> bool {
        let heard = self.heard();
        span.start_sample <= heard.end_sample + NEAR && span.end_sample + NEAR >= heard.start_sample
    }

    /// What it is mixed from; begins with a whole block, so that all parts move levels at the same samples.
    pub(super) fn heard(&self) -> Span {
        Span {
            start_sample: self.span.start_sample.saturating_sub(WARM_UP),
            end_sample: (self.span.end_sample + AFTER + BLOCK as u64).min(self.duration_samples),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_to_the_end() {
        for duration in [1, LENGTH - 1, LENGTH, LENGTH + 1, 5 * LENGTH + 77] {
            let parts = Part::all(duration);
            let follow = parts.windows(2).all(|pair| pair[0].span.end_sample == pair[1].span.start_sample);
            assert!(follow && parts[0].span.start_sample == 0);
            assert_eq!(parts[parts.len() - 1].span.end_sample, duration);
            assert_eq!(parts.iter().filter(|part| part.is_last()).count(), 1);
        }
        assert!(Part::all(0).is_empty());
    }

    #[test]
    fn a_part_begins_with_a_block_and_with_a_frame() {
        for part in Part::all(3 * LENGTH) {
            assert_eq!(part.heard().start_sample % BLOCK as u64, 0);
            assert_eq!(part.written().start_sample % FRAME, 0);
            assert!(part.heard().start_sample <= part.written().start_sample);
            assert!(part.is_last() || part.heard().end_sample > part.written().end_sample);
        }
    }

    #[test]
    fn what_is_far_away_is_not_heard() {
        let part = Part::all(5 * LENGTH)[2];
        let at = |start_sample: u64, end_sample: u64| part.hears(Span { start_sample, end_sample });
        assert!(at(0, 5 * LENGTH) && at(2 * LENGTH, 2 * LENGTH + 1) && at(3 * LENGTH + AFTER, 4 * LENGTH));
        assert!(!at(0, 2 * LENGTH - 2 * WARM_UP) && !at(3 * LENGTH + 2 * WARM_UP, 4 * LENGTH));
    }
}
