//! Where `pressroom-speech` is, and its version.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use ai::ProviderError;
use kernel::ErrorKind;

use super::NAME;

const PROGRAM: &str = if cfg!(windows) { "pressroom-speech.exe" } else { "pressroom-speech" };

/// The program at `explicit`, else beside the running program or in the folder above it (where tests run), else in
/// `PATH`.
pub(super) fn find(explicit: Option<&Path>) -> Result<PathBuf, ProviderError> {
    if let Some(path) = explicit {
        let message = || format!("`{}` is not there; build it with `cargo build -p pressroom-speech`", path.display());
        return if path.is_file() { Ok(path.to_owned()) } else { Err(missing(message())) };
    }
    let own = env::current_exe().unwrap_or_default();
    let beside = own.ancestors().skip(1).take(2).map(Path::to_owned);
    let on_path = env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    let mut places = beside.chain(on_path).map(|folder| folder.join(PROGRAM));
    places.find(|path| path.is_file()).ok_or_else(|| {
        missing(format!(
            "`{PROGRAM}` not found beside `pressroom` or in PATH; install it, or build it with \
             `cargo build -p pressroom-speech`"
        ))
    })
}

/// Name and version as the program says them.
#[expect(clippy::disallowed_methods, reason = "providers stand beside media, not above it; this child ends at once")]
pub(super) fn version(program: &Path) -> Result<String, ProviderError> {
    let output = Command::new(program).arg("--version").output().map_err(|e| cannot_start(program, e))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !text.is_empty() {
        return Ok(text);
    }
    let detail = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(missing(format!("`{}` does not run: {detail}", program.display())))
}

pub(super) fn cannot_start(program: &Path, source: std::io::Error) -> ProviderError {
    missing(format!("`{}` cannot be started", program.display())).with_source(source)
}

pub(super) fn missing(message: String) -> ProviderError {
    ProviderError::new(NAME, ErrorKind::Missing, message)
}
