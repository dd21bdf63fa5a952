//! Apertium: the language pairs that are installed, run as the chains of small programs that they are made of.
//!
//! Apertium's own front end is a shell script; here each program of a pair's mode file is started directly, so that
//! nothing of a text or of a file ever reaches a shell.

mod languages;
mod mode;
mod pipeline;
mod stream;

use std::{path::PathBuf, sync::OnceLock, time::Duration};

use ai::{
    ProviderError,
    translate::{Capability, Pair, TranslationRequest, Translator},
};
use kernel::{ErrorKind, Lang};
use tokio::sync::Semaphore;

use self::mode::Mode;

const NAME: &str = "apertium";
/// Changes when the same request to the same data is answered otherwise.
const ADAPTER_VERSION: u32 = 1;
const MAX_TEXT_BYTES: usize = 16 * 1024;
const MAX_BATCH: usize = 2000;
/// Where packages put `modes`, the first that is there counts.
const DATA_FOLDERS: [&str; 3] = ["/usr/share/apertium", "/usr/local/share/apertium", "/opt/homebrew/share/apertium"];

/// How Apertium is found and used.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder that holds the folder `modes`. Without it, the usual ones are looked at.
    pub data: Option<PathBuf>,
    /// Batches that are translated at a time; each runs about ten processes, of which one or two are busy.
    pub batches: usize,
    /// Time for one batch.
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { data: None, batches: 2, timeout: Duration::from_mins(2) }
    }
}

/// The engine. Its processes live as long as a batch: they start in a tenth of a second.
#[derive(Debug)]
pub struct Apertium {
    settings: Settings,
    version: OnceLock<String>,
    /// As many permits as batches may be in work.
    places: Semaphore,
}

impl Apertium {
    pub fn new(settings: &Settings) -> Self {
        Self { settings: settings.clone(), version: OnceLock::new(), places: Semaphore::new(settings.batches.max(1)) }
    }

    /// The pairs that can be used now. They are read each time: a pair may be installed while Pressroom runs.
    async fn modes(&self) -> Result<Vec<Mode>, ProviderError> {
        let data = self.data_folder();
        let listed = tokio::task::spawn_blocking(move || mode::list(&data)).await;
        listed.map_err(|source| error(ErrorKind::Internal, "the pairs cannot be listed").with_source(source))
    }

    fn data_folder(&self) -> PathBuf {
        let usual = || DATA_FOLDERS.iter().map(PathBuf::from).find(|folder| folder.join("modes").is_dir());
        self.settings.data.clone().or_else(usual).unwrap_or_else(|| PathBuf::from(DATA_FOLDERS[0]))
    }

    async fn run(&self, mode: &Mode, texts: &[&str]) -> Result<Vec<String>, ProviderError> {
        let _place = self.places.acquire().await.map_err(|_| error(ErrorKind::Internal, "the engine is closed"))?;
        let input = stream::write(texts);
        let Ok(output) = tokio::time::timeout(self.settings.timeout, pipeline::run(&mode.programs, input)).await else {
            let seconds = self.settings.timeout.as_secs();
            let message = format!("`{}` did not answer within {seconds} s; translate fewer texts at a time", mode.name);
            return Err(error(ErrorKind::Unavailable, message));
        };
        let output = output?;
        stream::read(&output, texts).ok_or_else(|| {
            let message = format!("`{}` lost texts on their way; report it with the texts of the batch", mode.name);
            error(ErrorKind::Internal, message)
        })
    }
}

#[async_trait::async_trait]
impl Translator for Apertium {
    fn name(&self) -> &'static str {
        NAME
    }

    /// With a fingerprint of the programs and data of every pair, as they were at the first call.
    fn version(&self) -> &str {
        self.version.get_or_init(|| {
            let fingerprint = mode::fingerprint(&mode::list(&self.data_folder()));
            format!("apertium {fingerprint}, adapter {ADAPTER_VERSION}")
        })
    }

    fn capability(&self) -> Capability {
        Capability { max_text_bytes: MAX_TEXT_BYTES, max_batch: MAX_BATCH }
    }

    async fn pairs(&self) -> Result<Vec<Pair>, ProviderError> {
        Ok(self.modes().await?.iter().map(Mode::pair).collect())
    }

    async fn translate(&self, request: &TranslationRequest) -> Result<Vec<String>, ProviderError> {
        check_sizes(request)?;
        let modes = self.modes().await?;
        let Some(mode) = mode::find(&modes, &request.from, &request.to) else {
            return Err(unsupported(&request.from, &request.to, &modes));
        };
        // What has no word is not translated, only passed on.
        let has_words = |text: &&String| text.chars().any(char::is_alphanumeric);
        let texts: Vec<&str> = request.texts.iter().filter(has_words).map(String::as_str).collect();
        if texts.is_empty() {
            return Ok(request.texts.clone());
        }
        let mut translations = self.run(mode, &texts).await?.into_iter();
        let each = |text: &String| if has_words(&text) { translations.next() } else { Some(text.clone()) };
        Ok(request.texts.iter().filter_map(each).collect())
    }
}

fn check_sizes(request: &TranslationRequest) -> Result<(), ProviderError> {
    if request.texts.len() > MAX_BATCH {
        let message = format!("the batch has {} texts; translate at most {MAX_BATCH} at a time", request.texts.len());
        return Err(error(ErrorKind::Invalid, message));
    }
    match request.texts.iter().map(String::len).find(|&length| length > MAX_TEXT_BYTES) {
        Some(length) => {
            let message = format!("a text has {length} bytes; split it into texts of at most {MAX_TEXT_BYTES}");
            Err(error(ErrorKind::Invalid, message))
        }
        None => Ok(()),
    }
}

/// A pair that is not there: what would bring it, and what is there.
fn unsupported(from: &Lang, to: &Lang, modes: &[Mode]) -> ProviderError {
    let mut names: Vec<String> = modes.iter().map(|mode| format!("{}-{}", mode.from, mode.to)).collect();
    names.dedup();
    let possible = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let remedy = match languages::find_package(from, to) {
        Some(package) => format!("the package `{package}` has this pair, in one direction at least"),
        None => "Debian has no package for this pair".to_owned(),
    };
    let message = format!("`{from}-{to}` cannot be translated here; {remedy}; installed pairs: {possible}");
    // Without any pair it is Apertium itself that the machine lacks.
    let kind = if modes.is_empty() { ErrorKind::Missing } else { ErrorKind::NotFound };
    error(kind, message)
}

fn error(kind: ErrorKind, message: impl Into<String>) -> ProviderError {
    ProviderError::new(NAME, kind, message)
}
