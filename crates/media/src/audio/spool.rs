//! A nameless file beside the result that holds the finished voice between the passes of a mix.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::BLOCK;
use crate::MediaError;

/// Bytes of buffering.
const BUFFER: usize = 64 * 1024;

/// Samples of one channel, written once and then read as often as need be. It vanishes when dropped, and when the
/// process is killed.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    folder: PathBuf,
}

/// Writes a spool.
#[derive(Debug)]
pub(super) struct SpoolWriter {
    output: BufWriter<File>,
    folder: PathBuf,
    bytes: Vec<u8>,
}

/// Reads a spool from its beginning; beyond its end lies silence.
#[derive(Debug)]
pub(super) struct SpoolReader<'a> {
    input: BufReader<&'a File>,
    folder: &'a Path,
    bytes: Vec<u8>,
}

impl SpoolWriter {
    /// A spool in a folder that has room for it: 11.5 MB a minute.
    pub(super) fn create(folder: &Path) -> Result<Self, MediaError> {
        let file = tempfile::tempfile_in(folder).map_err(|error| MediaError::io(folder, error))?;
        Ok(Self { output: BufWriter::with_capacity(BUFFER, file), folder: folder.into(), bytes: Vec::new() })
    }

    pub(super) fn write(&mut self, samples: &[f32]) -> Result<(), MediaError> {
        self.bytes.clear();
        self.bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        self.output.write_all(&self.bytes).map_err(|error| MediaError::io(&self.folder, error))
    }

    pub(super) fn finish(self) -> Result<Spool, MediaError> {
        let folder = self.folder;
        let file = self.output.into_inner().map_err(|error| MediaError::io(&folder, error.into_error()))?;
        Ok(Spool { file, folder })
    }
}

impl Spool {
    /// Starts reading anew; one reader at a time.
    pub(super) fn reader(&mut self) -> Result<SpoolReader<'_>, MediaError> {
        self.file.rewind().map_err(|error| MediaError::io(&self.folder, error))?;
        Ok(SpoolReader {
            input: BufReader::with_capacity(BUFFER, &self.file),
            folder: &self.folder,
            bytes: vec![0; BLOCK * size_of::<f32>()],
        })
    }
}

impl SpoolReader<'_> {
    /// Fills a block of at most [`BLOCK`] samples.
    pub(super) fn read(&mut self, out: &mut [f32]) -> Result<(), MediaError> {
        let mut filled = 0;
        let bytes = &mut self.bytes[..size_of_val(out)];
        while filled < bytes.len() {
            match self.input.read(&mut bytes[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(MediaError::io(self.folder, error)),
            }
        }
        bytes[filled..].fill(0);
        for (sample, bytes) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *sample = f32::from_le_bytes(*bytes);
        }
        Ok(())
    }
}
