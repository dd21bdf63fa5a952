//! Ports of AI providers: what Pressroom asks of an engine that speaks, listens or translates, in the words of no vendor.
//!
//! Adapters live in `providers`; each runs the conformance suite of its port.

mod error;
pub mod stt;
pub mod translate;
pub mod tts;

pub use error::ProviderError;
