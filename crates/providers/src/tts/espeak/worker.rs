//! One process of `pressroom-speech`: a line is asked, a line and its samples are answered.

use std::{io, path::Path, process::Stdio, time::Duration};

use ai::{ProviderError, tts::Gender};
use kernel::ErrorKind;
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::{NAME, program};

/// The longest answer line: the list of voices has about 20 kB, the words of the longest text about 500 kB.
const MAX_LINE_BYTES: u64 = 4 * 1024 * 1024;
/// The longest sound taken: twenty minutes at 22,050 samples a second.
const MAX_SAMPLES: usize = 22_050 * 1200;
/// How much of a dead process's standard error goes into the message.
const MAX_STDERR_BYTES: u64 = 2048;

/// A running process. Dropping it kills it; its end of input would end it too, should this program be killed.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

#[derive(Debug)]
pub(super) enum Answer {
    Hello(Hello),
    Speech { head: SpeechHead, samples: Vec<i16> },
    Refused(Failure),
}

#[derive(Debug, Deserialize)]
pub(super) struct Hello {
    pub(super) voices: Vec<VoiceInfo>,
    pub(super) variants: Vec<VariantInfo>,
}

#[derive(Debug, Deserialize)]
pub(super) struct VoiceInfo {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) languages: Vec<String>,
    pub(super) gender: Option<Gender>,
}

#[derive(Debug, Deserialize)]
pub(super) struct VariantInfo {
    pub(super) id: String,
    pub(super) gender: Option<Gender>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SpeechHead {
    pub(super) sample_rate: u32,
    samples: usize,
    pub(super) words: Vec<Word>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Word {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) ms: u32,
}

#[derive(Debug, Deserialize)]
pub(super) struct Failure {
    pub(super) kind: ErrorKind,
    pub(super) message: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Head {
    Refused { error: Failure },
    Speech(SpeechHead),
    Hello(Hello),
}

/// Why a process gave no answer.
#[derive(Debug)]
pub(super) enum Broken {
    Died { source: io::Error, stderr: String },
    Late(Duration),
}

impl Worker {
    #[expect(clippy::disallowed_methods, reason = "providers stand beside media, not above it; the child dies with us")]
    pub(super) fn start(path: &Path) -> Result<Self, ProviderError> {
        let mut command = Command::new(path);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|e| program::cannot_start(path, e))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(ProviderError::new(NAME, ErrorKind::Internal, "a process came without pipes"));
        };
        Ok(Self { child, stdin, stdout: BufReader::new(stdout) })
    }

    pub(super) async fn ask(&mut self, line: &str) -> io::Result<Answer> {
        self.stdin.write_all(line.as_bytes()).await?;
        self.stdin.write_all(b"\n").await?;
        let mut head = Vec::new();
        (&mut self.stdout).take(MAX_LINE_BYTES).read_until(b'\n', &mut head).await?;
        if head.last() != Some(&b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match serde_json::from_slice(&head)? {
            Head::Refused { error } => Ok(Answer::Refused(error)),
            Head::Hello(hello) => Ok(Answer::Hello(hello)),
            Head::Speech(head) => {
                if head.samples > MAX_SAMPLES || head.sample_rate == 0 {
                    return Err(io::Error::other("the answer announces a sound that cannot be"));
                }
                let mut bytes = vec![0; head.samples * 2];
                self.stdout.read_exact(&mut bytes).await?;
                let samples = bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
                Ok(Answer::Speech { head, samples })
            }
        }
    }

    /// What a dying process said on its standard error.
    pub(super) async fn last_words(&mut self) -> String {
        let Some(stderr) = self.child.stderr.take() else { return String::new() };
        let mut bytes = Vec::new();
        let mut stderr = stderr.take(MAX_STDERR_BYTES);
        let read = stderr.read_to_end(&mut bytes);
        // The process may live on with its pipe open: what is there by then has to do.
        let _ = tokio::time::timeout(Duration::from_millis(200), read).await;
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
}

impl Broken {
    pub(super) fn into_error(self, path: &Path) -> ProviderError {
        match self {
            Self::Late(limit) => {
                let message = format!("no answer within {} s; shorten the text or try again", limit.as_secs());
                ProviderError::new(NAME, ErrorKind::Unavailable, message)
            }
            Self::Died { source, stderr } if stderr.is_empty() => {
                let message = format!("`{}` ended without an answer; try again", path.display());
                ProviderError::new(NAME, ErrorKind::Unavailable, message).with_source(source)
            }
            Self::Died { source, stderr } => {
                program::missing(format!("`{}` failed: {stderr}", path.display())).with_source(source)
            }
        }
    }
}
