//! Speech engines.

pub mod espeak;
pub mod flite;

use std::sync::Arc;

use ai::tts::Tts;

/// Settings of every speech engine.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub espeak: espeak::Settings,
    pub flite: flite::Settings,
}

/// Every speech engine, the preferred first. One that is not installed is listed too: it says so when it is used.
///
/// eSpeak speaks a hundred languages; Flite comes after it, and is for who asks for its voices.
pub fn all(settings: &Settings) -> Vec<Arc<dyn Tts>> {
    vec![Arc::new(espeak::Espeak::new(&settings.espeak)), Arc::new(flite::Flite::new(&settings.flite))]
}
