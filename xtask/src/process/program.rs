//! Programs that run while something is measured: they end when the bench does, however it does.

use super::times::{list_tree, read_memory_bytes, read_processor_s};
use super::{command, read_output};
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const END_PATIENCE: Duration = Duration::from_secs(40);
/// What is left behind by a bench that fails is not waited for as long.
const DROP_PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// A program in the background.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    name: String,
}

impl Program {
    /// Starts it; what it says on standard error goes to `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let log = File::create(log).with_context(|| format!("{} could not be written", log.display()))?;
        let child = command.stderr(log).spawn().with_context(|| format!("`{name}` could not be started"))?;
        Ok(Self { child, name })
    }

    /// Starts a program that says in its first line where it is reached; it may end when its input does.
    pub(crate) fn start_and_read_line(command: &mut Command, log: &Path) -> Result<(Self, String)> {
        let mut program = Self::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()), log)?;
        let output = program.child.stdout.take().context("standard output was piped")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        if line.is_empty() {
            bail!("`{}` did not start; {} says why", program.name, log.display());
        }
        Ok((program, line.trim_end().to_owned()))
    }

    /// Whether it ended by itself.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Memory of it and of what it started, with what they share counted once.
    pub(crate) fn memory_bytes(&self) -> u64 {
        list_tree(self.child.id()).into_iter().map(read_memory_bytes).sum()
    }

    /// Memory of this one process.
    pub(crate) fn own_memory_bytes(&self) -> u64 {
        read_memory_bytes(self.child.id())
    }

    /// Processor seconds so far of it and of what it started.
    pub(crate) fn processor_s(&self) -> f64 {
        list_tree(self.child.id()).into_iter().map(read_processor_s).sum()
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.ask_to_end()?;
        if !self.ends_within(END_PATIENCE)? {
            bail!("`{}` does not end", self.name);
        }
        Ok(())
    }

    fn ask_to_end(&mut self) -> Result<()> {
        drop(self.child.stdin.take());
        let pid = self.child.id().to_string();
        read_output(command("kill", Path::new("/")).args(["-TERM", &pid])).map(drop)
    }

    fn ends_within(&mut self, patience: Duration) -> Result<bool> {
        let started = Instant::now();
        while !self.has_ended()? {
            if started.elapsed() > patience {
                return Ok(false);
            }
            thread::sleep(POLL);
        }
        Ok(true)
    }
}

/// Where the bench ends early, what it started ends too: asked first, so that it ends its own children.
impl Drop for Program {
    fn drop(&mut self) {
        let has_ended = self.has_ended().unwrap_or(true)
            || (self.ask_to_end().is_ok() && self.ends_within(DROP_PATIENCE).unwrap_or(true));
        if !has_ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
