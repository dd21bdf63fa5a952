//! Captions from timed words to pixels.

mod breaking;
mod drawing;
mod golden;
mod reading;
mod render;
mod sentences;
mod sidecar;
