//! Adapters of the AI ports, one file each.

pub mod tts;
