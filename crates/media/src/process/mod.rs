//! The only place that starts other programs: bounded in time and output, cancelled and reaped, their last words kept.

mod spawner;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio_util::sync::CancellationToken;

use crate::MediaError;

/// How much of a child's standard error is kept, from its end.
const STDERR_KEPT_BYTES: usize = 8 * 1024;
/// How long a child may take to end by itself once it was asked to.
const GRACE: Duration = Duration::from_secs(2);
/// The longest line of standard output that is handed on.
const LINE_LIMIT_BYTES: u64 = 64 * 1024;

/// A program to run, with its limits.
#[derive(Debug)]
pub struct Command {
    program: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    stdin: Input,
    #[cfg(unix)]
    pipes: Vec<command_fds::FdMapping>,
    stdout_limit_bytes: usize,
    stderr_kept_bytes: usize,
    time_limit: Duration,
    cancel: CancellationToken,
}

#[derive(Debug)]
enum Input {
    Nothing,
    Bytes(Vec<u8>),
    Pipe(io::PipeReader),
}

/// What a program that ended well has said.
#[derive(Debug)]
pub struct Output {
    pub stdout: Vec<u8>,
    /// The end of its standard error.
    pub stderr: String,
}

/// A program that is being talked to. Dropping it kills it.
#[derive(Debug)]
pub struct Conversation {
    child: Child,
    pub stdin: ChildStdin,
    pub stdout: BufReader<ChildStdout>,
}

impl Command {
    /// A program without arguments, at most an hour and 16 MB of output.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            variables: Vec::new(),
            folder: None,
            stdin: Input::Nothing,
            #[cfg(unix)]
            pipes: Vec::new(),
            stdout_limit_bytes: 16 << 20,
            stderr_kept_bytes: STDERR_KEPT_BYTES,
            time_limit: Duration::from_hours(1),
            cancel: CancellationToken::new(),
        }
    }

    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    #[must_use]
    pub fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the child's environment; the rest is inherited.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Runs the child in `folder` rather than in Pressroom's own.
    #[must_use]
    pub fn current_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Writes `bytes` to the child's standard input, then closes it.
    #[must_use]
    pub fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.stdin = Input::Bytes(bytes);
        self
    }

    /// More output than this is a failure.
    #[must_use]
    pub fn stdout_limit(mut self, bytes: usize) -> Self {
        self.stdout_limit_bytes = bytes;
        self
    }

    /// Keeps more of standard error than its last 8 KB, for programs that report there.
    #[must_use]
    pub fn stderr_kept(mut self, bytes: usize) -> Self {
        self.stderr_kept_bytes = bytes;
        self
    }

    /// A child that takes longer is killed, which is a failure.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Ends the child, and [`Command::run`] with [`MediaError::Cancelled`], when `token` is cancelled.
    #[must_use]
    pub fn cancelled_by(mut self, token: CancellationToken) -> Self {
        self.cancel = token;
        self
    }

    /// Opens a pipe into the child and returns its writing end with the number the child reads it by: 0, its standard
    /// input, for the first one; further ones exist on Unix only.
    pub fn pipe(&mut self) -> Result<(io::PipeWriter, i32), MediaError> {
        let (reader, writer) = io::pipe().map_err(|error| self.io_error(error))?;
        if matches!(self.stdin, Input::Nothing) {
            self.stdin = Input::Pipe(reader);
            return Ok((writer, 0));
        }
        #[cfg(unix)]
        {
            let child_fd = 3 + i32::try_from(self.pipes.len()).unwrap_or(i32::MAX - 3);
            self.pipes.push(command_fds::FdMapping { parent_fd: reader.into(), child_fd });
            Ok((writer, child_fd))
        }
        #[cfg(not(unix))]
        Err(MediaError::Invalid("this system can feed only one drawn picture at a time to a program".into()))
    }

    /// Runs to the end and returns what it said. A status other than 0 is [`MediaError::Process`].
    pub async fn run(self) -> Result<Output, MediaError> {
        let limit = self.stdout_limit_bytes;
        let mut kept = Vec::new();
        let stderr = self.execute(async |stdout| read_limited(stdout, limit, &mut kept).await).await?;
        Ok(Output { stdout: kept, stderr })
    }

    /// Runs to the end, handing on each line of standard output when it comes; returns the end of standard error.
    pub async fn run_lines(self, mut on_line: impl FnMut(&str)) -> Result<String, MediaError> {
        self.execute(async |stdout| {
            let mut reader = BufReader::new(stdout);
            let mut line = Vec::new();
            loop {
                line.clear();
                if (&mut reader).take(LINE_LIMIT_BYTES).read_until(b'\n', &mut line).await? == 0 {
                    return Ok(());
                }
                on_line(String::from_utf8_lossy(&line).trim_end());
            }
        })
        .await
    }

    /// Starts the program for a conversation over its standard input and output; its standard error is dropped. The
    /// limits of time and output do not apply.
    pub async fn converse(mut self) -> Result<Conversation, MediaError> {
        let mut command = self.prepare()?;
        command.stdin(Stdio::piped()).stderr(Stdio::null());
        let mut child = spawner::spawn(command).await.map_err(|error| self.io_error(error))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(self.io_error(io::ErrorKind::BrokenPipe.into()));
        };
        Ok(Conversation { child, stdin, stdout: BufReader::new(stdout) })
    }

    async fn execute(
        mut self,
        read_stdout: impl AsyncFnOnce(ChildStdout) -> io::Result<()>,
    ) -> Result<String, MediaError> {
        if self.cancel.is_cancelled() {
            return Err(MediaError::Cancelled);
        }
        let command = self.prepare()?;
        tracing::debug!(program = %self.program.display(), arguments = ?self.arguments, "start");
        let mut child = spawner::spawn(command).await.map_err(|error| self.io_error(error))?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(self.io_error(io::ErrorKind::BrokenPipe.into()));
        };
        let stdin = child.stdin.take();
        let bytes = match std::mem::replace(&mut self.stdin, Input::Nothing) {
            Input::Bytes(bytes) => bytes,
            _ => Vec::new(),
        };
        let mut last_words = Vec::new();
        let ended = {
            let work = async {
                let ((), (), (), status) = tokio::try_join!(
                    write_all(stdin, bytes),
                    read_stdout(stdout),
                    keep_end(stderr, self.stderr_kept_bytes, &mut last_words),
                    child.wait()
                )?;
                Ok(status)
            };
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => Ended::Cancelled,
                () = tokio::time::sleep(self.time_limit) => Ended::OutOfTime,
                result = work => Ended::ByItself(result),
            }
        };
        self.judge(&mut child, ended, &last_words).await
    }

    async fn judge(&self, child: &mut Child, ended: Ended, last_words: &[u8]) -> Result<String, MediaError> {
        let detail = String::from_utf8_lossy(last_words).trim().to_owned();
        match ended {
            Ended::ByItself(Ok(status)) if status.success() => Ok(detail),
            Ended::ByItself(Ok(status)) => Err(self.failure(describe(status), detail)),
            Ended::ByItself(Err(error)) => {
                stop(child).await;
                Err(self.failure(error.to_string(), detail))
            }
            Ended::Cancelled => {
                stop(child).await;
                Err(MediaError::Cancelled)
            }
            Ended::OutOfTime => {
                stop(child).await;
                Err(self.failure(format!("stopped after {} s", self.time_limit.as_secs_f32()), detail))
            }
        }
    }

    fn prepare(&mut self) -> Result<tokio::process::Command, MediaError> {
        #[expect(clippy::disallowed_methods, reason = "this is the place that the rule points to")]
        let mut command = tokio::process::Command::new(&self.program);
        command.args(&self.arguments).envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.stdin = match std::mem::replace(&mut self.stdin, Input::Nothing) {
            Input::Nothing => {
                command.stdin(Stdio::null());
                Input::Nothing
            }
            Input::Bytes(bytes) => {
                command.stdin(Stdio::piped());
                Input::Bytes(bytes)
            }
            Input::Pipe(reader) => {
                command.stdin(reader);
                Input::Nothing
            }
        };
        #[cfg(unix)]
        if !self.pipes.is_empty() {
            use command_fds::CommandFdExt;
            command
                .fd_mappings(std::mem::take(&mut self.pipes))
                .map_err(|error| self.io_error(io::Error::other(error)))?;
        }
        Ok(command)
    }

    fn name(&self) -> String {
        self.program.file_name().unwrap_or(self.program.as_os_str()).to_string_lossy().into_owned()
    }

    fn failure(&self, status: String, detail: String) -> MediaError {
        MediaError::Process { program: self.name(), status, detail }
    }

    fn io_error(&self, error: io::Error) -> MediaError {
        if error.kind() == io::ErrorKind::NotFound {
            let remedy = "install it, or check the path that names it".to_owned();
            return MediaError::MissingProgram { program: self.program.display().to_string(), remedy };
        }
        MediaError::io(&self.program, error)
    }
}

impl Conversation {
    /// Closes the program's standard input, lets it end, or ends it, and reaps it.
    pub async fn close(self) {
        let Self { mut child, stdin, stdout } = self;
        drop((stdin, stdout));
        if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
            stop(&mut child).await;
        }
    }

    /// The child's process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }
}

enum Ended {
    ByItself(io::Result<ExitStatus>),
    Cancelled,
    OutOfTime,
}

/// Asks the child to end, kills it after a grace, and reaps it.
async fn stop(child: &mut Child) {
    #[cfg(unix)]
    {
        let pid = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        if let Some(pid) = pid
            && rustix::process::kill_process_group(pid, rustix::process::Signal::TERM).is_ok()
            && tokio::time::timeout(GRACE, child.wait()).await.is_ok()
        {
            return;
        }
    }
    // Fails only for a child that has ended meanwhile, and then it is reaped already.
    let _ = child.kill().await;
}

async fn write_all(stdin: Option<ChildStdin>, bytes: Vec<u8>) -> io::Result<()> {
    if let Some(mut stdin) = stdin {
        // A program may end before it has read everything; its status says whether that was well.
        let _ = stdin.write_all(&bytes).await;
    }
    Ok(())
}

async fn read_limited(stdout: ChildStdout, limit: usize, kept: &mut Vec<u8>) -> io::Result<()> {
    stdout.take(limit as u64 + 1).read_to_end(kept).await?;
    if kept.len() > limit {
        return Err(io::Error::other(format!("said more than {limit} bytes")));
    }
    Ok(())
}

async fn keep_end(mut stream: impl AsyncRead + Unpin, limit: usize, kept: &mut Vec<u8>) -> io::Result<()> {
    let mut chunk = vec![0; 4096];
    loop {
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Ok(());
        }
        kept.extend_from_slice(&chunk[..read]);
        if kept.len() > 2 * limit {
            kept.drain(..kept.len() - limit);
        }
    }
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("killed by signal {signal}");
    }
    status.code().map_or_else(|| "ended".to_owned(), |code| format!("exit status {code}"))
}
