//! A lock that is held: it is kept by itself, and says when it is lost.

use std::{sync::Arc, time::Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Claim, Inner, LockError, table};
use crate::db::Transaction;

/// How often a holder gives a sign, in a lease.
const SIGNS: u32 = 4;

/// A lock that is held. Dropped, it is given up.
#[derive(Debug)]
pub struct Lease {
    claim: Claim,
    fence: i64,
    lost: CancellationToken,
    stop: DropGuard,
    keeper: JoinHandle<()>,
}

impl Lease {
    pub(super) fn begin(inner: Arc<Inner>, claim: Claim, fence: i64, begun: Instant) -> Self {
        let (lost, stop) = (CancellationToken::new(), CancellationToken::new());
        let keeper = Keeper { inner, claim: claim.clone(), fence, lost: lost.clone(), stop: stop.clone() };
        Self { claim, fence, lost, stop: stop.drop_guard(), keeper: tokio::spawn(keeper.run(begun)) }
    }

    /// The number of this holder: each has a greater one than all before it.
    pub fn fence(&self) -> i64 {
        self.fence
    }

    /// Cancelled once the lock may be somebody else's: what is done under it is to stop.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    pub fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// Fails where the lock is somebody else's by now. Else it stays with this holder to the end of the transaction, which
    /// has to be short: meanwhile no sign can be given.
    pub async fn check_in(&self, tx: &Transaction) -> Result<(), LockError> {
        if !self.is_lost() && table::is_held(tx, &self.claim, self.fence).await? {
            return Ok(());
        }
        Err(LockError::Lost { name: self.claim.name.clone() })
    }

    /// Gives the lock up, and returns when others can have it.
    pub async fn release(self) {
        drop(self.stop);
        // It fails where the runtime ends, and then so does everything.
        let _ = self.keeper.await;
    }
}

/// What keeps a lock.
struct Keeper {
    inner: Arc<Inner>,
    claim: Claim,
    fence: i64,
    lost: CancellationToken,
    stop: CancellationToken,
}

impl Keeper {
    /// Gives signs until the lock is lost or given up.
    async fn run(self, begun: Instant) {
        let is_given_up = self.stop.run_until_cancelled(self.keep(begun)).await.is_none();
        self.lost.cancel();
        if !is_given_up {
            tracing::warn!(name = self.claim.name, "a lock is lost; what was done under it stops");
            return;
        }
        if let Err(error) = table::give_up(&self.inner.db, &self.claim, self.fence).await {
            tracing::debug!(name = self.claim.name, %error, "a lock is not given up; it runs out");
        }
        self.inner.give_up_in_redis(&self.claim).await;
    }

    /// Gives signs, and returns when the lock is lost. One that was not heard of for two thirds of a lease counts as lost
    /// here before anybody else may take it.
    async fn keep(&self, begun: Instant) {
        let lease = self.inner.lease;
        let mut heard = begun;
        loop {
            tokio::time::sleep(lease / SIGNS).await;
            let begun = Instant::now();
            let until = tokio::time::Instant::from_std(heard + lease * 2 / 3);
            match tokio::time::timeout_at(until, table::beat(&self.inner.db, &self.claim, self.fence)).await {
                Ok(Ok(true)) => heard = begun,
                Ok(Ok(false)) | Err(_) => return,
                Ok(Err(error)) => {
                    tracing::debug!(name = self.claim.name, %error, "a lock could not be kept; trying again");
                    continue;
                }
            }
            self.inner.extend_in_redis(&self.claim).await;
        }
    }
}
