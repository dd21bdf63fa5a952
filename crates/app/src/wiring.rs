//! Who works with whom: the one place that sees everything.

#[cfg(feature = "local-models")]
use std::path::PathBuf;
use std::{path::Path, sync::Arc, time::Duration};

use ai::{metered::Metered, stt::Stt, translate::Translator, tts::Tts};
use dubbing::{Booth, Dubbing};
use kernel::SystemClock;
use media::Ffmpeg;
use pipeline::{Limits, Store};
use platform::{
    config::{Settings as _, Sources},
    http::{AddressPolicy, HttpClient},
    storage::ShelfLimits,
};
use providers::{
    diarize,
    models::{Catalogue, Kind, Model, ModelPool},
    separate, stt, translate,
    tts::{self, espeak},
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use videos::{Studio, Videos};

use crate::settings::Settings;

const SECONDS_OF_A_DAY: u64 = 24 * 60 * 60;

/// The settings of this process; a data folder given by a flag is the strongest.
pub(crate) fn settings(data: Option<&Path>) -> anyhow::Result<Settings> {
    let mut settings = Settings::load_from(&Sources::of_process())?;
    if let Some(data) = data {
        data.clone_into(&mut settings.data);
    }
    Ok(settings)
}

/// The speech engines, the preferred first.
pub(crate) fn speech_engines(settings: &Settings) -> Vec<Arc<dyn Tts>> {
    let espeak = espeak::Settings { program: settings.programs.speech.clone(), ..espeak::Settings::default() };
    let engines = tts::all(&tts::Settings { espeak, ..tts::Settings::default() });
    engines.into_iter().map(|engine| Arc::new(Metered(engine)) as _).collect()
}

/// The engines that write down what is said, the preferred first: who adds a model wants it used.
pub(crate) fn listeners(models: &Catalogue, pool: &ModelPool) -> anyhow::Result<Vec<Arc<dyn Stt>>> {
    let own = stt::of_models(models.usable(Kind::Transcription)?, pool);
    let all = own.into_iter().chain(stt::all(&stt::Settings::default()));
    Ok(all.map(|engine| Arc::new(Metered(engine)) as _).collect())
}

/// The translators, the preferred first. Which of them translates a pair depends on how good each is at it, and only then on
/// this.
pub(crate) fn translators(models: &Catalogue, pool: &ModelPool) -> anyhow::Result<Vec<Arc<dyn Translator>>> {
    let own = translate::of_models(models.usable(Kind::Translation)?, pool);
    let all = own.into_iter().chain(translate::all(&translate::Settings::default()));
    Ok(all.map(|engine| Arc::new(Metered(engine)) as _).collect())
}

/// The models of the data folder.
pub(crate) fn models(settings: &Settings) -> Catalogue {
    name_onnx_runtime(settings);
    Catalogue::new(&settings.data, Arc::new(SystemClock))
}

/// The models in memory.
pub(crate) fn pool(settings: &Settings) -> ModelPool {
    ModelPool::new(settings.memory().total_bytes())
}

/// Says which library of ONNX Runtime is to be opened, where one is named.
#[cfg(feature = "local-models")]
fn name_onnx_runtime(settings: &Settings) {
    if let Some(library) = &settings.programs.onnxruntime {
        providers::onnx::use_library(library);
    }
}

#[cfg(not(feature = "local-models"))]
fn name_onnx_runtime(_: &Settings) {}

/// The library of ONNX Runtime, or what is missing.
#[cfg(feature = "local-models")]
pub(crate) fn onnx_runtime(settings: &Settings) -> Result<PathBuf, String> {
    name_onnx_runtime(settings);
    providers::onnx::library()
}

/// FFmpeg, with what is known of it kept in the data folder.
pub(crate) async fn ffmpeg(settings: &Settings) -> anyhow::Result<Ffmpeg> {
    Ok(Ffmpeg::discover(settings.programs.ffmpeg.as_deref(), &settings.data.join("ffmpeg")).await?)
}

/// The videos service on the data folder.
pub(crate) async fn videos(settings: &Settings, cancellation: CancellationToken) -> anyhow::Result<Videos> {
    let store = Store::open(&settings.data, Arc::new(SystemClock)).await?;
    let studio = Studio {
        ffmpeg: ffmpeg(settings).await?.cancelled_by(cancellation.clone()),
        engines: speech_engines(settings),
        fetch: Arc::new(HttpClient::new(AddressPolicy::PublicOnly)?),
        jobs: settings.jobs(),
        places: Arc::new(Semaphore::new(settings.jobs())),
    };
    let limits = limits(settings);
    Ok(Videos { studio, store, memory: settings.memory(), limits, cancellation, team: None })
}

/// The dubbing service on the data folder.
pub(crate) async fn dubbing(settings: &Settings, cancellation: CancellationToken) -> anyhow::Result<Dubbing> {
    let store = Store::open(&settings.data, Arc::new(SystemClock)).await?;
    let mut voices = speech_engines(settings);
    // Few languages, and better understood in those: a dub takes such an engine first, a video keeps its usual voice.
    voices.reverse();
    let (models, pool) = (models(settings), pool(settings));
    let usable = |kind| -> anyhow::Result<Vec<Model>> { Ok(models.usable(kind)?) };
    let separator = separate::of_models(usable(Kind::Separation)?, &pool).into_iter().next();
    let speaker_encoder = diarize::of_models(usable(Kind::Diarization)?, &pool).into_iter().next();
    let booth = Booth {
        ffmpeg: ffmpeg(settings).await?.cancelled_by(cancellation.clone()),
        listeners: listeners(&models, &pool)?,
        translators: translators(&models, &pool)?,
        voices,
        separator: separator.map(|separator| Arc::new(Metered(separator)) as _),
        speaker_encoder: speaker_encoder.map(|encoder| Arc::new(Metered(encoder)) as _),
        jobs: settings.jobs(),
    };
    Ok(Dubbing { booth, store, memory: settings.memory(), limits: limits(settings), cancellation })
}

fn limits(settings: &Settings) -> Limits {
    Limits { max_bytes: settings.cache.max_bytes, max_age: days(settings.cache.max_age_days) }
}

/// What workers share, and for how long.
pub(crate) fn shelf_limits(settings: &Settings) -> ShelfLimits {
    ShelfLimits {
        max_bytes: settings.cache.shared_max_bytes,
        max_age: days(settings.cache.shared_max_age_days),
        min_free_bytes: settings.storage.min_free_bytes,
    }
}

fn days(count: u32) -> Duration {
    Duration::from_secs(u64::from(count) * SECONDS_OF_A_DAY)
}
