//! From a script to a finished video.

pub mod request;
