//! What was looked up a moment ago: a request seldom comes alone. Short enough that what changed elsewhere is soon noticed; what
//! changes here is forgotten at once.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

use kernel::SessionId;

use crate::{
    ports::{ApiKeyOf, SessionOf},
    tokens::SecretHash,
};

/// How long an answer is believed.
const LIFETIME_MS: i64 = 5_000;
/// How many answers of a sort are kept.
const MAX_ENTRIES: usize = 20_000;

/// Who is behind what was shown.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) sessions: Recent<SessionId, SessionOf>,
    pub(super) cookies: Recent<SecretHash, SessionOf>,
    pub(super) api_keys: Recent<SecretHash, ApiKeyOf>,
}

impl Memory {
    /// Forgets all: something changed that may be in any of it.
    pub(super) fn forget(&self) {
        self.sessions.clear();
        self.cookies.clear();
        self.api_keys.clear();
    }
}

/// Answers by key, each with its time.
#[derive(Debug)]
pub(super) struct Recent<K, V>(Mutex<Entries<K, V>>);

#[derive(Debug)]
struct Entries<K, V> {
    by_key: HashMap<K, (i64, V)>,
    /// How often all was forgotten.
    forgotten: u64,
}

/// Nothing is known of a key. What is looked up now may be kept, unless something was forgotten meanwhile: then it may have
/// been read before the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unknown {
    forgotten: u64,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Entries { by_key: HashMap::new(), forgotten: 0 }))
    }
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    pub(super) fn find(&self, key: &K, now_ms: i64) -> Result<V, Unknown> {
        let entries = self.entries();
        match entries.by_key.get(key) {
            // A clock that went back makes an answer old, not young for ever.
            Some((at_ms, value)) if (0..LIFETIME_MS).contains(&(now_ms - at_ms)) => Ok(value.clone()),
            _ => Err(Unknown { forgotten: entries.forgotten }),
        }
    }

    pub(super) fn keep(&self, key: K, value: V, now_ms: i64, unknown: Unknown) {
        let mut entries = self.entries();
        if entries.forgotten != unknown.forgotten {
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

    fn entries(&self) -> MutexGuard<'_, Entries<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep<K: Eq + Hash, V: Clone>(recent: &Recent<K, V>, key: K, value: V, now_ms: i64) {
        let forgotten = recent.entries().forgotten;
        recent.keep(key, value, now_ms, Unknown { forgotten });
    }

    #[test]
    fn an_answer_is_believed_for_a_moment() {
        let recent = Recent::default();
        keep(&recent, "key", 1, 10_000);
        assert_eq!(recent.find(&"key", 14_999), Ok(1));
        assert!(recent.find(&"key", 15_000).is_err());
        assert!(recent.find(&"key", 9_999).is_err(), "the clock went back");
        recent.clear();
        assert!(recent.find(&"key", 10_000).is_err());
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let recent = Recent::default();
        let unknown = recent.find(&"key", 0).unwrap_err();
        recent.clear();
        recent.keep("key", "as it was", 0, unknown);
        assert!(recent.find(&"key", 0).is_err());
    }

    #[test]
    fn answers_never_outgrow_their_room() {
        let recent = Recent::default();
        for key in 0..MAX_ENTRIES + 10 {
            keep(&recent, key, (), 0);
        }
        assert_eq!(recent.entries().by_key.len(), MAX_ENTRIES);
        keep(&recent, 0, (), LIFETIME_MS);
        assert_eq!(recent.entries().by_key.len(), 1);
    }
}
