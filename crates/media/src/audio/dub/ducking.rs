//! Where the original makes room for a dub, known beforehand to the sample: fully down while the new voice sounds, fully
//! up wherever the original voice is kept.

use super::super::duck::{Curve, smooth};
use super::super::{SAMPLE_RATE, Span};

/// Samples over which the level moves: 80 ms, before a stretch begins and after it ends.
pub(super) const RAMP: u64 = SAMPLE_RATE as u64 * 80 / 1000;

/// Gaps up to this stay down: coming up for less than the length of a syllable is heard as pumping.
pub(super) const BRIDGE: u64 = SAMPLE_RATE as u64 * 250 / 1000;

/// The level of the original over time.
#[derive(Debug)]
pub(super) struct Ducking {
    down: Vec<Span>,
    kept: Vec<Span>,
}

impl Ducking {
    /// Down in `down`, but not in `kept`. Neither need be in order.
    pub(super) fn new(down: Vec<Span>, kept: Vec<Span>) -> Self {
        Self { down: joined(down, BRIDGE), kept: joined(kept, 0) }
    }

    /// The curve of the block that begins at sample `start`.
    pub(super) fn curve(&self, start: u64) -> Curve {
        Curve::of_block(start, |sample| self.down_at(sample))
    }

    /// From 0, the original's own level, to 1, fully down.
    fn down_at(&self, sample: u64) -> f32 {
        nearness(&self.down, sample) * (1.0 - nearness(&self.kept, sample))
    }
}

/// 1 inside any of the spans, falling to 0 within [`RAMP`] of them.
fn nearness(spans: &[Span], sample: u64) -> f32 {
    let after = spans.partition_point(|span| span.end_sample <= sample);
    let to_next = spans.get(after).map_or(u64::MAX, |span| span.start_sample.saturating_sub(sample));
    let since_last = after.checked_sub(1).and_then(|before| spans.get(before)).map_or(u64::MAX, |span| {
        // The last sample of a span is still inside.
        sample + 1 - span.end_sample
    });
    let distance = to_next.min(since_last);
    if distance >= RAMP { 0.0 } else { smooth(1.0 - distance as f32 / RAMP as f32) }
}

/// In order, empty ones left out, and those closer than `gap` made one.
fn joined(mut spans: Vec<Span>, gap: u64) -> Vec<Span> {
    spans.retain(|span| span.start_sample < span.end_sample);
    spans.sort_by_key(|span| (span.start_sample, span.end_sample));
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.start_sample <= last.end_sample.saturating_add(gap) => {
                last.end_sample = last.end_sample.max(span.end_sample);
            }
            _ => joined.push(span),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(start_sample: u64, end_sample: u64) -> Span {
        Span { start_sample, end_sample }
    }

    #[test]
    fn the_original_is_down_for_the_whole_line_and_moves_only_beside_it() {
        let ducking = Ducking::new(vec![span(48_000, 96_000)], Vec::new());
        for (sample, wanted) in
            [(0, 0.0), (48_000 - RAMP, 0.0), (48_000, 1.0), (70_000, 1.0), (95_999, 1.0), (96_000 + RAMP, 0.0)]
        {
            assert!((ducking.down_at(sample) - wanted).abs() < 1e-6, "{sample}: {}", ducking.down_at(sample));
        }
        assert!((ducking.down_at(48_000 - RAMP / 2) - 0.5).abs() < 1e-3);
    }

    #[test]
    fn short_gaps_stay_down_and_kept_voices_stay_up() {
        let lines = vec![span(96_000, 120_000), span(48_000, 90_000), span(200_000, 210_000)];
        let ducking = Ducking::new(lines, vec![span(100_000, 110_000)]);
        assert!(ducking.down_at(93_000) > 0.999 && ducking.down_at(160_000) == 0.0);
        assert!((100_000..110_000).step_by(100).all(|sample| ducking.down_at(sample) == 0.0));
        assert!(ducking.down_at(100_000 - RAMP) > 0.999);
    }

    proptest! {
        #[test]
        fn the_level_never_jumps(
            down in prop::collection::vec((0_u64..100_000, 0_u64..20_000), 0..8),
            kept in prop::collection::vec((0_u64..100_000, 0_u64..20_000), 0..8),
        ) {
            let spans = |all: Vec<(u64, u64)>| all.into_iter().map(|(start, length)| span(start, start + length)).collect();
            let ducking = Ducking::new(spans(down), spans(kept.clone()));
            for sample in (0..130_000_u64).step_by(48) {
                let (here, next) = (ducking.down_at(sample), ducking.down_at(sample + 48));
                prop_assert!((0.0..=1.0).contains(&here) && (here - next).abs() < 0.05, "{sample}: {here} {next}");
            }
            for (start, length) in kept {
                prop_assert!(length == 0 || ducking.down_at(start + length / 2) == 0.0);
            }
        }
    }
}
