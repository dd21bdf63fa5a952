//! Keys for programs.

use kernel::{ApiKeyId, Permissions, UserId};
use serde::{Deserialize, Serialize};

use super::Name;

/// A key as its owner sees it after it was made: everything but the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub user_id: UserId,
    pub name: Name,
    /// How the key begins, so that its owner can tell it from others.
    pub hint: String,
    pub scopes: Permissions,
    pub created_at_ms: i64,
    pub expires_at_ms: Option<i64>,
    /// Known to the minute.
    pub last_used_at_ms: Option<i64>,
}

/// A key to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApiKey {
    pub name: Name,
    /// What it may do; never more than its owner.
    pub scopes: Permissions,
    /// Days until it ends; absent for never.
    pub expires_in_days: Option<u16>,
}
