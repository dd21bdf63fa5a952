//! The tasks of a user live, over a web socket (RFC 6455).

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    response::Response,
};
use kernel::Actor;
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior};
use utoipa::ToSchema;

use super::body::TaskBody;
use crate::{
    jobs::{JobId, Task},
    server::{Problem, ProblemType, SignedIn},
    tasks::{Change, Tasks, watch::Follower},
};

/// How often the other side is asked whether it is there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);

/// A connection ends after so long: who is still there connects again, and is asked who it is.
const MAX_AGE: Duration = Duration::from_mins(30);

/// Nobody has anything longer to say here.
const MAX_MESSAGE_BYTES: usize = 4096;

/// What is sent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Told {
    /// A task as it is now.
    Task { task: Box<TaskBody> },
}

/// Follow all of one's own tasks live, over a web socket
///
/// A message `{"type": "task", "task": …}` for each task that has not ended, and then whenever one changes. Nothing is
/// expected from the other side but answers to pings.
#[utoipa::path(
    get,
    path = "/ws",
    tag = "tasks",
    security(("bearer" = []), ("cookie" = [])),
    extensions(("x-time-limit-s" = json!(0))),
    responses(
        (status = 101, description = "A web socket that tells of tasks", body = Told),
        (status = 426, description = "Only web sockets are answered here"),
        (status = 429, description = "Too many streams of the user are open")
    )
)]
pub(super) async fn connect(
    State(tasks): State<Tasks>,
    SignedIn(actor): SignedIn,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|_| {
        Problem::new(ProblemType::UpgradeRequired).detail("connect with a web socket, such as `new WebSocket(…)`")
    })?;
    let upgrade = upgrade.max_message_size(MAX_MESSAGE_BYTES).max_frame_size(MAX_MESSAGE_BYTES);
    let mut follower = tasks.watch().follow(actor.user_id)?;
    Ok(upgrade.on_upgrade(move |socket| async move {
        let mut conversation = Conversation { tasks, actor, socket, told: HashMap::new() };
        // Whoever is gone hears no reason.
        let _ = tokio::time::timeout(MAX_AGE, conversation.run(&mut follower)).await;
        let _ = conversation.socket.send(Message::Close(None)).await;
    }))
}

struct Conversation {
    tasks: Tasks,
    actor: Actor,
    socket: WebSocket,
    /// What was told of tasks that have not ended, so that nothing is told twice.
    told: HashMap<JobId, Arc<Task>>,
}

impl Conversation {
    /// Tells until the other side or the server ends.
    async fn run(&mut self, follower: &mut Follower) -> Option<()> {
        self.tell_all().await?;
        let mut ping = tokio::time::interval_at(Instant::now() + PING, PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_there = true;
        loop {
            tokio::select! {
                change = follower.next() => match change? {
                    Change::Task(task) if task.owner == self.actor.user_id.to_string() => self.tell(&task).await?,
                    Change::Task(_) => {}
                    Change::Unknown => self.tell_all().await?,
                },
                heard = self.socket.recv() => match heard? {
                    Ok(Message::Close(_)) | Err(_) => return None,
                    Ok(_) => is_there = true,
                },
                _ = ping.tick() => {
                    if !std::mem::take(&mut is_there) {
                        return None;
                    }
                    self.socket.send(Message::Ping(axum::body::Bytes::new())).await.ok()?;
                }
            }
        }
    }

    /// Tells the tasks that have not ended, the oldest first, and of those that were told before what became of them.
    async fn tell_all(&mut self) -> Option<()> {
        let told: Vec<JobId> = self.told.keys().copied().collect();
        let mut tasks = self.tasks.open_or_told(&self.actor, &told).await.ok()?;
        tasks.sort_unstable_by_key(|task| task.id);
        // What was deleted meanwhile had ended, and nobody is told more of it.
        self.told.retain(|id, _| tasks.binary_search_by_key(id, |task| task.id).is_ok());
        for task in &tasks {
            self.tell(task).await?;
        }
        Some(())
    }

    async fn tell(&mut self, task: &Arc<Task>) -> Option<()> {
        if self.told.get(&task.id) == Some(task) {
            return Some(());
        }
        if task.state.is_final() {
            self.told.remove(&task.id);
        } else {
            self.told.insert(task.id, task.clone());
        }
        let told = Told::Task { task: Box::new(TaskBody::whole(task)) };
        let text = serde_json::to_string(&told).ok()?;
        self.socket.send(Message::text(text)).await.ok()
    }
}
