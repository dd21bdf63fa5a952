//! Processes that live and processes that died, told apart without any clock that could jump.
//!
//! Each counts in its row, and each watches the counts of the others by its own steady clock.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use kernel::Uuid;

/// How many looks in a row must find the same count: a watcher that was itself asleep does not take others for dead.
const MIN_LOOKS: u32 = 3;

/// What a process knows of the others.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    seen: HashMap<Uuid, Seen>,
}

#[derive(Debug)]
struct Seen {
    beat: i64,
    since: Instant,
    looks: u32,
}

impl Watch {
    /// Notes the counts that were read, and returns those whose count stood still for `patience`.
    pub(crate) fn look(&mut self, beats: &[(Uuid, i64)], now: Instant, patience: Duration) -> Vec<(Uuid, i64)> {
        self.seen.retain(|id, _| beats.iter().any(|(there, _)| there == id));
        let mut dead = Vec::new();
        for (id, beat) in beats {
            let fresh = || Seen { beat: *beat, since: now, looks: 0 };
            let seen = self.seen.entry(*id).or_insert_with(fresh);
            if seen.beat != *beat {
                *seen = fresh();
            }
            seen.looks += 1;
            if seen.looks > MIN_LOOKS && now.duration_since(seen.since) >= patience {
                dead.push((*id, *beat));
            }
        }
        dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(15);

    fn worker(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn a_count_that_stands_still_is_that_of_a_dead_worker() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        for second in (0..=30_u32).step_by(3) {
            let beats = [(worker(1), i64::from(second)), (worker(2), 7)];
            let dead = watch.look(&beats, start + Duration::from_secs(second.into()), PATIENCE);
            assert_eq!(!dead.is_empty(), second >= 15, "{second}");
            assert!(dead.iter().all(|dead| *dead == (worker(2), 7)));
        }
    }

    #[test]
    fn a_watcher_that_slept_takes_nobody_for_dead() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        assert!(watch.look(&[(worker(1), 1)], start, PATIENCE).is_empty());
        assert!(watch.look(&[(worker(1), 1)], start + Duration::from_hours(1), PATIENCE).is_empty());
        assert!(watch.look(&[(worker(1), 2)], start + Duration::from_secs(3601), PATIENCE).is_empty());
    }
}
