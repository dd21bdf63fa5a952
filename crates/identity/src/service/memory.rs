//! What was looked up a moment ago: a request seldom comes alone. Short enough that what changed elsewhere is soon noticed; what
//! changes here is forgotten at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    ports::{ApiKeyOf, SessionOf},
    tokens::{AccessClaims, SecretHash},
};

/// How long an answer is believed.
const LIFETIME_MS: i64 = 5_000;
/// How many answers of a sort are kept.
const MAX_ENTRIES: usize = 20_000;

/// Who is behind what was shown, by its hash.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) tokens: Recent<TokenOf>,
    pub(super) cookies: Recent<SessionOf>,
    pub(super) api_keys: Recent<ApiKeyOf>,
}

/// An access token that was verified: to check a signature takes longer than all else about a small request.
#[derive(Debug)]
pub(super) struct TokenOf {
    pub(super) claims: AccessClaims,
    pub(super) found: SessionOf,
}

impl Memory {
    /// Forgets all: something changed that may be in any of it.
    pub(super) fn forget(&self) {
        self.tokens.clear();
        self.cookies.clear();
        self.api_keys.clear();
    }
}

/// Answers by what was shown, each with its time.
#[derive(Debug)]
pub(super) struct Recent<V>(Mutex<Entries<V>>);

#[derive(Debug)]
struct Entries<V> {
    by_key: HashMap<SecretHash, (i64, Arc<V>)>,
    /// How often all was forgotten.
    forgotten: u64,
}

impl<V> Default for Recent<V> {
    fn default() -> Self {
        Self(Mutex::new(Entries { by_key: HashMap::new(), forgotten: 0 }))
    }
}

impl<V: Send + Sync> Recent<V> {
    /// What is known of `key`, or else what `look_up` finds, which is kept for whoever comes next.
    pub(super) async fn find_or<E>(
        &self,
        key: SecretHash,
        now_ms: i64,
        look_up: impl Future<Output = Result<V, E>> + Send,
    ) -> Result<Arc<V>, E> {
        let forgotten = match self.find(&key, now_ms) {
            Ok(value) => return Ok(value),
            Err(forgotten) => forgotten,
        };
        let value = Arc::new(look_up.await?);
        self.keep(key, value.clone(), now_ms, forgotten);
        Ok(value)
    }

    /// What is known of `key`; else how often all was forgotten before now.
    fn find(&self, key: &SecretHash, now_ms: i64) -> Result<Arc<V>, u64> {
        let entries = self.entries();
        match entries.by_key.get(key) {
            // A clock that went back makes an answer old, not young for ever.
            Some((at_ms, value)) if (0..LIFETIME_MS).contains(&(now_ms - at_ms)) => Ok(value.clone()),
            _ => Err(entries.forgotten),
        }
    }

    /// Keeps `value`, unless something was forgotten since: then it may have been read before the change.
    fn keep(&self, key: SecretHash, value: Arc<V>, now_ms: i64, forgotten: u64) {
        let mut entries = self.entries();
        if entries.forgotten != forgotten {
            return;
        }
        if entries.by_key.len() >= MAX_ENTRIES {
            entries.by_key.retain(|_, (at_ms, _)| (0..LIFETIME_MS).contains(&(now_ms - *at_ms)));
        }
        // So many at once: those after them are looked up.
        if entries.by_key.len() < MAX_ENTRIES {
            entries.by_key.insert(key, (now_ms, value));
        }
    }

    fn clear(&self) {
        let mut entries = self.entries();
        entries.by_key.clear();
        entries.forgotten += 1;
    }

    fn entries(&self) -> MutexGuard<'_, Entries<V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(shown: &str) -> SecretHash {
        SecretHash::of(shown)
    }

    fn keep<V: Send + Sync>(recent: &Recent<V>, shown: &str, value: V, now_ms: i64) {
        let forgotten = recent.entries().forgotten;
        recent.keep(key(shown), Arc::new(value), now_ms, forgotten);
    }

    #[test]
    fn an_answer_is_believed_for_a_moment() {
        let recent = Recent::default();
        keep(&recent, "key", 1, 10_000);
        assert_eq!(recent.find(&key("key"), 14_999).as_deref(), Ok(&1));
        assert!(recent.find(&key("key"), 15_000).is_err());
        assert!(recent.find(&key("key"), 9_999).is_err(), "the clock went back");
        recent.clear();
        assert!(recent.find(&key("key"), 10_000).is_err());
    }

    #[tokio::test]
    async fn what_was_read_before_a_change_is_not_kept_after_it() {
        let recent = Recent::default();
        let look_up = async {
            recent.clear();
            Ok::<_, ()>("as it was")
        };
        assert_eq!(recent.find_or(key("key"), 0, look_up).await.as_deref(), Ok(&"as it was"));
        assert!(recent.find(&key("key"), 0).is_err());
    }

    #[tokio::test]
    async fn what_was_looked_up_is_known_to_the_next() {
        let recent = Recent::default();
        assert_eq!(recent.find_or(key("key"), 0, async { Err(()) }).await.map(|value: Arc<u8>| *value), Err(()));
        for looked_up in [1, 2] {
            let found = recent.find_or(key("key"), 0, async { Ok::<_, ()>(looked_up) }).await;
            assert_eq!(found.as_deref(), Ok(&1), "failures are not kept, answers are");
        }
    }

    #[test]
    fn answers_never_outgrow_their_room() {
        let recent = Recent::default();
        for count in 0..MAX_ENTRIES + 10 {
            keep(&recent, &count.to_string(), (), 0);
        }
        assert_eq!(recent.entries().by_key.len(), MAX_ENTRIES);
        keep(&recent, "0", (), LIFETIME_MS);
        assert_eq!(recent.entries().by_key.len(), 1);
    }
}
