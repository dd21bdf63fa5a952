//! A task as it is shown.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{ToSchema, openapi::Object};

use crate::{
    idempotency::Reply,
    jobs::{JobFailure, JobProgress, JobState, Priority, Task},
    server::{openapi::one_of, time::rfc3339},
};

/// A task: work that was asked for and runs in the background.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Task)]
pub struct TaskBody {
    /// Its id.
    #[schema(format = Uuid)]
    pub id: String,
    /// What is made, such as `videos`.
    #[schema(example = "videos")]
    pub kind: String,
    /// Whose it is; empty for work of the system's own, which only admins see.
    pub owner: String,
    /// Where it is on its way. `succeeded`, `failed` and `cancelled` are final.
    #[schema(schema_with = states)]
    pub state: String,
    /// How urgent it is.
    #[schema(schema_with = priorities)]
    pub priority: String,
    /// How often it was begun.
    pub attempts: u32,
    /// How often it is begun at most.
    pub max_attempts: u32,
    /// Whether it was told to stop and has not yet.
    pub is_stopping: bool,
    /// What it works on, where that is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/api/v1/videos/0193a5c4-7b1e-7c3a-9f00-2b6d1e8a4c55")]
    pub subject_url: Option<String>,
    /// How far it is, once it has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressBody>,
    /// What it made, once it succeeded: an `Output` where it made files.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub result: Option<Value>,
    /// Why it failed, or why its last attempt did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<FailureBody>,
    /// When it may begin, where it waits for a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub run_at: Option<String>,
    /// When it was asked for.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When its last attempt began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub started_at: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub finished_at: Option<String>,
    /// Where its progress is told live.
    #[schema(example = "/api/v1/tasks/0193a5c4-7b1e-7c3a-9f00-2b6d1e8a4c55/events")]
    pub events_url: String,
}

/// How far a task is.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Progress)]
pub struct ProgressBody {
    /// What it is doing.
    #[schema(example = "segments")]
    pub stage: String,
    /// How much of the whole is done.
    #[schema(minimum = 0, maximum = 100)]
    pub percent: f64,
    /// For people.
    pub message: String,
    /// A picture of what is being made, as a `data:` URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
}

/// Why a task failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Failure)]
pub struct FailureBody {
    /// What went wrong.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl TaskBody {
    /// The task with everything that is known of it.
    pub fn whole(task: &Task) -> Self {
        Self {
            id: task.id.to_string(),
            kind: task.kind.clone(),
            owner: task.owner.clone(),
            state: task.state.to_string(),
            priority: task.priority.to_string(),
            attempts: task.attempts,
            max_attempts: task.max_attempts,
            is_stopping: task.is_stopping,
            subject_url: task.subject.as_ref().map(|subject| format!("/api/v1/{subject}")),
            progress: progress(task),
            result: task.result.clone(),
            error: task.error.clone().map(Into::into),
            run_at: task.run_at_ms.map(rfc3339),
            created_at: rfc3339(task.created_at_ms),
            started_at: task.started_at_ms.map(rfc3339),
            finished_at: task.finished_at_ms.map(rfc3339),
            events_url: format!("/api/v1/tasks/{}/events", task.id),
        }
    }

    /// The task in a list, without its picture.
    pub fn in_list(task: &Task) -> Self {
        let mut body = Self::whole(task);
        if let Some(progress) = &mut body.progress {
            progress.preview = None;
        }
        body
    }
}

/// How far a task is: what is there is all there.
fn progress(task: &Task) -> Option<ProgressBody> {
    let progress = task.progress.clone().map(ProgressBody::from);
    progress.map(|told| if task.state == JobState::Succeeded { ProgressBody { percent: 100.0, ..told } } else { told })
}

impl From<JobProgress> for ProgressBody {
    fn from(progress: JobProgress) -> Self {
        let JobProgress { stage, fraction, message, preview } = progress;
        // In tenths: more would look like precision.
        Self { stage, percent: (fraction * 1000.0).round() / 10.0, message, preview }
    }
}

impl From<JobFailure> for FailureBody {
    fn from(failure: JobFailure) -> Self {
        Self { message: failure.message, advice: failure.advice }
    }
}

/// How urgently something is wanted.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Urgency)]
pub struct UrgencyBody {
    /// How urgent it is.
    #[serde(default)]
    #[schema(schema_with = priorities)]
    pub priority: Priority,
}

/// The answer of whoever was asked for something that is made in the background: 202, and where its task is.
pub fn accepted(task: &Task, body: &impl Serialize) -> Reply {
    Reply::json(202, body).header("location", format!("/api/v1/tasks/{}", task.id))
}

/// The states, for the document.
pub(super) fn states() -> Object {
    one_of(JobState::ALL.map(JobState::as_str))
}

/// The priorities, for the document.
pub fn priorities() -> Object {
    one_of(Priority::ALL.map(Priority::as_str))
}
