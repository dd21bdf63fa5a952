//! The story of one deploy, as it is told to the operator: what was done, and how it ended.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// How a deploy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It goes on.
    Running,
    /// The new generation serves.
    Succeeded,
    /// The generation before serves, as before.
    Failed,
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    pub message: String,
}

/// A deploy as the operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentReport {
    /// The generation that it makes.
    pub generation: u64,
    pub program: PathBuf,
    pub outcome: Outcome,
    /// Whether the operator called it off.
    pub is_called_off: bool,
    /// Why it failed.
    pub reason: Option<String>,
    pub events: Vec<Event>,
}

/// A deploy.
#[derive(Debug, Clone)]
pub(super) struct Deployment {
    pub(super) report: DeploymentReport,
    /// Calls it off, as long as the new generation was not found good.
    pub(super) cancel: CancellationToken,
}

impl Deployment {
    pub(super) fn new(generation: u64, program: PathBuf) -> Self {
        let report = DeploymentReport {
            generation,
            program,
            outcome: Outcome::Running,
            is_called_off: false,
            reason: None,
            events: Vec::new(),
        };
        Self { report, cancel: CancellationToken::new() }
    }

    pub(super) fn call_off(&mut self) {
        self.report.is_called_off = true;
        self.cancel.cancel();
    }

    pub(super) fn is_running(&self) -> bool {
        self.report.outcome == Outcome::Running
    }

    pub(super) fn tell(&mut self, at_ms: i64, message: String) {
        self.report.events.push(Event { at_ms, message });
    }
}
