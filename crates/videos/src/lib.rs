//! From a script to a finished video.

mod error;
pub mod request;
pub mod script;
pub mod source;

pub use error::VideosError;
