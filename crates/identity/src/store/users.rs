//! Users in the database.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use kernel::{Cursor, Page, PageRequest, Role, UserId, Uuid};
use platform::db::{DbError, DbFault, Sql, Transaction, millis, timestamp};
use sea_orm::FromQueryResult;

use super::{Conditions, Store, count_in, execute, known, optional_millis, stored};
use crate::{
    error::IdentityError,
    model::{Email, Status, User, UserFilter},
    ports::{Login, PasswordChange, UserStore},
};

/// The columns of a [`UserRow`], of a table named `u`.
pub(super) const COLUMNS: &str = "u.id AS user_id, u.email, u.name AS user_name, u.role, u.plan, u.status, u.version, \
     u.created_at AS user_created_at, u.updated_at, u.last_login_at";

#[derive(Debug, FromQueryResult)]
pub(super) struct UserRow {
    user_id: Uuid,
    email: String,
    user_name: String,
    role: String,
    plan: String,
    status: String,
    version: i64,
    user_created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    last_login_at: Option<DateTime<Utc>>,
}

#[derive(Debug, FromQueryResult)]
struct LoginRow {
    #[sea_orm(nested)]
    user: UserRow,
    password_hash: String,
}

impl UserRow {
    pub(super) fn read(self) -> Result<User, IdentityError> {
        Ok(User {
            id: UserId::from_uuid(self.user_id),
            email: stored("mail address", self.email.parse())?,
            name: stored("name", self.user_name.parse())?,
            role: stored("role", self.role.parse())?,
            plan: stored("plan", self.plan.parse())?,
            status: known("status", Status::find(&self.status))?,
            version: self.version,
            created_at_ms: millis(self.user_created_at),
            updated_at_ms: millis(self.updated_at),
            last_login_at_ms: optional_millis(self.last_login_at),
        })
    }
}

impl Store {
    async fn find_login_where(
        &self,
        condition: &str,
        value: impl Into<sea_orm::Value>,
    ) -> Result<Option<Login>, IdentityError> {
        let sql =
            Sql::new(format!("SELECT {COLUMNS}, u.password_hash FROM users u WHERE {condition} = $1")).bind(value);
        let row: Option<LoginRow> = self.find_row(sql).await?;
        row.map(|row| Ok(Login { user: row.user.read()?, password_hash: row.password_hash })).transpose()
    }
}

#[async_trait]
impl UserStore for Store {
    async fn insert(&self, tx: &Transaction, user: &User, password_hash: &str) -> Result<(), IdentityError> {
        let sql = Sql::new(
            "INSERT INTO users (id, email, name, role, plan, status, version, created_at, updated_at, password_hash) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(user.id.as_uuid())
        .bind(user.email.as_str())
        .bind(user.name.as_str())
        .bind(user.role.name())
        .bind(user.plan.name())
        .bind(user.status.name())
        .bind(user.version)
        .bind(timestamp(user.created_at_ms))
        .bind(timestamp(user.updated_at_ms))
        .bind(password_hash);
        match execute(tx, sql).await {
            Err(error) if error.fault == DbFault::Taken => Err(IdentityError::EmailTaken),
            done => Ok(done.map(drop)?),
        }
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, IdentityError> {
        let sql = Sql::new(format!("SELECT {COLUMNS} FROM users u WHERE u.id = $1")).bind(id.as_uuid());
        self.find_row::<UserRow>(sql).await?.map(UserRow::read).transpose()
    }

    async fn find_login(&self, email: &Email) -> Result<Option<Login>, IdentityError> {
        self.find_login_where("u.email", email.as_str()).await
    }

    async fn find_login_by_id(&self, id: UserId) -> Result<Option<Login>, IdentityError> {
        self.find_login_where("u.id", id.as_uuid()).await
    }

    async fn update(&self, tx: &Transaction, user: &User) -> Result<(), IdentityError> {
        let sql = Sql::new(
            "UPDATE users SET name = $1, role = $2, plan = $3, status = $4, version = $5, updated_at = $6 \
             WHERE id = $7 AND version = $8",
        )
        .bind(user.name.as_str())
        .bind(user.role.name())
        .bind(user.plan.name())
        .bind(user.status.name())
        .bind(user.version)
        .bind(timestamp(user.updated_at_ms))
        .bind(user.id.as_uuid())
        .bind(user.version - 1);
        if execute(tx, sql).await? == 1 { Ok(()) } else { Err(IdentityError::Changed) }
    }

    async fn set_password(&self, tx: &Transaction, id: UserId, hash: &str) -> Result<(), DbError> {
        let sql = Sql::new("UPDATE users SET password_hash = $1 WHERE id = $2").bind(hash).bind(id.as_uuid());
        execute(tx, sql).await.map(drop)
    }

    async fn change_password(
        &self,
        tx: &Transaction,
        id: UserId,
        change: &PasswordChange<'_>,
    ) -> Result<bool, DbError> {
        let sql = Sql::new("UPDATE users SET password_hash = $1 WHERE id = $2 AND password_hash = $3");
        Ok(execute(tx, sql.bind(change.new).bind(id.as_uuid()).bind(change.checked)).await? == 1)
    }

    async fn note_login(
        &self,
        tx: &Transaction,
        id: UserId,
        change: &PasswordChange<'_>,
        now_ms: i64,
    ) -> Result<bool, DbError> {
        let sql = Sql::new(
            "UPDATE users SET last_login_at = $1, password_hash = $2 WHERE id = $3 AND password_hash = $4 AND status = $5",
        );
        let sql = sql.bind(timestamp(now_ms)).bind(change.new).bind(id.as_uuid()).bind(change.checked);
        Ok(execute(tx, sql.bind(Status::Active.name())).await? == 1)
    }

    async fn list(&self, filter: &UserFilter, page: &PageRequest) -> Result<Page<User>, IdentityError> {
        let after = page.after.as_ref().map(Cursor::part::<Uuid>).transpose()?;
        let mut conditions = Conditions::new();
        conditions.and("u.id <", after);
        conditions.and("u.role =", filter.role.map(Role::name));
        conditions.and("u.plan =", filter.plan.map(kernel::Plan::name));
        conditions.and("u.status =", filter.status.map(Status::name));
        conditions.and_prefix("u.email", filter.email_prefix.as_deref());
        let head = format!("SELECT {COLUMNS} FROM users u");
        let sql = conditions.into_sql(&head, "ORDER BY u.id DESC", page.size.and_one_more());
        let rows: Vec<UserRow> = self.list_rows(sql).await?;
        let users = rows.into_iter().map(UserRow::read).collect::<Result<_, _>>()?;
        Ok(Page::of_one_more(users, page.size, |user: &User| Cursor::of_parts(&[&user.id.to_string()])))
    }

    async fn count_active_admins(&self, tx: &Transaction) -> Result<u64, DbError> {
        // In PostgreSQL two changes at once could each count the other's admin; a lock of the rows lets one wait.
        let lock = match tx.backend() {
            platform::db::Backend::Sqlite => "",
            platform::db::Backend::Postgres => " FOR UPDATE",
        };
        let sql = Sql::new(format!(
            "SELECT COUNT(*) FROM (SELECT id FROM users WHERE role = $1 AND status = $2 ORDER BY id{lock}) admins"
        ));
        count_in(tx, sql.bind(Role::Admin.name()).bind(Status::Active.name())).await
    }
}
