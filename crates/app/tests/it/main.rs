//! The programs as their user has them: real scripts, real FFmpeg, at the quickest quality.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in what it calls too")]

mod bad_input;
mod browser;
mod commands;
mod desk;
mod dubs;
mod languages;
mod models;
#[cfg(feature = "local-models")]
mod onnx;
mod renders;
mod resume;
