//! When keys and sessions were last used, collected in memory and written down now and then: a read is no write.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use kernel::{ApiKeyId, SessionId};

#[derive(Debug, Default)]
pub(super) struct Usage(Mutex<Noted>);

/// When what was used last.
#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) sessions: HashMap<SessionId, i64>,
    pub(super) api_keys: HashMap<ApiKeyId, i64>,
}

impl Usage {
    pub(super) fn note_session(&self, id: SessionId, now_ms: i64) {
        self.noted().sessions.insert(id, now_ms);
    }

    pub(super) fn note_api_key(&self, id: ApiKeyId, now_ms: i64) {
        self.noted().api_keys.insert(id, now_ms);
    }

    /// What was noted since the last time.
    pub(super) fn take(&self) -> Noted {
        std::mem::take(&mut *self.noted())
    }

    /// Takes back what could not be written down. What was used again meanwhile is known better.
    pub(super) fn put_back(&self, noted: Noted) {
        let mut now = self.noted();
        for (id, at_ms) in noted.sessions {
            now.sessions.entry(id).or_insert(at_ms);
        }
        for (id, at_ms) in noted.api_keys {
            now.api_keys.entry(id).or_insert(at_ms);
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
