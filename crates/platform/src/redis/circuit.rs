//! Whether Redis answers: after it did not, nobody waits for it again until one of those who ask has found it back.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use metrics::{Gauge, describe_gauge, gauge};

/// How long nobody asks a server that is away, but for one who looks whether it is back.
const PAUSE: Duration = Duration::from_secs(1);
/// How many answers in a row may be late before the server counts as away: one may be late by chance.
const MAX_LATE: u32 = 3;

const UP: &str = "redis_up";

/// What came of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Answered,
    /// There was no answer in time.
    Late,
    /// The connection is gone, or the server refuses.
    Failed,
}

/// Lets commands through while the server answers. All who share a connection share it.
pub(super) struct Circuit {
    since: Instant,
    is_up: AtomicBool,
    late: AtomicU32,
    /// When somebody may look again, in milliseconds from `since`.
    next_look_ms: AtomicU64,
    gauge: Gauge,
}

impl Circuit {
    pub(super) fn new() -> Self {
        describe_gauge!(UP, "1 while Redis answers, 0 while it is away");
        let gauge = gauge!(UP);
        gauge.set(1.0);
        Self {
            since: Instant::now(),
            is_up: AtomicBool::new(true),
            late: AtomicU32::new(0),
            next_look_ms: AtomicU64::new(0),
            gauge,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    /// Whether a command may be tried now.
    pub(super) fn admits(&self) -> bool {
        self.is_up() || self.may_look(self.now_ms())
    }

    /// Whether the caller is the one that looks whether the server is back.
    fn may_look(&self, now_ms: u64) -> bool {
        let next_ms = self.next_look_ms.load(Ordering::Relaxed);
        let after = now_ms + millis(PAUSE);
        now_ms >= next_ms
            && self.next_look_ms.compare_exchange(next_ms, after, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Notes what came of a command. A change is told once, whoever noticed it.
    pub(super) fn note(&self, outcome: Outcome, reason: &dyn std::fmt::Display) {
        let is_up = match outcome {
            Outcome::Answered => true,
            Outcome::Failed => false,
            Outcome::Late => self.late.fetch_add(1, Ordering::Relaxed) + 1 < MAX_LATE && self.is_up(),
        };
        if outcome == Outcome::Answered {
            self.late.store(0, Ordering::Relaxed);
        }
        if !is_up {
            self.next_look_ms.store(self.now_ms() + millis(PAUSE), Ordering::Relaxed);
        }
        if self.is_up.swap(is_up, Ordering::Relaxed) == is_up {
            return;
        }
        self.gauge.set(if is_up { 1.0 } else { 0.0 });
        if is_up {
            tracing::info!("Redis answers again");
        } else {
            tracing::warn!(%reason, "Redis is away; what needs it falls back until it answers");
        }
    }

    fn now_ms(&self) -> u64 {
        millis(self.since.elapsed())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_the_server_is_away_one_of_all_looks_each_second() {
        let circuit = Circuit::new();
        circuit.note(Outcome::Failed, &"gone");
        assert!(!circuit.admits(), "nobody waits for it");
        let later_ms = circuit.now_ms() + millis(PAUSE);
        assert!(circuit.may_look(later_ms));
        assert!(!circuit.may_look(later_ms), "one is enough");
        circuit.note(Outcome::Answered, &"");
        assert!(circuit.admits() && circuit.admits());
    }

    #[test]
    fn an_answer_that_is_late_once_is_no_fault() {
        let circuit = Circuit::new();
        circuit.note(Outcome::Late, &"late");
        circuit.note(Outcome::Late, &"late");
        circuit.note(Outcome::Answered, &"");
        circuit.note(Outcome::Late, &"late");
        assert!(circuit.is_up());
        circuit.note(Outcome::Late, &"late");
        circuit.note(Outcome::Late, &"late");
        assert!(!circuit.is_up());
        circuit.note(Outcome::Late, &"late");
        assert!(!circuit.is_up(), "what looked and heard nothing found nothing");
    }
}
