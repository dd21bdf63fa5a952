//! A task's progress as a stream of server-sent events (HTML Living Standard, section 9.2).

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::Stream;
use kernel::Actor;

use super::body::TaskBody;
use crate::{
    jobs::{JobId, Task},
    server::{Path, Problem, SignedIn},
    tasks::{Change, Tasks, watch::Follower},
};

/// The header by which a browser that connects again says what it has seen.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How often something is sent when nothing happens, so that nobody in between takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A stream ends after so long: who is still there connects again, and is asked who it is.
const MAX_AGE: Duration = Duration::from_mins(30);

/// How soon a browser connects again.
const RECONNECT: Duration = Duration::from_secs(1);

/// Follow a task live
///
/// An event `progress` whenever it changes, and one `end` once its state is final; the data of each is the task. Whoever
/// connects again with `Last-Event-ID` is told what changed since; 204 says that nothing more will come.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{task}/events",
    tag = "tasks",
    params(
        ("task" = uuid::Uuid, Path, description = "The task"),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was seen")
    ),
    security(("bearer" = []), ("cookie" = [])),
    extensions(("x-time-limit-s" = json!(0))),
    responses(
        (status = 200, description = "The events", body = String, content_type = "text/event-stream"),
        (status = 204, description = "The task has ended, and its end was seen"),
        (status = 429, description = "Too many streams of the user are open")
    )
)]
pub(super) async fn follow(
    State(tasks): State<Tasks>,
    SignedIn(actor): SignedIn,
    Path(id): Path<JobId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let seen = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    // Followed first, then read: what happens in between is heard.
    let follower = tasks.watch().follow(actor.user_id)?;
    let task = tasks.get(&actor, id).await?;
    if task.state.is_final() && seen.as_deref() == Some(event_id(&task).as_str()) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let stream = stream(Following { tasks, actor, id, follower, seen, next: Some(task), is_over: false });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    // Proxies that collect answers would hold events back.
    Ok(([("x-accel-buffering", "no")], Sse::new(stream).keep_alive(keep_alive)).into_response())
}

/// A stream that is being told.
struct Following {
    tasks: Tasks,
    actor: Actor,
    id: JobId,
    follower: Follower,
    /// The last event that was seen.
    seen: Option<String>,
    /// The task as it was read and not told yet.
    next: Option<Arc<Task>>,
    is_over: bool,
}

fn stream(following: Following) -> impl Stream<Item = Result<Event, Infallible>> {
    let until = tokio::time::Instant::now() + MAX_AGE;
    futures::stream::unfold(following, move |mut following| async move {
        let event = tokio::time::timeout_at(until, following.next_event()).await.ok()??;
        Some((Ok(event), following))
    })
}

impl Following {
    /// The next event; `None` when the task ended, was deleted, or the server ends.
    async fn next_event(&mut self) -> Option<Event> {
        while !self.is_over {
            let task = match self.next.take() {
                Some(task) => task,
                None => self.next_task().await?,
            };
            let id = event_id(&task);
            self.is_over = task.state.is_final();
            if self.seen.as_ref() == Some(&id) {
                continue;
            }
            self.seen = Some(id.clone());
            let name = if self.is_over { "end" } else { "progress" };
            let data = serde_json::to_string(&TaskBody::whole(&task)).unwrap_or_default();
            return Some(Event::default().id(id).event(name).retry(RECONNECT).data(data));
        }
        None
    }

    async fn next_task(&mut self) -> Option<Arc<Task>> {
        loop {
            match self.follower.next().await? {
                Change::Task(task) if task.id == self.id => return Some(task),
                Change::Task(_) => {}
                Change::Unknown => return self.tasks.get(&self.actor, self.id).await.ok(),
            }
        }
    }
}

/// Names what a task is like: the same task has the same name, whoever asks and on whichever server.
fn event_id(task: &Task) -> String {
    let text = serde_json::to_vec(task).unwrap_or_default();
    blake3::hash(&text).to_hex()[..16].to_owned()
}
