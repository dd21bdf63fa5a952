//! Ports of AI providers: what Pressroom asks of an engine that speaks, listens, translates, separates voices from what
//! lies behind them, or tells whose they are, in the words of no vendor.
//!
//! Adapters live in `providers`; each runs the conformance suite of its port.

pub mod diarize;
mod error;
pub mod metered;
pub mod separate;
pub mod stt;
pub mod translate;
pub mod tts;

pub use error::ProviderError;
