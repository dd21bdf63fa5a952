//! Removes what nobody needs: objects without a row, uploads that were given up, what writers that died left behind.

use std::collections::HashSet;

use futures::{StreamExt as _, TryStreamExt as _};

use super::{
    Files, ObjectId, StorageError,
    object::{Listed, Shards},
    table,
};

/// An object may be without a row for so long while its file is received and looked into.
const GRACE_MS: i64 = 24 * 60 * 60 * 1000;

/// How long it is the turn of the same shards of a bucket, and how many have it together.
const TURN_MS: i64 = 10 * 60 * 1000;
const SHARDS_AT_A_TIME: u8 = 8;

/// Objects that are looked up by one query.
const BATCH: usize = 500;

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Objects without a row, and files of writers that died, that were removed.
    pub objects: u64,
    /// Uploads that were given up.
    pub expired_uploads: u64,
    /// Uploads that were whole and that nobody had finished.
    pub finished_uploads: u64,
}

impl Files {
    /// One round of cleaning up. Any number of processes may do it at the same time.
    pub async fn sweep(&self) -> Result<Swept, StorageError> {
        let (expired_uploads, finished_uploads) = self.tidy_uploads().await?;
        let before_ms = self.clock.now_ms().saturating_sub(GRACE_MS);
        let unfinished = self.objects.remove_unfinished(before_ms).await?;
        let orphans = self.remove_orphans(before_ms).await?;
        Ok(Swept { objects: unfinished + orphans, expired_uploads, finished_uploads })
    }

    /// A folder is looked through at once; of a bucket, whose lists cost money, a few shards at a time, and all of them in some hours.
    fn shards(&self) -> Shards {
        if self.objects.is_local() {
            return Shards::All;
        }
        let turn = self.clock.now_ms().div_euclid(TURN_MS).rem_euclid(256 / i64::from(SHARDS_AT_A_TIME));
        Shards::From { first: u8::try_from(turn).unwrap_or(0) * SHARDS_AT_A_TIME, count: SHARDS_AT_A_TIME }
    }

    async fn remove_orphans(&self, before_ms: i64) -> Result<u64, StorageError> {
        let is_old = move |listed: &Listed| std::future::ready(listed.modified_at_ms < before_ms);
        let mut batches =
            self.objects.list(self.shards()).try_filter(is_old).map_ok(|listed| listed.object).chunks(BATCH);
        let mut removed = 0;
        while let Some(batch) = batches.next().await {
            let batch: Vec<ObjectId> = batch.into_iter().collect::<Result<_, _>>()?;
            let named: HashSet<ObjectId> = table::named(&self.db, &batch).await?.into_iter().collect();
            for object in batch.into_iter().filter(|object| !named.contains(object)) {
                self.objects.delete(object).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}
