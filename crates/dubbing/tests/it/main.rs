//! Whole dubs with engines that speak in tones and translate backwards, and a real FFmpeg.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in what it calls too")]

mod bad_input;
mod dubs;
mod edits;
mod models;
mod studio;
