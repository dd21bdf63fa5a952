//! What identity needs of others: rows that last, and letters that arrive.

use async_trait::async_trait;
use kernel::{ApiKeyId, ErrorKind, Page, PageRequest, SessionId, UserId};
use platform::db::{DbError, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    error::IdentityError,
    model::{ApiKey, AuditEntry, Email, Name, RefreshState, Session, User, UserFilter},
    tokens::{SecretHash, StoredKey},
};

/// A user, and the hash that a password is checked against.
#[derive(Debug, Clone)]
pub struct Login {
    pub user: User,
    pub password_hash: String,
}

/// The hash of a password that was checked, and the one that is to be there from now on.
#[derive(Debug, Clone, Copy)]
pub struct PasswordChange<'a> {
    pub checked: &'a str,
    pub new: &'a str,
}

/// A session with its user, as both are now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionOf {
    pub session: Session,
    pub user: User,
}

/// An API key with its user, as both are now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApiKeyOf {
    pub key: ApiKey,
    pub user: User,
}

/// Users that last.
#[async_trait]
pub trait UserStore: std::fmt::Debug + Send + Sync {
    /// Fails with [`IdentityError::EmailTaken`] where there is a user with this address.
    async fn insert(&self, tx: &Transaction, user: &User, password_hash: &str) -> Result<(), IdentityError>;
    async fn find(&self, id: UserId) -> Result<Option<User>, IdentityError>;
    async fn find_login(&self, email: &Email) -> Result<Option<Login>, IdentityError>;
    async fn find_login_by_id(&self, id: UserId) -> Result<Option<Login>, IdentityError>;
    /// Writes name, role, plan and status of `user`; fails with [`IdentityError::Changed`] where the stored version is not
    /// the one before.
    async fn update(&self, tx: &Transaction, user: &User) -> Result<(), IdentityError>;
    /// Sets a password, whatever it was before.
    async fn set_password(&self, tx: &Transaction, id: UserId, hash: &str) -> Result<(), DbError>;
    /// Changes a password; false where it is no longer the one that was checked.
    async fn change_password(&self, tx: &Transaction, id: UserId, change: &PasswordChange<'_>)
    -> Result<bool, DbError>;
    /// Notes a login; false where the password is no longer the one that was checked, or the user was banned meanwhile.
    async fn note_login(
        &self,
        tx: &Transaction,
        id: UserId,
        change: &PasswordChange<'_>,
        now_ms: i64,
    ) -> Result<bool, DbError>;
    /// Newest first.
    async fn list(&self, filter: &UserFilter, page: &PageRequest) -> Result<Page<User>, IdentityError>;
    /// How many admins may come in. In the transaction no other can change that.
    async fn count_active_admins(&self, tx: &Transaction) -> Result<u64, DbError>;
}

/// Sessions that last, and the secrets by which they are found.
#[async_trait]
pub trait SessionStore: std::fmt::Debug + Send + Sync {
    /// `cookie` is the hash of a cookie's secret; absent for sessions of tokens.
    async fn insert(&self, tx: &Transaction, session: &Session, cookie: Option<&SecretHash>) -> Result<(), DbError>;
    /// Sessions that were not revoked.
    async fn find(&self, id: SessionId) -> Result<Option<SessionOf>, IdentityError>;
    async fn find_by_cookie(&self, cookie: &SecretHash) -> Result<Option<SessionOf>, IdentityError>;
    /// Newest first, those that were not revoked and have not ended.
    async fn list(&self, user: UserId, now_ms: i64) -> Result<Vec<Session>, IdentityError>;
    /// Whether there was such a session to be revoked.
    async fn revoke(&self, tx: &Transaction, id: SessionId, user: UserId, now_ms: i64) -> Result<bool, DbError>;
    /// Revokes those of a user, but for one.
    async fn revoke_all(
        &self,
        tx: &Transaction,
        user: UserId,
        except: Option<SessionId>,
        now_ms: i64,
    ) -> Result<u64, DbError>;
    async fn note_used(&self, tx: &Transaction, used_at_ms: &[(SessionId, i64)]) -> Result<(), DbError>;
    /// Removes sessions that ended long ago.
    async fn remove_ended(&self, before_ms: i64) -> Result<u64, DbError>;
}

/// Refresh tokens that last.
#[async_trait]
pub trait RefreshStore: std::fmt::Debug + Send + Sync {
    /// The session of a token, with no other transaction able to renew it before this one ends; nothing where there is no
    /// such token, or its session was revoked.
    async fn lock_session(&self, tx: &Transaction, token: &SecretHash) -> Result<Option<SessionOf>, IdentityError>;
    async fn state(&self, tx: &Transaction, token: &SecretHash) -> Result<RefreshState, IdentityError>;
    async fn insert(&self, tx: &Transaction, session: SessionId, token: &SecretHash) -> Result<(), DbError>;
    /// From now on `new` comes after `shown`. A successor that `shown` had before, and that nobody showed, is superseded.
    async fn replace(&self, tx: &Transaction, shown: &SecretHash, new: &SecretHash, now_ms: i64)
    -> Result<(), DbError>;
}

/// Links to new passwords that last.
#[async_trait]
pub trait ResetStore: std::fmt::Debug + Send + Sync {
    /// Takes the place of an earlier one of the user.
    async fn put(&self, tx: &Transaction, user: UserId, secret: &SecretHash, expires_at_ms: i64)
    -> Result<(), DbError>;
    /// Removes a user's link, where there is one.
    async fn remove(&self, tx: &Transaction, user: UserId) -> Result<(), DbError>;
    /// Whose it is; it can be taken once.
    async fn take(&self, tx: &Transaction, secret: &SecretHash, now_ms: i64) -> Result<Option<UserId>, DbError>;
}

/// API keys that last.
#[async_trait]
pub trait ApiKeyStore: std::fmt::Debug + Send + Sync {
    async fn insert(&self, tx: &Transaction, key: &ApiKey, secret: &SecretHash) -> Result<(), DbError>;
    async fn count(&self, tx: &Transaction, user: UserId) -> Result<u64, DbError>;
    async fn find_by_secret(&self, secret: &SecretHash) -> Result<Option<ApiKeyOf>, IdentityError>;
    /// Newest first.
    async fn list(&self, user: UserId, page: &PageRequest) -> Result<Page<ApiKey>, IdentityError>;
    /// Whether there was such a key of this user.
    async fn remove(&self, tx: &Transaction, id: ApiKeyId, user: UserId) -> Result<bool, DbError>;
    async fn note_used(&self, tx: &Transaction, used_at_ms: &[(ApiKeyId, i64)]) -> Result<(), DbError>;
}

/// The end of the audit log's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainHead {
    /// The number of the newest entry; 0 where there is none.
    pub number: i64,
    /// Its code.
    pub code: String,
}

/// The audit log.
#[async_trait]
pub trait AuditStore: std::fmt::Debug + Send + Sync {
    /// The end of the chain, with no other transaction able to add to it before this one ends.
    async fn lock_head(&self, tx: &Transaction) -> Result<ChainHead, DbError>;
    /// Adds the entry that follows the head.
    async fn append(&self, tx: &Transaction, entry: &AuditEntry) -> Result<(), DbError>;
    async fn head(&self) -> Result<ChainHead, DbError>;
    /// Up to `count` entries after `number`, oldest first.
    async fn after(&self, number: i64, count: u64) -> Result<Vec<AuditEntry>, IdentityError>;
    /// Newest first.
    async fn list(&self, filter: &AuditFilter, page: &PageRequest) -> Result<Page<AuditEntry>, IdentityError>;
}

/// Which entries to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub act: Option<String>,
    pub actor: Option<UserId>,
}

/// Keys that sign tokens.
#[async_trait]
pub trait SigningKeyStore: std::fmt::Debug + Send + Sync {
    /// Newest first.
    async fn list(&self) -> Result<Vec<StoredKey>, IdentityError>;
    /// Adds a key, unless there is one that was made after `unless_after_ms`; whether it did.
    async fn insert(&self, tx: &Transaction, key: &StoredKey, unless_after_ms: i64) -> Result<bool, DbError>;
}

/// A letter to a user.
#[derive(Debug, Clone)]
pub struct Letter {
    pub to: Email,
    pub to_name: Name,
    pub subject: String,
    /// Plain text.
    pub body: String,
}

/// Why a letter was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    #[error("mail is not set up; set `mail.server`")]
    NotSetUp,
    #[error("the mail server did not take the letter: {0}")]
    Refused(String),
    #[error("the mail server does not answer: {0}")]
    Unavailable(String),
}

impl MailError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotSetUp => ErrorKind::Missing,
            Self::Refused(_) => ErrorKind::Internal,
            Self::Unavailable(_) => ErrorKind::Unavailable,
        }
    }
}

/// Sends letters.
#[async_trait]
pub trait Mailer: std::fmt::Debug + Send + Sync {
    async fn send(&self, letter: &Letter) -> Result<(), MailError>;
}
