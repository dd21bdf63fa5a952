//! When each dubbed line is said and how fast: each begins where the original does, uses the free time after it first,
//! then speed, and is never laid over the next.

use std::collections::BTreeMap;

use crate::document::SPEEDS;

/// Silence kept before the next line begins.
pub const GAP_MS: u64 = 60;
/// How far the speeds of neighbouring lines of a speaker may differ.
pub const MAX_SPEED_STEP: f64 = 0.15;
/// Speeds are whole hundredths, so that a length that changes by a hair changes nothing.
const SPEED_UNIT: f64 = 100.0;

/// A line that wants a place.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Where the original begins; the line begins there too.
    pub start_ms: u64,
    pub speaker: Option<String>,
    /// How long it lasts at the voice's own speed; `None` where the original voice is kept.
    pub natural_ms: Option<u64>,
    /// The speed a person wishes; exceeded where it does not fit.
    pub speed: Option<f64>,
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fit {
    /// The original voice is kept.
    Kept,
    /// It is said.
    Placed(Place),
    /// It would last this much longer than its time at the highest speed; the original voice is kept.
    TooLong { over_ms: u64 },
}

/// The place of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    pub start_ms: u64,
    pub duration_ms: u64,
    /// The natural length over this one, in whole hundredths.
    pub speed: f64,
}

/// Places every line of a source of `duration_ms`. `lines` are in the order of their starts.
///
/// The speed of a line depends on its own length and time and on those of its speaker's next lines that are said, to
/// either side, no further than speeds may climb ([`MAX_SPEED_STEP`] at a time): an edit moves nothing beyond.
pub fn plan(lines: &[Wanted], duration_ms: u64) -> Vec<Fit> {
    let needed: Vec<Need> =
        lines.iter().enumerate().map(|(index, line)| need(lines, index, line, duration_ms)).collect();
    let speeds = smoothed(lines, &needed);
    let fit = |(index, line): (usize, &Wanted)| match (needed[index], line.natural_ms) {
        (Need::Speed(_), Some(natural_ms)) => {
            let speed = speeds[index];
            // Rounded down, so that it is over in time.
            let duration_ms = (natural_ms as f64 / speed) as u64;
            Fit::Placed(Place { start_ms: line.start_ms, duration_ms, speed })
        }
        (Need::Impossible { over_ms }, _) => Fit::TooLong { over_ms },
        _ => Fit::Kept,
    };
    lines.iter().enumerate().map(fit).collect()
}

/// The time a line has: until the next one begins.
pub fn slot_ms(lines: &[Wanted], index: usize, duration_ms: u64) -> u64 {
    let start_ms = lines[index].start_ms;
    match lines.get(index + 1) {
        Some(next) => next.start_ms.saturating_sub(start_ms).saturating_sub(GAP_MS),
        None => duration_ms.saturating_sub(start_ms),
    }
}

/// What a line needs by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Need {
    Nothing,
    Speed(f64),
    Impossible { over_ms: u64 },
}

fn need(lines: &[Wanted], index: usize, line: &Wanted, duration_ms: u64) -> Need {
    let Some(natural_ms) = line.natural_ms else { return Need::Nothing };
    let slot_ms = slot_ms(lines, index, duration_ms);
    let shortest_ms = (natural_ms as f64 / SPEEDS.end()).ceil() as u64;
    if shortest_ms > slot_ms || natural_ms == 0 {
        return if natural_ms == 0 { Need::Nothing } else { Need::Impossible { over_ms: shortest_ms - slot_ms } };
    }
    let wished = line.speed.unwrap_or(1.0).clamp(*SPEEDS.start(), *SPEEDS.end());
    // A wish is taken to the nearest hundredth, a need to the next above.
    let wished = (wished * SPEED_UNIT).round() / SPEED_UNIT;
    let needed = (natural_ms as f64 / slot_ms as f64 * SPEED_UNIT - 1e-6).ceil() / SPEED_UNIT;
    Need::Speed(wished.max(needed).min(*SPEEDS.end()))
}

/// Raises speeds until no two neighbours of a speaker are further apart than allowed. A line is only made faster, and a
/// faster line still fits.
fn smoothed(lines: &[Wanted], needed: &[Need]) -> Vec<f64> {
    let mut speeds: Vec<f64> =
        needed.iter().map(|need| if let Need::Speed(speed) = need { *speed } else { 1.0 }).collect();
    let spoken = |index: &usize| matches!(needed[*index], Need::Speed(_));
    let forward: Vec<usize> = (0..lines.len()).filter(spoken).collect();
    let backward: Vec<usize> = forward.iter().rev().copied().collect();
    for order in [forward, backward] {
        let mut before: BTreeMap<Option<&str>, f64> = BTreeMap::new();
        for index in order {
            let speaker = lines[index].speaker.as_deref();
            if let Some(neighbour) = before.get(&speaker) {
                let least = ((neighbour - MAX_SPEED_STEP) * SPEED_UNIT).round() / SPEED_UNIT;
                speeds[index] = speeds[index].max(least);
            }
            before.insert(speaker, speeds[index]);
        }
    }
    speeds
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wanted(start_ms: u64, natural_ms: u64) -> Wanted {
        Wanted { start_ms, speaker: Some("S1".to_owned()), natural_ms: Some(natural_ms), speed: None }
    }

    /// In hundredths; 0 for lines that are not said.
    fn speeds(fits: &[Fit]) -> Vec<u64> {
        let speed = |fit: &Fit| if let Fit::Placed(place) = fit { (place.speed * 100.0).round() as u64 } else { 0 };
        fits.iter().map(speed).collect()
    }

    #[test]
    fn free_time_is_used_before_speed() {
        let fits = plan(&[wanted(1000, 1900), wanted(3000, 1000)], 10_000);
        assert_eq!(fits[0], Fit::Placed(Place { start_ms: 1000, duration_ms: 1900, speed: 1.0 }));
        assert_eq!(speeds(&plan(&[wanted(1000, 2134), wanted(3000, 1000)], 10_000)), [110, 100]);
    }

    #[test]
    fn neighbours_of_a_speaker_climb_to_a_fast_line_and_others_do_not() {
        let fast = [wanted(0, 900), wanted(2000, 900), wanted(4000, 1261), wanted(5030, 900), wanted(7000, 900)];
        assert_eq!(speeds(&plan(&fast, 10_000)), [100, 115, 130, 115, 100]);
        let mut other = fast.clone();
        other[3].speaker = Some("S2".to_owned());
        assert_eq!(speeds(&plan(&other, 10_000)), [100, 115, 130, 100, 115]);
    }

    #[test]
    fn what_does_not_fit_keeps_the_original_voice_and_says_by_how_much() {
        let fits = plan(&[wanted(0, 2600), wanted(1060, 500)], 10_000);
        assert_eq!(fits[0], Fit::TooLong { over_ms: 1000 });
        assert_eq!(speeds(&fits)[1], 100);
    }

    #[test]
    fn a_wish_is_followed_until_it_does_not_fit() {
        let slow = Wanted { speed: Some(0.95), ..wanted(0, 950) };
        assert_eq!(speeds(&plan(&[slow.clone(), wanted(5000, 500)], 10_000)), [95, 100]);
        assert_eq!(speeds(&plan(&[slow, wanted(960, 500)], 10_000))[0], 106);
    }

    #[test]
    fn the_last_line_ends_with_the_source() {
        assert_eq!(speeds(&plan(&[wanted(9000, 1200)], 10_000)), [120]);
    }

    fn talk() -> impl Strategy<Value = Vec<Wanted>> {
        let line = (
            100_u64..5000,
            prop::option::weighted(0.9, 0_u64..5000),
            0_u8..3,
            prop::option::weighted(0.1, 0.5_f64..2.0),
        );
        prop::collection::vec(line, 1..40).prop_map(|lines| {
            let mut start_ms = 0;
            let place = |(length, natural_ms, speaker, speed)| {
                let line = Wanted { start_ms, speaker: Some(format!("S{speaker}")), natural_ms, speed };
                start_ms += length;
                line
            };
            lines.into_iter().map(place).collect()
        })
    }

    proptest! {
        #[test]
        fn no_line_is_laid_over_the_next_or_outside_the_limits(lines in talk()) {
            let end_ms = lines[lines.len() - 1].start_ms + 3000;
            let fits = plan(&lines, end_ms);
            let mut before: BTreeMap<_, f64> = BTreeMap::new();
            for (index, fit) in fits.iter().enumerate() {
                let Fit::Placed(place) = fit else { continue };
                let natural_ms = lines[index].natural_ms.unwrap();
                prop_assert_eq!(place.start_ms, lines[index].start_ms);
                prop_assert!(place.duration_ms <= slot_ms(&lines, index, end_ms));
                prop_assert!(SPEEDS.contains(&place.speed), "{}", place.speed);
                prop_assert!((natural_ms as f64 / place.speed - place.duration_ms as f64).abs() < 1.0);
                if let Some(other) = before.insert(lines[index].speaker.clone(), place.speed) {
                    prop_assert!((other - place.speed).abs() < MAX_SPEED_STEP + 1e-9, "{} {}", other, place.speed);
                }
            }
        }

        #[test]
        fn only_what_cannot_fit_is_left_out(lines in talk()) {
            let end_ms = lines[lines.len() - 1].start_ms + 3000;
            for (index, fit) in plan(&lines, end_ms).iter().enumerate() {
                let natural_ms = lines[index].natural_ms.unwrap_or(0);
                let fits = natural_ms as f64 / SPEEDS.end() <= slot_ms(&lines, index, end_ms) as f64;
                prop_assert_eq!(matches!(fit, Fit::TooLong { .. }), !fits);
            }
        }

        #[test]
        fn an_edited_line_moves_no_more_than_its_neighbours(lines in talk(), at in 0_usize..40, natural_ms in 1_u64..5000) {
            let at = at % lines.len();
            let end_ms = lines[lines.len() - 1].start_ms + 3000;
            let before = plan(&lines, end_ms);
            let mut edited = lines.clone();
            edited[at].natural_ms = Some(natural_ms);
            let after = plan(&edited, end_ms);
            // From 1.30 down to 0.95 in steps of 0.15 are three; a line that comes or goes adds one between. Lines that
            // are not said, because they do not fit, stand between nobody.
            let said = |index: &usize| {
                lines[*index].speaker == lines[at].speaker
                    && [&before, &after].into_iter().any(|fits| matches!(fits[*index], Fit::Placed(_)))
            };
            let distance = |index: usize| (index.min(at)..index.max(at)).filter(said).count();
            for index in 0..lines.len() {
                if before[index] != after[index] {
                    prop_assert_eq!(&lines[index].speaker, &lines[at].speaker);
                    prop_assert!(distance(index) <= 4, "{} from {}", index, at);
                }
            }
        }
    }
}
