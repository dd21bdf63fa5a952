//! Translators.

pub mod apertium;
#[cfg(feature = "local-models")]
pub mod nllb;

use std::sync::Arc;

use ai::translate::Translator;

use crate::models::{Model, ModelPool};

/// Settings of every translator.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub apertium: apertium::Settings,
}

/// Every translator that needs no model of the user's, the preferred first. One that is not installed is listed too: it says
/// so when it is used.
pub fn all(settings: &Settings) -> Vec<Arc<dyn Translator>> {
    vec![Arc::new(apertium::Apertium::new(&settings.apertium))]
}

/// The translator of each model that this build can run, in the order of the models.
#[cfg(feature = "local-models")]
pub fn of_models(models: Vec<Model>, pool: &ModelPool) -> Vec<Arc<dyn Translator>> {
    let engine = |model: Model| -> Option<Arc<dyn Translator>> {
        (model.manifest.family == "nllb").then(|| Arc::new(nllb::Nllb::new(model, pool)) as _)
    };
    models.into_iter().filter_map(engine).collect()
}

/// None: this build can run no models.
#[cfg(not(feature = "local-models"))]
pub fn of_models(_: Vec<Model>, _: &ModelPool) -> Vec<Arc<dyn Translator>> {
    Vec::new()
}
