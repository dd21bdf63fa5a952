//! Everything that can go wrong, and what each means to whoever asked.

use std::time::Duration;

use kernel::{ErrorKind, Forbidden, PageError};
use platform::db::DbError;

use crate::{passwords::HashingError, ports::MailError, tokens::TokenError};

/// Why identity did not do what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("accounts are made by admins here; ask one")]
    SignUpClosed,
    #[error("there is an account with this mail address already; sign in, or ask for a new password")]
    EmailTaken,
    /// One text for every reason, so that it tells nobody which.
    #[error("the mail address or the password is wrong")]
    WrongCredentials,
    #[error("the current password is wrong")]
    WrongPassword,
    #[error("too many attempts; wait, then try again")]
    Throttled { wait: Duration },
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("the session has ended; sign in again")]
    SessionEnded,
    #[error("the refresh token is not one of ours, or its session has ended; sign in again")]
    RefreshRefused,
    #[error("the API key is not one of ours, or it has ended; make a new one")]
    ApiKeyRefused,
    #[error("the link has been used or has run out; ask for a new one")]
    ResetRefused,
    #[error("user `{0}` not found")]
    UserNotFound(String),
    #[error("session `{0}` not found")]
    SessionNotFound(String),
    #[error("API key `{0}` not found")]
    ApiKeyNotFound(String),
    #[error("it was changed in the meantime; read it again")]
    Changed,
    #[error("this would leave nobody to run the place; make another admin first")]
    LastAdmin,
    #[error("a key cannot have a scope that you do not have: {0}")]
    ScopeNotHeld(String),
    #[error("an API key has at least one scope")]
    NoScope,
    #[error("there are {0} API keys already, which is the most; revoke one first")]
    TooManyApiKeys(u64),
    #[error(transparent)]
    Page(#[from] PageError),
    #[error(transparent)]
    Hashing(#[from] HashingError),
    #[error(transparent)]
    Mail(#[from] MailError),
    #[error(transparent)]
    Db(#[from] DbError),
    /// What lies in the database cannot be understood.
    #[error("a stored {what} cannot be read: {reason}")]
    Stored { what: &'static str, reason: String },
    #[error("a signing key cannot be used; is its secret key still among the previous ones?")]
    SigningKey,
}

impl IdentityError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Forbidden(error) => error.kind(),
            Self::SignUpClosed | Self::WrongPassword => ErrorKind::Forbidden,
            Self::EmailTaken | Self::Changed | Self::LastAdmin | Self::TooManyApiKeys(_) => ErrorKind::Conflict,
            Self::WrongCredentials
            | Self::Token(_)
            | Self::SessionEnded
            | Self::RefreshRefused
            | Self::ApiKeyRefused => ErrorKind::Unauthenticated,
            Self::Throttled { .. } => ErrorKind::Unavailable,
            Self::ResetRefused | Self::ScopeNotHeld(_) | Self::NoScope | Self::Page(_) => ErrorKind::Invalid,
            Self::UserNotFound(_) | Self::SessionNotFound(_) | Self::ApiKeyNotFound(_) => ErrorKind::NotFound,
            Self::Hashing(error) => error.kind(),
            Self::Mail(error) => error.kind(),
            Self::Db(error) => error.kind(),
            Self::Stored { .. } | Self::SigningKey => ErrorKind::Internal,
        }
    }
}
