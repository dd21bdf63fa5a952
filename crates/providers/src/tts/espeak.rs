//! eSpeak NG, spoken to over the pipe of `pressroom-speech`.

mod program;
mod worker;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use ai::{
    ProviderError,
    tts::{Capability, Gender, Speech, SpeechRequest, Tts, Voice, WordTime},
};
use kernel::{ErrorKind, Lang};
use serde::Serialize;
use tokio::sync::Semaphore;

use self::worker::{Answer, Broken, Worker};

const NAME: &str = "espeak";
/// Longest text of one request, as `pressroom-speech` has it.
const MAX_TEXT_BYTES: usize = 16 * 1024;
/// Variants that are listed with every language; any other variant of eSpeak can be named too.
const LISTED_VARIANTS: [&str; 13] = ["f1", "f2", "f3", "f4", "f5", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8"];

/// How the program is found and used.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The program. Without it, it is looked for beside the running program, then in `PATH`.
    pub program: Option<PathBuf>,
    /// Processes at most; each speaks one sentence at a time.
    pub processes: usize,
    /// Time for one sentence, the start of a process included.
    pub timeout: Duration,
    /// How long a process waits for its next sentence before it is ended.
    pub patience: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { program: None, processes: 2, timeout: Duration::from_mins(1), patience: Duration::from_secs(5) }
    }
}

/// The engine: a few processes, started when they are needed, kept a while for the next sentence, ended with this value.
#[derive(Debug)]
pub struct Espeak {
    settings: Settings,
    version: OnceLock<String>,
    voices: tokio::sync::OnceCell<Vec<Voice>>,
    /// As many permits as processes may run.
    places: Semaphore,
    idle: Arc<Idle>,
}

/// Processes without work, each with the time since when.
#[derive(Debug, Default)]
struct Idle(Mutex<Vec<(Instant, Worker)>>);

impl Idle {
    /// The one that has waited least: its siblings may have had enough.
    fn take(&self) -> Option<Worker> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().map(|(_, worker)| worker)
    }

    /// Keeps a process for as long as `patience`.
    fn keep(self: &Arc<Self>, worker: Worker, patience: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), worker));
        let idle = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(patience).await;
            if let Some(idle) = idle.upgrade() {
                idle.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(since, _)| since.elapsed() < patience);
            }
        });
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Request<'a> {
    Hello,
    Speak { text: &'a str, voice: &'a str, rate: f32, pitch: f32 },
}

impl Espeak {
    pub fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            version: OnceLock::new(),
            voices: tokio::sync::OnceCell::new(),
            places: Semaphore::new(settings.processes.max(1)),
            idle: Arc::default(),
        }
    }

    /// Sends `request` to a free process, or to a new one. A process that was idle may have died since: then a new one
    /// is asked, once.
    async fn ask(&self, request: &Request<'_>) -> Result<Answer, ProviderError> {
        let line =
            serde_json::to_string(request).map_err(|e| internal("a request cannot be written").with_source(e))?;
        let _place = self.places.acquire().await.map_err(|e| internal("the pool is closed").with_source(e))?;
        if let Some(worker) = self.idle.take()
            && let Ok(answer) = self.ask_worker(worker, &line).await
        {
            return Ok(answer);
        }
        let program = program::find(self.settings.program.as_deref())?;
        let worker = Worker::start(&program)?;
        self.ask_worker(worker, &line).await.map_err(|broken| broken.into_error(&program))
    }

    /// Asks one process; it stays in the pool when it answered. Dropping it ends it.
    async fn ask_worker(&self, mut worker: Worker, line: &str) -> Result<Answer, Broken> {
        let answer = tokio::time::timeout(self.settings.timeout, worker.ask(line)).await;
        match answer {
            Ok(Ok(answer)) => {
                self.idle.keep(worker, self.settings.patience);
                Ok(answer)
            }
            Ok(Err(source)) => Err(Broken::Died { source, stderr: worker.last_words().await }),
            Err(_) => Err(Broken::Late(self.settings.timeout)),
        }
    }

    async fn list_voices(&self) -> Result<Vec<Voice>, ProviderError> {
        let Answer::Hello(hello) = self.ask(&Request::Hello).await? else { return Err(misread()) };
        let mut voices = Vec::new();
        for voice in &hello.voices {
            // A name that is no language tag comes with its language as the first of its list.
            let mut tags = std::iter::once(&voice.id).chain(&voice.languages);
            let Some(lang) = tags.find_map(|tag| tag.parse::<Lang>().ok()) else { continue };
            voices.push(as_voice(voice.id.clone(), voice.name.clone(), lang.clone(), voice.gender));
            for variant in hello.variants.iter().filter(|v| LISTED_VARIANTS.contains(&v.id.as_str())) {
                let (id, name) = (format!("{}+{}", voice.id, variant.id), format!("{}, {}", voice.name, variant.id));
                voices.push(as_voice(id, name, lang.clone(), variant.gender));
            }
        }
        voices.sort_by(|a, b| (&a.lang, &a.id).cmp(&(&b.lang, &b.id)));
        Ok(voices)
    }
}

#[async_trait::async_trait]
impl Tts for Espeak {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Of the program and the library; `espeak not installed` when there is none. The first call asks the program.
    fn version(&self) -> &str {
        self.version.get_or_init(|| {
            let version = program::find(self.settings.program.as_deref()).and_then(|path| program::version(&path));
            version.unwrap_or_else(|_| "espeak not installed".to_owned())
        })
    }

    fn capability(&self) -> Capability {
        Capability { word_times: true, rate: true, pitch: true, max_text_bytes: MAX_TEXT_BYTES }
    }

    async fn voices(&self) -> Result<Vec<Voice>, ProviderError> {
        self.voices.get_or_try_init(|| self.list_voices()).await.cloned()
    }

    async fn speak(&self, request: &SpeechRequest) -> Result<Speech, ProviderError> {
        let SpeechRequest { text, voice, rate, pitch } = request;
        if text.len() > MAX_TEXT_BYTES {
            let message = format!("the text has {} bytes; speak at most {MAX_TEXT_BYTES} at a time", text.len());
            return Err(ProviderError::new(NAME, ErrorKind::Invalid, message));
        }
        for (what, value) in [("rate", rate), ("pitch", pitch)] {
            if !(0.5..=2.0).contains(value) {
                let message = format!("{what} {value} is out of range; choose 0.5 to 2.0");
                return Err(ProviderError::new(NAME, ErrorKind::Invalid, message));
            }
        }
        let answer = self.ask(&Request::Speak { text, voice, rate: *rate, pitch: *pitch }).await?;
        match answer {
            Answer::Speech { head, samples } => {
                let in_text = |w: &worker::Word| text.get(w.start..w.end).is_some_and(|t| !t.is_empty());
                if !head.words.iter().all(in_text) {
                    return Err(misread());
                }
                let words = head.words.iter().map(|w| WordTime { bytes: w.start..w.end, start_ms: w.ms }).collect();
                Ok(Speech { sample_rate: head.sample_rate, samples, words })
            }
            Answer::Refused(failure) => Err(ProviderError::new(NAME, failure.kind, failure.message)),
            Answer::Hello(_) => Err(misread()),
        }
    }
}

fn as_voice(id: String, name: String, lang: Lang, gender: Option<Gender>) -> Voice {
    Voice { id, name, lang, gender, provider: NAME.to_owned() }
}

fn internal(message: &str) -> ProviderError {
    ProviderError::new(NAME, ErrorKind::Internal, message)
}

fn misread() -> ProviderError {
    internal("`pressroom-speech` answered something else than was asked; install it and `pressroom` from one release")
}
