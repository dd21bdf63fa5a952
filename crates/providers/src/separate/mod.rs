//! Engines that take voice and background apart.

#[cfg(feature = "local-models")]
pub mod mdx;

use std::sync::Arc;

use ai::separate::Separator;

use crate::models::{Model, ModelPool};

/// The engine of each model that this build can run, in the order of the models.
#[cfg(feature = "local-models")]
pub fn of_models(models: Vec<Model>, pool: &ModelPool) -> Vec<Arc<dyn Separator>> {
    let engine = |model: Model| -> Option<Arc<dyn Separator>> {
        (model.manifest.family == "mdx").then(|| Arc::new(mdx::Mdx::new(model, pool)) as _)
    };
    models.into_iter().filter_map(engine).collect()
}

/// None: this build can run no models.
#[cfg(not(feature = "local-models"))]
pub fn of_models(_: Vec<Model>, _: &ModelPool) -> Vec<Arc<dyn Separator>> {
    Vec::new()
}
