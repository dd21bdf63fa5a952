//! Tells those who follow tasks what changes: one reader of the database for all of them.

use std::{sync::Arc, time::Duration};

use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::{
    db::{Backend, Topic},
    jobs::{JobId, Jobs, Task},
};

/// How many changes may wait for a slow follower; after more it hears that it missed some.
const BACKLOG: usize = 256;

/// How long nothing may be heard before everybody looks. Calls cross processes on PostgreSQL only, so on SQLite, where a
/// worker may be another process, this is how late its word comes.
const PATIENCE_POSTGRES: Duration = Duration::from_secs(10);
const PATIENCE_SQLITE: Duration = Duration::from_secs(1);

/// What a follower hears.
#[derive(Debug, Clone)]
pub enum Change {
    /// A task as it is now.
    Task(Arc<Task>),
    /// Anything may have changed: look.
    Unknown,
}

/// The changes of all tasks. Clones are the same.
#[derive(Debug, Clone)]
pub struct TaskWatch {
    jobs: Jobs,
    sender: broadcast::Sender<Change>,
    closing: CancellationToken,
}

/// Hears changes from when it was made.
#[derive(Debug)]
pub struct Follower {
    receiver: broadcast::Receiver<Change>,
    closing: CancellationToken,
}

impl TaskWatch {
    pub fn new(jobs: Jobs) -> Self {
        Self { jobs, sender: broadcast::channel(BACKLOG).0, closing: CancellationToken::new() }
    }

    /// Listens from now on. Look after this call, and nothing is missed.
    pub fn follow(&self) -> Follower {
        Follower { receiver: self.sender.subscribe(), closing: self.closing.clone() }
    }

    /// Tells followers until `stop` is called; then they hear the end.
    pub async fn run(&self, stop: CancellationToken) {
        let patience = match self.jobs.db().backend() {
            Backend::Postgres => PATIENCE_POSTGRES,
            Backend::Sqlite => PATIENCE_SQLITE,
        };
        let tell = async {
            let mut called = self.jobs.db().subscribe().await;
            loop {
                let subject = called.wait(Topic::Progress, patience).await;
                if self.sender.receiver_count() > 0 {
                    self.tell(subject.as_deref()).await;
                }
            }
        };
        stop.run_until_cancelled(tell).await;
        self.closing.cancel();
    }

    async fn tell(&self, subject: Option<&str>) {
        let ids: Vec<JobId> = subject.unwrap_or_default().split(',').filter_map(|id| id.parse().ok()).collect();
        let changes = match self.jobs.get_all(&ids).await {
            Ok(tasks) if !tasks.is_empty() => tasks.into_iter().map(|task| Change::Task(Arc::new(task))).collect(),
            Ok(_) => vec![Change::Unknown],
            Err(error) => {
                tracing::debug!(%error, "what changed of tasks could not be read");
                vec![Change::Unknown]
            }
        };
        for change in changes {
            // The last follower may be gone by now, which is no fault.
            drop(self.sender.send(change));
        }
    }
}

impl Follower {
    /// The next change; `None` when the server ends.
    pub async fn next(&mut self) -> Option<Change> {
        let heard = self.closing.run_until_cancelled(self.receiver.recv()).await?;
        match heard {
            Ok(change) => Some(change),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Change::Unknown),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
