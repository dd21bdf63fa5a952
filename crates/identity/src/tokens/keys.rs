//! Keys that sign access tokens. Each has one algorithm for its whole life.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kernel::Rng;
use platform::secrets::DerivedKey;
use ring::{
    digest::{SHA256, digest},
    hmac,
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How tokens are signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// With the secret key of the installation: who can check a token can make one.
    #[default]
    Hs256,
    /// With keys of our own making, whose public halves anybody may have (`/.well-known/jwks.json`).
    EdDsa,
}

impl Algorithm {
    /// Its name in JSON Web Algorithms (RFC 7518, RFC 8037).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// A key that signs and verifies. `Debug` shows its name only.
pub struct SigningKey {
    id: String,
    material: Material,
    /// From when on nothing it signed is believed; absent for the key in use.
    retired_at_ms: Option<i64>,
}

enum Material {
    Hs256(hmac::Key),
    EdDsa(Ed25519KeyPair),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}

/// A key of EdDSA as it lies in the database.
#[derive(Clone)]
pub struct StoredKey {
    pub id: String,
    /// The seed (RFC 8032), sealed.
    pub sealed_seed: Vec<u8>,
    pub created_at_ms: i64,
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A key of EdDSA that was just made.
#[derive(Debug)]
pub struct NewSigningKey {
    pub id: String,
    /// To be sealed before it is stored.
    pub seed: SeedBytes,
}

/// The seed of a key. `Debug` does not show it.
pub struct SeedBytes([u8; 32]);

impl SeedBytes {
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SeedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeedBytes(..)")
    }
}

impl NewSigningKey {
    /// A new key. It is named after its public half.
    pub fn make(rng: &dyn Rng) -> Option<Self> {
        let mut seed = [0; 32];
        rng.fill(&mut seed);
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
        let id = URL_SAFE_NO_PAD.encode(&digest(&SHA256, pair.public_key().as_ref()).as_ref()[..9]);
        Some(Self { id, seed: SeedBytes(seed) })
    }
}

impl SigningKey {
    /// The key for HS256 that was derived from a secret key.
    pub fn hs256(key: &DerivedKey) -> Self {
        let material = Material::Hs256(hmac::Key::new(hmac::HMAC_SHA256, key.bytes()));
        Self { id: key.id.clone(), material, retired_at_ms: None }
    }

    /// The key of EdDSA with this seed.
    pub fn ed_dsa(id: String, seed: &[u8]) -> Option<Self> {
        let material = Material::EdDsa(Ed25519KeyPair::from_seed_unchecked(seed).ok()?);
        Some(Self { id, material, retired_at_ms: None })
    }

    /// The same key, believed until then.
    #[must_use]
    pub fn retired_at(mut self, at_ms: Option<i64>) -> Self {
        self.retired_at_ms = at_ms;
        self
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Hs256(_) => Algorithm::Hs256,
            Material::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.material {
            Material::Hs256(key) => hmac::sign(key, message).as_ref().to_vec(),
            Material::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Hs256(key) => hmac::verify(key, message, signature).is_ok(),
            Material::EdDsa(pair) => {
                UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref()).verify(message, signature).is_ok()
            }
        }
    }

    /// Its public half as a JSON Web Key (RFC 8037); nothing for a key that has none.
    fn public(&self) -> Option<Value> {
        let Material::EdDsa(pair) = &self.material else { return None };
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let algorithm = self.algorithm().name();
        Some(json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.id, "alg": algorithm, "use": "sig" }))
    }
}

/// The key in use and those before it that are still believed.
#[derive(Debug)]
pub struct KeySet {
    current: SigningKey,
    earlier: Vec<SigningKey>,
}

impl KeySet {
    pub fn new(current: SigningKey, earlier: Vec<SigningKey>) -> Self {
        Self { current, earlier }
    }

    /// The key that signs.
    pub fn current(&self) -> &SigningKey {
        &self.current
    }

    pub(super) fn find(&self, id: &str) -> Option<&SigningKey> {
        self.all().find(|key| key.id == id)
    }

    /// Whether a key was retired before `now_ms`.
    pub(super) fn is_retired(&self, id: &str, now_ms: i64) -> bool {
        self.find(id).and_then(|key| key.retired_at_ms).is_some_and(|retired_at_ms| retired_at_ms <= now_ms)
    }

    /// The public halves of the keys that are believed at `now_ms`, as a JSON Web Key Set (RFC 7517).
    pub fn public(&self, now_ms: i64) -> Value {
        let keys: Vec<_> =
            self.all().filter(|key| !self.is_retired(&key.id, now_ms)).filter_map(SigningKey::public).collect();
        json!({ "keys": keys })
    }

    fn all(&self) -> impl Iterator<Item = &SigningKey> {
        std::iter::once(&self.current).chain(&self.earlier)
    }
}
