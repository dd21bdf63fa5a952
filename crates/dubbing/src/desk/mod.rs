//! Dubs on a server: asked for, kept with their documents, edited, and made again.

mod error;
mod migrations;
mod model;

use std::sync::Arc;

use kernel::{Actor, Clock, IdSource, Page, PageRequest, Permission, id_type};
use pipeline::job::{FileWanted, InputFile};
use platform::{
    db::Transaction,
    documents::{Document, Documents},
    idempotency::Receipt,
    jobs::{Jobs, NewJob, Priority, Task},
    storage::Files,
};

pub use error::DeskError;
pub use migrations::migrations;
pub use model::{Asked, Draft, DraftSource, DubOrder, DubSource, DubState, DubSummary, Made};

use crate::{
    edit::{self, Edit},
    jobs::{DubJob, Dubs, TranscriptJob, Transcripts},
    report::Report,
};

id_type!(DubId, "a dub");

/// The table of dubs.
pub(crate) const TABLE: &str = "dubs";

/// The service of dubs on a server. Clones share everything.
#[derive(Debug, Clone)]
pub struct Desk {
    dubs: Documents<DubState>,
    jobs: Jobs,
    files: Files,
    ids: Arc<dyn IdSource>,
}

impl Desk {
    pub fn new(jobs: Jobs, files: Files, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Self {
        Self { dubs: Documents::new(jobs.db().clone(), clock, TABLE), jobs, files, ids }
    }

    /// Keeps a dub and has it made.
    pub async fn create(
        &self,
        actor: &Actor,
        draft: Draft,
        priority: Priority,
        receipt: &Receipt<Asked>,
    ) -> Result<Asked, DeskError> {
        actor.require(Permission::CreateDubs)?;
        let order = &self.order(actor, draft).await?;
        let create = |tx: Transaction| async move {
            let state = DubState { order: order.clone(), document: None };
            let dub = self.dubs.insert(&tx, self.ids.next_id(), actor.user_id, state).await?;
            let asked = self.enqueue(&tx, dub, priority).await?;
            receipt.keep(&tx, &asked).await?;
            Ok(asked)
        };
        self.dubs.db().transaction(create).await
    }

    /// Has a dub made as its document is now: what no edit touched is not made again.
    pub async fn make(
        &self,
        actor: &Actor,
        id: DubId,
        priority: Priority,
        receipt: &Receipt<Asked>,
    ) -> Result<Asked, DeskError> {
        actor.require(Permission::CreateDubs)?;
        let make = |tx: Transaction| async move {
            let dub = self.locked(&tx, actor, id).await?;
            let asked = self.enqueue(&tx, dub, priority).await?;
            receipt.keep(&tx, &asked).await?;
            Ok(asked)
        };
        self.dubs.db().transaction(make).await
    }

    /// A dub that is about to change, which nobody else changes or makes meanwhile.
    async fn locked(&self, tx: &Transaction, actor: &Actor, id: DubId) -> Result<Document<DubState>, DeskError> {
        let dub = self.dubs.lock(tx, id.as_uuid(), actor.user_id).await?.ok_or(DeskError::NoDub(id))?;
        // The worker writes the document when it is done: it and an edit must not pass each other.
        match self.jobs.find_open(tx, &subject(id)).await? {
            Some(task) => Err(DeskError::BeingMade { dub: id, task }),
            None => Ok(dub),
        }
    }

    async fn enqueue(&self, tx: &Transaction, dub: Document<DubState>, priority: Priority) -> Result<Asked, DeskError> {
        let id = DubId::from_uuid(dub.id);
        let job = NewJob::<Dubs>::new(DubJob { dub: id }).about(subject(id));
        let job = job.owned_by(dub.owner.to_string()).with_priority(priority);
        let task = self.jobs.enqueue_in(tx, job).await?;
        Ok(Asked { dub, task: self.jobs.get_in(tx, task).await? })
    }

    /// A dub of the one who asks. Those of others are not there for anybody else.
    pub async fn get(&self, actor: &Actor, id: DubId) -> Result<Document<DubState>, DeskError> {
        actor.require(Permission::CreateDubs)?;
        self.dubs.find(id.as_uuid(), actor.user_id).await?.ok_or(DeskError::NoDub(id))
    }

    /// The dubs of the one who asks, the newest first.
    pub async fn list(&self, actor: &Actor, page: &PageRequest) -> Result<Page<Document<DubSummary>>, DeskError> {
        actor.require(Permission::CreateDubs)?;
        Ok(self.dubs.list(actor.user_id, page).await?)
    }

    /// How good a dub is, in each of its languages.
    pub async fn report(&self, actor: &Actor, id: DubId) -> Result<Vec<Report>, DeskError> {
        let dub = self.get(actor, id).await?;
        let document = dub.value.document.ok_or(DeskError::NotMade(id))?;
        Ok(document.targets.iter().map(|lang| Report::new(&document, lang)).collect())
    }

    /// Changes the document of a dub whose version was read: all changes or none. Nothing is made: that is asked for apart.
    pub async fn edit(
        &self,
        actor: &Actor,
        id: DubId,
        version: i64,
        edits: &[Edit],
    ) -> Result<Document<DubState>, DeskError> {
        actor.require(Permission::CreateDubs)?;
        let edit = |tx: Transaction| async move {
            let dub = self.locked(&tx, actor, id).await?;
            if dub.version != version {
                return Err(DeskError::Changed(id));
            }
            let mut document = dub.value.document.clone().ok_or(DeskError::NotMade(id))?;
            edit::apply(&mut document, edits)?;
            model::check_settings(&document.settings)?;
            let state = DubState { document: Some(document), ..dub.value.clone() };
            self.dubs.replace(&tx, dub, state).await?.ok_or(DeskError::Changed(id))
        };
        self.dubs.db().transaction(edit).await
    }

    /// Forgets a dub. Its tasks and the files that they made stay.
    pub async fn delete(&self, actor: &Actor, id: DubId) -> Result<(), DeskError> {
        actor.require(Permission::CreateDubs)?;
        let delete = |tx: Transaction| async move {
            self.locked(&tx, actor, id).await?;
            Ok::<_, DeskError>(self.dubs.delete(&tx, id.as_uuid(), actor.user_id).await?)
        };
        if self.dubs.db().transaction(delete).await? { Ok(()) } else { Err(DeskError::NoDub(id)) }
    }

    /// Has written down what is said in a video or a sound.
    pub async fn transcribe(
        &self,
        actor: &Actor,
        draft: Draft,
        priority: Priority,
        receipt: &Receipt<Task>,
    ) -> Result<Task, DeskError> {
        actor.require(Permission::CreateDubs)?;
        let order = &self.source_order(actor, draft).await?;
        let ask = |tx: Transaction| async move {
            let job = NewJob::<Transcripts>::new(TranscriptJob { order: order.clone() });
            let job = job.owned_by(actor.user_id.to_string()).with_priority(priority);
            let id = self.jobs.enqueue_in(&tx, job).await?;
            let task = self.jobs.get_in(&tx, id).await?;
            receipt.keep(&tx, &task).await?;
            Ok::<_, DeskError>(task)
        };
        self.dubs.db().transaction(ask).await
    }

    async fn order(&self, actor: &Actor, draft: Draft) -> Result<DubOrder, DeskError> {
        let order = self.source_order(actor, draft).await?;
        order.check_targets()?;
        Ok(order)
    }

    /// A checked order, with the names of its files.
    async fn source_order(&self, actor: &Actor, draft: Draft) -> Result<DubOrder, DeskError> {
        model::check_settings(&draft.settings)?;
        let is_file = matches!(draft.source, DraftSource::File(_));
        let wanted: Vec<FileWanted> = match &draft.source {
            DraftSource::File(file) => vec![file.clone()],
            DraftSource::Url(_) => Vec::new(),
        };
        let wanted = wanted.into_iter().chain(draft.transcript.clone()).collect();
        let mut files = FileWanted::find_all(&self.files, actor.user_id, wanted).await?.into_iter();
        let source = match draft.source {
            DraftSource::Url(url) => DubSource::Url(model::check_url(&url)?),
            DraftSource::File(_) => files
                .next()
                .map(DubSource::File)
                .ok_or(DeskError::Order { pointer: "/source", reason: "it is missing".to_owned() })?,
        };
        let transcript = files.next();
        let is_same = |file: &InputFile| matches!(&source, DubSource::File(source) if source.name == file.name);
        if is_file && transcript.as_ref().is_some_and(is_same) {
            let reason = "the transcript is called like the source; give one of them another `name`".to_owned();
            return Err(DeskError::Order { pointer: "/transcript", reason });
        }
        let Draft { targets, lang, track, settings, output, .. } = draft;
        Ok(DubOrder { source, targets, lang, track, transcript, settings, output })
    }
}

/// What a task says that it works on.
pub(crate) fn subject(id: DubId) -> String {
    format!("{TABLE}/{id}")
}
