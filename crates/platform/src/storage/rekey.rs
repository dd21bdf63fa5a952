//! After a change of secrets: keys of objects wrapped anew, in their rows. The objects themselves stay as they are.

use super::{
    ObjectId, Seal, Seals, StorageError,
    table::{self, Naming},
};
use crate::db::{Db, Transaction};

/// Rows that are looked at by one query.
const BATCH: u64 = 500;

/// What was done about keys of objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rekeyed {
    /// Encrypted objects that rows name.
    pub encrypted: u64,
    /// Those whose keys were wrapped anew.
    pub rewrapped: u64,
}

/// Wraps the keys of all encrypted objects with the newest secret; after it, what wrapped them before is not needed. It is safe beside
/// running servers, and goes on where it was stopped.
///
/// Fails at a key that no secret opens; what was wrapped until then stays so.
pub async fn rekey(db: &Db, seals: &Seals) -> Result<Rekeyed, StorageError> {
    let mut done = Rekeyed::default();
    for table in Naming::ALL {
        let mut after = None;
        loop {
            let rows = table::list_named(db, table, after, BATCH).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.located.object);
            let sealed = rows.iter().filter_map(|row| Some((row.located.object, row.located.seal?)));
            let sealed: Vec<(ObjectId, Seal)> = sealed.collect();
            let mut changes = Vec::new();
            for (object, old) in &sealed {
                let new = seals.rewrap(*object, old);
                let new = new.map_err(|fault| StorageError::Sealed { object: *object, fault })?;
                changes.extend(new.map(|new| (*object, (*old, new))));
            }
            let changes = &changes;
            let write = |tx: Transaction| async move {
                for (object, seals) in changes {
                    table::replace_seal(&tx, table, *object, *seals).await?;
                }
                Ok::<_, StorageError>(())
            };
            db.transaction(write).await?;
            done.encrypted += sealed.len() as u64;
            done.rewrapped += changes.len() as u64;
        }
    }
    Ok(done)
}
