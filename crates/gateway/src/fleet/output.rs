//! What instances say: each writes to a file of its own, which goes on when the gateway dies, and the gateway reads along. Lines
//! go to its log, shortened; the last ones are kept for whoever asks why an instance ended.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

/// How often the files are read.
const INTERVAL: Duration = Duration::from_millis(250);
/// Bytes that are read of a file at a time; what an instance says beyond that is left out.
const MAX_READ_BYTES: u64 = 64 * 1024;
/// A file that was read to here begins anew.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// Bytes of a line that are told.
const MAX_LINE_BYTES: usize = 2048;
/// Lines that are kept.
const KEPT_LINES: usize = 8;

/// The file of one instance, and the last of what it said.
#[derive(Debug, Clone)]
pub(super) struct Output {
    path: PathBuf,
    instance: String,
    kept: Arc<Mutex<VecDeque<String>>>,
}

/// How far a file was read.
#[derive(Debug, Default)]
struct Place {
    offset_bytes: u64,
    /// A line whose end has not come yet.
    begun: Vec<u8>,
}

impl Output {
    pub(super) fn new(folder: &Path, instance: &str) -> Self {
        Self { path: folder.join(format!("{instance}.log")), instance: instance.to_owned(), kept: Arc::default() }
    }

    /// The file, for the instance to write to. Whatever is written goes to its end, also after it was shortened.
    pub(super) fn open(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(&self.path)
    }

    /// The last lines, in one.
    pub(super) fn last_words(&self) -> String {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().map(String::as_str).collect::<Vec<_>>().join(" | ")
    }

    /// Reads along until `stop`, then what is left, and removes the file.
    pub(super) async fn follow(self, stop: CancellationToken) {
        // What was said to a gateway before this one is told again where it is near the end, so that nothing is missed.
        let mut place = Place { offset_bytes: self.size_bytes().saturating_sub(MAX_READ_BYTES), ..Place::default() };
        loop {
            let stopped = stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_none();
            let output = self.clone();
            // A few kilobytes of a file that was just written; still, a disk may be slow.
            let read = tokio::task::spawn_blocking(move || {
                let read = output.read(&mut place);
                (place, read)
            });
            let Ok((next, read)) = read.await else { return };
            place = next;
            if let Err(error) = read {
                tracing::debug!(instance = self.instance, error = %error, "the output of an instance cannot be read");
            }
            if stopped {
                break;
            }
        }
        if let Err(error) = tokio::fs::remove_file(&self.path).await {
            tracing::debug!(instance = self.instance, error = %error, "the output of an instance was not removed");
        }
    }

    /// Reads what came since, so that the last words are whole.
    pub(super) fn catch_up(&self) {
        let mut place = Place { offset_bytes: self.size_bytes().saturating_sub(MAX_READ_BYTES), ..Place::default() };
        let quiet = Self { kept: Arc::default(), ..self.clone() };
        if let Ok(lines) = quiet.read_lines(&mut place) {
            let last = lines.into_iter().rev().take(KEPT_LINES).rev().collect();
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = last;
        }
    }

    fn size_bytes(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |found| found.len())
    }

    fn read(&self, place: &mut Place) -> io::Result<()> {
        let lines = self.read_lines(place)?;
        for line in &lines {
            tracing::info!(target: "gateway::instance", instance = self.instance, "{line}");
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(lines);
        let spare = kept.len().saturating_sub(KEPT_LINES);
        kept.drain(..spare);
        Ok(())
    }

    fn read_lines(&self, place: &mut Place) -> io::Result<Vec<String>> {
        let mut file = OpenOptions::new().read(true).write(true).open(&self.path)?;
        let size_bytes = file.metadata()?.len();
        if size_bytes < place.offset_bytes {
            *place = Place::default();
        }
        let left_out = (size_bytes - place.offset_bytes).saturating_sub(MAX_READ_BYTES);
        if left_out > 0 {
            tracing::warn!(instance = self.instance, bytes = left_out, "an instance says more than is told");
            *place = Place { offset_bytes: place.offset_bytes + left_out, ..Place::default() };
        }
        file.seek(SeekFrom::Start(place.offset_bytes))?;
        let read = (&file).take(MAX_READ_BYTES).read_to_end(&mut place.begun)?;
        place.offset_bytes += read as u64;
        if place.offset_bytes >= MAX_FILE_BYTES {
            // What is said at this very moment is lost; a file that only grows would be worse.
            file.set_len(0)?;
            place.offset_bytes = 0;
        }
        Ok(place.take_lines())
    }
}

/// Removes what instances said that are no more.
pub(super) fn remove_all_but(folder: &Path, is_kept: impl Fn(&str) -> bool) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    for path in paths.filter(|path| path.extension().is_some_and(|extension| extension == "log")) {
        if path.file_stem().and_then(|name| name.to_str()).is_some_and(|name| !is_kept(name)) {
            // It takes room, and hinders nobody.
            let _ = fs::remove_file(path);
        }
    }
}

impl Place {
    fn take_lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
            lines.extend(told(&self.begun[..end]));
            self.begun.drain(..=end);
        }
        if self.begun.len() > MAX_LINE_BYTES {
            lines.extend(told(&std::mem::take(&mut self.begun)));
        }
        lines
    }
}

/// A line without what would do something to the terminal it is shown on.
fn told(line: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(&line[..line.len().min(MAX_LINE_BYTES)]);
    let line: String = line.trim_end().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    (!line.trim().is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_are_told_whole_and_the_last_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::new(folder.path(), "g1-1");
        let (mut file, mut place) = (output.open().unwrap(), Place::default());
        write!(file, "one\ntw").unwrap();
        assert_eq!(output.read_lines(&mut place).unwrap(), ["one"]);
        write!(file, "o\n\u{1b}[31mthree\n\n").unwrap();
        assert_eq!(output.read_lines(&mut place).unwrap(), ["two", " [31mthree"]);
        for number in 0..20 {
            writeln!(file, "line {number}").unwrap();
        }
        output.read(&mut place).unwrap();
        assert!(output.last_words().starts_with("line 12 | line 13"), "{}", output.last_words());
    }

    #[test]
    fn who_says_too_much_is_cut_short() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::new(folder.path(), "g1-1");
        let (mut file, mut place) = (output.open().unwrap(), Place::default());
        file.write_all(&vec![b'a'; 3 * MAX_READ_BYTES as usize]).unwrap();
        let lines = output.read_lines(&mut place).unwrap();
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [MAX_LINE_BYTES]);
        let long = "b".repeat(1023) + "\n";
        for _ in 0..MAX_FILE_BYTES / 1024 {
            file.write_all(long.as_bytes()).unwrap();
            output.read_lines(&mut place).unwrap();
        }
        assert!(output.size_bytes() < MAX_FILE_BYTES / 2, "the file began anew");
        writeln!(file, "and goes on").unwrap();
        assert_eq!(output.read_lines(&mut place).unwrap().last().unwrap(), "and goes on");
    }

    #[test]
    fn the_last_words_of_who_ended_are_whole_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::new(folder.path(), "g1-1");
        writeln!(output.open().unwrap(), "no port is free").unwrap();
        output.catch_up();
        assert_eq!(output.last_words(), "no port is free");
    }
}
