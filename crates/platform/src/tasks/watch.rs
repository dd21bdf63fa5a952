//! Tells those who follow tasks what changes: one reader of the database for all of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kernel::UserId;
use tokio::sync::broadcast;
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use crate::{
    db::Topic,
    jobs::{JobId, Jobs, Task},
};

/// How many changes may wait for a slow follower; after more it hears that it missed some.
const BACKLOG: usize = 256;

/// How long nothing may be heard before everybody looks, where calls of other processes are heard.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same where they are not, as on SQLite without Redis: how late the word of a worker in another process comes.
const PATIENCE_ALONE: Duration = Duration::from_secs(1);

/// How many followers a user may have: several pages in several browsers.
pub const MAX_FOLLOWERS: usize = 20;

/// How long followers may take to say goodbye when the server ends.
const FAREWELL: Duration = Duration::from_secs(2);

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
    places: Places,
    open: TaskTracker,
}

/// Hears changes from when it was made. Keep it until the other side was told the end.
#[derive(Debug)]
pub struct Follower {
    receiver: broadcast::Receiver<Change>,
    closing: CancellationToken,
    _place: Place,
    _open: TaskTrackerToken,
}

/// A user follows in too many places at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_FOLLOWERS} streams of yours are open; close one, or follow all your tasks over `/ws`")]
pub struct TooManyFollowers;

/// How many followers each user has.
#[derive(Debug, Clone, Default)]
struct Places(Arc<Mutex<HashMap<UserId, usize>>>);

/// The place of one follower, until it is dropped.
#[derive(Debug)]
struct Place {
    places: Places,
    user: UserId,
}

impl Places {
    fn counts(&self) -> MutexGuard<'_, HashMap<UserId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, user: UserId) -> Result<Place, TooManyFollowers> {
        let mut counts = self.counts();
        let count = counts.entry(user).or_default();
        if *count >= MAX_FOLLOWERS {
            return Err(TooManyFollowers);
        }
        *count += 1;
        Ok(Place { places: self.clone(), user })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.places.counts();
        if let Some(count) = counts.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.user);
            }
        }
    }
}

impl TaskWatch {
    pub fn new(jobs: Jobs) -> Self {
        let (sender, closing) = (broadcast::channel(BACKLOG).0, CancellationToken::new());
        Self { jobs, sender, closing, places: Places::default(), open: TaskTracker::new() }
    }

    /// Listens from now on, for a user. Look after this call, and nothing is missed.
    pub fn follow(&self, user: UserId) -> Result<Follower, TooManyFollowers> {
        let place = self.places.take(user)?;
        let (receiver, closing) = (self.sender.subscribe(), self.closing.clone());
        Ok(Follower { receiver, closing, _place: place, _open: self.open.token() })
    }

    /// Tells followers until `stop` is called; then they hear the end, and are let tell it.
    pub async fn run(&self, stop: CancellationToken) {
        let tell = async {
            let db = self.jobs.db();
            let mut called = db.subscribe().await;
            loop {
                let patience = if db.hears_others() { PATIENCE } else { PATIENCE_ALONE };
                let subject = called.wait(Topic::Progress, patience).await;
                if self.sender.receiver_count() > 0 {
                    self.tell(subject.as_deref()).await;
                }
            }
        };
        stop.run_until_cancelled(tell).await;
        self.closing.cancel();
        self.open.close();
        // Whoever does not listen is not waited for.
        drop(tokio::time::timeout(FAREWELL, self.open.wait()).await);
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

#[cfg(test)]
mod tests {
    use kernel::Uuid;

    use super::*;

    #[test]
    fn a_user_follows_in_so_many_places_and_others_are_not_kept_from_it() {
        let places = Places::default();
        let [ann, bob] = [1, 2].map(|number| UserId::from_uuid(Uuid::from_u128(number)));
        let mut taken: Vec<Place> = (0..MAX_FOLLOWERS).map(|_| places.take(ann).unwrap()).collect();
        assert_eq!(places.take(ann).unwrap_err(), TooManyFollowers);
        assert!(places.take(bob).is_ok());
        taken.pop();
        assert!(places.take(ann).is_ok());
        taken.clear();
        assert!(places.counts().is_empty(), "whoever follows nothing is not remembered");
    }
}
