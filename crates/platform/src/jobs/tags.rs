//! Shares a level of urgency out among its owners: each gets one job after the other in turn, however many it has waiting.
//!
//! Jobs of a kind and a priority are taken by their tag, the smallest first. An owner's first job gets the smallest tag that
//! waits, each further one the next number after the owner's last. So the jobs of an owner stand one number apart, and the jobs
//! of different owners side by side. This is start-time fair queueing (Goyal, Vin, Cheng 1996), all jobs being of one length,
//! without any state but the tags that wait.

use std::collections::HashMap;

use sea_orm::ConnectionTrait as _;

use crate::db::{DbError, Sql, Transaction};

/// What a job is tagged by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Flow {
    pub(super) kind: String,
    pub(super) rank: i16,
    pub(super) owner: String,
}

/// The next tag of each flow, as far as it was asked for.
#[derive(Debug, Default)]
pub(super) struct Tags {
    next: HashMap<Flow, i64>,
}

impl Tags {
    /// The tag of another job of this flow. Two transactions may give the same tags to one owner at the same moment, which only
    /// lets two of its jobs run side by side.
    pub(super) async fn next(&mut self, tx: &Transaction, flow: Flow) -> Result<i64, DbError> {
        let tag = match self.next.get(&flow) {
            Some(tag) => *tag,
            None => read_next(tx, &flow).await?,
        };
        self.next.insert(flow, tag.saturating_add(1));
        Ok(tag)
    }
}

async fn read_next(tx: &Transaction, flow: &Flow) -> Result<i64, DbError> {
    // Two looks into an index, each at its end.
    let query = Sql::new(
        "SELECT
            (SELECT max(tag) FROM jobs WHERE state = 'ready' AND kind = $1 AND priority = $2 AND owner = $3),
            (SELECT min(tag) FROM jobs WHERE state = 'ready' AND kind = $1 AND priority = $2)",
    );
    let query = query.bind(flow.kind.clone()).bind(flow.rank).bind(flow.owner.clone());
    let Some(row) = tx.query_one_raw(query.on(tx.backend())).await? else { return Ok(0) };
    let (last, first): (Option<i64>, Option<i64>) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    Ok(last.map(|last| last.saturating_add(1)).or(first).unwrap_or(0))
}
