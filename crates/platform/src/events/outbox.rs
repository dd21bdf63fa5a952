//! Writes events in the transaction of their cause.

use std::sync::Arc;

use kernel::{Clock, IdSource, events::Event};
use sea_orm::ConnectionTrait as _;

use crate::db::{Db, DbError, Sql, Topic, Transaction, timestamp};

/// How many events one statement writes; SQLite takes 32,766 values.
const EVENTS_PER_STATEMENT: usize = 1000;

/// Where events are written. Clones write to the same place.
#[derive(Debug, Clone)]
pub struct Outbox {
    db: Db,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

impl Outbox {
    pub fn new(db: Db, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Self {
        Self { db, clock, ids }
    }

    /// Writes an event that is delivered if and only if `tx` is committed.
    pub async fn append<E: Event>(&self, tx: &Transaction, event: &E) -> Result<(), DbError> {
        self.append_all(tx, std::slice::from_ref(event)).await
    }

    /// The same for many of one type.
    pub async fn append_all<E: Event>(&self, tx: &Transaction, events: &[E]) -> Result<(), DbError> {
        let now = timestamp(self.clock.now_ms());
        for events in events.chunks(EVENTS_PER_STATEMENT) {
            let mut rows = Sql::new("INSERT INTO events (id, type, version, payload, occurred_at) VALUES ")
                .tuples(events.len(), 5);
            for event in events {
                let payload = serde_json::to_string(event).map_err(|error| {
                    DbError::from(sea_orm::DbErr::Json(format!("the payload of `{}`: {error}", E::TYPE)))
                })?;
                let version = i32::try_from(E::VERSION).unwrap_or(i32::MAX);
                rows = rows.bind(self.ids.next_id()).bind(E::TYPE).bind(version).bind(payload).bind(now);
            }
            tx.execute_raw(rows.on(tx.backend())).await?;
        }
        if events.is_empty() { Ok(()) } else { self.db.signal(tx, Topic::Outbox, "").await }
    }
}
