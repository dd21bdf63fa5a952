//! A folder with a source, and everything a dub is made with.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ai::{
    stt::FakeStt,
    translate::{FakeTranslator, Quality},
    tts::FakeTts,
};
use dubbing::{
    Booth, Dubbing, DubbingError, Finished,
    document::{Dub, Settings},
    request::{DubRequest, Output, Track},
};
use kernel::{FixedClock, Lang};
use media::{Ffmpeg, process::Command};
use pipeline::{Limits, ProgressReceiver, Store};
use platform::resources::MemoryBudget;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// What is said in the source: five lines, the third without an end of a sentence.
pub(crate) const TRANSCRIPT: &str = "\
1
00:00:01,000 --> 00:00:02,500
The river is high.

2
00:00:03,000 --> 00:00:05,000
We counted 21 birds.

3
00:00:06,000 --> 00:00:07,200
Before it rains,

4
00:00:08,100 --> 00:00:09,400
we go home.

5
00:00:10,000 --> 00:00:11,500
Good night.
";

pub(crate) struct Studio {
    pub(crate) folder: TempDir,
    pub(crate) dubbing: Dubbing,
    pub(crate) voices: Arc<FakeTts>,
    pub(crate) translator: Arc<FakeTranslator>,
}

pub(crate) fn lang(tag: &str) -> Lang {
    tag.parse().unwrap()
}

impl Studio {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let ffmpeg = Ffmpeg::discover(None, &data.join("ffmpeg")).await.unwrap();
        let voices = Arc::new(FakeTts::new());
        let pairs = [("en", "es", Quality::Draft), ("en", "fr", Quality::Draft), ("es", "it", Quality::Good)];
        let translator = Arc::new(FakeTranslator::new(&pairs));
        let booth = Booth {
            ffmpeg,
            listeners: vec![Arc::new(FakeStt::knowing(&["hello"]))],
            translators: vec![translator.clone()],
            voices: vec![voices.clone()],
            separator: None,
            speaker_encoder: None,
            jobs: 2,
        };
        let dubbing = Dubbing {
            booth,
            store: Store::open(&data, Arc::new(FixedClock(1_700_000_000_000))).await.unwrap(),
            memory: MemoryBudget::new(1 << 30),
            limits: Limits { max_bytes: 1 << 40, max_age: Duration::from_secs(1 << 30) },
            cancellation: CancellationToken::new(),
        };
        Self { folder, dubbing, voices, translator }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs FFmpeg with its last argument a file of this folder.
    pub(crate) async fn generate(&self, arguments: &str, name: &str) -> PathBuf {
        let path = self.path(name);
        let command = Command::new(self.dubbing.booth.ffmpeg.path()).args(["-nostdin", "-v", "error", "-y"]);
        let command = command.args(arguments.split_whitespace()).arg(&path).current_folder(self.folder.path());
        command.run().await.unwrap();
        path
    }

    /// Twelve seconds of moving pictures over noise, with a transcript beside them.
    pub(crate) async fn talk(&self) -> (PathBuf, PathBuf) {
        let pictures = "-f lavfi -i testsrc2=s=160x90:r=25:d=12";
        let sound = "-f lavfi -i anoisesrc=d=12:c=pink:r=48000:a=0.1:seed=7";
        let encoding = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac -ac 2";
        let source = self.generate(&format!("{pictures} {sound} {encoding}"), "talk.mp4").await;
        (source, self.transcript("talk.en.srt", TRANSCRIPT))
    }

    pub(crate) fn transcript(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) async fn dub(&self, request: &DubRequest) -> Result<Finished, DubbingError> {
        self.dubbing.dub(request, drain).await
    }

    pub(crate) async fn resume(&self) -> Result<Finished, DubbingError> {
        self.dubbing.resume(&self.path("talk.dub.json"), &Output::default(), drain).await
    }

    pub(crate) fn document(&self) -> Dub {
        let path = self.path("talk.dub.json");
        Dub::parse(&std::fs::read_to_string(&path).unwrap(), &path).unwrap()
    }

    /// One fact from ffprobe, as it prints it.
    pub(crate) async fn fact(&self, path: &Path, entries: &str) -> String {
        let ffprobe = self.dubbing.booth.ffmpeg.path().with_file_name("ffprobe");
        let command = Command::new(ffprobe).args(["-v", "error", "-of", "csv=p=0", "-show_entries", entries]);
        String::from_utf8(command.arg(path).run().await.unwrap().stdout).unwrap().trim().to_owned()
    }

    /// The hash of every packet of the pictures of a file, in order.
    pub(crate) async fn packets(&self, path: &Path) -> String {
        let command = Command::new(self.dubbing.booth.ffmpeg.path()).args(["-nostdin", "-v", "error", "-i"]).arg(path);
        let command = command.args(["-map", "0:v:0", "-c", "copy", "-f", "streamhash", "-"]);
        String::from_utf8(command.run().await.unwrap().stdout).unwrap()
    }
}

pub(crate) fn request(source: &Path, transcript: Option<&Path>, targets: &[&str]) -> DubRequest {
    DubRequest {
        source: source.to_owned(),
        targets: targets.iter().map(|tag| lang(tag)).collect(),
        lang: None,
        track: Track::Usual,
        transcript: transcript.map(Path::to_owned),
        settings: Settings::default(),
        output: Output::default(),
    }
}

/// Nobody watches.
pub(crate) fn drain(events: ProgressReceiver) {
    drop(events);
}
