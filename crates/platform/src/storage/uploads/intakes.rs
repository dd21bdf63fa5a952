//! The pieces of uploads that this process is taking in: whoever goes on with an upload ends the one before.
//!
//! A client whose connection was cut comes back sooner than the server notices the cut. Between processes the offset in the row
//! decides; here nobody has to be refused.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio_util::sync::{CancellationToken, DropGuard};

use super::UploadId;

static PIECES: AtomicU64 = AtomicU64::new(0);

/// What is being taken in. Clones share it.
#[derive(Debug, Clone, Default)]
pub(in crate::storage) struct Intakes(Arc<Mutex<HashMap<UploadId, Piece>>>);

#[derive(Debug, Clone)]
struct Piece {
    /// Tells it from every other of this process.
    number: u64,
    stop: CancellationToken,
    ended: CancellationToken,
}

/// A piece that is being taken in, until this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    intakes: Intakes,
    id: UploadId,
    number: u64,
    stop: CancellationToken,
    _ended: DropGuard,
}

impl Intakes {
    /// Ends the piece that is coming for the upload, and waits until what came of it is stored.
    pub(super) async fn end(&self, id: UploadId) {
        let piece = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        let Some(piece) = piece else { return };
        piece.stop.cancel();
        piece.ended.cancelled().await;
    }

    pub(super) fn begin(&self, id: UploadId) -> Running {
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let number = PIECES.fetch_add(1, Ordering::Relaxed);
        let piece = Piece { number, stop: stop.clone(), ended: ended.clone() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, piece);
        Running { intakes: self.clone(), id, number, stop, _ended: ended.drop_guard() }
    }
}

impl Running {
    /// Cancelled when the piece is to end where it is.
    pub(super) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut pieces = self.intakes.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever came at the same moment may stand in its place.
        if pieces.get(&self.id).is_some_and(|piece| piece.number == self.number) {
            pieces.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kernel::Uuid;

    use super::*;

    #[tokio::test]
    async fn who_goes_on_waits_until_the_piece_before_has_ended() {
        let intakes = Intakes::default();
        let id = UploadId::from_uuid(Uuid::from_u128(1));
        intakes.end(id).await;
        let running = intakes.begin(id);
        let stop = running.stop();
        let ending = tokio::spawn({
            let intakes = intakes.clone();
            async move { intakes.end(id).await }
        });
        stop.cancelled().await;
        assert!(!ending.is_finished());
        drop(running);
        tokio::time::timeout(Duration::from_secs(10), ending).await.unwrap().unwrap();
        assert!(intakes.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn one_that_ends_leaves_the_one_that_took_its_place() {
        let intakes = Intakes::default();
        let id = UploadId::from_uuid(Uuid::from_u128(1));
        let (first, second) = (intakes.begin(id), intakes.begin(id));
        second.stop().cancel();
        drop(first);
        assert_eq!(intakes.0.lock().unwrap().len(), 1);
    }
}
