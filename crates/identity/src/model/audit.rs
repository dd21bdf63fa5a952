//! What was done that matters for security: the entries of the audit log.

use std::net::IpAddr;

use kernel::UserId;
use serde_json::{Map, Value};

/// Where a request comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Origin {
    /// Absent for the command line.
    pub address: Option<IpAddr>,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    SignedUp,
    UserCreated,
    LoggedIn,
    LoginFailed,
    LoginThrottled,
    LoggedOut,
    LoggedOutEverywhere,
    SessionRevoked,
    RefreshReplayed,
    PasswordChanged,
    PasswordResetSent,
    PasswordReset,
    ApiKeyCreated,
    ApiKeyRevoked,
    UserChanged,
    UserBanned,
    UserUnbanned,
    SigningKeyMade,
}

impl Act {
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignedUp => "user.signed_up",
            Self::UserCreated => "user.created",
            Self::LoggedIn => "session.created",
            Self::LoginFailed => "session.refused",
            Self::LoginThrottled => "session.throttled",
            Self::LoggedOut => "session.ended",
            Self::LoggedOutEverywhere => "session.all_ended",
            Self::SessionRevoked => "session.revoked",
            Self::RefreshReplayed => "session.replayed",
            Self::PasswordChanged => "password.changed",
            Self::PasswordResetSent => "password.reset_sent",
            Self::PasswordReset => "password.reset",
            Self::ApiKeyCreated => "api_key.created",
            Self::ApiKeyRevoked => "api_key.revoked",
            Self::UserChanged => "user.changed",
            Self::UserBanned => "user.banned",
            Self::UserUnbanned => "user.unbanned",
            Self::SigningKeyMade => "signing_key.created",
        }
    }
}

/// Something to be written into the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct Deed {
    pub act: Act,
    /// Who did it; absent where nobody knows, and for the owner of the machine.
    pub actor: Option<UserId>,
    /// Whom or what it was done to.
    pub subject: Option<String>,
    pub origin: Origin,
    /// What else is to be known of it. No secret and no mail address.
    pub details: Map<String, Value>,
}

impl Deed {
    pub fn new(act: Act, actor: Option<UserId>, origin: Origin) -> Self {
        Self { act, actor, subject: None, origin, details: Map::new() }
    }

    #[must_use]
    pub fn subject(mut self, subject: &impl ToString) -> Self {
        self.subject = Some(subject.to_string());
        self
    }

    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its place, from 1, without gaps.
    pub number: i64,
    pub at_ms: i64,
    pub actor: Option<UserId>,
    pub act: String,
    pub subject: Option<String>,
    pub address: Option<String>,
    /// JSON, as it was written.
    pub details: String,
    /// Which key the chain was made with.
    pub key_id: String,
    /// What binds it to its place: a code over it and the one before.
    pub code: String,
}
