//! Frames per second as the ratio that containers store, so that no time is ever rounded twice.

use serde::{Deserialize, Serialize};

/// Frames per second, a reduced ratio: 30/1, 30000/1001.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FrameRate {
    numerator: u32,
    denominator: u32,
}

impl FrameRate {
    /// `numerator / denominator` frames a second; `None` outside 1 to 240, or beyond what containers can count exactly.
    pub fn new(numerator: u32, denominator: u32) -> Option<Self> {
        let (mut divisor, mut rest) = (numerator, denominator);
        while rest != 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        let (numerator, denominator) = (numerator.checked_div(divisor)?, denominator.checked_div(divisor)?);
        let sane =
            denominator > 0 && numerator >= denominator && numerator <= 240 * denominator && numerator <= 240_000;
        sane.then_some(Self { numerator, denominator })
    }

    /// Whole frames a second, from 1 to 240; beyond that the nearest of both.
    pub const fn whole(frames: u32) -> Self {
        let frames = if frames < 1 {
            1
        } else if frames > 240 {
            240
        } else {
            frames
        };
        Self { numerator: frames, denominator: 1 }
    }

    pub fn numerator(self) -> u32 {
        self.numerator
    }

    pub fn denominator(self) -> u32 {
        self.denominator
    }

    pub fn as_f64(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }

    /// The time at which frame `index` starts, in microseconds, rounded to the nearest.
    pub fn frame_start_us(self, index: u64) -> u64 {
        let numerator = u128::from(self.numerator);
        ((u128::from(index) * u128::from(self.denominator) * 1_000_000 + numerator / 2) / numerator) as u64
    }

    /// The frame whose start is nearest to a time.
    pub fn nearest_frame(self, time_ms: u64) -> u64 {
        let unit = u128::from(self.denominator) * 1000;
        ((u128::from(time_ms) * u128::from(self.numerator) + unit / 2) / unit) as u64
    }
}

impl std::fmt::Display for FrameRate {
    /// As FFmpeg reads it: `30000/1001`.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.numerator, self.denominator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_reduced_and_bounded() {
        assert_eq!(FrameRate::new(60, 2), Some(FrameRate::whole(30)));
        assert_eq!(FrameRate::new(30_000, 1001).unwrap().to_string(), "30000/1001");
        assert_eq!([FrameRate::new(0, 0), FrameRate::new(90_000, 1), FrameRate::new(1, 2)], [None; 3]);
    }

    #[test]
    fn frames_and_times_agree() {
        let rate = FrameRate::new(30_000, 1001).unwrap();
        assert_eq!(rate.frame_start_us(30_000), 1_001_000_000);
        for index in [0, 1, 29, 1799, 107_892] {
            assert_eq!(rate.nearest_frame((rate.frame_start_us(index) + 500) / 1000), index);
        }
    }
}
