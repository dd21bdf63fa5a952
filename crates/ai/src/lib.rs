//! Ports of AI providers: what Pressroom asks of a speech engine, in the words of no vendor.
//!
//! Adapters live in `providers`; each runs the conformance suite of its port.

mod error;
pub mod tts;

pub use error::ProviderError;
