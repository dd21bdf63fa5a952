//! What identity sends: users, sessions, keys and entries as JSON, and what the document says of their values.

use kernel::{Permission, Plan, Role};
use platform::server::{openapi::one_of, time::rfc3339};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{ToSchema, openapi::Object};

use crate::model::{ApiKey, AuditEntry, Session, Status, User};

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct UserBody {
    #[schema(format = Uuid)]
    id: String,
    #[schema(format = Email)]
    email: String,
    name: String,
    #[schema(schema_with = role)]
    role: Role,
    #[schema(schema_with = plan)]
    plan: Plan,
    #[schema(schema_with = status)]
    status: Status,
    /// What the user may do.
    #[schema(schema_with = permissions)]
    permissions: Vec<Permission>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    #[schema(format = DateTime)]
    last_login_at: Option<String>,
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email.as_str().to_owned(),
            name: user.name.as_str().to_owned(),
            role: user.role,
            plan: user.plan,
            status: user.status,
            permissions: kernel::Permissions::of(user.role, user.plan).iter().collect(),
            created_at: rfc3339(user.created_at_ms),
            updated_at: rfc3339(user.updated_at_ms),
            last_login_at: user.last_login_at_ms.map(rfc3339),
        }
    }
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(super) struct SessionBody {
    #[schema(format = Uuid)]
    id: String,
    /// What the session is held by: `tokens` or `cookie`.
    #[schema(schema_with = session_kind)]
    kind: &'static str,
    /// Whether it is the one that asks.
    is_current: bool,
    #[schema(format = DateTime)]
    created_at: String,
    /// Known to the minute.
    #[schema(format = DateTime)]
    last_used_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

impl SessionBody {
    pub(super) fn new(session: &Session, current: Option<kernel::SessionId>) -> Self {
        Self {
            id: session.id.to_string(),
            kind: session.kind.name(),
            is_current: Some(session.id) == current,
            created_at: rfc3339(session.created_at_ms),
            last_used_at: rfc3339(session.last_used_at_ms),
            expires_at: rfc3339(session.expires_at_ms),
        }
    }
}

/// An API key, without the key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(super) struct ApiKeyBody {
    #[schema(format = Uuid)]
    id: String,
    name: String,
    /// How the key begins.
    hint: String,
    #[schema(schema_with = permissions)]
    scopes: Vec<Permission>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// Known to the minute.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
}

impl From<ApiKey> for ApiKeyBody {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name.as_str().to_owned(),
            hint: key.hint,
            scopes: key.scopes.iter().collect(),
            created_at: rfc3339(key.created_at_ms),
            expires_at: key.expires_at_ms.map(rfc3339),
            last_used_at: key.last_used_at_ms.map(rfc3339),
        }
    }
}

/// An entry of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(super) struct AuditBody {
    /// Its place, from 1, without gaps.
    number: i64,
    #[schema(format = DateTime)]
    at: String,
    /// Who did it; absent where nobody knows, and for the owner of the machine.
    #[schema(format = Uuid)]
    actor: Option<String>,
    /// What was done.
    #[schema(example = "session.created")]
    act: String,
    /// Whom or what it was done to.
    subject: Option<String>,
    /// Where it came from.
    address: Option<String>,
    #[schema(value_type = Object)]
    details: Value,
}

impl From<AuditEntry> for AuditBody {
    fn from(entry: AuditEntry) -> Self {
        Self {
            number: entry.number,
            at: rfc3339(entry.at_ms),
            actor: entry.actor.map(|actor| actor.to_string()),
            act: entry.act,
            subject: entry.subject,
            address: entry.address,
            details: serde_json::from_str(&entry.details).unwrap_or_default(),
        }
    }
}

/// What a session is to be held by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum HeldBy {
    /// An access token, and a refresh token for the next one: programs.
    #[default]
    Tokens,
    /// A cookie: browsers.
    Cookie,
}

pub(super) fn role() -> Object {
    one_of(Role::ALL.iter().map(|role| role.name()))
}

pub(super) fn plan() -> Object {
    one_of(Plan::ALL.iter().map(|plan| plan.name()))
}

pub(super) fn status() -> Object {
    one_of([Status::Active, Status::Banned].map(Status::name))
}

fn session_kind() -> Object {
    one_of(["tokens", "cookie"])
}

pub(super) fn permissions() -> utoipa::openapi::schema::Array {
    utoipa::openapi::ArrayBuilder::new()
        .items(one_of(Permission::ALL.iter().map(|permission| permission.name())))
        .build()
}
