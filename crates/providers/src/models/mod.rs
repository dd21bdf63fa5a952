//! Models that the user supplies: a catalogue of them in the data folder, and a pool of those that are loaded.
//!
//! What a model is for and how it is loaded its [`Family`] says; engines take loaded ones out of the [`ModelPool`].

mod adding;
mod archive;
mod catalogue;
mod contents;
mod ctranslate2;
mod error;
mod families;
mod family;
mod manifest;
mod onnx;
mod pool;
mod protobuf;
mod staging;
mod work;

pub use adding::{Addition, is_web_address};
pub use catalogue::{Catalogue, Listed};
pub use contents::Contents;
pub use ctranslate2::Header;
pub use error::ModelError;
pub use families::FAMILIES;
pub use family::{Family, Kind, Loaded, Loader};
pub use manifest::{Manifest, Model, ModelFile, ModelName, Schema};
pub use onnx::{Dimension, Graph, Tensor};
pub use pool::{Gauge, Lease, ModelPool};
pub use work::{Phase, Progress, Watch};
