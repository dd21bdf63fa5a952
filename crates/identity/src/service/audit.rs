//! The audit log: each entry bound to the one before by a code that only this installation's secret makes, so that none can be
//! changed, taken out or put in without a trace.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kernel::{Actor, Clock, Page, PageRequest, Permission};
use platform::{db::Transaction, secrets::DerivedKey};
use ring::hmac;

use super::IdentityService;
use crate::{
    error::IdentityError,
    model::{AuditEntry, Deed},
    ports::{AuditFilter, AuditStore, ChainHead},
};

/// How many entries are looked at in one go.
const BATCH: u64 = 1000;

#[derive(Debug)]
pub(super) struct AuditLog {
    store: Arc<dyn AuditStore>,
    /// The key in use first.
    keys: Vec<DerivedKey>,
    clock: Arc<dyn Clock>,
}

/// What became of a check of the whole log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// All entries are what they were.
    Whole { entries: i64 },
    /// Here something was changed, or behind it something is missing.
    Broken { number: i64, reason: BreakReason },
}

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakReason {
    /// It is not the one that was written.
    Changed,
    /// Entries before it are missing.
    Gap,
    /// Entries after it are missing.
    CutOff,
    /// The secret it was written under is not known.
    UnknownKey,
}

impl AuditLog {
    pub(super) fn new(store: Arc<dyn AuditStore>, keys: Vec<DerivedKey>, clock: Arc<dyn Clock>) -> Self {
        Self { store, keys, clock }
    }

    /// Adds an entry. It locks the end of the chain until the transaction ends, so it comes last in one.
    pub(super) async fn append(&self, tx: &Transaction, deed: &Deed) -> Result<(), IdentityError> {
        let head = self.store.lock_head(tx).await?;
        let key = self.keys.first().ok_or(IdentityError::SigningKey)?;
        let details = serde_json::to_string(&deed.details)
            .map_err(|error| IdentityError::Stored { what: "audit entry", reason: error.to_string() })?;
        let mut entry = AuditEntry {
            number: head.number + 1,
            at_ms: self.clock.now_ms(),
            actor: deed.actor,
            act: deed.act.name().to_owned(),
            subject: deed.subject.clone(),
            address: deed.origin.address.map(|address| address.to_string()),
            details,
            key_id: key.id.clone(),
            code: String::new(),
        };
        entry.code = code(key, &head.code, &entry)?;
        Ok(self.store.append(tx, &entry).await?)
    }

    async fn verify(&self) -> Result<Verification, IdentityError> {
        // Read before the entries: what is added meanwhile is checked another time.
        let end = self.store.head().await?;
        let mut last = ChainHead { number: 0, code: String::new() };
        while last.number < end.number {
            let entries = self.store.after(last.number, BATCH).await?;
            if entries.is_empty() {
                return Ok(Verification::Broken { number: last.number, reason: BreakReason::CutOff });
            }
            for entry in entries.into_iter().take_while(|entry| entry.number <= end.number) {
                if let Err(reason) = self.check(&last, &entry) {
                    return Ok(Verification::Broken { number: entry.number, reason });
                }
                last = ChainHead { number: entry.number, code: entry.code };
            }
        }
        if last == end {
            return Ok(Verification::Whole { entries: end.number });
        }
        Ok(Verification::Broken { number: last.number, reason: BreakReason::Changed })
    }

    fn check(&self, last: &ChainHead, entry: &AuditEntry) -> Result<(), BreakReason> {
        if entry.number != last.number + 1 {
            return Err(BreakReason::Gap);
        }
        let key = self.keys.iter().find(|key| key.id == entry.key_id).ok_or(BreakReason::UnknownKey)?;
        let code = URL_SAFE_NO_PAD.decode(&entry.code).map_err(|_| BreakReason::Changed)?;
        let text = bound_text(&last.code, entry).map_err(|_| BreakReason::Changed)?;
        hmac::verify(&hmac_key(key), &text, &code).map_err(|_| BreakReason::Changed)
    }
}

fn code(key: &DerivedKey, before: &str, entry: &AuditEntry) -> Result<String, IdentityError> {
    Ok(URL_SAFE_NO_PAD.encode(hmac::sign(&hmac_key(key), &bound_text(before, entry)?)))
}

fn hmac_key(key: &DerivedKey) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key.bytes())
}

/// What the code is over. As JSON, so that no value can run into the next.
fn bound_text(before: &str, entry: &AuditEntry) -> Result<Vec<u8>, IdentityError> {
    let AuditEntry { number, at_ms, actor, act, subject, address, details, key_id, code: _ } = entry;
    serde_json::to_vec(&(before, number, at_ms, actor, act, subject, address, details, key_id))
        .map_err(|error| IdentityError::Stored { what: "audit entry", reason: error.to_string() })
}

impl IdentityService {
    /// Entries of the audit log, newest first.
    pub async fn list_audit(
        &self,
        actor: &Actor,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> Result<Page<AuditEntry>, IdentityError> {
        actor.require(Permission::ManageUsers)?;
        self.inner.stores.audit.list(filter, page).await
    }

    /// Checks the whole audit log, entry by entry.
    pub async fn verify_audit(&self) -> Result<Verification, IdentityError> {
        self.inner.audit.verify().await
    }
}
