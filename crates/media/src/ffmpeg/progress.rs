//! Reads what FFmpeg writes to `-progress`: blocks of `key=value` lines, each ended by a `progress=` line.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Time to get further after a pause of the whole machine.
const GRACE: Duration = Duration::from_secs(5);

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Progress {
    /// Frames written.
    pub frames: u32,
    /// Milliseconds of the result written.
    pub out_time_ms: u64,
    /// Seconds of the result per second of waiting; 0 when not known yet.
    pub speed: f64,
}

#[derive(Debug, Default)]
pub(super) struct Parser {
    block: Progress,
}

impl Parser {
    /// Takes a line; gives the block that it ends.
    pub(super) fn line(&mut self, line: &str) -> Option<Progress> {
        let (key, value) = line.split_once('=')?;
        let value = value.trim();
        match key {
            "frame" => self.block.frames = value.parse().unwrap_or(self.block.frames),
            // Before the first frame it is `N/A` or the smallest number there is.
            "out_time_us" => {
                self.block.out_time_ms = value.parse::<u64>().map_or(self.block.out_time_ms, |us| us / 1000);
            }
            "speed" => self.block.speed = value.trim_end_matches('x').trim().parse().unwrap_or(self.block.speed),
            "progress" => return Some(self.block),
            _ => {}
        }
        None
    }
}

/// Notices a run that writes nothing more.
#[derive(Debug)]
pub(super) struct Stall {
    last: Mutex<(Progress, Instant)>,
}

impl Stall {
    pub(super) fn new() -> Self {
        Self { last: Mutex::new((Progress::default(), Instant::now())) }
    }

    /// Takes note of how far the run is.
    pub(super) fn note(&self, progress: Progress) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if (progress.frames, progress.out_time_ms) != (last.0.frames, last.0.out_time_ms) {
            *last = (progress, Instant::now());
        }
    }

    /// Ends when the run has been no further for as long as `patience`.
    pub(super) async fn lasts(&self, patience: Duration) {
        loop {
            let since = self.last.lock().unwrap_or_else(PoisonError::into_inner).1;
            if let Some(left) = patience.checked_sub(since.elapsed()) {
                tokio::time::sleep(left + Duration::from_millis(1)).await;
                continue;
            }
            // Where the whole machine slept, the run has not had its time yet.
            tokio::time::sleep(patience.min(GRACE)).await;
            if self.last.lock().unwrap_or_else(PoisonError::into_inner).1 == since {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_given_when_it_ends() {
        let mut parser = Parser::default();
        let lines = ["frame=42", "fps=21.0", "out_time_us=1400000", "speed=0.7x"];
        assert!(lines.iter().all(|line| parser.line(line).is_none()));
        assert_eq!(parser.line("progress=continue"), Some(Progress { frames: 42, out_time_ms: 1400, speed: 0.7 }));
    }

    #[test]
    fn unknown_values_keep_the_last_known_ones() {
        let mut parser = Parser::default();
        for line in ["frame=1", "out_time_us=-9223372036854775807", "speed=N/A", "nonsense"] {
            assert_eq!(parser.line(line), None);
        }
        assert_eq!(parser.line("progress=end"), Some(Progress { frames: 1, out_time_ms: 0, speed: 0.0 }));
    }
}
