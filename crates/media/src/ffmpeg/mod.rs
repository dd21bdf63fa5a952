//! The installed FFmpeg: what it can do, and the arguments that keep it to the files it was given.

mod discover;
mod progress;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::MediaError;
use crate::process::Command;

pub(crate) use discover::store;
pub use progress::Progress;

/// Decoders open at a time over all calls; each holds its reference frames, about 80 MB for a vertical HD clip.
const DECODERS: u32 = 4;
/// How long a run may get no further. One frame of the slowest filter at the largest size takes seconds.
const PATIENCE: Duration = Duration::from_mins(2);

/// The demuxers a user's file may be opened with. Those that open further files or addresses on their own (playlists, DASH,
/// `concat`, SDP, image sequences, scripts) are not among them, so a file cannot reach beyond itself whatever its name is.
pub const CONTAINERS: &str = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf,gif,nut,ivf,dv,mxf,\
     rm,wav,w64,mp3,aac,flac,aiff,ac3,eac3,amr,au,caf,h264,hevc,m4v,mpegvideo,yuv4mpegpipe,obu,av1";

/// A handle on the installed FFmpeg and ffprobe, cheap to clone.
#[derive(Debug, Clone)]
pub struct Ffmpeg {
    installation: Arc<Installation>,
    cancel: CancellationToken,
    patience: Duration,
}

#[derive(Debug)]
struct Installation {
    ffmpeg: PathBuf,
    ffprobe: PathBuf,
    build: Build,
    /// Where answers that cost a run are kept; empty names beside it are never read.
    cache: PathBuf,
    decoders: Semaphore,
}

/// What one FFmpeg binary can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Build {
    version: String,
    filters: BTreeSet<String>,
    encoders: BTreeSet<String>,
    /// Tells this binary from another: its path, size and time of change, hashed.
    fingerprint: String,
}

impl Ffmpeg {
    /// Finds ffmpeg and ffprobe: where `program` says (a program, or the folder of both), else `PRESSROOM_FFMPEG`, else on
    /// `PATH`. What it can do is read once per binary and kept in `cache`.
    pub async fn discover(program: Option<&Path>, cache: &Path) -> Result<Self, MediaError> {
        let chosen = program.map(OsString::from).or_else(|| std::env::var_os("PRESSROOM_FFMPEG"));
        discover::discover(cache, chosen, std::env::var_os("PATH")).await
    }

    /// The same FFmpeg, whose children end when `token` is cancelled.
    #[must_use]
    pub fn cancelled_by(&self, token: CancellationToken) -> Self {
        Self { cancel: token, ..self.clone() }
    }

    /// The same FFmpeg, whose runs end when they get no further for as long as `patience`, which is two minutes otherwise.
    #[must_use]
    pub fn with_patience(&self, patience: Duration) -> Self {
        Self { patience, ..self.clone() }
    }

    /// As FFmpeg prints it: `5.1.9-0+deb12u1`.
    pub fn version(&self) -> &str {
        &self.installation.build.version
    }

    /// Where the program is.
    pub fn path(&self) -> &Path {
        &self.installation.ffmpeg
    }

    pub fn has_filter(&self, name: &str) -> bool {
        self.installation.build.filters.contains(name)
    }

    pub fn has_encoder(&self, name: &str) -> bool {
        self.installation.build.encoders.contains(name)
    }

    /// Fails with what to install if the filter is missing.
    pub fn require_filter(&self, name: &str) -> Result<(), MediaError> {
        if self.has_filter(name) { Ok(()) } else { Err(self.missing(format!("filter `{name}`"))) }
    }

    /// Fails with what to install if the encoder is missing.
    pub fn require_encoder(&self, name: &str) -> Result<(), MediaError> {
        if self.has_encoder(name) { Ok(()) } else { Err(self.missing(format!("encoder `{name}`"))) }
    }

    fn missing(&self, what: String) -> MediaError {
        let remedy = format!("{}; the one used is `{}`", discover::remedy(), self.installation.ffmpeg.display());
        MediaError::MissingFeature { what, remedy }
    }

    /// Tells this binary from another.
    pub fn fingerprint(&self) -> &str {
        &self.installation.build.fingerprint
    }

    /// The folder for answers that are worth keeping.
    pub fn cache(&self) -> &Path {
        &self.installation.cache
    }

    /// What ends its children.
    pub fn token(&self) -> &CancellationToken {
        &self.cancel
    }

    /// `ffmpeg` with the arguments every run has. Warnings and errors are said, nothing else.
    pub fn command(&self) -> Command {
        Command::new(&self.installation.ffmpeg)
            .cancelled_by(self.cancel.clone())
            .env("AV_LOG_FORCE_NOCOLOR", "1")
            .args(["-nostdin", "-hide_banner", "-y", "-v", "level+warning"])
    }

    /// `ffprobe` for one file, at most 20 seconds and 4 MB of answer.
    pub fn probe_command(&self) -> Command {
        Command::new(&self.installation.ffprobe)
            .cancelled_by(self.cancel.clone())
            .env("AV_LOG_FORCE_NOCOLOR", "1")
            .args(["-hide_banner", "-v", "error"])
            .time_limit(Duration::from_secs(20))
            .stdout_limit(4 << 20)
    }

    /// Waits until `count` more decoders may be open. Hold the answer while they are.
    pub async fn decoders(&self, count: u32) -> Result<tokio::sync::SemaphorePermit<'_>, MediaError> {
        let permits = self.installation.decoders.acquire_many(count.clamp(1, DECODERS));
        tokio::select! {
            () = self.cancel.cancelled() => Err(MediaError::Cancelled),
            permit = permits => permit.map_err(|_| MediaError::Cancelled),
        }
    }

    /// Runs `ffmpeg`, handing on its progress, and returns the end of what it said. `command` comes from [`Self::command`].
    /// A run that gets no further for two minutes is ended: a damaged file can make FFmpeg wait for ever.
    pub async fn run(
        &self,
        command: Command,
        on_progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<String, MediaError> {
        let stall = progress::Stall::new();
        let mut parser = progress::Parser::default();
        let run = command.args(["-progress", "pipe:1", "-stats_period", "0.5"]).run_lines(|line| {
            if let Some(progress) = parser.line(line) {
                stall.note(progress);
                on_progress(progress);
            }
        });
        tokio::select! {
            done = run => done.map_err(only_errors),
            () = stall.lasts(self.patience) => Err(MediaError::Process {
                program: "ffmpeg".to_owned(),
                status: format!("got no further for {} s", self.patience.as_secs()),
                detail: "a file it reads may be damaged; encode that again, or leave it out".to_owned(),
            }),
        }
    }
}

/// Keeps of a failed run's words those about the failure, where there are any.
fn only_errors(error: MediaError) -> MediaError {
    let MediaError::Process { program, status, detail } = error else { return error };
    let errors: Vec<&str> =
        detail.lines().filter(|line| ["[error]", "[fatal]"].iter().any(|level| line.contains(level))).collect();
    let detail = if errors.is_empty() { detail.clone() } else { errors.join("\n") };
    MediaError::Process { program, status, detail }
}

/// The arguments that open a user's file and nothing else: never an address, a playlist, or a file it names.
pub fn input(path: &Path) -> Vec<OsString> {
    opened_as(path, CONTAINERS)
}

/// As [`input`], for a file of our own making in one known container.
pub fn opened_as(path: &Path, containers: &str) -> Vec<OsString> {
    let mut arguments = limits(containers);
    arguments.extend(["-i".into(), file(path)]);
    arguments
}

/// The limits of [`input`] alone.
pub fn limits(containers: &str) -> Vec<OsString> {
    ["-protocol_whitelist", "file,pipe", "-format_whitelist", containers].map(OsString::from).to_vec()
}

/// A file name as FFmpeg takes it literally: not as an option, an address or a pattern.
pub fn file(path: &Path) -> OsString {
    let mut name = OsString::from("file:");
    name.push(path);
    name
}

/// Appends plain words to a list of arguments.
pub fn extend<S: AsRef<OsStr>>(arguments: &mut Vec<OsString>, words: impl IntoIterator<Item = S>) {
    arguments.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_without_what_went_well() {
        let detail = "[info] Input #0, mov\n[h264 @ 0x1] [error] broken frame\n[fatal] gave up\n".to_owned();
        let failure = MediaError::Process { program: "ffmpeg".into(), status: "exit status 1".into(), detail };
        let MediaError::Process { detail, .. } = only_errors(failure) else { unreachable!() };
        assert_eq!(detail, "[h264 @ 0x1] [error] broken frame\n[fatal] gave up");
    }

    #[test]
    fn file_names_cannot_be_options_or_addresses() {
        assert_eq!(file(Path::new("-y")), "file:-y");
        assert_eq!(file(Path::new("http://x/%03d.png")), "file:http://x/%03d.png");
    }
}
