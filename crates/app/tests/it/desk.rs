//! A place of its own for each test: a folder with scripts and clips, Pressroom to run there, and what became of it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder that is gone when the test ends.
#[derive(Debug)]
pub(crate) struct Desk {
    folder: TempDir,
}

/// How a run of Pressroom ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) events: Vec<Value>,
    /// What stands on standard error.
    pub(crate) complaint: String,
}

/// A program whose output is read by the test.
#[expect(clippy::disallowed_methods, reason = "tests play the user, who starts Pressroom from outside")]
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a text, in a folder of its own if the name says so.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Draws a clip of `seconds` with a tone.
    pub(crate) fn clip(&self, name: &str, size: &str, seconds: f32) -> PathBuf {
        let picture = format!("testsrc2=size={size}:rate=30:duration={seconds}");
        let tone = format!("sine=frequency=330:duration={seconds}");
        let encoding = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"];
        self.generate(name, &[&["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &tone], &encoding[..]].concat())
    }

    /// A still of one frame.
    pub(crate) fn still(&self, name: &str, size: &str) -> PathBuf {
        let picture = format!("testsrc2=size={size}:duration=1:rate=1");
        self.generate(name, &["-f", "lavfi", "-i", &picture, "-frames:v", "1"])
    }

    /// Music of twelve seconds.
    pub(crate) fn music(&self, name: &str) -> PathBuf {
        let chord = "aevalsrc='0.2*sin(440*PI*t)+0.2*sin(554*PI*t)':sample_rate=48000:duration=12";
        self.generate(name, &["-f", "lavfi", "-i", chord])
    }

    fn generate(&self, name: &str, arguments: &[&str]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut command = program("ffmpeg");
        let output = command.args(["-nostdin", "-v", "error", "-y"]).args(arguments).arg(&path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        path
    }

    /// Pressroom with this desk's data folder, printing events.
    pub(crate) fn pressroom<Argument: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = Argument>) -> Command {
        self.pressroom_in("data", arguments)
    }

    /// The same with another data folder.
    pub(crate) fn pressroom_in<Argument: AsRef<OsStr>>(
        &self,
        data: &str,
        arguments: impl IntoIterator<Item = Argument>,
    ) -> Command {
        let mut command = program(env!("CARGO_BIN_EXE_pressroom"));
        command.current_dir(self.folder.path()).args(arguments).arg("--json").arg("--data").arg(self.path(data));
        // Settings of whoever runs the tests are not part of them.
        command.env_remove("RUST_BACKTRACE");
        command
    }

    /// Runs Pressroom to its end.
    pub(crate) fn run<Argument: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = Argument>) -> Ended {
        Ended::from(self.pressroom(arguments).output().unwrap())
    }

    /// Runs Pressroom, which has to succeed.
    pub(crate) fn succeed<Argument: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = Argument>) -> Ended {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{}", ended.complaint);
        ended
    }

    /// Names of the files on the desk that begin with `start`, in order.
    pub(crate) fn list(&self, start: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with(start))
            .collect();
        names.sort();
        names
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            events: read_events(&output.stdout),
            complaint: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The events of a run; a line that a kill cut short is left out.
fn read_events(stdout: &[u8]) -> Vec<Value> {
    String::from_utf8_lossy(stdout).lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

impl Ended {
    /// The events of a name.
    pub(crate) fn list_events<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter(move |event| event["event"] == name)
    }

    /// Items of `stage`, and how many of them were there before.
    pub(crate) fn count_items(&self, stage: &str) -> (u64, u64) {
        let finished = self.list_events("stage_finished").filter(|event| event["stage"] == stage);
        let counts = finished.map(|event| (event["items"].as_u64().unwrap(), event["reused"].as_u64().unwrap()));
        counts.fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1))
    }

    /// The last line of the complaint, which has to be the only one.
    pub(crate) fn the_line(&self) -> &str {
        let complaint = self.complaint.trim_end();
        assert_eq!(complaint.lines().count(), 1, "an error is one line, not:\n{complaint}");
        complaint
    }
}

/// Those of `names` that are of a kind, such as `mp4`.
pub(crate) fn of_kind<'a>(names: &'a [String], extension: &'a str) -> Vec<&'a String> {
    names.iter().filter(|name| Path::new(name).extension().is_some_and(|found| found == extension)).collect()
}

/// What ffprobe says of a file: `format` and `streams`.
pub(crate) fn probe(file: &Path) -> Value {
    let mut command = program("ffprobe");
    command.args(["-v", "error", "-show_format", "-show_streams", "-count_packets", "-of", "json"]).arg(file);
    serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
}

/// The first stream of a sort, `video` or `audio`.
pub(crate) fn find_stream<'a>(facts: &'a Value, sort: &str) -> &'a Value {
    let mut streams = facts["streams"].as_array().unwrap().iter();
    streams.find(|stream| stream["codec_type"] == sort).unwrap_or_else(|| panic!("no {sort} stream"))
}

/// A number that ffprobe gives as text.
pub(crate) fn number(value: &Value) -> f64 {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a number")).parse().unwrap()
}

/// A hash of every frame of the picture and of the sound.
pub(crate) fn hash_frames(video: &Path) -> String {
    let mut command = program("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(video).args(["-f", "framemd5", "-"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs FFmpeg's measuring filters over a file and gives what they say.
pub(crate) fn measure(video: &Path, filters: &[&str]) -> String {
    let mut command = program("ffmpeg");
    command.args(["-nostdin", "-hide_banner", "-nostats", "-i"]).arg(video).args(filters).args(["-f", "null", "-"]);
    String::from_utf8_lossy(&command.output().unwrap().stderr).into_owned()
}

/// Ends a program at once, as a power cut would.
pub(crate) fn kill(mut child: Child) -> Ended {
    // It may have ended by itself a moment before.
    let _ = child.kill();
    Ended::from(child.wait_with_output().unwrap())
}
