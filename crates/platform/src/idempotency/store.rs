//! Keys of acts and their answers in the database.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kernel::{Clock, IdSource, Uuid};
use sea_orm::{ConnectionTrait, DbErr};

use super::{Claim, Reply};
use crate::{
    db::{Connection, Db, DbError, DbFault, Sql, Transaction, timestamp},
    secrets::Sealer,
};

/// How long an answer is given again.
const LIFETIME: Duration = Duration::from_hours(24);

/// How long an act is in work before another may take it over, as if its process had died. One that takes longer, such as
/// a large upload, keeps its claim until somebody asks for the same.
const LEASE: Duration = Duration::from_mins(2);

/// Answers by key. Answers are sealed, because some hold what is shown only once.
#[derive(Debug, Clone)]
pub struct Idempotency {
    db: Db,
    sealer: Sealer,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

/// What becomes of a request with a key.
#[derive(Debug)]
pub enum Claiming {
    /// It is the first: do it.
    Granted(Arc<Claim>),
    /// It was done: this was the answer.
    Replay(Reply),
    /// It is being done.
    InFlight,
    /// The key belongs to another request.
    OtherRequest,
}

/// Where a claim stands.
#[derive(Debug, Clone)]
pub(super) struct Row {
    owner: String,
    key: String,
    /// Names this claim among all of the key: one that was taken over can store nothing.
    token: Uuid,
}

impl Idempotency {
    pub fn new(db: Db, sealer: Sealer, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Self {
        Self { db, sealer, clock, ids }
    }

    /// Claims `key` of `owner` for the request with this fingerprint.
    pub async fn claim(&self, owner: &str, key: &str, fingerprint: &[u8]) -> Result<Claiming, DbError> {
        let fingerprint = URL_SAFE_NO_PAD.encode(fingerprint);
        let row = Row { owner: owner.to_owned(), key: key.to_owned(), token: self.ids.next_id() };
        // Looked up first: whoever asks again need not wait for the only writer of SQLite.
        if let Some(found) = self.find(self.db.reader(), &row, &fingerprint).await? {
            return Ok(found);
        }
        let insert = Sql::new(
            "INSERT INTO idempotency_keys (owner, key, fingerprint, token, expires_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (owner, key) DO UPDATE SET fingerprint = excluded.fingerprint, token = excluded.token, \
             reply = NULL, expires_at = excluded.expires_at WHERE idempotency_keys.expires_at <= $6",
        );
        let insert = insert
            .bind(row.owner.clone())
            .bind(row.key.clone())
            .bind(fingerprint.clone())
            .bind(row.token)
            .bind(timestamp(self.in_ms(LEASE)))
            .bind(timestamp(self.clock.now_ms()));
        let done = self.db.writer().execute_raw(insert.on(self.db.backend())).await?;
        if done.rows_affected() == 1 {
            let claim = Claim { idempotency: self.clone(), row, is_kept: AtomicBool::new(false) };
            return Ok(Claiming::Granted(Arc::new(claim)));
        }
        // The writer, not a replica: what was just stored has to be seen. A claim that was given up in between is one whose
        // asker tries again soon.
        Ok(self.find(self.db.writer(), &row, &fingerprint).await?.unwrap_or(Claiming::InFlight))
    }

    async fn find(&self, connection: &Connection, row: &Row, fingerprint: &str) -> Result<Option<Claiming>, DbError> {
        let select = Sql::new(
            "SELECT fingerprint, reply FROM idempotency_keys WHERE owner = $1 AND key = $2 AND expires_at > $3",
        );
        let select = select.bind(row.owner.clone()).bind(row.key.clone()).bind(timestamp(self.clock.now_ms()));
        let found = connection.query_one_raw(select.on(self.db.backend())).await?;
        let Some(found) = found else { return Ok(None) };
        let (known, sealed): (String, Option<String>) = (found.try_get_by_index(0)?, found.try_get_by_index(1)?);
        if known != fingerprint {
            return Ok(Some(Claiming::OtherRequest));
        }
        let Some(sealed) = sealed else { return Ok(Some(Claiming::InFlight)) };
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|error| broken(&error))?;
        let bytes = self.sealer.open(&row.place(), &bytes).map_err(|error| broken(&error))?;
        Ok(Some(Claiming::Replay(serde_json::from_slice(&bytes).map_err(|error| broken(&error))?)))
    }

    pub(super) async fn keep(&self, tx: &Transaction, row: &Row, reply: &Reply) -> Result<(), DbError> {
        let done = tx.execute_raw(self.completion(row, reply)?.on(tx.backend())).await?;
        require_one(done.rows_affected())
    }

    pub(super) async fn complete(&self, row: &Row, reply: &Reply) -> Result<(), DbError> {
        let done = self.db.writer().execute_raw(self.completion(row, reply)?.on(self.db.backend())).await?;
        require_one(done.rows_affected())
    }

    fn completion(&self, row: &Row, reply: &Reply) -> Result<Sql, DbError> {
        let plain = serde_json::to_vec(reply).map_err(|error| broken(&error))?;
        let sealed = self.sealer.seal(&row.place(), &plain).map_err(|error| broken(&error))?;
        let update = Sql::new(
            "UPDATE idempotency_keys SET reply = $1, expires_at = $2 \
             WHERE owner = $3 AND key = $4 AND token = $5 AND reply IS NULL",
        );
        Ok(update
            .bind(URL_SAFE_NO_PAD.encode(sealed))
            .bind(timestamp(self.in_ms(LIFETIME)))
            .bind(row.owner.clone())
            .bind(row.key.clone())
            .bind(row.token))
    }

    pub(super) async fn release(&self, row: &Row) -> Result<(), DbError> {
        let delete =
            Sql::new("DELETE FROM idempotency_keys WHERE owner = $1 AND key = $2 AND token = $3 AND reply IS NULL");
        let delete = delete.bind(row.owner.clone()).bind(row.key.clone()).bind(row.token);
        self.db.writer().execute_raw(delete.on(self.db.backend())).await?;
        Ok(())
    }

    /// Removes answers that have not been given for a day, and says how many. A claim whose lease is over may still be in
    /// work: it stays as long.
    pub async fn remove_expired(&self) -> Result<u64, DbError> {
        let ended = self.clock.now_ms().saturating_sub(millis_of(LIFETIME));
        let delete = Sql::new("DELETE FROM idempotency_keys WHERE expires_at <= $1").bind(timestamp(ended));
        Ok(self.db.writer().execute_raw(delete.on(self.db.backend())).await?.rows_affected())
    }

    fn in_ms(&self, time: Duration) -> i64 {
        self.clock.now_ms().saturating_add(millis_of(time))
    }
}

fn millis_of(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

impl Row {
    /// What a sealed answer is bound to, so that none can be put in the place of another.
    fn place(&self) -> String {
        format!("idempotency_keys.reply.{}.{}", self.owner, self.key)
    }
}

/// The claim is somebody else's by now. The act is undone with its transaction; whoever holds the claim does it.
fn require_one(rows: u64) -> Result<(), DbError> {
    if rows == 1 { Ok(()) } else { Err(DbError { fault: DbFault::Timeout, source: DbErr::RecordNotUpdated }) }
}

fn broken(error: &dyn std::fmt::Display) -> DbError {
    DbErr::Custom(format!("a stored answer cannot be read: {error}")).into()
}
