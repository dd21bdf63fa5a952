//! Engines that listen.

pub mod pocketsphinx;

use std::sync::Arc;

use ai::stt::Stt;

/// Settings of every engine that listens.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub pocketsphinx: pocketsphinx::Settings,
}

/// Every engine that listens, the preferred first. One that is not installed is listed too: it says so when it is used.
pub fn all(settings: &Settings) -> Vec<Arc<dyn Stt>> {
    vec![Arc::new(pocketsphinx::PocketSphinx::new(&settings.pocketsphinx))]
}
