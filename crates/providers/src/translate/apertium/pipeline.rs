//! A chain of programs, each fed by the one before it: text in at one end, text out at the other.

use std::{io, process::Stdio};

use ai::ProviderError;
use kernel::ErrorKind;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, ChildStderr, Command},
    task::JoinHandle,
};

use super::{error, mode::Program};

/// Output may be this many times as long as the input: marks and endings of words, never more.
const MAX_GROWTH: usize = 16;
/// Room for the marks of short texts.
const MAX_EXTRA_BYTES: usize = 64 * 1024;
/// How much of a program's standard error goes into a message.
const MAX_STDERR_BYTES: usize = 2048;

/// One program at work. Dropping it kills it; it ends by itself when the one before it does, so that a chain outlives
/// Pressroom by a moment at most.
#[derive(Debug)]
struct Link {
    name: String,
    child: Child,
    stderr: Option<JoinHandle<String>>,
}

/// Sends `input` through the chain and returns what comes out when every program has ended well.
pub(super) async fn run(programs: &[Program], input: String) -> Result<String, ProviderError> {
    let max_bytes = input.len() * MAX_GROWTH + MAX_EXTRA_BYTES;
    let mut links = start(programs)?;
    let stdin = links.first_mut().and_then(|link| link.child.stdin.take());
    let stdout = links.last_mut().and_then(|link| link.child.stdout.take());
    let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else {
        return Err(error(ErrorKind::Internal, "a chain of programs came without ends"));
    };
    let write = async move {
        // A program that ended early is found by its exit status.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
    };
    let mut output = Vec::new();
    let mut stdout = stdout.take(max_bytes as u64 + 1);
    let (read, ()) = tokio::join!(stdout.read_to_end(&mut output), write);
    read.map_err(|source| error(ErrorKind::Internal, "the translation cannot be read").with_source(source))?;
    if output.len() > max_bytes {
        return Err(error(ErrorKind::Internal, "the translation is far longer than its text; translate it in parts"));
    }
    for link in &mut links {
        link.finish().await?;
    }
    let text = String::from_utf8(output);
    text.map_err(|source| error(ErrorKind::Internal, "the translation is not UTF-8").with_source(source))
}

fn start(programs: &[Program]) -> Result<Vec<Link>, ProviderError> {
    let mut links = Vec::with_capacity(programs.len());
    let mut stdin = Stdio::piped();
    for (index, program) in programs.iter().enumerate() {
        let (stdout, next_stdin) = if index + 1 == programs.len() {
            (Stdio::piped(), Stdio::null())
        } else {
            let (reader, writer) = io::pipe().map_err(|source| cannot_start(program, source))?;
            (writer.into(), reader.into())
        };
        links.push(Link::start(program, stdin, stdout)?);
        stdin = next_stdin;
    }
    Ok(links)
}

impl Link {
    #[expect(
        clippy::disallowed_methods,
        reason = "providers stand beside media, not above it; the chain ends with its input"
    )]
    fn start(program: &Program, stdin: Stdio, stdout: Stdio) -> Result<Self, ProviderError> {
        let mut command = Command::new(&program.path);
        command.args(&program.arguments).stdin(stdin).stdout(stdout).stderr(Stdio::piped()).kill_on_drop(true);
        // The programs read UTF-8 only under a locale that says so, and nothing else of the environment concerns them.
        command.env_clear().env("LC_ALL", if cfg!(target_os = "macos") { "en_US.UTF-8" } else { "C.UTF-8" });
        let mut child = command.spawn().map_err(|source| cannot_start(program, source))?;
        let stderr = child.stderr.take().map(|stderr| tokio::spawn(beginning_of(stderr)));
        Ok(Self { name: program.path.display().to_string(), child, stderr })
    }

    async fn finish(&mut self) -> Result<(), ProviderError> {
        let status = self.child.wait().await;
        let status = status.map_err(|source| error(ErrorKind::Internal, "a program is lost").with_source(source))?;
        if status.success() {
            return Ok(());
        }
        let said = match self.stderr.take() {
            Some(stderr) => stderr.await.unwrap_or_default(),
            None => String::new(),
        };
        let message = format!("`{}` failed ({status}): {said}; install Apertium's language data again", self.name);
        Err(error(ErrorKind::Missing, message))
    }
}

/// The first words of a program; all others are read too, so that it never waits for a reader.
async fn beginning_of(mut stderr: ChildStderr) -> String {
    let mut kept = Vec::new();
    let mut chunk = [0; 1024];
    while let Ok(read @ 1..) = stderr.read(&mut chunk).await {
        let room = MAX_STDERR_BYTES - kept.len();
        kept.extend_from_slice(&chunk[..read.min(room)]);
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}

fn cannot_start(program: &Program, source: io::Error) -> ProviderError {
    let message = format!("`{}` cannot be started; install Apertium again", program.path.display());
    error(ErrorKind::Missing, message).with_source(source)
}
