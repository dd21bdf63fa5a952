//! What was measured, as a line of JSON.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

/// Errors that are told in words; the others are only counted.
const TOLD: usize = 3;

/// How long requests took, and what went wrong.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    took_us: Vec<u64>,
    errors: u64,
    told: Vec<String>,
}

impl Figures {
    /// Counts a request.
    pub(crate) fn count(&mut self, took: Duration, outcome: Result<()>) {
        match outcome {
            Ok(()) => self.took_us.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX)),
            Err(error) => {
                self.errors += 1;
                if self.told.len() < TOLD {
                    self.told.push(format!("{error:#}"));
                }
            }
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.took_us.extend(other.took_us);
        self.errors += other.errors;
        self.told.extend(other.told);
        self.told.truncate(TOLD);
    }

    pub(crate) fn into_json(mut self) -> Value {
        self.took_us.sort_unstable();
        let quantile = |part: usize| {
            let index = (self.took_us.len() * part / 100).min(self.took_us.len().saturating_sub(1));
            self.took_us.get(index).copied().unwrap_or(0)
        };
        json!({
            "requests": self.took_us.len(),
            "errors": self.errors,
            "told": self.told,
            "p50_us": quantile(50),
            "p95_us": quantile(95),
            "p99_us": quantile(99),
        })
    }
}
