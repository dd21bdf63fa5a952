//! Users: who they are, what they are here for, what they pay for, and whether they may come in.

use kernel::{Plan, Role, UserId};
use serde::{Deserialize, Serialize};

use super::{Email, Name};

/// Somebody with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    pub email: Email,
    pub name: Name,
    pub role: Role,
    pub plan: Plan,
    pub status: Status,
    /// Counts the changes, so that nobody overwrites one that they did not see.
    pub version: i64,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
    pub last_login_at_ms: Option<i64>,
}

/// Whether somebody may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Active,
    Banned,
}

impl Status {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Banned => "banned",
        }
    }

    pub fn find(name: &str) -> Option<Self> {
        [Self::Active, Self::Banned].into_iter().find(|status| status.name() == name)
    }
}

/// What an admin changes of a user; what is absent stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UserChange {
    pub role: Option<Role>,
    pub plan: Option<Plan>,
    pub status: Option<Status>,
}

impl User {
    /// Whether the user is an admin who may come in.
    pub fn is_active_admin(&self) -> bool {
        self.role == Role::Admin && self.status == Status::Active
    }

    /// The user after `change`, at `now_ms`.
    #[must_use]
    pub fn changed(&self, change: UserChange, now_ms: i64) -> Self {
        Self {
            role: change.role.unwrap_or(self.role),
            plan: change.plan.unwrap_or(self.plan),
            status: change.status.unwrap_or(self.status),
            version: self.version + 1,
            updated_at_ms: now_ms,
            ..self.clone()
        }
    }
}

/// Which users to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFilter {
    pub role: Option<Role>,
    pub plan: Option<Plan>,
    pub status: Option<Status>,
    /// What the mail address begins with.
    pub email_prefix: Option<String>,
}
