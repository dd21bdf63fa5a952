//! PocketSphinx: English, on this machine, without a network.
//!
//! Each utterance is decoded whole, which the library does better than stretches of a stream: about a quarter of the
//! words of human speech are wrong instead of more than a third.

mod ffi;
mod model;
mod words;

use std::{
    ops::Range,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use ai::{
    ProviderError,
    stt::{Capability, SAMPLE_RATE, Stt, Transcript, Utterance},
};
use kernel::{ErrorKind, Lang};
use tokio::sync::Semaphore;

use self::{
    ffi::{Api, Decoder},
    model::Model,
};

const NAME: &str = "pocketsphinx";
/// Changes when the same utterance and model give another transcript.
const ADAPTER_VERSION: u32 = 2;
/// A minute: four times the longest utterance of a dub, and a quarter of a minute's work.
const MAX_SAMPLES: usize = 60 * SAMPLE_RATE as usize;
const REMEDY: &str = "install the packages `libpocketsphinx3` and `pocketsphinx-en-us`";
/// Samples that are no louder (−60 dB of full scale) are silence.
const SILENCE: u16 = 32;
/// Loudness is told by the peaks of stretches of ten milliseconds.
const STRETCH_SAMPLES: usize = SAMPLE_RATE as usize / 100;
/// How much louder than what lies behind it speech is at least (15 dB).
const OVER_BACKGROUND: u16 = 6;
/// What is louder than this part of the loudest (−18 dB) is speech, whatever lies behind.
const OF_LOUDEST: u16 = 8;
/// What is left before and after speech: it may be the breath of a first or last consonant.
const MARGIN_SAMPLES: usize = SAMPLE_RATE as usize / 10;

/// How the library and its model are found and used.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The library. Without it, the system's loader looks for it.
    pub library: Option<PathBuf>,
    /// The folder of the model: `en-us/`, `en-us.lm.bin` and `cmudict-en-us.dict`. Without it, the packages' folders.
    pub model: Option<PathBuf>,
    /// Utterances decoded at a time; each decoder has about 100 MB.
    pub decoders: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { library: None, model: None, decoders: 2 }
    }
}

/// The engine: a few decoders, made when they are needed, kept for the next utterance.
#[derive(Debug)]
pub struct PocketSphinx {
    engine: Arc<Engine>,
    version: OnceLock<String>,
    /// As many permits as decoders may work.
    places: Arc<Semaphore>,
}

/// What decoding threads share.
#[derive(Debug)]
struct Engine {
    settings: Settings,
    api: Mutex<Option<Arc<Api>>>,
    idle: Mutex<Vec<Decoder>>,
}

impl PocketSphinx {
    pub fn new(settings: &Settings) -> Self {
        let engine = Engine { settings: settings.clone(), api: Mutex::new(None), idle: Mutex::new(Vec::new()) };
        Self {
            engine: Arc::new(engine),
            version: OnceLock::new(),
            places: Arc::new(Semaphore::new(settings.decoders.max(1))),
        }
    }

    /// Runs `work` on a blocking thread, where a decoder may take its time.
    async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> Result<T, ProviderError> + Send + 'static,
    ) -> Result<T, ProviderError> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|source| error(ErrorKind::Internal, "the pool is closed").with_source(source))?;
        let engine = Arc::clone(&self.engine);
        let done = tokio::task::spawn_blocking(move || {
            // Held to the end of the work, also when nobody waits for it any more.
            let _place = place;
            work(&engine)
        });
        done.await.map_err(|source| error(ErrorKind::Internal, "a decoder stopped").with_source(source))?
    }
}

impl Engine {
    /// The library, loaded by the first call that finds it.
    fn api(&self) -> Result<Arc<Api>, ProviderError> {
        let mut api = self.api.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(api) = api.as_ref() {
            return Ok(Arc::clone(api));
        }
        let loaded = Api::load(self.settings.library.as_deref()).map_err(|source| {
            error(ErrorKind::Missing, format!("PocketSphinx's library cannot be loaded; {REMEDY}")).with_source(source)
        })?;
        Ok(Arc::clone(api.insert(Arc::new(loaded))))
    }

    fn model(&self) -> Result<Model, ProviderError> {
        Model::open(self.settings.model.as_deref()).map_err(|file| {
            let message = format!("`{}` is missing or not of this model; {REMEDY}", file.display());
            error(ErrorKind::Missing, message)
        })
    }

    fn new_decoder(&self) -> Result<Decoder, ProviderError> {
        let (api, model) = (self.api()?, self.model()?);
        Decoder::new(api, &model).ok_or_else(|| {
            let message = format!("the model in `{}` cannot be loaded; {REMEDY}", model.folder().display());
            error(ErrorKind::Missing, message)
        })
    }

    fn decode(&self, samples: &[i16]) -> Result<Vec<ffi::Segment>, ProviderError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut decoder = idle.map_or_else(|| self.new_decoder(), Ok)?;
        let segments = decoder.decode(samples);
        let segments =
            segments.ok_or_else(|| error(ErrorKind::Internal, "the decoder failed; report the utterance"))?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(decoder);
        Ok(segments)
    }
}

#[async_trait::async_trait]
impl Stt for PocketSphinx {
    fn name(&self) -> &'static str {
        NAME
    }

    /// With a fingerprint of the model's files, as they were at the first call.
    fn version(&self) -> &str {
        self.version.get_or_init(|| match self.engine.model() {
            Ok(model) => {
                format!("pocketsphinx 5prealpha, model {}, adapter {ADAPTER_VERSION}", model.fingerprint())
            }
            Err(_) => "pocketsphinx not installed".to_owned(),
        })
    }

    fn capability(&self) -> Capability {
        Capability { word_times: true, confidence: true, detects_lang: false, max_samples: MAX_SAMPLES }
    }

    async fn langs(&self) -> Result<Vec<Lang>, ProviderError> {
        self.on_thread(|engine| {
            let installed = engine.api().is_ok() && engine.model().is_ok();
            Ok(if installed { vec![Lang::english()] } else { Vec::new() })
        })
        .await
    }

    async fn transcribe(&self, utterance: &Utterance) -> Result<Transcript, ProviderError> {
        let lang = check(utterance)?;
        let duration_ms = u32::try_from(utterance.duration_ms()).unwrap_or(u32::MAX);
        let samples = Arc::clone(&utterance.samples);
        let sound = find_sound(&samples);
        let offset_ms = (sound.start as u64 * 1000 / u64::from(SAMPLE_RATE)) as u32;
        let segments = self
            .on_thread(move |engine| {
                if sound.is_empty() {
                    return engine.model().map(|_| Vec::new());
                }
                engine.decode(&with_noise(&samples[sound]))
            })
            .await?;
        let words = words::words(&segments, offset_ms, duration_ms);
        let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        let confidence = words::confidence(&words);
        Ok(Transcript { text, lang, words, confidence })
    }
}

/// The language of an utterance that can be taken.
fn check(utterance: &Utterance) -> Result<Lang, ProviderError> {
    let length = utterance.samples.len();
    if length > MAX_SAMPLES {
        let seconds = MAX_SAMPLES / SAMPLE_RATE as usize;
        let message = format!("the utterance has {length} samples; send at most {MAX_SAMPLES}, {seconds} s, at a time");
        return Err(error(ErrorKind::Invalid, message));
    }
    match &utterance.lang {
        Some(lang) if lang.primary() == "en" => Ok(lang.clone()),
        Some(lang) => {
            let message = format!("PocketSphinx does not understand `{lang}`, only `en`; give a transcript instead");
            Err(error(ErrorKind::NotFound, message))
        }
        None => {
            let message = "PocketSphinx cannot find out what language is spoken; name it, it understands `en`";
            Err(error(ErrorKind::Invalid, message))
        }
    }
}

/// Where somebody speaks, with a little of what is around it; nothing where there is no sound. The decoder takes all that it
/// is given as a measure of the speaker's loudness, and silence, or music behind the words, for words.
fn find_sound(samples: &[i16]) -> Range<usize> {
    let peak = |stretch: &[i16]| stretch.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
    let peaks: Vec<u16> = samples.chunks(STRETCH_SAMPLES).map(peak).collect();
    let mut sorted = peaks.clone();
    sorted.sort_unstable();
    // A tenth of any utterance lies between its sounds.
    let (background, loudest) = (sorted.get(sorted.len() / 10), sorted.last());
    let (Some(background), Some(loudest)) = (background, loudest) else { return 0..0 };
    let quietest = background.saturating_mul(OVER_BACKGROUND).min(loudest / OF_LOUDEST).max(SILENCE);
    let is_speech = |peak: &u16| *peak > quietest;
    let (Some(first), Some(last)) = (peaks.iter().position(is_speech), peaks.iter().rposition(is_speech)) else {
        return 0..0;
    };
    let (start, end) = (first * STRETCH_SAMPLES, (last + 1) * STRETCH_SAMPLES);
    start.saturating_sub(MARGIN_SAMPLES)..(end + MARGIN_SAMPLES).min(samples.len())
}

/// The samples with noise of ±1, the same each time: stretches of zeros, which no microphone gives but programs do, have
/// no logarithm and are heard as words.
fn with_noise(samples: &[i16]) -> Vec<i16> {
    // Xorshift (Marsaglia 2003).
    let mut state: u32 = 0x9e37_79b9;
    let noisy = samples.iter().map(|sample| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        sample.saturating_add((state % 3) as i16 - 1)
    });
    noisy.collect()
}

fn error(kind: ErrorKind, message: impl Into<String>) -> ProviderError {
    ProviderError::new(NAME, kind, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of a tone this loud, one after the other.
    fn tones(parts: &[(f64, f64)]) -> Vec<i16> {
        let tone = |&(seconds, peak): &(f64, f64)| {
            let sample = move |at: usize| (peak * (at as f64 * 0.4).sin()) as i16;
            (0..(seconds * f64::from(SAMPLE_RATE)) as usize).map(sample)
        };
        parts.iter().flat_map(tone).collect()
    }

    fn seconds(parts: &[(f64, f64)]) -> (f64, f64) {
        let sound = find_sound(&tones(parts));
        (sound.start as f64 / f64::from(SAMPLE_RATE), sound.end as f64 / f64::from(SAMPLE_RATE))
    }

    #[test]
    fn music_around_speech_is_left_out_and_quiet_speech_is_not() {
        let spoken = [(0.5, 200.0), (0.3, 8000.0), (0.2, 200.0), (0.5, 2000.0), (0.8, 200.0)];
        assert_eq!(seconds(&spoken), (0.4, 1.6));
        let whispered = [(0.5, 0.0), (0.4, 60.0), (0.5, 0.0)];
        assert_eq!(seconds(&whispered), (0.4, 1.0));
        assert_eq!(seconds(&[(1.0, 30.0)]), (0.0, 0.0), "silence");
        assert_eq!(find_sound(&[]), 0..0);
    }

    #[test]
    fn speech_without_a_pause_is_left_whole() {
        assert_eq!(seconds(&[(1.0, 6000.0)]), (0.0, 1.0));
    }
}
