//! A run as a job of the queue: the user's files laid out for it, its progress told to the task, its results stored together
//! with the job's end.

mod follow;
mod inputs;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use kernel::{ErrorKind, UserId};
use platform::{
    db::{DbError, Transaction},
    jobs::{JobContext, JobError, JobsError},
    storage::{File, FileId, FileName, Files, MediaType, NewFile, StorageError, StoredObject},
    tasks::{OutputFile, TaskOutput},
};
use tempfile::TempDir;

pub use follow::{Previews, follow};
pub use inputs::{FileWanted, InputFile, InputName, InputNameError};

/// Where a bench has the user's files, and where results.
const INPUTS: &str = "in";
const OUTPUTS: &str = "out";

/// A file that a job made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeFile {
    /// What it is to the task, such as `video`.
    pub role: &'static str,
    pub path: PathBuf,
}

/// Where jobs find the files of users and leave what they made. Clones are the same.
#[derive(Debug, Clone)]
pub struct Workshop {
    folder: PathBuf,
    files: Files,
}

/// A file of the user's that is known and not laid out yet.
#[derive(Debug, Clone)]
pub(crate) struct KnownFile {
    file: File,
    name: InputName,
}

impl KnownFile {
    /// The BLAKE3 hash of its content: 64 hexadecimal digits.
    pub(crate) fn hash(&self) -> String {
        self.file.hash.to_hex().to_string()
    }
}

/// What an attempt at a job has on its bench: the user's files, and room for results. Dropped, it is cleared.
#[derive(Debug)]
pub struct Bench {
    /// A folder of this attempt's own: an earlier one that was taken for dead may still clear its own up.
    root: Option<TempDir>,
    files: Files,
    owner: UserId,
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

    /// Files of the owner's, none of which is laid out by that.
    pub(crate) async fn find(&self, inputs: &[InputFile]) -> Result<Vec<KnownFile>, JobError> {
        let ids: Vec<FileId> = inputs.iter().map(|input| input.file_id).collect();
        let files = self.files.find_all(self.owner, &ids).await.map_err(from_storage)?;
        let known = inputs.iter().zip(files).map(|(input, file)| KnownFile { file, name: input.name.clone() });
        Ok(known.collect())
    }

    /// Lays out a file, and returns where it lies.
    pub(crate) async fn lay_out_known(&self, known: &KnownFile) -> Result<PathBuf, JobError> {
        self.lay_out(&known.file, &known.name).await?;
        Ok(self.inputs().join(known.name.as_str()))
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
    // What the store said is for the operator; the task shows what it means.
    tracing::warn!(error = error.explain(), "files of a job cannot be read or written");
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
    fn every_result_has_a_type_that_is_one() {
        for ending in ["mp4", "mkv", "webm", "m4a", "mp3", "ogg", "flac", "wav", "jpg", "vtt", "srt", "ass", "json"] {
            assert_ne!(media_type(Path::new(&format!("a.{ending}"))), MediaType::octets(), "{ending}");
        }
    }
}
