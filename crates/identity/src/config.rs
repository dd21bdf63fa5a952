//! What can be set of identity.

use serde::{Deserialize, Serialize};

use crate::{passwords::HashingCost, tokens::Algorithm};

/// Who may come in, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentitySettings {
    /// Whether strangers may make accounts of their own.
    pub sign_up: SignUp,
    /// How access tokens are signed.
    pub algorithm: Algorithm,
    /// Seconds that an access token is good for.
    pub access_token_s: u32,
    /// Days that a session lasts without being used.
    pub session_idle_days: u16,
    /// Days that a session lasts at all.
    pub session_days: u16,
    /// Minutes that a link to a new password is good for.
    pub password_reset_minutes: u16,
    /// Days until a new key signs.
    pub signing_key_days: u16,
    pub hashing: HashingCost,
}

/// Whether strangers may make accounts of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignUp {
    /// Everybody may, as a creator on the free plan.
    #[default]
    Open,
    /// Admins make accounts.
    Closed,
}

impl Default for IdentitySettings {
    fn default() -> Self {
        Self {
            sign_up: SignUp::default(),
            algorithm: Algorithm::default(),
            access_token_s: 15 * 60,
            session_idle_days: 14,
            session_days: 90,
            password_reset_minutes: 30,
            signing_key_days: 30,
            hashing: HashingCost::default(),
        }
    }
}
