//! Adapters of the AI ports, one file each.

mod fingerprint;
mod library;
pub mod models;
pub mod stt;
pub mod translate;
pub mod tts;
