//! Captions from timed words to pixels.

mod breaking;
mod drawing;
mod golden;
mod render;
mod sentences;
mod sidecar;
