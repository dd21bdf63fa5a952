//! What happens to a task: work that somebody asked for and that runs in the background.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::event;

/// A task was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCreated {
    pub task_id: Uuid,
    /// The kind of its work, such as `videos`.
    pub kind: String,
    /// Who asked for it.
    pub owner: String,
}

/// A task ended well; its result stands in the task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSucceeded {
    pub task_id: Uuid,
    pub kind: String,
    pub owner: String,
}

/// A task failed for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskFailed {
    pub task_id: Uuid,
    pub kind: String,
    pub owner: String,
    /// What went wrong, for its owner.
    pub message: String,
}

/// A task was stopped by its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCancelled {
    pub task_id: Uuid,
    pub kind: String,
    pub owner: String,
}

/// A task that had failed or was cancelled is to run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRequeued {
    pub task_id: Uuid,
    pub kind: String,
    pub owner: String,
}

event!(TaskCreated, "task.created", 1);
event!(TaskSucceeded, "task.succeeded", 1);
event!(TaskFailed, "task.failed", 1);
event!(TaskCancelled, "task.cancelled", 1);
event!(TaskRequeued, "task.requeued", 1);
