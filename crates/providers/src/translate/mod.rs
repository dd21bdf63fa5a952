//! Translators.

pub mod apertium;

use std::sync::Arc;

use ai::translate::Translator;

/// Settings of every translator.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub apertium: apertium::Settings,
}

/// Every translator, the preferred first. One that is not installed is listed too: it says so when it is used.
pub fn all(settings: &Settings) -> Vec<Arc<dyn Translator>> {
    vec![Arc::new(apertium::Apertium::new(&settings.apertium))]
}
