//! What users and programs show to be believed: signed access tokens, and secrets of which only a hash is stored.

mod access;
mod jws;
mod keys;
mod secret;

pub use access::{AccessClaims, AccessTokens, TokenError};
pub use keys::{Algorithm, KeySet, NewSigningKey, SigningKey, StoredKey};
pub use secret::{Secret, SecretHash, SecretKind};
