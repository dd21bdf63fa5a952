//! From a video in one language to the same video in others.

pub mod document;
pub mod edit;
mod error;
pub mod fit;
pub mod glossary;
pub mod pairs;
pub mod report;
pub mod sentences;
pub mod subtitles;
pub mod transcript;
pub mod voices;

pub use error::DubbingError;
