//! What was looked up a moment ago: a request seldom comes alone. Short enough that what changed elsewhere is soon noticed; what
//! changes here is forgotten at once.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
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
pub(super) struct Recent<K, V>(Mutex<HashMap<K, (i64, V)>>);

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    pub(super) fn find(&self, key: &K, now_ms: i64) -> Option<V> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at_ms, value) = entries.get(key)?;
        // A clock that went back makes an answer old, not young for ever.
        (0..LIFETIME_MS).contains(&(now_ms - at_ms)).then(|| value.clone())
    }

    pub(super) fn keep(&self, key: K, value: V, now_ms: i64) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= MAX_ENTRIES {
            entries.retain(|_, (at_ms, _)| (0..LIFETIME_MS).contains(&(now_ms - *at_ms)));
        }
        // So many at once: those after them are looked up.
        if entries.len() < MAX_ENTRIES {
            entries.insert(key, (now_ms, value));
        }
    }

    fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_believed_for_a_moment() {
        let recent = Recent::default();
        recent.keep("key", 1, 10_000);
        assert_eq!(recent.find(&"key", 14_999), Some(1));
        assert_eq!(recent.find(&"key", 15_000), None);
        assert_eq!(recent.find(&"key", 9_999), None, "the clock went back");
        recent.clear();
        assert_eq!(recent.find(&"key", 10_000), None);
    }

    #[test]
    fn answers_never_outgrow_their_room() {
        let recent = Recent::default();
        for key in 0..MAX_ENTRIES + 10 {
            recent.keep(key, (), 0);
        }
        assert_eq!(recent.0.lock().unwrap().len(), MAX_ENTRIES);
        recent.keep(0, (), LIFETIME_MS);
        assert_eq!(recent.0.lock().unwrap().len(), 1);
    }
}
