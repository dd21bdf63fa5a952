//! Long work on files, on a thread of its own: it tells how far it is, and stops when nobody waits for it any more.

use std::{
    fmt,
    fs::File,
    io::{self, ErrorKind, Read, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::Serialize;

use super::ModelError;

/// Bytes that are read at a time.
const BLOCK_BYTES: usize = 1 << 20;

/// How far an addition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress {
    pub phase: Phase,
    /// Done of this phase.
    pub bytes: u64,
    /// Of this phase, where it is known.
    pub total_bytes: Option<u64>,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Downloading,
    Copying,
    Unpacking,
    /// Sums of files are taken.
    Checking,
    Loading,
}

/// Is told how far the work is, often.
pub type Watch = Arc<dyn Fn(Progress) + Send + Sync>;

/// What work has to know of whoever waits for it.
#[derive(Clone)]
pub(super) struct Work {
    watch: Watch,
    stopped: Arc<AtomicBool>,
}

/// Stops the work when it is dropped.
pub(super) struct StopOnDrop(Arc<AtomicBool>);

impl Work {
    pub(super) fn new(watch: &Watch) -> (Self, StopOnDrop) {
        let stopped = Arc::new(AtomicBool::new(false));
        (Self { watch: Arc::clone(watch), stopped: Arc::clone(&stopped) }, StopOnDrop(stopped))
    }

    /// Tells how far the work is; an error once nobody waits for it.
    pub(super) fn tell(&self, progress: Progress) -> Result<(), ModelError> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(ModelError::Cancelled);
        }
        (self.watch)(progress);
        Ok(())
    }

    /// Reads `input`, named `path` in errors, to its end, and gives each block of it to `take`. Returns the bytes read.
    pub(super) fn read(
        &self,
        (input, path): (&mut dyn Read, &Path),
        mut progress: Progress,
        take: &mut dyn FnMut(&[u8]) -> Result<(), ModelError>,
    ) -> Result<u64, ModelError> {
        let (mut block, mut read_bytes) = (vec![0; BLOCK_BYTES], 0);
        loop {
            let count = match input.read(&mut block) {
                Ok(0) => return Ok(read_bytes),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(ModelError::disk(path)(error)),
            };
            take(&block[..count])?;
            read_bytes += count as u64;
            progress.bytes += count as u64;
            self.tell(progress)?;
        }
    }

    /// The BLAKE3 hash of a file, in hexadecimal digits, and its length. The file is on the disk for good when this returns.
    pub(super) fn hash(&self, path: &Path, progress: Progress) -> Result<(String, u64), ModelError> {
        let mut file = File::open(path).map_err(ModelError::disk(path))?;
        let mut hasher = blake3::Hasher::new();
        let read = self.read((&mut file, path), progress, &mut |block| {
            hasher.update(block);
            Ok(())
        })?;
        file.sync_all().map_err(ModelError::disk(path))?;
        Ok((hasher.finalize().to_hex().to_string(), read))
    }

    /// Copies what `input` gives into a new file.
    pub(super) fn copy(
        &self,
        input: (&mut dyn Read, &Path),
        target: &Path,
        progress: Progress,
    ) -> Result<u64, ModelError> {
        let mut file = File::create_new(target).map_err(ModelError::disk(target))?;
        let mut write = |block: &[u8]| -> io::Result<()> { file.write_all(block) };
        self.read(input, progress, &mut |block| write(block).map_err(ModelError::disk(target)))
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("stopped", &self.stopped).finish_non_exhaustive()
    }
}
