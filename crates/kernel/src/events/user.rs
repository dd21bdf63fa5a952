//! What happens to an account. No payload holds a mail address: whoever needs it reads the account.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::event;

/// An account was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRegistered {
    pub user_id: Uuid,
}

/// The role or the plan of an account changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserChanged {
    pub user_id: Uuid,
    pub role: String,
    pub plan: String,
}

/// An account may no longer be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserDisabled {
    pub user_id: Uuid,
}

/// An account and what belonged to it is to be removed everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserErased {
    pub user_id: Uuid,
}

event!(UserRegistered, "user.registered", 1);
event!(UserChanged, "user.changed", 1);
event!(UserDisabled, "user.disabled", 1);
event!(UserErased, "user.erased", 1);
