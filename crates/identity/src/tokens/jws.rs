//! Compact JSON Web Signatures (RFC 7515), as little of them as we need: a header that names its key, claims, a signature.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::keys::{KeySet, SigningKey};

/// Longer tokens are none of ours.
const MAX_LENGTH: usize = 2048;
/// Access tokens by RFC 9068.
const TYPE: &str = "at+jwt";

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

/// `claims` signed with `key`.
pub(super) fn sign<C: Serialize>(key: &SigningKey, claims: &C) -> Option<String> {
    let header = Header { alg: key.algorithm().name().to_owned(), kid: key.id().to_owned(), typ: TYPE.to_owned() };
    let encode = |bytes: Vec<u8>| URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", encode(serde_json::to_vec(&header).ok()?), encode(serde_json::to_vec(claims).ok()?));
    let signature = key.sign(signed.as_bytes());
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// Which key a token says it was signed with.
pub(super) fn key_id(token: &str) -> Option<String> {
    header(token).map(|header| header.kid)
}

/// The claims of `token`, where a key of `keys` signed it.
///
/// The algorithm is that of the key that the token names. What the token says of it must agree and decides nothing, so there
/// is no way to have one key used with another's algorithm, or with none.
pub(super) fn verify<C: DeserializeOwned>(keys: &KeySet, token: &str) -> Option<C> {
    let header = header(token)?;
    let key = keys.find(&header.kid)?;
    if header.alg != key.algorithm().name() || header.typ != TYPE {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    if !key.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?) {
        return None;
    }
    let (_, claims) = signed.split_once('.')?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

fn header(token: &str) -> Option<Header> {
    if token.len() > MAX_LENGTH || token.bytes().filter(|byte| *byte == b'.').count() != 2 {
        return None;
    }
    let (header, _) = token.split_once('.')?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()
}
