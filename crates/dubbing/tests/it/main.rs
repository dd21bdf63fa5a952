//! Whole dubs with engines that speak in tones and translate backwards, and a real FFmpeg.

mod bad_input;
mod dubs;
mod edits;
mod studio;
