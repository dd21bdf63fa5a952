//! Tasks as resources.

use axum::{extract::State, http::StatusCode};
use kernel::UserId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::{self, TaskBody};
use crate::{
    jobs::{JobId, JobState, TaskFilter},
    server::{Json, List, PageBody, Path, Problem, Query, SignedIn, check_length, time::rfc3339},
    tasks::{Tasks, Whose},
};

/// Which tasks to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct TaskQuery {
    /// What is made, such as `videos`.
    #[param(max_length = 64)]
    kind: Option<String>,
    #[param(schema_with = body::states)]
    state: Option<JobState>,
    /// What they work on, such as `videos/0193a5c4-7b1e-7c3a-9f00-2b6d1e8a4c55`.
    #[param(max_length = 128)]
    subject: Option<String>,
    /// Whose, for admins: the id of a user, or `everybody`. Failed tasks of everybody are the dead letters.
    #[param(max_length = 64)]
    owner: Option<String>,
    /// How many items at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u16>,
    /// The `next_cursor` of the page before.
    #[param(max_length = 1024)]
    cursor: Option<String>,
}

/// List tasks, the newest first
#[utoipa::path(
    get,
    path = "/api/v1/tasks",
    tag = "tasks",
    params(TaskQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "A page of tasks", body = PageBody<TaskBody>))
)]
pub(super) async fn list(
    State(tasks): State<Tasks>,
    SignedIn(actor): SignedIn,
    Query(query): Query<TaskQuery>,
) -> Result<Json<PageBody<TaskBody>>, Problem> {
    let TaskQuery { kind, state, subject, owner, limit, cursor } = query;
    check_length("kind", kind.as_deref(), 64)?;
    check_length("subject", subject.as_deref(), 128)?;
    let whose = match owner.as_deref() {
        None => Whose::Mine,
        Some("everybody") => Whose::Everybodys,
        Some(user) => {
            Whose::Of(user.parse::<UserId>().map_err(|error| Problem::parameter("owner", error.to_string()))?)
        }
    };
    let list = List::new("tasks", &(&kind, state, &subject, &owner));
    let page = list.request(limit, cursor.as_deref())?;
    let page = tasks.list(&actor, whose, TaskFilter { owner: None, kind, state, subject }, &page).await?;
    Ok(Json(list.body(page, |task| TaskBody::in_list(&task))))
}

/// Show a task
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{task}",
    tag = "tasks",
    params(("task" = uuid::Uuid, Path, description = "The task")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The task", body = TaskBody))
)]
pub(super) async fn show(
    State(tasks): State<Tasks>,
    SignedIn(actor): SignedIn,
    Path(id): Path<JobId>,
) -> Result<Json<TaskBody>, Problem> {
    let task = tasks.get(&actor, id).await?;
    Ok(Json(TaskBody::whole(&task)))
}

/// Stop a task
///
/// One that waits is cancelled at once; one that runs is told to stop, and is cancelled soon. A second call changes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/{task}/cancel",
    tag = "tasks",
    params(("task" = uuid::Uuid, Path, description = "The task")),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, description = "The task", body = TaskBody),
        (status = 409, description = "It has ended already")
    )
)]
pub(super) async fn cancel(
    State(tasks): State<Tasks>,
    SignedIn(actor): SignedIn,
    Path(id): Path<JobId>,
) -> Result<Json<TaskBody>, Problem> {
    let task = tasks.cancel(&actor, id).await?;
    Ok(Json(TaskBody::whole(&task)))
}

/// Let a task run again
///
/// One that failed or was cancelled; what it had made by then is not made again.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/{task}/retry",
    tag = "tasks",
    params(("task" = uuid::Uuid, Path, description = "The task")),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, description = "The task", body = TaskBody),
        (status = 409, description = "It has not failed")
    )
)]
pub(super) async fn retry(
    State(tasks): State<Tasks>,
    SignedIn(actor): SignedIn,
    Path(id): Path<JobId>,
) -> Result<Json<TaskBody>, Problem> {
    let task = tasks.retry(&actor, id).await?;
    Ok(Json(TaskBody::whole(&task)))
}

/// What goes with a task that is deleted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteQuery {
    /// Whether the files that it made are deleted too.
    #[serde(default)]
    files: bool,
}

/// Delete a task that has ended
#[utoipa::path(
    delete,
    path = "/api/v1/tasks/{task}",
    tag = "tasks",
    params(("task" = uuid::Uuid, Path, description = "The task"), DeleteQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 204, description = "It is gone"),
        (status = 409, description = "It has not ended; cancel it first")
    )
)]
pub(super) async fn delete(
    State(tasks): State<Tasks>,
    SignedIn(actor): SignedIn,
    Path(id): Path<JobId>,
    Query(query): Query<DeleteQuery>,
) -> Result<StatusCode, Problem> {
    tasks.delete(&actor, id, query.files).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The jobs of a kind that wait.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Queue)]
pub(super) struct QueueBody {
    /// The kind.
    kind: String,
    /// How many are ready to begin.
    ready: u64,
    /// Since when the one waits that waits longest.
    #[schema(format = DateTime)]
    oldest_at: String,
}

/// How many jobs wait, by kind
#[utoipa::path(
    get,
    path = "/api/v1/admin/queues",
    tag = "admin",
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The kinds that have jobs waiting", body = Vec<QueueBody>))
)]
pub(super) async fn list_queues(
    State(tasks): State<Tasks>,
    SignedIn(actor): SignedIn,
) -> Result<Json<Vec<QueueBody>>, Problem> {
    let depths = tasks.depths(&actor).await?.into_iter();
    Ok(Json(depths.map(|of| QueueBody { kind: of.kind, ready: of.ready, oldest_at: rfc3339(of.oldest_ms) }).collect()))
}
