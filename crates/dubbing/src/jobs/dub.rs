//! Makes dubs.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use pipeline::job::{Bench, InputFile};
use platform::{
    db::Transaction,
    documents::Document,
    jobs::{JobContext, JobError, JobHandler, JobKind, Policy},
    tasks::TaskOutput,
};
use serde::{Deserialize, Serialize};

use super::{Workbench, made};
use crate::{
    Finished,
    desk::{DubId, DubOrder, DubSource, DubState},
    document::Dub,
    outputs::{read_document, write_document},
};

/// A dub.
#[derive(Debug)]
pub struct Dubs;

/// What a job of [`Dubs`] is given: the rest stands in the dub, which nobody changes while a job of it is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DubJob {
    pub dub: DubId,
}

impl JobKind for Dubs {
    const NAME: &'static str = "dubs";
    type Payload = DubJob;
    type Output = TaskOutput;

    fn policy() -> Policy {
        // Each uses all processors by itself.
        Policy { max_attempts: 3, timeout: Duration::from_hours(24), concurrency: 1, ..Policy::default() }
    }
}

#[derive(Debug)]
pub(super) struct MakeDub(pub Workbench);

impl JobHandler for MakeDub {
    type Kind = Dubs;

    async fn run(&self, payload: DubJob, job: JobContext) -> Result<TaskOutput, JobError> {
        let dubs = self.0.dubs(&job);
        let owner = job.owner().parse().map_err(|error| JobError::fail(format!("{error}")))?;
        let found = dubs.find(payload.dub.as_uuid(), owner).await?;
        let dub = found.ok_or_else(|| JobError::fail(format!("there is no dub `{}`", payload.dub)))?;
        let bench = self.0.workshop.open(&job, &dub.value.order.files()).await?;
        let source = self.0.source(&dub.value.order.source, &job, &bench).await?;
        let dub = self.adopt(&job, dub, &source).await?;
        let finished = self.make(&job, &dub.value, &source, &bench).await?;
        let path = document_path(&source, &bench.outputs());
        let document = named(read_document(&path).await?, &dub.value.order, &source);
        let state = DubState { order: dub.value.order.clone(), document: Some(document) };
        let files = made(&finished.outputs, &finished.beside, "dub");
        let about = TaskOutput {
            files: Vec::new(),
            duration_ms: Some(finished.duration_ms),
            left_out: finished.left_out.clone(),
        };
        let keep = |tx: Transaction| {
            let (dubs, dub, state) = (dubs.clone(), dub.clone(), state.clone());
            // One that was deleted meanwhile stays deleted.
            async move { dubs.replace(&tx, dub, state).await.map(drop) }
        };
        bench.finish(&job, &files, about, keep).await
    }
}

impl MakeDub {
    /// A source that was downloaded is the dub's from now on, also should this attempt fail later.
    async fn adopt(
        &self,
        job: &JobContext,
        dub: Document<DubState>,
        source: &InputFile,
    ) -> Result<Document<DubState>, JobError> {
        if matches!(dub.value.order.source, DubSource::File(_)) {
            return Ok(dub);
        }
        let dubs = &self.0.dubs(job);
        let order = DubOrder { source: DubSource::File(source.clone()), ..dub.value.order.clone() };
        let (dub, state) = (&dub, &DubState { order, document: dub.value.document.clone() });
        let adopt = |tx: Transaction| async move { dubs.replace(&tx, dub.clone(), state.clone()).await };
        let adopted = dubs.db().transaction(adopt).await?;
        adopted.ok_or_else(|| JobError::fail("the dub was deleted meanwhile"))
    }

    async fn make(
        &self,
        job: &JobContext,
        state: &DubState,
        source: &InputFile,
        bench: &Bench,
    ) -> Result<Finished, JobError> {
        let (dubbing, watch) = (self.0.dubbing_for(job), Workbench::watch(job));
        let results = bench.outputs();
        let Some(document) = &state.document else {
            let request = state.order.request(source, &bench.inputs(), &results);
            return Ok(dubbing.dub(&request, watch).await?);
        };
        let path = document_path(source, &results);
        write_document(&placed(document.clone(), &bench.inputs()), &path).await?;
        Ok(dubbing.resume(&path, &state.order.output.output(&results), watch).await?)
    }
}

/// Where the document of a dub is written, as a run names it.
fn document_path(source: &InputFile, results: &Path) -> PathBuf {
    let stem = Path::new(source.name.as_str()).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    results.join(format!("{stem}.dub.json"))
}

/// The document with the names of the files in place of where they lay for this job.
fn named(mut document: Dub, order: &DubOrder, source: &InputFile) -> Dub {
    document.source.path = source.name.as_str().into();
    document.source.transcript = order.transcript.as_ref().map(|file| file.name.as_str().into());
    document
}

/// The document with the files where they lie in `folder`.
fn placed(mut document: Dub, folder: &Path) -> Dub {
    document.source.path = folder.join(&document.source.path);
    document.source.transcript = document.source.transcript.map(|name| folder.join(name));
    document
}
