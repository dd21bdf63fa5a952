//! A run: makes the artifacts that are not there yet, and lets others take theirs at the same time.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::{StreamExt, stream::FuturesUnordered};
use platform::resources::{MemoryBudget, free_disk_bytes};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    FanOut, FileRef, Key, Limits, Outcome, ProgressPlan, ProgressReceiver, SharedStage, SourceRef, Stage, StageContext,
    StageError, Store, StoreError, Team, TempFile,
    error::blocking,
    progress::{StageProgress, Tracker},
    store::{FolderLock, LockFile, Record, RunFolder, temp_file},
};

/// How long a cancelled stage may take to end by itself before it is dropped.
const CANCEL_GRACE: Duration = Duration::from_secs(10);

/// Attempts after the first, and the pauses before them.
const MAX_RETRIES: usize = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// What a run is given.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The stages in order, with their shares of the time.
    pub plan: ProgressPlan,
    /// Stops the run.
    pub cancellation: CancellationToken,
    /// The memory that stages share.
    pub memory: MemoryBudget,
    /// Space that must be free in the data folder to begin.
    pub needed_disk_bytes: u64,
    /// What may stay in the data folder when the run has ended.
    pub limits: Limits,
}

/// An artifact, made now or before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made<O> {
    pub key: Key,
    pub output: O,
    /// Whether it was there already.
    pub reused: bool,
}

/// A run under way. Clones are the same run. While it lives, nothing is removed from the data folder.
///
/// It ends with [`Run::finish`]. One that is dropped leaves what it made, and its events end without a last one.
#[derive(Debug, Clone)]
pub struct Run {
    pub(crate) shared: Arc<Shared>,
    pub(crate) cancellation: CancellationToken,
    pub(crate) team: Option<Team>,
}

/// What the run and the contexts of its stages share.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) memory: MemoryBudget,
    tracker: Tracker,
    limits: Limits,
    used: Mutex<BTreeSet<Key>>,
    /// The user's files that were imported, by their content.
    sources: Mutex<HashMap<String, SourceRef>>,
    temp_files: AtomicU64,
    folder: RunFolder,
    // Held for its lock: no removal of old artifacts while the run lives.
    live: Mutex<Option<FolderLock>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("store", &self.store).field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn temp_file(&self, extension: &str) -> Result<TempFile, StoreError> {
        let extension = extension.parse()?;
        let number = self.temp_files.fetch_add(1, Ordering::Relaxed);
        temp_file(&self.folder.path().join(format!("{number}.{extension}")), extension)
    }

    pub(crate) async fn import(&self, path: &Path) -> Result<SourceRef, StoreError> {
        let source = self.store.import(path).await?;
        self.lock_sources().insert(source.hash().to_owned(), source.clone());
        Ok(source)
    }

    /// Where a user's file lies. One that has no place is looked for among those that were imported.
    pub(crate) async fn source_path(&self, source: &SourceRef) -> Result<PathBuf, StoreError> {
        let imported = if source.place.is_some() { None } else { self.lock_sources().get(source.hash()).cloned() };
        self.store.unchanged_path(imported.as_ref().unwrap_or(source)).await
    }

    pub(crate) fn has_source(&self, hash: &str) -> bool {
        self.lock_sources().contains_key(hash)
    }

    fn lock_sources(&self) -> MutexGuard<'_, HashMap<String, SourceRef>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn tidy_up(&self) -> Result<(), StoreError> {
        let used = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        let touched = self.store.touch(&used.into_iter().collect::<Vec<_>>()).await;
        drop(self.live.lock().unwrap_or_else(PoisonError::into_inner).take());
        touched?;
        if self.store.is_over(self.limits).await? {
            crate::collect(&self.store, self.limits).await?;
        }
        Ok(())
    }

    fn use_now(&self, keys: impl IntoIterator<Item = Key>) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).extend(keys);
    }
}

impl Run {
    /// Begins a run on the data folder; its events go to the receiver.
    ///
    /// What killed runs left unfinished is removed. Fails where the disk has too little space.
    pub async fn start(store: &Store, options: RunOptions) -> Result<(Self, ProgressReceiver), StageError> {
        let (tracker, receiver) = Tracker::start(&options.plan);
        let opened = store.clone();
        let (live, folder) = blocking(move || enter(&opened, options.needed_disk_bytes)).await?;
        let shared = Shared {
            store: store.clone(),
            memory: options.memory,
            tracker,
            limits: options.limits,
            used: Mutex::default(),
            sources: Mutex::default(),
            temp_files: AtomicU64::new(0),
            folder,
            live: Mutex::new(Some(live)),
        };
        Ok((Self { shared: Arc::new(shared), cancellation: options.cancellation, team: None }, receiver))
    }

    /// The same run, whose shared stages are made together with other workers.
    #[must_use]
    pub fn with_team(self, team: Option<Team>) -> Self {
        Self { team, ..self }
    }

    /// Makes the result of `stage` for one input, or takes it if it is there.
    pub async fn make<S: Stage>(&self, stage: &S, input: &S::Input) -> Result<Made<S::Output>, StageError> {
        let mut made = self.make_each(stage, &[input], &[1.0], Hands::Own(1)).await?;
        made.pop().ok_or(StageError::Cancelled)
    }

    /// Makes the results of `stage` for every input, those that are there already excepted.
    ///
    /// They come back in the order of the inputs. The first failure stops the others and is returned; what was finished
    /// until then stays.
    pub async fn make_all<S: Stage>(
        &self,
        stage: &S,
        inputs: &[S::Input],
        fan_out: FanOut<'_, S::Input>,
    ) -> Result<Vec<Made<S::Output>>, StageError> {
        let weights = fan_out.weights(inputs);
        let inputs: Vec<&S::Input> = inputs.iter().collect();
        self.make_each(stage, &inputs, &weights, Hands::Own(fan_out.concurrency)).await
    }

    /// The same, together with other workers where the run has a team: here no more than the fan-out says are made at once.
    pub async fn make_all_together<S: SharedStage>(
        &self,
        stage: &S,
        inputs: &[S::Input],
        fan_out: FanOut<'_, S::Input>,
    ) -> Result<Vec<Made<S::Output>>, StageError> {
        let hands = match &self.team {
            Some(team) => Hands::Team(fan_out.concurrency, team),
            None => Hands::Own(fan_out.concurrency),
        };
        let weights = fan_out.weights(inputs);
        let inputs: Vec<&S::Input> = inputs.iter().collect();
        self.make_each(stage, &inputs, &weights, hands).await
    }

    /// Names a file of the user's by its content, without copying it.
    pub async fn import(&self, path: &Path) -> Result<SourceRef, StageError> {
        Ok(self.shared.import(path).await?)
    }

    /// Where a kept file lies while the run lives. It must not be changed.
    pub fn path(&self, file: &FileRef) -> PathBuf {
        self.shared.store.path(file)
    }

    /// A new file to write in this run's own folder, for what is on its way to a result. It does not exist yet; what is
    /// written there is removed when the handle is dropped.
    pub fn temp_file(&self, extension: &str) -> Result<TempFile, StageError> {
        Ok(self.shared.temp_file(extension)?)
    }

    /// Told when the run is stopped.
    pub fn cancellation(&self) -> &CancellationToken {
        &self.cancellation
    }

    /// Ends the run: the last event is sent, and where the folder holds more than its limits allow, old artifacts are
    /// removed, unless another run is alive. Kept files may be gone afterwards: publish before.
    ///
    /// The result was made whatever happens here, so a fault in tidying up is only logged.
    pub async fn finish(self, outcome: Outcome) {
        if let Err(error) = self.shared.tidy_up().await {
            tracing::warn!(%error, "old results were not removed");
        }
        self.shared.tracker.finish(outcome);
    }

    async fn make_each<S: Stage>(
        &self,
        stage: &S,
        inputs: &[&S::Input],
        weights: &[f64],
        hands: Hands<'_>,
    ) -> Result<Vec<Made<S::Output>>, StageError> {
        if self.cancellation.is_cancelled() {
            return Err(StageError::Cancelled);
        }
        let keys = inputs.iter().map(|input| key_of(stage, *input)).collect::<Result<Vec<_>, _>>()?;
        let progress = self.shared.tracker.start_stage(stage.name(), weights);
        let found = self.shared.store.find(&keys).await?;
        let mut slots: Vec<Option<Made<S::Output>>> = Vec::with_capacity(inputs.len());
        for (index, key) in keys.iter().enumerate() {
            let made = found.get(key).and_then(|output| decode::<S>(*key, output));
            if made.is_some() {
                progress.item(index).reused();
            }
            slots.push(made);
        }
        let work = Work { run: self, stage, inputs, keys: &keys, progress: &progress };
        let missing: Vec<usize> = (0..slots.len()).filter(|index| slots[*index].is_none()).collect();
        let made = match hands {
            Hands::Own(concurrency) => work.make_missing(missing, weights, concurrency).await?,
            Hands::Team(concurrency, team) => team.make_missing(&work, missing, weights, concurrency).await?,
        };
        for (index, made) in made {
            slots[index] = Some(made);
        }
        progress.finish();
        self.shared.use_now(keys);
        slots.into_iter().collect::<Option<Vec<_>>>().ok_or(StageError::Cancelled)
    }
}

/// Waits for a removal that is under way, clears up after the dead, and looks whether there is space. Blocks.
fn enter(store: &Store, needed_disk_bytes: u64) -> Result<(FolderLock, RunFolder), StoreError> {
    let lock = store.run_lock_path();
    let live = FolderLock::share(&lock).map_err(|e| StoreError::io(&lock, e))?;
    RunFolder::sweep(&store.temp_folder())?;
    let free_bytes = free_disk_bytes(store.root()).map_err(|e| StoreError::io(store.root(), e))?;
    if free_bytes < needed_disk_bytes {
        return Err(StoreError::TooLittleSpace {
            folder: store.root().to_owned(),
            free_bytes,
            needed_bytes: needed_disk_bytes,
        });
    }
    Ok((live, RunFolder::create(&store.temp_folder())?))
}

/// Who makes what is missing, and how many items at once here.
#[derive(Clone, Copy)]
enum Hands<'a> {
    Own(usize),
    Team(usize, &'a Team),
}

/// The items of one stage that are to be made.
pub(crate) struct Work<'a, S: Stage> {
    pub(crate) run: &'a Run,
    pub(crate) stage: &'a S,
    pub(crate) inputs: &'a [&'a S::Input],
    pub(crate) keys: &'a [Key],
    pub(crate) progress: &'a StageProgress,
}

type Finished<S> = (usize, Result<Made<<S as Stage>::Output>, StageError>);

impl<S: Stage> Work<'_, S> {
    /// Makes what is missing, the heaviest first, at most `concurrency` at once.
    pub(crate) async fn make_missing(
        &self,
        missing: Vec<usize>,
        weights: &[f64],
        concurrency: usize,
    ) -> Result<HashMap<usize, Made<S::Output>>, StageError> {
        let mut waiting = missing;
        // Taken from the end: the heaviest last, and of equals the first input last.
        waiting.sort_by(|a, b| weights[*a].total_cmp(&weights[*b]).then(b.cmp(a)));
        let cancellation = self.run.cancellation.child_token();
        let mut working: FuturesUnordered<Pin<Box<dyn Future<Output = Finished<S>> + Send + '_>>> =
            FuturesUnordered::new();
        let mut made = HashMap::new();
        let mut first_error = None;
        loop {
            while working.len() < concurrency && first_error.is_none() {
                let Some(index) = waiting.pop() else { break };
                let token = cancellation.clone();
                working.push(Box::pin(async move { (index, self.make_one(index, token).await) }));
            }
            match working.next().await {
                None => break,
                Some((index, Ok(one))) => drop(made.insert(index, one)),
                // Those that run are told to stop and waited for, so that their children are gone when we return.
                Some((index, Err(error))) if first_error.is_none() => {
                    cancellation.cancel();
                    first_error = Some(error.at(self.stage.name(), self.progress.item(index).item()));
                }
                Some((_, Err(_))) => {}
            }
        }
        first_error.map_or(Ok(made), Err)
    }

    /// Makes one item alone among all processes, unless another made it meanwhile.
    pub(crate) async fn make_one(
        &self,
        index: usize,
        cancellation: CancellationToken,
    ) -> Result<Made<S::Output>, StageError> {
        let (key, shared) = (self.keys[index], &self.run.shared);
        let reporter = self.progress.item(index);
        let lock_path = shared.store.key_lock_path(key);
        let lock = LockFile::take(&lock_path, &cancellation).await.map_err(|e| StoreError::io(&lock_path, e))?;
        let _lock = lock.ok_or(StageError::Cancelled)?;
        if let Some(made) = shared.store.find(&[key]).await?.get(&key).and_then(|output| decode::<S>(key, output)) {
            reporter.reused();
            return Ok(made);
        }
        let context = StageContext { shared: Arc::clone(shared), cancellation, reporter };
        let started = Instant::now();
        let output = self.run_with_retries(index, &context).await?;
        let json = encode(self.stage, &output)?;
        let (stage, version) = (self.stage.name(), self.stage.version());
        let record = Record { key, stage, version, output: json, elapsed: started.elapsed() };
        shared.store.save(record).await?;
        context.reporter.made();
        Ok(Made { key, output, reused: false })
    }

    async fn run_with_retries(&self, index: usize, context: &StageContext) -> Result<S::Output, StageError> {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(LONGEST_PAUSE)
            .with_max_times(MAX_RETRIES);
        let mut pauses = pauses.build();
        loop {
            let error = match self.attempt(index, context).await {
                Err(error @ StageError::Retry { .. }) => error,
                result => return result,
            };
            let (StageError::Retry { after, .. }, Some(pause)) = (&error, pauses.next()) else { return Err(error) };
            let pause = after.map_or(pause, |after| after.max(pause).min(LONGEST_PAUSE));
            tracing::warn!(stage = self.stage.name(), %error, ?pause, "trying again");
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = context.cancellation.cancelled() => return Err(StageError::Cancelled),
            }
        }
    }

    /// Runs the stage once. Cancelled, it may end by itself for a while, so that it reaps its children.
    async fn attempt(&self, index: usize, context: &StageContext) -> Result<S::Output, StageError> {
        let too_late = async {
            context.cancellation.cancelled().await;
            tokio::time::sleep(CANCEL_GRACE).await;
        };
        let result = tokio::select! {
            result = self.stage.run(self.inputs[index], context) => result,
            () = too_late => Err(StageError::Cancelled),
        };
        // Whatever a stopped stage says of its broken-off work, the reason is that it was stopped.
        result.map_err(|error| if context.cancellation.is_cancelled() { StageError::Cancelled } else { error })
    }
}

pub(crate) fn key_of<S: Stage>(stage: &S, input: &S::Input) -> Result<Key, StoreError> {
    Key::new(stage.name(), stage.version(), input).map_err(|source| StoreError::Encode { stage: stage.name(), source })
}

pub(crate) fn encode<S: Stage>(stage: &S, output: &S::Output) -> Result<Value, StoreError> {
    serde_json::to_value(output).map_err(|source| StoreError::Encode { stage: stage.name(), source })
}

/// An output that can no longer be read was written by another version of the stage: it counts as not made.
pub(crate) fn decode<S: Stage>(key: Key, output: &Value) -> Option<Made<S::Output>> {
    use serde::Deserialize;

    let output = S::Output::deserialize(output).ok()?;
    Some(Made { key, output, reused: true })
}
