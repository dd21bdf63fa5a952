//! Speech engines.

pub mod espeak;

use std::sync::Arc;

use ai::tts::Tts;

/// Settings of every speech engine.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub espeak: espeak::Settings,
}

/// Every speech engine, the preferred first. One that is not installed is listed too: it says so when it is used.
pub fn all(settings: &Settings) -> Vec<Arc<dyn Tts>> {
    vec![Arc::new(espeak::Espeak::new(&settings.espeak))]
}
