//! The gain of a dub, one for all its parts: as near to the wanted loudness as peaks allow, and the same after an edit.

use super::super::loudness::Levels;
use super::super::master::{Aim, GainSearch, Master};
use crate::MediaError;

/// Most of the 1 LU that the result may miss its loudness by: given up before the limiter has to work.
const YIELD: f64 = 0.6;
/// What the limiter may take beyond that, in LU, before the programme is written again with more gain.
const LIMITED: f64 = 0.2;

/// Gains are whole multiples of this. An edited line moves the loudness of a talk by some thousandths of it: nearly always the
/// gain stays as it was, and with it every part that the line is not heard in.
const STEP_DB: f64 = 0.25;

/// Looks for the gain of a dub.
#[derive(Debug)]
pub struct DubGain {
    search: GainSearch,
    true_peak_dbtp: f64,
    /// Whether the loudness of the result is somebody's wish.
    is_aimed: bool,
}

impl DubGain {
    /// Begins with the levels of the programme as it is. `target_lufs` is the loudness to reach (none leaves it as it comes),
    /// `true_peak_dbtp` the bound of the true peak once a lossy encoder has been at work.
    ///
    /// # Errors
    /// [`MediaError::Invalid`] for levels out of range.
    pub fn new(target_lufs: Option<f64>, true_peak_dbtp: f64, unscaled: &Levels) -> Result<Self, MediaError> {
        let bounds = [
            ("target_lufs", target_lufs.unwrap_or(-23.0), -70.0..=-5.0),
            ("true_peak_dbtp", true_peak_dbtp, -20.0..=0.0),
        ];
        for (name, value, range) in bounds {
            super::check_within(name, value, &range)?;
        }
        let loudness = unscaled.integrated_lufs();
        let free_db = Master { true_peak_dbtp }.ceiling_dbtp() - unscaled.true_peak_dbtp;
        let aim = reachable(target_lufs.or(loudness), loudness, free_db);
        Ok(Self { search: GainSearch::new(aim, loudness), true_peak_dbtp, is_aimed: target_lufs.is_some() })
    }

    /// The gain to mix with, in dB.
    pub fn gain_db(&self) -> f64 {
        self.search.gain_db()
    }

    /// The bound of the true peak.
    pub fn true_peak_dbtp(&self) -> f64 {
        self.true_peak_dbtp
    }

    /// Takes the levels that came of the gain. Whether another gain is worth a try; [`Self::gain_db`] is that one then.
    pub fn misses(&mut self, made: &Levels) -> bool {
        self.is_aimed && self.search.misses(made.integrated_lufs())
    }
}

/// The loudness to aim for, and by how much the result may miss it. `free_db` is how far the programme can be raised
/// before the limiter has to work; the target gives way to it a little.
fn reachable(target: Option<f64>, unscaled: Option<f64>, free_db: f64) -> Aim {
    let (Some(target), Some(unscaled)) = (target, unscaled) else {
        return Aim { target: 0.0, tolerance: f64::INFINITY, step_db: STEP_DB };
    };
    let given_up = (target - unscaled - free_db).clamp(0.0, YIELD);
    Aim { target: target - given_up, tolerance: YIELD - given_up + LIMITED, step_db: STEP_DB }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_gives_way_before_the_limiter_has_to_work() {
        let reached = |unscaled: Option<f64>, free_db: f64| {
            let aim = reachable(Some(-16.0), unscaled, free_db);
            [aim.target, aim.tolerance].map(|value| (value * 100.0).round() as i32)
        };
        assert_eq!(reached(Some(-20.0), 10.0), [-1600, 80]);
        assert_eq!(reached(Some(-20.0), 3.8), [-1620, 60]);
        assert_eq!(reached(Some(-20.0), -5.0), [-1660, 20]);
        assert_eq!(reached(None, -5.0)[0], 0, "silence has no loudness to reach");
    }

    #[test]
    fn a_hair_of_loudness_changes_no_gain() {
        let gain = |power: f32| {
            let unscaled = Levels { powers: vec![power; 100], true_peak_dbtp: -20.0 };
            DubGain::new(Some(-20.0), -1.0, &unscaled).unwrap().gain_db()
        };
        assert!((gain(0.005) - gain(0.005_01)).abs() < 1e-9 && (gain(0.005) - gain(0.01) - 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_programme_that_is_left_as_it_comes_is_written_once() {
        let levels = Levels { powers: vec![0.01; 100], true_peak_dbtp: -10.0 };
        let mut gain = DubGain::new(None, -1.0, &levels).unwrap();
        assert!(gain.gain_db().abs() < 1e-9);
        assert!(!gain.misses(&Levels { powers: vec![0.001; 100], ..levels.clone() }));
        assert!(DubGain::new(Some(f64::NAN), -1.0, &levels).unwrap_err().to_string().contains("target_lufs is NaN"));
    }
}
