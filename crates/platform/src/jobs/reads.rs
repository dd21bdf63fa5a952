//! Reads of single jobs, many by one query: whoever comes while queries are under way shares the next one.
//!
//! A server whose clients ask for their tasks again and again would else spend most of its time on the way to the database. A
//! query begins after all who share it asked, so nobody is told anything older than by a query of one's own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::{JobId, Jobs, JobsError, Task};

/// Queries at a time. More would make each of them smaller.
const MAX_QUERIES: usize = 2;

/// Jobs that one query reads.
const MAX_JOBS: usize = 256;

/// Who waits for which job. What is not told is to be asked for alone: the query failed.
type Waiting = (JobId, oneshot::Sender<Option<Task>>);

/// The reads of one [`Jobs`]. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Reads(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    queries: usize,
    waiting: Vec<Waiting>,
}

impl Reads {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those whom the next query serves; when there are none, the query that asks is over.
    fn next(&self) -> Vec<Waiting> {
        let mut state = self.state();
        let count = state.waiting.len().min(MAX_JOBS);
        if count == 0 {
            state.queries -= 1;
        }
        state.waiting.drain(..count).collect()
    }
}

/// The turn of a query; one that breaks off lets go of those who wait for it, who then ask by themselves.
struct Turn {
    reads: Reads,
    is_over: bool,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_over {
            let mut state = self.reads.state();
            state.queries -= 1;
            state.waiting.clear();
        }
    }
}

impl Jobs {
    /// A job, whosever it is.
    pub(super) async fn read(&self, id: JobId) -> Result<Option<Task>, JobsError> {
        let (sender, receiver) = oneshot::channel();
        let is_first = {
            let mut state = self.reads.state();
            state.waiting.push((id, sender));
            let is_first = state.queries < MAX_QUERIES;
            state.queries += usize::from(is_first);
            is_first
        };
        if is_first {
            // By itself, so that it goes on for the others when the one who began it goes away.
            tokio::spawn(self.clone().serve());
        }
        match receiver.await {
            Ok(task) => Ok(task),
            Err(_) => Ok(self.get_all(&[id]).await?.pop()),
        }
    }

    /// Reads for all who wait, until nobody does.
    async fn serve(self) {
        let mut turn = Turn { reads: self.reads.clone(), is_over: false };
        loop {
            let waiting = self.reads.next();
            if waiting.is_empty() {
                turn.is_over = true;
                return;
            }
            let mut ids: Vec<JobId> = waiting.iter().map(|(id, _)| *id).collect();
            ids.sort_unstable();
            ids.dedup();
            let tasks = match self.get_all(&ids).await {
                Ok(tasks) => tasks,
                Err(error) => {
                    // Each asks by itself now, and hears what is wrong.
                    tracing::debug!(%error, "jobs could not be read together");
                    continue;
                }
            };
            for (id, sender) in waiting {
                // Whoever went away wants nothing more.
                drop(sender.send(tasks.iter().find(|task| task.id == id).cloned()));
            }
        }
    }
}
