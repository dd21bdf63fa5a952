//! Engines that hear whose voice it is.

#[cfg(feature = "local-models")]
pub mod wespeaker;

use std::sync::Arc;

use ai::diarize::SpeakerEncoder;

use crate::models::{Model, ModelPool};

/// The engine of each model that this build can run, in the order of the models.
#[cfg(feature = "local-models")]
pub fn of_models(models: Vec<Model>, pool: &ModelPool) -> Vec<Arc<dyn SpeakerEncoder>> {
    let engine = |model: Model| -> Option<Arc<dyn SpeakerEncoder>> {
        (model.manifest.family == "wespeaker").then(|| Arc::new(wespeaker::WeSpeaker::new(model, pool)) as _)
    };
    models.into_iter().filter_map(engine).collect()
}

/// None: this build can run no models.
#[cfg(not(feature = "local-models"))]
pub fn of_models(_: Vec<Model>, _: &ModelPool) -> Vec<Arc<dyn SpeakerEncoder>> {
    Vec::new()
}
