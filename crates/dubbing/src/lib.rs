//! From a video in one language to the same video in others.

mod burning;
pub mod desk;
pub mod document;
pub mod edit;
mod error;
pub mod fit;
pub mod glossary;
mod hearing;
pub mod http;
pub mod jobs;
mod language;
mod outputs;
pub mod pairs;
mod performance;
pub mod production;
pub mod report;
pub mod request;
pub mod sentences;
mod separation;
mod service;
mod sound;
mod speakers;
mod stages;
pub mod subtitles;
pub mod transcript;
mod translation;
pub mod voices;
mod writing;

pub use error::DubbingError;
pub use performance::DEFAULT_MIN_CONFIDENCE;
pub use service::{Booth, Dubbing, Finished, TranslateRequest, edit_document, report};
pub use sound::DEFAULT_DUCK_DB;
