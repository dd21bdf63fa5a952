//! Who works with whom: the one place that sees everything.

use std::{path::Path, sync::Arc, time::Duration};

use ai::tts::Tts;
use kernel::SystemClock;
use media::Ffmpeg;
use pipeline::{Limits, Store};
use platform::{
    config::{Settings, Sources},
    http::{AddressPolicy, HttpClient},
};
use providers::tts::{self, espeak};
use tokio_util::sync::CancellationToken;
use videos::{Studio, Videos};

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
    tts::all(&tts::Settings { espeak, ..tts::Settings::default() })
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
    };
    let max_age = Duration::from_secs(u64::from(settings.cache.max_age_days) * SECONDS_OF_A_DAY);
    let limits = Limits { max_bytes: settings.cache.max_bytes, max_age };
    Ok(Videos { studio, store, memory: settings.memory(), limits, cancellation })
}
