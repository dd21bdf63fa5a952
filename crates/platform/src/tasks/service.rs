//! What is done with tasks: permissions, and the files that go with them.

use std::{collections::HashSet, sync::Arc};

use kernel::{Actor, Credential, ErrorKind, Forbidden, Page, PageRequest, Permission, UserId};

use serde::Deserialize as _;

use super::{TaskOutput, TaskWatch};
use crate::{
    jobs::{JobId, Jobs, JobsError, QueueDepth, Task, TaskFilter},
    storage::{Files, StorageError},
};

/// Whose tasks are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Those of the one who asks.
    Mine,
    /// Those of this user, for admins.
    Of(UserId),
    /// Everybody's and the system's own, for admins.
    Everybodys,
}

/// The service of tasks. Clones share everything.
#[derive(Debug, Clone)]
pub struct Tasks {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    jobs: Jobs,
    files: Files,
    watch: TaskWatch,
}

/// Why something could not be done with a task.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error(transparent)]
    Jobs(#[from] JobsError),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl TaskError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Forbidden(error) => error.kind(),
            Self::Jobs(error) => error.kind(),
            Self::Storage(error) => error.kind(),
        }
    }
}

impl Tasks {
    pub fn new(jobs: Jobs, files: Files) -> Self {
        Self { inner: Arc::new(Inner { watch: TaskWatch::new(jobs.clone()), jobs, files }) }
    }

    /// What changes, for those who follow it.
    pub fn watch(&self) -> &TaskWatch {
        &self.inner.watch
    }

    /// Tasks that fit the filter, the newest first; whose, it need not say.
    pub async fn list(
        &self,
        actor: &Actor,
        whose: Whose,
        filter: TaskFilter,
        page: &PageRequest,
    ) -> Result<Page<Task>, TaskError> {
        let owner = match whose {
            Whose::Mine => {
                require(actor)?;
                Some(actor.user_id.to_string())
            }
            Whose::Of(user) => {
                actor.require(Permission::ManageTasks)?;
                Some(user.to_string())
            }
            Whose::Everybodys => {
                actor.require(Permission::ManageTasks)?;
                None
            }
        };
        Ok(self.inner.jobs.list(&TaskFilter { owner, ..filter }, page).await?)
    }

    /// The newest tasks of the one who asks that have not ended, and those that were `told` and are still there, in no order.
    pub(super) async fn open_or_told(&self, actor: &Actor, told: &[JobId]) -> Result<Vec<Arc<Task>>, TaskError> {
        require(actor)?;
        let mut tasks = self.inner.jobs.list_open(&actor.user_id.to_string()).await?;
        let open: HashSet<JobId> = tasks.iter().map(|task| task.id).collect();
        let others: Vec<JobId> = told.iter().filter(|id| !open.contains(id)).copied().collect();
        tasks.extend(self.inner.jobs.get_all(&others).await.map_err(JobsError::from)?);
        Ok(tasks.into_iter().map(Arc::new).collect())
    }

    /// A task of the one who asks; admins see everybody's. For anybody else those of others are not there.
    pub async fn get(&self, actor: &Actor, id: JobId) -> Result<Arc<Task>, TaskError> {
        require(actor)?;
        Ok(self.inner.jobs.get(id, owner(actor).as_deref()).await?)
    }

    /// Stops a task; see [`Jobs::cancel`].
    pub async fn cancel(&self, actor: &Actor, id: JobId) -> Result<Arc<Task>, TaskError> {
        require(actor)?;
        Ok(self.inner.jobs.cancel(id, owner(actor).as_deref()).await?)
    }

    /// Lets a task that failed or was cancelled run again; see [`Jobs::retry`].
    pub async fn retry(&self, actor: &Actor, id: JobId) -> Result<Arc<Task>, TaskError> {
        require(actor)?;
        Ok(self.inner.jobs.retry(id, owner(actor).as_deref()).await?)
    }

    /// Removes a task that ended, and where that is wanted the files that it made.
    ///
    /// Files go first: a task whose files are half removed is still there to be deleted again.
    pub async fn delete(&self, actor: &Actor, id: JobId, with_files: bool) -> Result<(), TaskError> {
        require(actor)?;
        let task = self.inner.jobs.get(id, owner(actor).as_deref()).await?;
        if with_files && task.state.is_final() {
            let output = task.result.as_ref().and_then(|result| TaskOutput::deserialize(result).ok());
            let output = output.unwrap_or_default();
            for file in output.files {
                match self.inner.files.delete(actor, file.file_id).await {
                    Ok(()) | Err(StorageError::NoFile(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(self.inner.jobs.delete(id, owner(actor).as_deref()).await?)
    }

    /// How many jobs wait, by kind, for admins.
    pub async fn depths(&self, actor: &Actor) -> Result<Vec<QueueDepth>, TaskError> {
        actor.require(Permission::ManageTasks)?;
        Ok(self.inner.jobs.depths().await?)
    }
}

/// Whose a task has to be; nobody's in particular for admins.
fn owner(actor: &Actor) -> Option<String> {
    (!actor.may(Permission::ManageTasks)).then(|| actor.user_id.to_string())
}

/// Whoever asked for work sees to it, also with another role by now; an API key needs to be made for that.
fn require(actor: &Actor) -> Result<(), Forbidden> {
    match actor.credential {
        Credential::ApiKey(_) => actor.require_any(&[Permission::CreateVideos, Permission::CreateDubs]),
        Credential::Token(_) | Credential::Cookie(_) | Credential::Console => Ok(()),
    }
}
