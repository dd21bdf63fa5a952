//! Adapters of the AI ports, one file each.

#[cfg(feature = "local-models")]
mod blocking;
#[cfg(feature = "local-models")]
mod ctranslate2;
pub mod diarize;
mod fingerprint;
mod library;
pub mod models;
#[cfg(feature = "local-models")]
pub mod onnx;
pub mod separate;
pub mod stt;
pub mod translate;
pub mod tts;
