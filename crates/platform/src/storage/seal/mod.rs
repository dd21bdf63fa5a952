//! Objects encrypted at rest: each under a key of its own, which lies in the object's row, wrapped by a key of the installation.
//!
//! The row says that an object is sealed, never the object: what a user stores can look like anything.

mod chunks;
mod key;

pub(super) use chunks::{ChunkSealer, Opening, open_stream, sealed_bytes, sealed_range};
pub(super) use key::DataKey;
pub use key::{Seal, SealFault, Seals};
