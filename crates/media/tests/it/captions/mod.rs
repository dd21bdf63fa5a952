//! Captions from timed words to pixels.

mod breaking;
mod sentences;
