//! When keys and sessions were last used, collected in memory and written down now and then: a read is no write.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use kernel::{ApiKeyId, SessionId};

#[derive(Debug, Default)]
pub(super) struct Usage {
    sessions: Mutex<HashMap<SessionId, i64>>,
    api_keys: Mutex<HashMap<ApiKeyId, i64>>,
}

impl Usage {
    pub(super) fn note_session(&self, id: SessionId, now_ms: i64) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(id, now_ms);
    }

    pub(super) fn note_api_key(&self, id: ApiKeyId, now_ms: i64) {
        self.api_keys.lock().unwrap_or_else(PoisonError::into_inner).insert(id, now_ms);
    }

    /// What was noted since the last time.
    pub(super) fn take(&self) -> (HashMap<SessionId, i64>, HashMap<ApiKeyId, i64>) {
        let sessions = std::mem::take(&mut *self.sessions.lock().unwrap_or_else(PoisonError::into_inner));
        let api_keys = std::mem::take(&mut *self.api_keys.lock().unwrap_or_else(PoisonError::into_inner));
        (sessions, api_keys)
    }
}
