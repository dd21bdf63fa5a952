//! The secret of an installation: where it comes from, the keys that are derived from it, and fields sealed with them.

mod key;
mod seal;

pub use key::{DerivedKey, Purpose, SecretKeyError, SecretKeys};
pub use seal::{SealError, Sealer};
