//! Generated media, made by FFmpeg's own sources.

use std::path::PathBuf;

use media::Ffmpeg;
use media::process::Command;
use tempfile::TempDir;

/// A folder for one test, and the FFmpeg to use in it.
pub(crate) struct Workbench {
    pub(crate) folder: TempDir,
    pub(crate) ffmpeg: Ffmpeg,
}

impl Workbench {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ffmpeg = Ffmpeg::discover(&folder.path().join("cache")).await.unwrap();
        Self { folder, ffmpeg }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs FFmpeg without any of our limits, its last argument a file of this folder.
    pub(crate) async fn generate(&self, arguments: &str, name: &str) -> PathBuf {
        let path = self.path(name);
        let arguments = arguments.split_whitespace();
        let command = Command::new(self.ffmpeg.path()).args(["-nostdin", "-v", "error", "-y"]).args(arguments);
        command.arg(&path).current_folder(self.folder.path()).run().await.unwrap();
        path
    }

    /// A video of `seconds` with a moving test picture.
    pub(crate) async fn video(&self, size: &str, seconds: u32, name: &str) -> PathBuf {
        let source = format!("-f lavfi -i testsrc2=s={size}:r=30:d={seconds}");
        self.generate(&format!("{source} -c:v libx264 -preset ultrafast -pix_fmt yuv420p"), name).await
    }
}

/// Whether any process named on this machine's list holds `needle` in its arguments.
#[cfg(target_os = "linux")]
pub(crate) fn process_with_argument(needle: &str) -> bool {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .any(|line| line.windows(needle.len()).any(|window| window == needle.as_bytes()))
}
