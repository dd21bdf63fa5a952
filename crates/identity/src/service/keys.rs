//! The keys that sign access tokens: which one is in use, which are still believed, and when a new one is due.

use std::sync::{Arc, PoisonError, RwLock};

use platform::secrets::{DerivedKey, Sealer};
use serde_json::Value;

use super::{DAY_MS, IdentityService, Inner};
use crate::{
    error::IdentityError,
    model::{Act, Deed, Origin},
    tokens::{Algorithm, KeySet, NewSigningKey, SigningKey, StoredKey},
};

/// How often a token with an unknown key makes us look for one that another server made.
const LOOK_AGAIN_MS: i64 = 5_000;

#[derive(Debug)]
pub(super) struct Keys {
    algorithm: Algorithm,
    derived: Vec<DerivedKey>,
    sealer: Sealer,
    loaded: RwLock<Option<Loaded>>,
}

#[derive(Debug, Clone)]
struct Loaded {
    set: Arc<KeySet>,
    at_ms: i64,
}

impl Keys {
    pub(super) fn new(algorithm: Algorithm, derived: Vec<DerivedKey>, sealer: Sealer) -> Self {
        Self { algorithm, derived, sealer, loaded: RwLock::default() }
    }

    fn loaded(&self) -> Option<Loaded> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, set: KeySet, at_ms: i64) -> Arc<KeySet> {
        let set = Arc::new(set);
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Some(Loaded { set: set.clone(), at_ms });
        set
    }

    /// Keys from the secrets. An operator who takes another algorithm does so at a restart: all of them stay believed.
    fn of_secrets(&self) -> Vec<SigningKey> {
        self.derived.iter().map(SigningKey::hs256).collect()
    }

    fn open(&self, stored: &StoredKey) -> Result<SigningKey, IdentityError> {
        let seed = self.sealer.open(&place(&stored.id), &stored.sealed_seed).map_err(|_| IdentityError::SigningKey)?;
        SigningKey::ed_dsa(stored.id.clone(), &seed).ok_or(IdentityError::SigningKey)
    }
}

/// What a sealed seed is bound to.
fn place(id: &str) -> String {
    format!("signing_keys.sealed_seed.{id}")
}

impl Inner {
    /// The keys, read at the first use.
    pub(super) async fn key_set(&self) -> Result<Arc<KeySet>, IdentityError> {
        match self.keys.loaded() {
            Some(loaded) => Ok(loaded.set),
            None => self.load_keys().await,
        }
    }

    /// The keys, read again where that was not just done.
    pub(super) async fn key_set_anew(&self) -> Result<Arc<KeySet>, IdentityError> {
        match self.keys.loaded() {
            Some(loaded) if self.now_ms().saturating_sub(loaded.at_ms) < LOOK_AGAIN_MS => Ok(loaded.set),
            _ => self.load_keys().await,
        }
    }

    async fn load_keys(&self) -> Result<Arc<KeySet>, IdentityError> {
        let stored = self.stores.signing_keys.list().await?;
        let set = match self.keys.algorithm {
            Algorithm::Hs256 => self.set_of_secrets(&stored)?,
            Algorithm::EdDsa if stored.is_empty() => {
                self.make_key().await?;
                self.set_of_stored(&self.stores.signing_keys.list().await?)?
            }
            Algorithm::EdDsa => self.set_of_stored(&stored)?,
        };
        Ok(self.keys.keep(set, self.now_ms()))
    }

    fn set_of_secrets(&self, stored: &[StoredKey]) -> Result<KeySet, IdentityError> {
        let mut secrets = self.keys.of_secrets().into_iter();
        let current = secrets.next().ok_or(IdentityError::SigningKey)?;
        Ok(KeySet::new(current, secrets.chain(self.believed(stored)).collect()))
    }

    fn set_of_stored(&self, stored: &[StoredKey]) -> Result<KeySet, IdentityError> {
        let newest = stored.first().ok_or(IdentityError::SigningKey)?;
        let earlier = self.believed(stored).into_iter().filter(|key| key.id() != newest.id);
        Ok(KeySet::new(self.keys.open(newest)?, earlier.chain(self.keys.of_secrets()).collect()))
    }

    /// The stored keys that can be opened, each believed until the last token that it signed has run out.
    fn believed(&self, stored: &[StoredKey]) -> Vec<SigningKey> {
        let lifetime_ms = i64::from(self.settings.access_token_s) * 1000;
        let mut newer_ms: Option<i64> = None;
        let mut keys = Vec::new();
        for key in stored {
            // Servers that have not seen the newer key sign with this one for a while yet: until their next upkeep.
            let retired_at_ms = newer_ms.map(|at_ms| at_ms + lifetime_ms + 2 * super::MINUTE_MS);
            newer_ms = Some(key.created_at_ms);
            if retired_at_ms.is_some_and(|at_ms| at_ms <= self.now_ms()) {
                continue;
            }
            match self.keys.open(key) {
                Ok(opened) => keys.push(opened.retired_at(retired_at_ms)),
                Err(error) => tracing::warn!(key = key.id, error = %error, "a signing key is left out"),
            }
        }
        keys
    }

    /// Makes a key, unless another server has just made one.
    async fn make_key(&self) -> Result<(), IdentityError> {
        let now_ms = self.now_ms();
        let made = NewSigningKey::make(self.rng.as_ref()).ok_or(IdentityError::SigningKey)?;
        let sealed = self.keys.sealer.seal(&place(&made.id), made.seed.bytes());
        let sealed_seed = sealed.map_err(|_| IdentityError::SigningKey)?;
        let key = &StoredKey { id: made.id, sealed_seed, created_at_ms: now_ms };
        let due_ms = now_ms - i64::from(self.settings.signing_key_days) * DAY_MS;
        let deed = &Deed::new(Act::SigningKeyMade, None, Origin::default()).subject(&key.id);
        self.db
            .transaction(|tx| async move {
                if self.stores.signing_keys.insert(&tx, key, due_ms).await? {
                    self.note_in(&tx, deed).await?;
                }
                Ok(())
            })
            .await
    }
}

impl IdentityService {
    /// Makes a new signing key where the one in use is old enough, and reads what other servers made.
    pub async fn rotate_keys(&self) -> Result<(), IdentityError> {
        if self.inner.keys.algorithm == Algorithm::EdDsa {
            let due_ms = self.inner.now_ms() - i64::from(self.inner.settings.signing_key_days) * DAY_MS;
            let newest = self.inner.stores.signing_keys.list().await?.first().map(|key| key.created_at_ms);
            if newest.is_none_or(|at_ms| at_ms <= due_ms) {
                self.inner.make_key().await?;
            }
        }
        self.inner.load_keys().await.map(drop)
    }

    /// The public halves of the keys that are believed, as a JSON Web Key Set.
    pub async fn public_keys(&self) -> Result<Value, IdentityError> {
        Ok(self.inner.key_set().await?.public(self.inner.now_ms()))
    }
}
