//! The only place of this tool that starts programs.

pub(crate) mod program;
pub(crate) mod times;

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// A command that runs in `directory`. What it prints goes where this process prints, unless the caller says otherwise.
#[expect(
    clippy::disallowed_methods,
    reason = "a developer's tool that waits for its children; media is not linked here"
)]
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(directory).stdin(std::process::Stdio::null());
    command
}

/// What `command` prints, once it has ended well; what it said on standard error otherwise.
pub(crate) fn read_output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("`{name}` could not be started; is it installed?"))?;
    if !output.status.success() {
        bail!("`{name}` failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{name}` printed bytes that are not UTF-8"))
}
