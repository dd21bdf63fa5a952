//! One at a time for each upload, within this process: a second request waits for what the first one finds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::OwnedMutexGuard;

use super::UploadId;

type Lock = tokio::sync::Mutex<()>;

/// Whose turn it is. Clones share the turns.
#[derive(Debug, Clone, Default)]
pub(in crate::storage) struct Turns(Arc<Mutex<HashMap<UploadId, Weak<Lock>>>>);

impl Turns {
    /// Waits until nobody else works on the upload, and keeps others waiting until the guard is dropped.
    pub(super) async fn wait(&self, id: UploadId) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            locks.retain(|_, lock| lock.strong_count() > 0);
            let lock = locks.get(&id).and_then(Weak::upgrade).unwrap_or_default();
            locks.insert(id, Arc::downgrade(&lock));
            lock
        };
        lock.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kernel::Uuid;

    use super::*;

    #[tokio::test]
    async fn one_waits_for_the_other_and_nobody_for_another_upload() {
        let turns = Turns::default();
        let id = |number| UploadId::from_uuid(Uuid::from_u128(number));
        let first = turns.wait(id(1)).await;
        let _other = turns.wait(id(2)).await;
        let second = tokio::time::timeout(Duration::from_millis(50), turns.wait(id(1))).await;
        assert!(second.is_err());
        drop(first);
        let _second = turns.wait(id(1)).await;
        assert_eq!(turns.0.lock().unwrap().len(), 2);
    }
}
