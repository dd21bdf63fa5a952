//! The pitch of a voice, by the normalised square difference function (P. `McLeod` and G. Wyvill, "A smarter way to find
//! pitch", ICMC 2005), which is 1 at a lag after which the sound repeats itself.

/// Looked for at half the rate of speech: pitch needs no more.
const RATE: f32 = 8_000.0;
/// Samples compared: 40 ms, two periods of the lowest voice.
const COMPARED: usize = 320;
/// The highest and the lowest pitch of speech: 400 and 62 Hz.
const SHORTEST_LAG: usize = 20;
const LONGEST_LAG: usize = 128;
/// 30 ms.
const STEP: usize = 240;
/// Frames looked at in an utterance; more do not move the median.
const MOST_FRAMES: usize = 150;
/// How well a voiced frame repeats itself.
const CLARITY: f32 = 0.75;
/// The first lag that is nearly as good as the best is the period; the best may be two or three periods.
const NEARLY: f32 = 0.9;
/// Fewer frames with a pitch say nothing.
const LEAST_VOICED: usize = 5;
/// Frames softer than this below the loudest have no voice worth measuring.
const SOFT: f32 = 0.02;

/// The pitch of every voiced frame looked at, in Hz, of a sound of 16 kHz.
pub(super) fn voiced(sound: &[f32]) -> Vec<f32> {
    let half: Vec<f32> = sound.chunks_exact(2).map(|pair| f32::midpoint(pair[0], pair[1])).collect();
    let window = COMPARED + LONGEST_LAG;
    let starts: Vec<usize> = (0..half.len().saturating_sub(window)).step_by(STEP).collect();
    let power = |start: usize| half[start..start + COMPARED].iter().map(|x| x * x).sum::<f32>();
    let loudest = starts.iter().map(|&start| power(start)).fold(0.0_f32, f32::max);
    let loud: Vec<usize> = starts.into_iter().filter(|&start| power(start) > loudest * SOFT).collect();
    let every = loud.len().div_ceil(MOST_FRAMES).max(1);
    loud.into_iter()
        .step_by(every)
        .filter_map(|start| period(&half[start..start + window]))
        .map(|lag| RATE / lag)
        .collect()
}

/// The median; none of fewer than five.
pub(super) fn median(mut values: Vec<f32>) -> Option<f32> {
    if values.len() < LEAST_VOICED {
        return None;
    }
    values.sort_by(f32::total_cmp);
    values.get(values.len() / 2).copied()
}

/// The period in samples, if the window has one.
fn period(window: &[f32]) -> Option<f32> {
    let mut likeness = [0.0_f32; LONGEST_LAG + 1];
    for (lag, value) in likeness.iter_mut().enumerate().skip(SHORTEST_LAG - 1) {
        let (mut product, mut power) = (0.0_f32, 1e-9_f32);
        for (a, b) in window[..COMPARED].iter().zip(&window[lag..]) {
            product += a * b;
            power += a * a + b * b;
        }
        *value = 2.0 * product / power;
    }
    let is_peak = |lag: &usize| likeness[*lag] >= likeness[lag - 1] && likeness[*lag] > likeness[lag + 1];
    let peaks: Vec<usize> = (SHORTEST_LAG..LONGEST_LAG).filter(is_peak).collect();
    let best = peaks.iter().map(|&lag| likeness[lag]).fold(0.0_f32, f32::max);
    if best < CLARITY {
        return None;
    }
    let lag = peaks.into_iter().find(|&lag| likeness[lag] >= NEARLY * best)?;
    // The top of the parabola through the peak and its neighbours.
    let (before, at, after) = (likeness[lag - 1], likeness[lag], likeness[lag + 1]);
    let bend = before - 2.0 * at + after;
    let shift = if bend.abs() < 1e-9 { 0.0 } else { 0.5 * (before - after) / bend };
    Some(lag as f32 + shift.clamp(-0.5, 0.5))
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::*;

    fn buzz(hz: f32, harmonics: u32) -> Vec<f32> {
        (0..16_000)
            .map(|n| {
                let turn = hz * n as f32 / 16_000.0;
                (1..=harmonics).map(|k| (TAU * (turn * k as f32).fract()).cos() / k as f32).sum::<f32>() * 0.2
            })
            .collect()
    }

    #[test]
    fn the_pitch_of_low_and_high_voices_is_found() {
        for hz in [70.0, 95.0, 130.0, 165.0, 210.0, 280.0, 380.0] {
            for harmonics in [1, 4, 12] {
                let found = median(voiced(&buzz(hz, harmonics))).unwrap();
                assert!((found / hz - 1.0).abs() < 0.02, "{hz} Hz with {harmonics} harmonics: {found}");
            }
        }
    }

    #[test]
    fn noise_and_silence_have_none() {
        let mut state = 1_u32;
        let noise: Vec<f32> = (0..16_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state as f32 / 4.3e9 - 0.5
            })
            .collect();
        assert_eq!(median(voiced(&noise)), None);
        assert_eq!(median(voiced(&vec![0.0; 16_000])), None);
        assert_eq!(median(voiced(&[])), None);
    }
}
