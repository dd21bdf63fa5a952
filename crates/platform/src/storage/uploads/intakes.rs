//! The pieces of uploads that this process is taking in: whoever goes on with an upload ends the one before.
//!
//! A client whose connection was cut comes back sooner than the server notices the cut. Between processes the offset in the row
//! decides; here nobody has to be refused.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio_util::sync::CancellationToken;

use super::UploadId;

/// What is being taken in. Clones share it.
#[derive(Debug, Clone, Default)]
pub(in crate::storage) struct Intakes(Arc<Mutex<HashMap<UploadId, Arc<Piece>>>>);

#[derive(Debug, Default)]
struct Piece {
    stop: CancellationToken,
    ended: CancellationToken,
}

/// A piece that is being taken in, until this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    intakes: Intakes,
    id: UploadId,
    piece: Arc<Piece>,
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
        let piece = Arc::<Piece>::default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&piece));
        Running { intakes: self.clone(), id, piece }
    }
}

impl Running {
    /// Cancelled when the piece is to end where it is.
    pub(super) fn stop(&self) -> CancellationToken {
        self.piece.stop.clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut pieces = self.intakes.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever came at the same moment may stand in its place.
        if pieces.get(&self.id).is_some_and(|piece| Arc::ptr_eq(piece, &self.piece)) {
            pieces.remove(&self.id);
        }
        self.piece.ended.cancel();
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
