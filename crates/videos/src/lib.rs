//! From a script to a finished video.

pub mod batch;
mod error;
pub mod library;
pub mod request;
pub mod scenes;
pub mod script;
pub mod source;
pub mod summary;
pub mod words;

pub use error::VideosError;
