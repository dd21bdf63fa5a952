//! The programs as their user has them: real scripts, real FFmpeg, at the quickest quality.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in what it calls too")]

mod bad_input;
mod browser;
mod commands;
#[cfg(feature = "local-models")]
#[path = "../../../providers/tests/it/ct2_file.rs"]
mod ct2_file;
#[cfg(feature = "local-models")]
#[path = "../../../providers/tests/it/ct2_nllb.rs"]
mod ct2_nllb;
#[cfg(feature = "local-models")]
#[path = "../../../providers/tests/it/ct2_whisper.rs"]
#[expect(dead_code, reason = "the tests of the adapter use the rest")]
mod ct2_whisper;
mod desk;
mod dubs;
mod languages;
#[cfg(feature = "local-models")]
mod local_models;
mod models;
#[cfg(feature = "local-models")]
mod onnx;
mod renders;
mod resume;
mod server;
