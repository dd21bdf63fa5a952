//! Generated media, made by FFmpeg's own sources.

use std::path::{Path, PathBuf};

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
        let ffmpeg = Ffmpeg::discover(None, &folder.path().join("cache")).await.unwrap();
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

    /// A video whose frame `n` has the luma `16 + 4n`, so that a frame tells its number.
    pub(crate) async fn counter(&self, size: &str, frames: u32, name: &str) -> PathBuf {
        let source = format!("-f lavfi -i color=black:s={size}:r=30,format=yuv420p,geq=lum=16+4*N:cb=128:cr=128");
        self.generate(&format!("{source} -frames:v {frames} -c:v libx264 -preset ultrafast -qp 0 -g 12"), name).await
    }
}

/// The mean luma of every frame, measured by FFmpeg.
pub(crate) async fn luma(ffmpeg: &Ffmpeg, path: &Path) -> Vec<f64> {
    let command = Command::new(ffmpeg.path()).args(["-nostdin", "-v", "error", "-i"]).arg(path);
    let filter = "signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-";
    let output = command.args(["-map", "0:v:0", "-vf", filter, "-f", "null", "-"]).run().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("lavfi.signalstats.YAVG="))
        .map(|value| value.parse().unwrap())
        .collect()
}

/// One fact from ffprobe, as it prints it.
pub(crate) async fn fact(ffmpeg: &Ffmpeg, path: &Path, entries: &str) -> String {
    let ffprobe = ffmpeg.path().with_file_name("ffprobe");
    let command = Command::new(ffprobe).args(["-v", "error", "-of", "csv=p=0", "-show_entries", entries]);
    String::from_utf8(command.arg(path).run().await.unwrap().stdout).unwrap().trim().to_owned()
}

/// Whether any process named on this machine's list holds `needle` in its arguments.
#[cfg(target_os = "linux")]
pub(crate) fn process_with_argument(needle: &str) -> bool {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .any(|line| line.windows(needle.len()).any(|window| window == needle.as_bytes()))
}

/// The first frame as red, green and blue.
pub(crate) async fn pixels(ffmpeg: &Ffmpeg, path: &Path, size: media::Size) -> Vec<u8> {
    let command = Command::new(ffmpeg.path()).args(["-nostdin", "-v", "error", "-i"]).arg(path);
    let to_rgb = "scale=in_color_matrix=bt709:flags=accurate_rnd+full_chroma_int,format=rgb24";
    let output = command.args(["-vf", to_rgb, "-frames:v", "1", "-f", "rawvideo", "-"]).run().await.unwrap();
    assert_eq!(output.stdout.len(), size.width as usize * size.height as usize * 3);
    output.stdout
}
