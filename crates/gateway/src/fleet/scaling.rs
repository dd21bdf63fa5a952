//! Whether there are to be more instances, or fewer: a pure function of what the load was and of the settings.

use std::collections::VecDeque;

use super::settings::ScalingSettings;

/// The load at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sample {
    at_ms: i64,
    /// What the instances did, 1 being all that they are meant to take, averaged over the window.
    average: f64,
}

/// The fewest and the most instances there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) min: usize,
    pub(crate) max: usize,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Hold,
    /// There are to be so many, which is more than there are.
    Up(usize),
    /// There are to be so many, which is fewer than there are.
    Down(usize),
}

/// What the load was since the number of instances last changed.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    /// Raw values within the window, the oldest first.
    window: VecDeque<(i64, f64)>,
    /// Averages within the time for which they must hold, the oldest first.
    samples: VecDeque<Sample>,
    /// When the number of instances last changed.
    changed_ms: Option<i64>,
}

impl History {
    /// Notes the load now. A clock that was set back begins the history anew.
    pub(crate) fn note(&mut self, now_ms: i64, load: f64, settings: &ScalingSettings) {
        if self.window.back().is_some_and(|(at_ms, _)| *at_ms > now_ms) {
            *self = Self { changed_ms: self.changed_ms.map(|_| now_ms), ..Self::default() };
        }
        let (window_ms, hold_ms) = (milliseconds(settings.window_s.0), milliseconds(settings.hold_s.0));
        self.window.push_back((now_ms, load));
        while self.window.front().is_some_and(|(at_ms, _)| *at_ms <= now_ms - window_ms) {
            self.window.pop_front();
        }
        let average = self.window.iter().map(|(_, load)| load).sum::<f64>() / self.window.len().max(1) as f64;
        self.samples.push_back(Sample { at_ms: now_ms, average });
        // One that is as old as the time or older stays: it shows that the whole of it is covered.
        while self.samples.get(1).is_some_and(|sample| sample.at_ms <= now_ms - hold_ms) {
            self.samples.pop_front();
        }
    }

    /// The number of instances changed: what was measured before says nothing of what is now.
    pub(crate) fn changed(&mut self, now_ms: i64) {
        *self = Self { changed_ms: Some(now_ms), ..Self::default() };
    }

    /// The load now, averaged.
    pub(crate) fn load(&self) -> f64 {
        self.samples.back().map_or(0.0, |sample| sample.average)
    }
}

/// What is to be done about `count` instances.
///
/// More, when every average of the time was above `up_above`: as many as bring it below, at most twice as many. Fewer, one at
/// a time, when every average was below `down_below`, and those that stay would not be asked for more than `up_above` by it.
pub(crate) fn decide(history: &History, count: usize, bounds: Bounds, settings: &ScalingSettings) -> Step {
    let within = count.clamp(bounds.min, bounds.max);
    if within != count {
        return if within > count { Step::Up(within) } else { Step::Down(within) };
    }
    let (Some(first), Some(last)) = (history.samples.front(), history.samples.back()) else { return Step::Hold };
    let is_covered = last.at_ms - first.at_ms >= milliseconds(settings.hold_s.0);
    let has_cooled =
        history.changed_ms.is_none_or(|changed_ms| last.at_ms - changed_ms >= milliseconds(settings.cooldown_s.0));
    if !is_covered || !has_cooled {
        return Step::Hold;
    }
    let all = |is_asked: &dyn Fn(f64) -> bool| history.samples.iter().all(|sample| is_asked(sample.average));
    if all(&|load| load > settings.up_above) {
        let needed = (count as f64 * last.average / settings.up_above).ceil() as usize;
        let wanted = needed.clamp(count + 1, 2 * count).min(bounds.max);
        return if wanted > count { Step::Up(wanted) } else { Step::Hold };
    }
    let after = |load: f64| load * count as f64 / (count - 1) as f64;
    if count > bounds.min && all(&|load| load < settings.down_below && after(load) < settings.up_above) {
        return Step::Down(count - 1);
    }
    Step::Hold
}

fn milliseconds(length: std::time::Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use kernel::{Clock as _, ManualClock};
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds { min: 1, max: 8 };

    /// Plays loads a second apart, and returns each change of the number with when it came.
    fn play(
        loads: impl IntoIterator<Item = f64>,
        begin: usize,
        mut load_of: impl FnMut(f64, usize) -> f64,
    ) -> Vec<(i64, usize)> {
        let (settings, clock, mut history) =
            (ScalingSettings::default(), ManualClock::at(1_000_000), History::default());
        let (mut count, mut changes) = (begin, Vec::new());
        for offered in loads {
            clock.jump(1000);
            history.note(clock.now_ms(), load_of(offered, count), &settings);
            let wanted = match decide(&history, count, BOUNDS, &settings) {
                Step::Hold => continue,
                Step::Up(wanted) => {
                    assert!(wanted > count);
                    wanted
                }
                Step::Down(wanted) => {
                    assert!(wanted < count);
                    wanted
                }
            };
            assert!((BOUNDS.min..=BOUNDS.max).contains(&wanted), "{wanted}");
            count = wanted;
            changes.push((clock.now_ms() - 1_000_000, count));
            history.changed(clock.now_ms());
        }
        changes
    }

    #[test]
    fn a_load_that_stays_high_brings_as_many_as_take_it() {
        // What four instances do at 75 %, asked of two.
        let changes = play(std::iter::repeat_n(3.0, 300), 2, |offered, count| offered / count as f64);
        assert_eq!(changes, [(16_000, 4)], "once, after it held, and no more");
    }

    #[test]
    fn a_load_that_is_gone_takes_them_away_one_by_one() {
        let changes = play(std::iter::repeat_n(0.0, 300), 3, |offered, _| offered);
        assert_eq!(changes, [(16_000, 2), (76_000, 1)], "with time between to cool down");
    }

    #[test]
    fn a_peak_that_passes_changes_nothing() {
        let loads = (0..300).map(|second| if second % 60 < 5 { 1.2 } else { 0.5 });
        assert_eq!(play(loads, 2, |load, _| load), []);
    }

    #[test]
    fn a_clock_set_back_is_no_reason_to_change() {
        let (settings, mut history) = (ScalingSettings::default(), History::default());
        for second in 0..10 {
            history.note(1_000_000 + second * 1000, 2.0, &settings);
        }
        history.note(500_000, 2.0, &settings);
        assert_eq!(decide(&history, 2, BOUNDS, &settings), Step::Hold);
        assert!((history.load() - 2.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn the_number_stays_within_its_bounds(loads in prop::collection::vec(0.0..20.0_f64, 0..400), begin in 1..=8_usize) {
            // The player asserts it of each step.
            play(loads, begin, |offered, count| offered / count as f64);
        }

        #[test]
        fn a_load_between_the_marks_never_changes_it(loads in prop::collection::vec(0.3..=0.8_f64, 0..300), begin in 1..=8_usize) {
            prop_assert_eq!(play(loads, begin, |load, _| load), []);
        }

        #[test]
        fn a_steady_demand_comes_to_rest(offered in 0.0..8.0_f64, begin in 1..=8_usize) {
            let changes = play(std::iter::repeat_n(offered, 1200), begin, |offered, count| offered / count as f64);
            let counts: Vec<usize> = std::iter::once(begin).chain(changes.iter().map(|(_, count)| *count)).collect();
            let is_rising = counts.is_sorted();
            let is_falling = counts.iter().rev().is_sorted();
            prop_assert!(is_rising || is_falling, "it went up and down: {:?}", counts);
        }

        #[test]
        fn a_number_out_of_bounds_is_brought_within(begin in 9..100_usize) {
            let settings = ScalingSettings::default();
            prop_assert_eq!(decide(&History::default(), begin, BOUNDS, &settings), Step::Down(8));
            let bounds = Bounds { min: begin, max: begin };
            prop_assert_eq!(decide(&History::default(), 1, bounds, &settings), Step::Up(begin));
        }
    }
}
