//! The tables of identity.

use platform::db::migrate::{Migrations, Step, run_ddl};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait::async_trait, sea_orm::DbErr};

/// The steps that make the tables of identity.
pub fn migrations() -> Migrations {
    Migrations { context: "identity", list: || vec![Step::expand(Identity)] }
}

struct Identity;

/// Every list has an index in its order; every foreign key one for the row it names.
const UP: &[&str] = &[
    "CREATE TABLE users (
        id UUID NOT NULL PRIMARY KEY,
        email TEXT NOT NULL,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        plan TEXT NOT NULL,
        status TEXT NOT NULL,
        version BIGINT NOT NULL,
        created_at TIMESTAMPTZ NOT NULL,
        updated_at TIMESTAMPTZ NOT NULL,
        last_login_at TIMESTAMPTZ,
        password_hash TEXT NOT NULL
    )",
    "CREATE UNIQUE INDEX users_email ON users (email)",
    "CREATE INDEX users_role ON users (role, id)",
    "CREATE INDEX users_plan ON users (plan, id)",
    "CREATE INDEX users_status ON users (status, id)",
    "CREATE TABLE sessions (
        id UUID NOT NULL PRIMARY KEY,
        user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        cookie_hash TEXT,
        created_at TIMESTAMPTZ NOT NULL,
        last_used_at TIMESTAMPTZ NOT NULL,
        expires_at TIMESTAMPTZ NOT NULL,
        revoked_at TIMESTAMPTZ
    )",
    "CREATE INDEX sessions_user ON sessions (user_id, id)",
    "CREATE UNIQUE INDEX sessions_cookie ON sessions (cookie_hash)",
    "CREATE INDEX sessions_expiry ON sessions (expires_at)",
    "CREATE TABLE refresh_tokens (
        hash TEXT NOT NULL PRIMARY KEY,
        session_id UUID NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
        successor TEXT,
        superseded_at TIMESTAMPTZ
    )",
    "CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id)",
    "CREATE TABLE password_resets (
        user_id UUID NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
        hash TEXT NOT NULL,
        expires_at TIMESTAMPTZ NOT NULL
    )",
    "CREATE UNIQUE INDEX password_resets_hash ON password_resets (hash)",
    "CREATE TABLE api_keys (
        id UUID NOT NULL PRIMARY KEY,
        user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        hash TEXT NOT NULL,
        name TEXT NOT NULL,
        hint TEXT NOT NULL,
        scopes TEXT NOT NULL,
        created_at TIMESTAMPTZ NOT NULL,
        expires_at TIMESTAMPTZ,
        last_used_at TIMESTAMPTZ
    )",
    "CREATE UNIQUE INDEX api_keys_hash ON api_keys (hash)",
    "CREATE INDEX api_keys_user ON api_keys (user_id, id)",
    "CREATE TABLE signing_keys (
        id TEXT NOT NULL PRIMARY KEY,
        sealed_seed TEXT NOT NULL,
        created_at TIMESTAMPTZ NOT NULL
    )",
    "CREATE TABLE audit_log (
        number BIGINT NOT NULL PRIMARY KEY,
        at TIMESTAMPTZ NOT NULL,
        actor UUID,
        act TEXT NOT NULL,
        subject TEXT,
        address TEXT,
        details TEXT NOT NULL,
        key_id TEXT NOT NULL,
        code TEXT NOT NULL
    )",
    "CREATE INDEX audit_log_act ON audit_log (act, number)",
    "CREATE INDEX audit_log_actor ON audit_log (actor, number)",
    "CREATE TABLE audit_head (singleton SMALLINT NOT NULL PRIMARY KEY, number BIGINT NOT NULL, code TEXT NOT NULL)",
    "INSERT INTO audit_head (singleton, number, code) VALUES (1, 0, '')",
];

const DOWN: &[&str] = &[
    "DROP TABLE audit_head",
    "DROP TABLE audit_log",
    "DROP TABLE signing_keys",
    "DROP TABLE api_keys",
    "DROP TABLE password_resets",
    "DROP TABLE refresh_tokens",
    "DROP TABLE sessions",
    "DROP TABLE users",
];

impl MigrationName for Identity {
    fn name(&self) -> &'static str {
        "m20261127_000001_identity"
    }
}

#[async_trait]
impl MigrationTrait for Identity {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, DOWN).await
    }
}
