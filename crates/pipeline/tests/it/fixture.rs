//! A data folder, a run on it, and a stage that counts its work.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use kernel::SystemClock;
use pipeline::{
    Advance, FileRef, Limits, Outcome, ProgressPlan, ProgressReceiver, Run, RunOptions, Stage, StageContext,
    StageError, Store,
};
use platform::resources::MemoryBudget;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// Writes its input's text to a file, and counts how often it did.
#[derive(Debug, Default)]
pub(crate) struct Write {
    pub(crate) made: AtomicUsize,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Text(pub(crate) String);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Written {
    pub(crate) length: usize,
    pub(crate) file: FileRef,
}

impl Write {
    pub(crate) fn count(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }
}

impl Stage for Write {
    type Input = Text;
    type Output = Written;

    fn name(&self) -> &'static str {
        "write"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &Text, context: &StageContext) -> Result<Written, StageError> {
        self.made.fetch_add(1, Ordering::SeqCst);
        context.progress().advance(Advance::to(0.5));
        let file = context.keep_bytes(input.0.clone().into_bytes(), "txt").await?;
        Ok(Written { length: input.0.len(), file })
    }
}

pub(crate) fn texts(count: usize) -> Vec<Text> {
    (0..count).map(|number| Text(format!("text {number}"))).collect()
}

pub(crate) fn no_limits() -> Limits {
    Limits { max_bytes: u64::MAX, max_age: Duration::from_secs(1_000_000) }
}

pub(crate) fn options() -> RunOptions {
    RunOptions {
        plan: ProgressPlan::new([("write", 1.0)]),
        cancellation: CancellationToken::new(),
        memory: MemoryBudget::new(1 << 30),
        needed_disk_bytes: 0,
        limits: no_limits(),
    }
}

pub(crate) async fn open(root: &Path) -> Store {
    Store::open(root, Arc::new(SystemClock)).await.unwrap()
}

pub(crate) async fn start(store: &Store) -> (Run, ProgressReceiver) {
    Run::start(store, options()).await.unwrap()
}

pub(crate) async fn finish(run: Run) {
    run.finish(Outcome::Succeeded).await;
}
