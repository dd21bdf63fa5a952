//! Engines that listen.

pub mod pocketsphinx;
#[cfg(feature = "local-models")]
pub mod whisper;

use std::sync::Arc;

use ai::stt::Stt;

use crate::models::{Model, ModelPool};

/// Settings of every engine that listens.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub pocketsphinx: pocketsphinx::Settings,
}

/// Every engine that listens without a model of the user's, the preferred first. One that is not installed is listed too: it
/// says so when it is used.
pub fn all(settings: &Settings) -> Vec<Arc<dyn Stt>> {
    vec![Arc::new(pocketsphinx::PocketSphinx::new(&settings.pocketsphinx))]
}

/// The engine of each model that this build can run, in the order of the models.
#[cfg(feature = "local-models")]
pub fn of_models(models: Vec<Model>, pool: &ModelPool) -> Vec<Arc<dyn Stt>> {
    let engine = |model: Model| -> Option<Arc<dyn Stt>> {
        (model.manifest.family == "whisper").then(|| Arc::new(whisper::Whisper::new(model, pool)) as _)
    };
    models.into_iter().filter_map(engine).collect()
}

/// None: this build can run no models.
#[cfg(not(feature = "local-models"))]
pub fn of_models(_: Vec<Model>, _: &ModelPool) -> Vec<Arc<dyn Stt>> {
    Vec::new()
}
