//! From a script to a finished video.

pub mod batch;
pub mod desk;
mod error;
pub mod http;
pub mod jobs;
pub mod library;
mod narration;
pub mod order;
mod otio;
pub mod outputs;
pub mod production;
mod publishing;
pub mod request;
pub mod scenes;
mod score;
pub mod script;
mod service;
mod shots;
pub mod source;
mod stages;
mod storyboard;
mod storyline;
pub mod summary;
mod timeline;
pub mod words;

pub use error::VideosError;
pub use outputs::Finished;
pub use service::{Studio, Videos, find_voice, voices};
