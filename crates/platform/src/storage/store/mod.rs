//! Stores of objects: a folder or a provider's bucket by its address, and what is laid around any of them.

mod client;
mod metered;
mod open;
mod unfinished;
mod url;

pub(super) use client::{Refusal, Trouble};
pub use open::{Store, StoreError, StoreOptions, Variables};
pub use url::{StoreKind, StoreUrl, StoreUrlError};
