//! What a run tells of itself while it goes on: a stream of events that a program can read and a display can draw.

mod tracker;

use std::path::PathBuf;

use kernel::ErrorKind;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedReceiver;

pub use tracker::Reporter;
pub(crate) use tracker::{StageProgress, Tracker};

/// One event of a run. As JSON each is an object whose `event` names it; names and meanings stay as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Progress {
    /// The run began; these are its stages in order.
    RunStarted { stages: Vec<String> },
    /// A stage began to look at its items.
    StageStarted { stage: String, items: usize },
    /// Work went on. Some of these are left out where the reader is slow.
    Advanced {
        stage: String,
        item: Item,
        /// Done of the whole run, 0 to 1; never less than in an earlier event.
        fraction: f64,
        /// Done of this item, 0 to 1.
        item_fraction: f64,
        /// Time left for the whole run in milliseconds, once there is enough to judge by.
        eta_ms: Option<u64>,
        /// Seconds of result made in a second, where the stage knows.
        speed: Option<f64>,
        /// A line for people.
        message: Option<String>,
        /// A picture of what is being made.
        preview: Option<PathBuf>,
    },
    /// An item is there. Some of these are left out where the reader is slow.
    ItemFinished { stage: String, item: Item, reused: bool, fraction: f64 },
    /// All items of a stage are there; `reused` of them were there before.
    StageFinished { stage: String, items: usize, reused: usize, elapsed_ms: u64, fraction: f64 },
    /// The last event of a run.
    RunFinished { outcome: Outcome, elapsed_ms: u64, fraction: f64 },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Succeeded,
    Failed { kind: ErrorKind, message: String },
    Cancelled,
}

/// Which of a stage's items: `number` counts from 1 to `count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub number: usize,
    pub count: usize,
}

/// The stages of a run in order, each with its share of the run's time in any unit.
#[derive(Debug, Clone, Default)]
pub struct ProgressPlan {
    pub(crate) stages: Vec<(&'static str, f64)>,
}

impl ProgressPlan {
    /// A plan of stage names and weights. A weight that is negative or not finite counts as zero, and so does a stage
    /// that is not named.
    pub fn new(stages: impl IntoIterator<Item = (&'static str, f64)>) -> Self {
        let weigh = |weight: f64| if weight.is_finite() { weight.max(0.0) } else { 0.0 };
        Self { stages: stages.into_iter().map(|(name, weight)| (name, weigh(weight))).collect() }
    }
}

/// How far an item is, as its stage tells.
#[derive(Debug, Clone, Default)]
pub struct Advance {
    pub(crate) fraction: f64,
    pub(crate) speed: Option<f64>,
    pub(crate) message: Option<String>,
    pub(crate) preview: Option<PathBuf>,
}

impl Advance {
    /// Done of the item, 0 to 1.
    pub fn to(fraction: f64) -> Self {
        Self { fraction, ..Self::default() }
    }

    /// Seconds of result made in a second.
    #[must_use]
    pub fn speed(mut self, speed: f64) -> Self {
        self.speed = Some(speed).filter(|speed| speed.is_finite());
        self
    }

    /// A line for people.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// A picture of what is being made.
    #[must_use]
    pub fn preview(mut self, path: impl Into<PathBuf>) -> Self {
        self.preview = Some(path.into());
        self
    }
}

/// The reading end of a run's events.
#[derive(Debug)]
pub struct ProgressReceiver {
    events: UnboundedReceiver<Progress>,
    waiting: tracker::Waiting,
}

impl ProgressReceiver {
    /// The next event; `None` once the run has ended and every event was read.
    pub async fn next(&mut self) -> Option<Progress> {
        let event = self.events.recv().await?;
        self.waiting.took_one();
        Some(event)
    }

    /// The next event if one is there already.
    pub fn try_next(&mut self) -> Option<Progress> {
        let event = self.events.try_recv().ok()?;
        self.waiting.took_one();
        Some(event)
    }
}
