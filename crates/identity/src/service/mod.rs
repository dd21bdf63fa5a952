//! What can be done with users, sessions and keys: the rules, who may do what, and what is written into the audit log.

mod access;
mod accounts;
mod admin;
mod api_keys;
mod audit;
mod keys;
mod login;
mod memory;
mod reset;
mod sessions;
mod throttle;
mod usage;

use std::{sync::Arc, time::Duration};

use kernel::{Clock, IdSource, Rng};
use platform::{
    cache::Caches,
    db::{Db, DbError, Transaction},
    events::Outbox,
    secrets::{Purpose, Sealer, SecretKeys},
    server::rate_limit::RateLimiter,
};
use tokio_util::sync::CancellationToken;

pub use accounts::{NewAccount, SignUp};
pub use api_keys::MadeApiKey;
pub use audit::{BreakReason, Verification};
pub use login::{Credentials, Opened, Tokens};

use crate::{
    config::IdentitySettings,
    error::IdentityError,
    model::Deed,
    passwords::Passwords,
    ports::{ApiKeyStore, AuditStore, Mailer, RefreshStore, ResetStore, SessionStore, SigningKeyStore, UserStore},
    tokens::AccessTokens,
};
use audit::AuditLog;
use keys::Keys;
use memory::Memory;
use reset::ResetQueue;
use throttle::Throttle;
use usage::{Noted, Usage};

/// How many uses one transaction writes: others have their turn in between.
const USAGE_BATCH: usize = 500;
/// How often what was used is written down.
const FLUSH_INTERVAL: Duration = Duration::from_mins(1);

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const MINUTE_MS: i64 = 60 * 1000;

/// The ports, each of which the same store may serve.
#[derive(Debug, Clone)]
pub struct Stores {
    pub users: Arc<dyn UserStore>,
    pub sessions: Arc<dyn SessionStore>,
    pub refresh: Arc<dyn RefreshStore>,
    pub resets: Arc<dyn ResetStore>,
    pub api_keys: Arc<dyn ApiKeyStore>,
    pub audit: Arc<dyn AuditStore>,
    pub signing_keys: Arc<dyn SigningKeyStore>,
}

/// What the service is made of.
#[derive(Debug, Clone)]
pub struct Deps {
    pub db: Db,
    pub stores: Stores,
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Rng>,
    pub ids: Arc<dyn IdSource>,
    pub limiter: Arc<dyn RateLimiter>,
    pub caches: Caches,
    pub mailer: Arc<dyn Mailer>,
    pub secrets: SecretKeys,
    pub settings: IdentitySettings,
    /// The origin under which users reach the server.
    pub public_origin: String,
}

/// Users, sessions and keys. Clones share everything.
#[derive(Debug, Clone)]
pub struct IdentityService {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    db: Db,
    stores: Stores,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    ids: Arc<dyn IdSource>,
    settings: IdentitySettings,
    public_origin: String,
    passwords: Passwords,
    access: AccessTokens,
    keys: Keys,
    audit: AuditLog,
    throttle: Throttle,
    memory: Memory,
    usage: Usage,
    resets: ResetQueue,
    outbox: Outbox,
}

impl IdentityService {
    /// Makes what the service works with; nothing is read or written yet.
    pub fn new(deps: Deps) -> Result<Self, IdentityError> {
        let Deps { db, stores, clock, rng, ids, limiter, caches, mailer, secrets, settings, public_origin } = deps;
        let access = AccessTokens { issuer: public_origin.clone(), lifetime_s: settings.access_token_s.into() };
        let sealer = Sealer::new(&secrets, rng.clone());
        let inner = Inner {
            passwords: Passwords::new(settings.hashing, rng.clone())?,
            keys: Keys::new(settings.algorithm, secrets.derive(Purpose::AccessTokens), sealer),
            audit: AuditLog::new(stores.audit.clone(), secrets.derive(Purpose::AuditLog), clock.clone()),
            throttle: Throttle::new(limiter),
            memory: Memory::new(caches),
            usage: Usage::default(),
            resets: ResetQueue::new(mailer),
            outbox: Outbox::new(db.clone(), clock.clone(), ids.clone()),
            db,
            stores,
            clock,
            rng,
            ids,
            settings,
            public_origin,
            access,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Does what goes on beside requests, until `stop`: letters, notes of what was used, old rows. Writes down what is left
    /// before it ends.
    pub async fn run(&self, stop: CancellationToken) {
        let letters = stop.run_until_cancelled(self.send_reset_letters());
        let upkeep = stop.run_until_cancelled(async {
            loop {
                tokio::time::sleep(FLUSH_INTERVAL).await;
                self.upkeep().await;
            }
        });
        tokio::join!(letters, upkeep);
        self.send_waiting_letters().await;
        if let Err(error) = self.flush_usage().await {
            tracing::warn!(error = %error, "when keys were last used is not written down");
        }
    }

    async fn upkeep(&self) {
        let ended_ms = self.inner.now_ms() - 30 * DAY_MS;
        let done = async {
            self.flush_usage().await?;
            self.rotate_keys().await?;
            self.inner.stores.sessions.remove_ended(ended_ms).await?;
            Ok::<(), IdentityError>(())
        };
        if let Err(error) = done.await {
            tracing::warn!(error = %error, "upkeep of identity failed; it is tried again");
        }
    }

    /// Writes down when keys and sessions were last used.
    pub async fn flush_usage(&self) -> Result<(), DbError> {
        let used = self.inner.usage.take();
        let written = self.write_usage(&used).await;
        if written.is_err() {
            self.inner.usage.put_back(used);
        }
        written
    }

    async fn write_usage(&self, used: &Noted) -> Result<(), DbError> {
        let Inner { db, stores, .. } = self.inner.as_ref();
        let sessions: Vec<_> = used.sessions.iter().map(|(id, at_ms)| (*id, *at_ms)).collect();
        for some in sessions.chunks(USAGE_BATCH) {
            db.transaction(|tx| async move { stores.sessions.note_used(&tx, some).await }).await?;
        }
        let api_keys: Vec<_> = used.api_keys.iter().map(|(id, at_ms)| (*id, *at_ms)).collect();
        for some in api_keys.chunks(USAGE_BATCH) {
            db.transaction(|tx| async move { stores.api_keys.note_used(&tx, some).await }).await?;
        }
        Ok(())
    }

    /// How many passwords were hashed since the start.
    pub fn hash_count(&self) -> u64 {
        self.inner.passwords.count()
    }
}

impl Inner {
    fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Writes a deed that stands alone.
    async fn note(&self, deed: &Deed) -> Result<(), IdentityError> {
        self.db.transaction(|tx| async move { self.audit.append(&tx, deed).await }).await
    }

    async fn note_in(&self, tx: &Transaction, deed: &Deed) -> Result<(), IdentityError> {
        self.audit.append(tx, deed).await
    }
}
