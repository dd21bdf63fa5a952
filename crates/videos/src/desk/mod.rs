//! Videos on a server: asked for, kept with all that was asked, changed, and made again.

mod error;
mod migrations;
mod model;

use std::sync::Arc;

use kernel::{Actor, IdSource, Page, PageRequest, Permission, id_type};
use pipeline::job::{FileWanted, InputFile};
use platform::{
    db::Transaction,
    documents::{Document, Documents},
    idempotency::Receipt,
    jobs::{JobKind, Jobs, NewJob, Priority, Task},
    storage::Files,
};

pub use error::DeskError;
pub use migrations::migrations;
pub use model::{Asked, Change, Draft, SoundOrder, VideoOrder};

use crate::{
    jobs::{Audios, SoundJob, Subtitles, VideoJob, Videos},
    order::{Order, OrderSummary},
};

id_type!(VideoId, "a video");

/// The table of videos.
const TABLE: &str = "videos";

/// The service of videos on a server. Clones share everything.
#[derive(Debug, Clone)]
pub struct Desk {
    videos: Documents<Order>,
    jobs: Jobs,
    files: Files,
    ids: Arc<dyn IdSource>,
}

impl Desk {
    pub fn new(jobs: Jobs, files: Files, clock: Arc<dyn kernel::Clock>, ids: Arc<dyn IdSource>) -> Self {
        Self { videos: Documents::new(jobs.db().clone(), clock, TABLE), jobs, files, ids }
    }

    /// Keeps a video and has it made.
    pub async fn create(
        &self,
        actor: &Actor,
        draft: Draft,
        ask: VideoOrder,
        receipt: &Receipt<Asked>,
    ) -> Result<Asked, DeskError> {
        actor.require(Permission::CreateVideos)?;
        let order = &self.order(actor, draft).await?;
        let create = |tx: Transaction| async move {
            let id = self.ids.next_id();
            let video = self.videos.insert(&tx, id, actor.user_id, order.clone()).await?;
            let asked = self.enqueue(&tx, video, ask).await?;
            receipt.keep(&tx, &asked).await?;
            Ok(asked)
        };
        self.videos.db().transaction(create).await
    }

    /// Has a video made as it is now: what did not change since it was made last is not made again.
    pub async fn make(
        &self,
        actor: &Actor,
        id: VideoId,
        ask: VideoOrder,
        receipt: &Receipt<Asked>,
    ) -> Result<Asked, DeskError> {
        actor.require(Permission::CreateVideos)?;
        let make = |tx: Transaction| async move {
            let video = self.videos.lock(&tx, id.as_uuid(), actor.user_id).await?.ok_or(DeskError::NoVideo(id))?;
            let asked = self.enqueue(&tx, video, ask).await?;
            receipt.keep(&tx, &asked).await?;
            Ok(asked)
        };
        self.videos.db().transaction(make).await
    }

    async fn enqueue(&self, tx: &Transaction, video: Document<Order>, ask: VideoOrder) -> Result<Asked, DeskError> {
        let payload = VideoJob { order: video.value.clone(), make: ask.make };
        let job = NewJob::<Videos>::new(payload).about(format!("{TABLE}/{}", video.id));
        let task = self.enqueue_task(tx, job, video.owner, ask.priority).await?;
        Ok(Asked { video, task })
    }

    async fn enqueue_task<K: JobKind>(
        &self,
        tx: &Transaction,
        job: NewJob<K>,
        owner: kernel::UserId,
        priority: Priority,
    ) -> Result<Task, DeskError> {
        let id = self.jobs.enqueue_in(tx, job.owned_by(owner.to_string()).with_priority(priority)).await?;
        Ok(self.jobs.get_in(tx, id).await?)
    }

    /// A video of the one who asks. Those of others are not there for anybody else.
    pub async fn get(&self, actor: &Actor, id: VideoId) -> Result<Document<Order>, DeskError> {
        actor.require(Permission::CreateVideos)?;
        self.videos.find(id.as_uuid(), actor.user_id).await?.ok_or(DeskError::NoVideo(id))
    }

    /// The videos of the one who asks, the newest first.
    pub async fn list(&self, actor: &Actor, page: &PageRequest) -> Result<Page<Document<OrderSummary>>, DeskError> {
        actor.require(Permission::CreateVideos)?;
        Ok(self.videos.list(actor.user_id, page).await?)
    }

    /// Changes a video that was read. Nothing is made: that is asked for apart.
    pub async fn change(
        &self,
        actor: &Actor,
        video: Document<Order>,
        change: Change,
    ) -> Result<Document<Order>, DeskError> {
        actor.require(Permission::CreateVideos)?;
        let files = match change.files {
            Some(wanted) => self.files_of(actor, wanted).await?,
            None => video.value.files.clone(),
        };
        let mut settings = video.value.settings.clone();
        for (name, value) in change.settings {
            match value {
                Some(value) => settings.insert(name, value),
                None => settings.remove(&name),
            };
        }
        let order = Order { words: change.words.unwrap_or_else(|| video.value.words.clone()), settings, files };
        let order = checked(order).await?;
        let (video, order) = (&video, &order);
        let replace = |tx: Transaction| async move {
            let changed = self.videos.replace(&tx, video.clone(), order.clone()).await?;
            changed.ok_or(DeskError::Changed(VideoId::from_uuid(video.id)))
        };
        self.videos.db().transaction(replace).await
    }

    /// Forgets a video. Its tasks and the files that they made stay.
    pub async fn delete(&self, actor: &Actor, id: VideoId) -> Result<(), DeskError> {
        actor.require(Permission::CreateVideos)?;
        let delete = |tx: Transaction| async move {
            Ok::<_, DeskError>(self.videos.delete(&tx, id.as_uuid(), actor.user_id).await?)
        };
        if self.videos.db().transaction(delete).await? { Ok(()) } else { Err(DeskError::NoVideo(id)) }
    }

    /// Has a script read aloud.
    pub async fn narrate(
        &self,
        actor: &Actor,
        draft: Draft,
        ask: SoundOrder,
        receipt: &Receipt<Task>,
    ) -> Result<Task, DeskError> {
        let payload = SoundJob { order: self.order(actor, draft).await?, format: ask.format };
        self.ask(actor, || NewJob::<Audios>::new(payload.clone()), ask.priority, receipt).await
    }

    /// Has the subtitles of a script made, timed as it is read aloud.
    pub async fn subtitle(
        &self,
        actor: &Actor,
        draft: Draft,
        priority: Priority,
        receipt: &Receipt<Task>,
    ) -> Result<Task, DeskError> {
        let order = self.order(actor, draft).await?;
        self.ask(actor, || NewJob::<Subtitles>::new(order.clone()), priority, receipt).await
    }

    /// Enqueues a job of an order that was checked for this actor.
    async fn ask<K: JobKind>(
        &self,
        actor: &Actor,
        job: impl Fn() -> NewJob<K>,
        priority: Priority,
        receipt: &Receipt<Task>,
    ) -> Result<Task, DeskError> {
        let job = &job;
        let ask = |tx: Transaction| async move {
            let task = self.enqueue_task(&tx, job(), actor.user_id, priority).await?;
            receipt.keep(&tx, &task).await?;
            Ok(task)
        };
        self.videos.db().transaction(ask).await
    }

    /// A checked order, with the names of its files.
    async fn order(&self, actor: &Actor, draft: Draft) -> Result<Order, DeskError> {
        actor.require(Permission::CreateVideos)?;
        let files = self.files_of(actor, draft.files).await?;
        checked(Order { words: draft.words, settings: draft.settings, files }).await
    }

    async fn files_of(&self, actor: &Actor, wanted: Vec<FileWanted>) -> Result<Vec<InputFile>, DeskError> {
        if wanted.len() > crate::order::MAX_FILES {
            return Err(DeskError::too_many_files(wanted.len()));
        }
        Ok(FileWanted::find_all(&self.files, actor.user_id, wanted).await?)
    }
}

/// An order in which nothing is wrong. A long script takes a while to be read, in which no request should have to wait.
async fn checked(order: Order) -> Result<Order, DeskError> {
    let checked = tokio::task::spawn_blocking(move || order.check().map(|()| order)).await;
    Ok(checked.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?)
}
