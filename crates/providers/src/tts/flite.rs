//! Flite: two English voices that are understood far better than eSpeak's, in a library that is loaded when it is used.
//!
//! Their ids are `flite-slt` and `flite-rms`, so that no other engine's voice can be meant.

mod ffi;
mod sound;
mod text;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use ai::{
    ProviderError,
    tts::{Capability, Gender, Speech, SpeechRequest, Tts, Voice},
};
use kernel::{ErrorKind, Lang};
use tokio::sync::Semaphore;

use self::{ffi::Api, text::Ascii};

const NAME: &str = "flite";
/// The interface of the library and this adapter; the second changes when the same request sounds otherwise.
const VERSION: &str = "flite 2 (library version 1), adapter 1";
/// Longest text of one request: about four minutes of speech.
const MAX_TEXT_BYTES: usize = 4 * 1024;
/// What the voices speak at.
const SAMPLE_RATE: u32 = 16_000;
const LANGUAGE: &str = "en-us";
/// Id, the library's name for it, what people call it, gender; sorted by id.
const VOICES: [(&str, &str, &str, Gender); 2] =
    [("flite-rms", "rms", "RMS, clear", Gender::Male), ("flite-slt", "slt", "SLT, clear", Gender::Female)];
const REMEDY: &str = "install the package `libflite1`";

/// How the library is found.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The folder of `libflite.so.1` and its voices. Without it, the system's loader looks for them.
    pub folder: Option<PathBuf>,
}

/// The engine. The library speaks one sentence at a time, a hundred times as fast as it sounds.
#[derive(Debug)]
pub struct Flite {
    engine: Arc<Engine>,
    /// Whoever waits for the library waits here, not on a thread.
    turn: Arc<Semaphore>,
}

#[derive(Debug)]
struct Engine {
    settings: Settings,
    /// Voices that are loaded, by the library's name for them.
    voices: Mutex<HashMap<&'static str, Arc<Api>>>,
}

impl Flite {
    pub fn new(settings: &Settings) -> Self {
        let engine = Engine { settings: settings.clone(), voices: Mutex::new(HashMap::new()) };
        Self { engine: Arc::new(engine), turn: Arc::new(Semaphore::new(1)) }
    }

    /// Runs `work` on a blocking thread, in its turn.
    async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> Result<T, ProviderError> + Send + 'static,
    ) -> Result<T, ProviderError> {
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let turn = turn.map_err(|source| error(ErrorKind::Internal, "the engine is closed").with_source(source))?;
        let engine = Arc::clone(&self.engine);
        let done = tokio::task::spawn_blocking(move || {
            // Held to the end of the work, also when nobody waits for it any more.
            let _turn = turn;
            work(&engine)
        });
        done.await.map_err(|source| error(ErrorKind::Internal, "a sentence was given up").with_source(source))?
    }
}

impl Engine {
    /// The voice, loaded by the first call that finds it.
    fn voice(&self, name: &'static str) -> Result<Arc<Api>, ProviderError> {
        let mut voices = self.voices.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(voice) = voices.get(name) {
            return Ok(Arc::clone(voice));
        }
        let loaded = Api::load(name, self.settings.folder.as_deref()).map_err(|source| {
            error(ErrorKind::Missing, format!("Flite's voice `{name}` cannot be loaded; {REMEDY}")).with_source(source)
        })?;
        let voice = Arc::new(loaded);
        voices.insert(name, Arc::clone(&voice));
        Ok(voice)
    }

    fn speak(&self, name: &'static str, text: &str, rate: f32) -> Result<Speech, ProviderError> {
        let ascii = Ascii::of(text);
        let voice = self.voice(name)?;
        let silent = Speech { sample_rate: SAMPLE_RATE, samples: Vec::new(), words: Vec::new() };
        if !ascii.has_words() {
            return Ok(silent);
        }
        let Some(text) = ascii.to_c() else { return Ok(silent) };
        let spoken = voice.speak(&text, 1.0 / rate);
        let spoken =
            spoken.ok_or_else(|| error(ErrorKind::Internal, "Flite made no sound; report it with the text"))?;
        Ok(sound::trim(spoken.sample_rate, &spoken.samples, &ascii.locate(&spoken.tokens)))
    }
}

#[async_trait::async_trait]
impl Tts for Flite {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> &'static str {
        VERSION
    }

    /// Without a pitch: the library changes that of one of its voices only.
    fn capability(&self) -> Capability {
        Capability { word_times: true, rate: true, pitch: false, max_text_bytes: MAX_TEXT_BYTES }
    }

    /// None when the library is not installed: other engines still have theirs.
    async fn voices(&self) -> Result<Vec<Voice>, ProviderError> {
        self.on_thread(|engine| {
            let installed = VOICES.iter().filter(|(_, name, ..)| engine.voice(name).is_ok());
            Ok(installed.filter_map(|(id, _, name, gender)| as_voice(id, name, *gender)).collect())
        })
        .await
    }

    async fn speak(&self, request: &SpeechRequest) -> Result<Speech, ProviderError> {
        let name = check(request)?;
        let (text, rate) = (request.text.clone(), request.rate);
        self.on_thread(move |engine| engine.speak(name, &text, rate)).await
    }
}

/// The library's name of the voice of a request that can be spoken.
fn check(request: &SpeechRequest) -> Result<&'static str, ProviderError> {
    let SpeechRequest { text, voice, rate, pitch } = request;
    if text.len() > MAX_TEXT_BYTES {
        let message = format!("the text has {} bytes; speak at most {MAX_TEXT_BYTES} at a time", text.len());
        return Err(error(ErrorKind::Invalid, message));
    }
    for (what, value) in [("rate", rate), ("pitch", pitch)] {
        if !(0.5..=2.0).contains(value) {
            let message = format!("{what} {value} is out of range; choose 0.5 to 2.0");
            return Err(error(ErrorKind::Invalid, message));
        }
    }
    let Some((_, name, ..)) = VOICES.iter().find(|(id, ..)| id == voice) else {
        let ids: Vec<&str> = VOICES.iter().map(|(id, ..)| *id).collect();
        let message = format!("voice `{voice}` not found; Flite has {}", ids.join(", "));
        return Err(error(ErrorKind::NotFound, message));
    };
    Ok(name)
}

fn as_voice(id: &str, name: &str, gender: Gender) -> Option<Voice> {
    let lang: Lang = LANGUAGE.parse().ok()?;
    Some(Voice { id: id.to_owned(), name: name.to_owned(), lang, gender: Some(gender), provider: NAME.to_owned() })
}

fn error(kind: ErrorKind, message: impl Into<String>) -> ProviderError {
    ProviderError::new(NAME, kind, message)
}
