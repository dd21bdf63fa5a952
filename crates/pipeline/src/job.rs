//! A run as a job of the queue: the user's files laid out for it, its progress told to the task, its results stored together
//! with the job's end.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use kernel::{ErrorKind, UserId};
use metrics::{counter, histogram};
use platform::{
    db::{DbError, Transaction},
    jobs::{JobContext, JobError, JobProgress, JobsError},
    storage::{File, FileId, FileName, Files, MediaType, NewFile, StorageError, StoredObject},
    tasks::{OutputFile, TaskOutput},
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use utoipa::ToSchema;

use crate::{Progress, ProgressReceiver};

/// Where a bench has the user's files, and where results.
const INPUTS: &str = "in";
const OUTPUTS: &str = "out";

/// The longest name that a file is laid out under, in bytes.
const MAX_NAME_BYTES: usize = 120;

const DURATION: &str = "stage_duration_seconds";
const ITEMS: &str = "stage_items_total";

/// How often a picture of what is being made is drawn.
const PREVIEW_INTERVAL: Duration = Duration::from_secs(3);

/// A larger picture is not told.
const MAX_PREVIEW_BYTES: usize = 64 * 1024;

/// The name of a file among those that are laid out for a job: no path, and nothing that a program could take for an option.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InputName(String);

/// Why a text names no file of a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot be the name of a file here; take up to {MAX_NAME_BYTES} bytes without `/` and `\\`, and neither `.` nor \
     `-` first"
)]
pub struct InputNameError(String);

/// A file of the user's that a job works with, and what it is called there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    pub file_id: FileId,
    pub name: InputName,
}

/// A file of one's own that something is to be made with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FileWanted)]
pub struct FileWanted {
    /// The id of the file, as sending it gave.
    #[schema(value_type = uuid::Uuid)]
    pub file_id: FileId,
    /// What it is called in what is made; absent for what it was called when it was sent.
    #[schema(value_type = Option<String>, max_length = 120, example = "beach.mp4")]
    pub name: Option<InputName>,
}

impl FileWanted {
    /// The files of `owner` under their names, in the same order. Those of others are not there.
    pub async fn find_all(files: &Files, owner: UserId, wanted: Vec<Self>) -> Result<Vec<InputFile>, StorageError> {
        let ids: Vec<FileId> = wanted.iter().map(|file| file.file_id).collect();
        let found = files.find_all(owner, &ids).await?;
        let named = |(wanted, file): (Self, &File)| InputFile {
            file_id: wanted.file_id,
            name: wanted.name.unwrap_or_else(|| InputName::of_file(&file.name)),
        };
        Ok(wanted.into_iter().zip(&found).map(named).collect())
    }
}

/// A file that a job made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeFile {
    /// What it is to the task, such as `video`.
    pub role: &'static str,
    pub path: PathBuf,
}

/// Draws pictures of what is being made.
#[async_trait]
pub trait Previews: fmt::Debug + Send + Sync {
    /// A small picture of `file` as JPEG, where one can be had.
    async fn draw(&self, file: &Path) -> Option<Vec<u8>>;
}

/// Where jobs find the files of users and leave what they made. Clones are the same.
#[derive(Debug, Clone)]
pub struct Workshop {
    folder: PathBuf,
    files: Files,
}

/// What an attempt at a job has on its bench: the user's files, and room for results. Dropped, it is cleared.
#[derive(Debug)]
pub struct Bench {
    /// A folder of this attempt's own: an earlier one that was taken for dead may still clear its own up.
    root: Option<TempDir>,
    files: Files,
    owner: UserId,
}

impl InputName {
    /// The name nearest to what its owner called a file.
    pub fn of_file(name: &FileName) -> Self {
        let plain: String = name.as_str().chars().map(|c| if matches!(c, '/' | '\\') { '-' } else { c }).collect();
        let mut plain = plain.trim_start_matches(['.', '-', ' ']);
        // The ending tells what it holds, so the beginning is cut.
        while plain.len() > MAX_NAME_BYTES {
            let mut characters = plain.chars();
            characters.next();
            plain = characters.as_str().trim_start_matches(['.', '-', ' ']);
        }
        plain.parse().unwrap_or_else(|_| Self("file".to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InputName {
    type Err = InputNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |c: char| !c.is_control() && !matches!(c, '/' | '\\');
        let is_name = !text.is_empty() && text.len() <= MAX_NAME_BYTES && !text.starts_with(['.', '-', ' ']);
        if is_name && text.chars().all(is_plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(InputNameError(text.chars().filter(|c| !c.is_control()).take(MAX_NAME_BYTES).collect()))
    }
}

impl TryFrom<String> for InputName {
    type Error = InputNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<InputName> for String {
    fn from(name: InputName) -> Self {
        name.0
    }
}

impl fmt::Display for InputName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Workshop {
    /// A workshop whose benches are folders in `folder`.
    pub fn new(folder: PathBuf, files: Files) -> Self {
        Self { folder, files }
    }

    /// The files of users.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Lays the files of the job's owner out for it. What an attempt that was killed has left there is cleared away.
    pub async fn open(&self, job: &JobContext, inputs: &[InputFile]) -> Result<Bench, JobError> {
        let owner: UserId = job.owner().parse().map_err(|error| JobError::fail(format!("{error}")))?;
        let ids: Vec<FileId> = inputs.iter().map(|input| input.file_id).collect();
        let files = self.files.find_all(owner, &ids).await.map_err(from_storage)?;
        let (folder, prefix) = (self.folder.clone(), format!("{}.", job.id()));
        let made = tokio::task::spawn_blocking(move || make_folder(&folder, &prefix)).await;
        let root = made.map_err(|error| JobError::fail(error.to_string()))?.map_err(|error| from_io(&error))?;
        let bench = Bench { root: Some(root), files: self.files.clone(), owner };
        for (input, file) in inputs.iter().zip(&files) {
            bench.lay_out(file, &input.name).await?;
        }
        Ok(bench)
    }

    /// Clears benches that are older than any job may become: those of jobs whose workers were killed and that ended elsewhere.
    pub async fn sweep(&self) -> Result<u64, JobError> {
        let folder = self.folder.clone();
        let removed = tokio::task::spawn_blocking(move || clear_old(&folder)).await;
        removed.map_err(|error| JobError::fail(error.to_string()))?.map_err(|error| from_io(&error))
    }
}

/// A new folder whose name begins with `prefix`, in place of those that earlier attempts left.
fn make_folder(folder: &Path, prefix: &str) -> io::Result<TempDir> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    let root = tempfile::Builder::new().prefix(prefix).tempdir_in(folder)?;
    fs::create_dir(root.path().join(INPUTS))?;
    fs::create_dir(root.path().join(OUTPUTS))?;
    Ok(root)
}

fn clear_old(folder: &Path) -> io::Result<u64> {
    const OLD: Duration = Duration::from_hours(48);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
        if age > OLD {
            fs::remove_dir_all(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

impl Bench {
    /// Whose job it is.
    pub fn owner(&self) -> UserId {
        self.owner
    }

    /// The folder with the user's files.
    pub fn inputs(&self) -> PathBuf {
        self.root().join(INPUTS)
    }

    /// The folder for results.
    pub fn outputs(&self) -> PathBuf {
        self.root().join(OUTPUTS)
    }

    fn root(&self) -> &Path {
        self.root.as_ref().map_or(Path::new(""), TempDir::path)
    }

    /// Where the store is a folder of this machine the file is another name of it; else it is fetched.
    async fn lay_out(&self, file: &File, name: &InputName) -> Result<(), JobError> {
        let copy = self.files.local_copy(file).await.map_err(from_storage)?;
        let target = self.inputs().join(name.as_str());
        if tokio::fs::hard_link(copy.path(), &target).await.is_err() {
            tokio::fs::copy(copy.path(), &target).await.map_err(|error| from_io(&error))?;
        }
        Ok(())
    }

    /// Stores what was made and ends the job, together: the files of the task are there if and only if it succeeded. `also`
    /// writes what else is to be true from then on.
    pub async fn finish<F, Fut>(
        &self,
        job: &JobContext,
        made: &[MadeFile],
        about: TaskOutput,
        also: F,
    ) -> Result<TaskOutput, JobError>
    where
        F: Fn(Transaction) -> Fut + Send,
        Fut: Future<Output = Result<(), DbError>> + Send,
    {
        let mut stored: Vec<(&MadeFile, NewFile, StoredObject)> = Vec::new();
        for file in made {
            let object = self.files.store(&file.path).await.map_err(from_storage)?;
            stored.push((file, self.new_file(&file.path), object));
        }
        let (stored, about, also) = (&stored, &about, &also);
        let finish = |tx: Transaction| async move {
            let mut output = about.clone();
            for (made, new, object) in stored {
                let file = self.files.add_in(&tx, new.clone(), object).await?;
                output.files.push(OutputFile::new(made.role, &file));
            }
            also(tx.clone()).await.map_err(StorageError::from)?;
            job.finish_in(&tx, &output).await.map_err(Ending::Job)?;
            Ok::<_, Ending>(output)
        };
        let ended = job.db().transaction(finish).await;
        if ended.is_err() {
            // Nothing names them; those of an end whose commit is in doubt are found by the sweep.
            for (_, _, object) in stored {
                if !matches!(&ended, Err(Ending::Storage(StorageError::Db(_)) | Ending::Job(JobsError::Db(_)))) {
                    self.files.discard(*object).await;
                }
            }
        }
        ended.map_err(|ending| match ending {
            Ending::Storage(error) => from_storage(error),
            // Another worker has the job, and what it makes counts.
            Ending::Job(JobsError::LeaseLost(_)) => JobError::Stopped,
            Ending::Job(JobsError::Db(error)) => error.into(),
            Ending::Job(error) => JobError::fail(error.to_string()),
        })
    }

    fn new_file(&self, path: &Path) -> NewFile {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        NewFile { owner: self.owner, name: FileName::new(&name), media_type: media_type(path) }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let root = self.root.take();
        // What cannot be removed now is swept later.
        let clear = move || drop(root);
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(clear)),
            Err(_) => clear(),
        }
    }
}

/// What kept a job from ending.
#[derive(Debug, thiserror::Error)]
enum Ending {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Job(JobsError),
}

impl From<DbError> for Ending {
    fn from(error: DbError) -> Self {
        Self::Storage(error.into())
    }
}

/// What a file of a result holds, by its ending: we made it.
fn media_type(path: &Path) -> MediaType {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let name = match extension.as_str() {
        "mp4" => "video/mp4",
        "mkv" => "video/x-matroska",
        "webm" => "video/webm",
        "m4a" => "audio/mp4",
        "mp3" => "audio/mpeg",
        "opus" | "ogg" => "audio/ogg",
        "flac" => "audio/flac",
        "wav" => "audio/wav",
        "jpg" => "image/jpeg",
        "vtt" => "text/vtt",
        "srt" => "application/x-subrip",
        "ass" => "text/x-ass",
        "json" | "otio" => "application/json",
        _ => "application/octet-stream",
    };
    name.parse().unwrap_or_else(|_| MediaType::octets())
}

/// Tells the task of a run's progress, until the run ends.
pub async fn follow(mut events: ProgressReceiver, job: JobContext, previews: Option<Arc<dyn Previews>>) {
    let mut told = JobProgress::default();
    let mut drawn: Option<Instant> = None;
    while let Some(event) = events.next().await {
        match event {
            Progress::Advanced { stage, item, fraction, message, preview, .. } => {
                told.message = message.unwrap_or_else(|| format!("{stage}: {} of {}", item.number, item.count));
                (told.stage, told.fraction) = (stage, fraction);
                if let (Some(previews), Some(file)) = (&previews, preview)
                    && drawn.is_none_or(|at| at.elapsed() >= PREVIEW_INTERVAL)
                {
                    told.preview = previews.draw(&file).await.and_then(|picture| as_url(&picture)).or(told.preview);
                    drawn = Some(Instant::now());
                }
            }
            Progress::StageStarted { stage, items } => {
                told.message = if items > 1 { format!("{stage}: {items} to make") } else { stage.clone() };
                told.stage = stage;
            }
            Progress::ItemFinished { stage, item, fraction, .. } => {
                told.message = format!("{stage}: {} of {}", item.number, item.count);
                (told.stage, told.fraction) = (stage, fraction);
            }
            Progress::StageFinished { stage, items, reused, elapsed_ms, fraction } => {
                count(&stage, items, reused, elapsed_ms);
                (told.stage, told.fraction) = (stage, fraction);
            }
            Progress::RunStarted { .. } => {}
            Progress::RunFinished { .. } => break,
        }
        job.report(told.clone());
    }
}

/// Numbers for whoever runs the place: how long stages take, and how much of them was there already.
fn count(stage: &str, items: usize, reused: usize, elapsed_ms: u64) {
    let made = items.saturating_sub(reused);
    histogram!(DURATION, "stage" => stage.to_owned()).record(elapsed_ms as f64 / 1000.0);
    counter!(ITEMS, "stage" => stage.to_owned(), "from" => "made").increment(made as u64);
    counter!(ITEMS, "stage" => stage.to_owned(), "from" => "kept").increment(reused as u64);
}

fn as_url(picture: &[u8]) -> Option<String> {
    (picture.len() <= MAX_PREVIEW_BYTES).then(|| format!("data:image/jpeg;base64,{}", STANDARD.encode(picture)))
}

/// What a failure of this sort is to its job: whether it may work later.
pub fn failure(kind: ErrorKind, message: String) -> JobError {
    match kind {
        ErrorKind::Cancelled => JobError::Stopped,
        ErrorKind::Unavailable | ErrorKind::Conflict => JobError::retry(message),
        ErrorKind::Exhausted => JobError::retry(message).with_advice("make room or try again when less is going on"),
        ErrorKind::Invalid => JobError::fail(message).with_advice("change the request and send it again"),
        ErrorKind::Missing => JobError::fail(message).with_advice("tell the operator: `pressroom doctor` says more"),
        ErrorKind::NotFound | ErrorKind::Forbidden | ErrorKind::Unauthenticated | ErrorKind::Internal => {
            JobError::fail(message)
        }
    }
}

fn from_storage(error: StorageError) -> JobError {
    if let StorageError::Db(error) = error {
        return error.into();
    }
    failure(error.kind(), error.to_string())
}

fn from_io(error: &io::Error) -> JobError {
    JobError::retry(format!("the workshop cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_that_was_taken_for_dead_clears_nothing_of_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let first = make_folder(folder.path(), "job.").unwrap();
        fs::write(first.path().join(OUTPUTS).join("half.mp4"), "x").unwrap();
        let other = make_folder(folder.path(), "job2.").unwrap();
        let second = make_folder(folder.path(), "job.").unwrap();
        assert!(
            !first.path().exists() && other.path().exists(),
            "what the first left is cleared, and nothing of others"
        );
        drop(first);
        assert!(second.path().join(INPUTS).is_dir() && second.path().join(OUTPUTS).is_dir());
    }

    #[test]
    fn names_of_inputs_are_no_paths_and_no_options() {
        for bad in ["", ".", "..", "../a", "a/b", "a\\b", "-i", ".hidden", "a\0", "a\n", " a", &"a".repeat(121)] {
            assert!(bad.parse::<InputName>().is_err(), "{bad:?}");
            assert!(serde_json::from_value::<InputName>(bad.into()).is_err(), "{bad:?}");
        }
        for good in ["a.mp4", "Клип 1.mp4", "a..b", "a-b.mov"] {
            assert_eq!(good.parse::<InputName>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn what_a_file_is_called_becomes_a_name_that_keeps_its_ending() {
        let named = |text: &str| InputName::of_file(&FileName::new(text)).to_string();
        assert_eq!(named("../../etc/pass-wd.mp4"), "etc-pass-wd.mp4");
        assert_eq!(named("-y.mp4"), "y.mp4");
        assert_eq!(named("..."), "file");
        let long = named(&format!("{}.mp4", "ж".repeat(200)));
        assert!(long.len() <= MAX_NAME_BYTES && long.ends_with("ж.mp4"), "{long}");
    }

    #[test]
    fn every_result_has_a_type_that_is_one() {
        for ending in ["mp4", "mkv", "webm", "m4a", "mp3", "ogg", "flac", "wav", "jpg", "vtt", "srt", "ass", "json"] {
            assert_ne!(media_type(Path::new(&format!("a.{ending}"))), MediaType::octets(), "{ending}");
        }
    }
}
