//! Reads of single jobs, many by one query: whoever comes while queries are under way shares the next one.
//!
//! A server whose clients ask for their tasks again and again would else spend most of its time on the way to the database. A
//! query begins after all who share it asked, so nobody is told anything older than by a query of one's own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::{JobId, Jobs, JobsError, Task, tasks::MAX_READ};
use crate::db::DbError;

/// Queries at a time. More would make each of them smaller.
const MAX_QUERIES: usize = 2;

/// What one of those who share a query is told.
type Answer = Result<Option<Arc<Task>>, DbError>;

/// Who waits for which job.
type Waiting = (JobId, oneshot::Sender<Answer>);

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
        let count = state.waiting.len().min(MAX_READ);
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
    pub(super) async fn read(&self, id: JobId) -> Result<Option<Arc<Task>>, JobsError> {
        let (sender, receiver) = oneshot::channel();
        let begins = {
            let mut state = self.reads.state();
            state.waiting.push((id, sender));
            let begins = state.queries < MAX_QUERIES;
            state.queries += usize::from(begins);
            begins
        };
        if begins {
            // By itself, so that it goes on for the others when the one who began it goes away.
            tokio::spawn(self.clone().serve());
        }
        match receiver.await {
            Ok(answer) => Ok(answer?),
            // The turn broke off.
            Err(_) => Ok(self.get_all(&[id]).await?.pop().map(Arc::new)),
        }
    }

    /// Reads for all who wait, until nobody does.
    async fn serve(self) {
        let mut turn = Turn { reads: self.reads.clone(), is_over: false };
        loop {
            // Whoever is about to ask gets to it first, so that one query serves more of them.
            tokio::task::yield_now().await;
            let waiting = self.reads.next();
            if waiting.is_empty() {
                turn.is_over = true;
                return;
            }
            let mut ids: Vec<JobId> = waiting.iter().map(|(id, _)| *id).collect();
            ids.sort_unstable();
            ids.dedup();
            let found = self.get_all(&ids).await.map(|tasks| {
                tasks.into_iter().map(|task| (task.id, Arc::new(task))).collect::<HashMap<JobId, Arc<Task>>>()
            });
            for (id, sender) in waiting {
                let answer = found.as_ref().map(|tasks| tasks.get(&id).cloned()).map_err(Clone::clone);
                // Whoever went away wants nothing more.
                drop(sender.send(answer));
            }
        }
    }
}
