//! Accounts: making them, and what their owners change of them.

use kernel::{Actor, Permission, Plan, Role, UserId, events::UserRegistered};
use platform::idempotency::Receipt;
use secrecy::SecretString;

use super::{IdentityService, Inner};
use crate::{
    config,
    error::IdentityError,
    model::{Act, Deed, Email, Name, Origin, Password, Status, User},
    passwords::Verdict,
    ports::PasswordChange,
};

/// What somebody gives who makes an account of their own.
#[derive(Debug, Clone)]
pub struct SignUp {
    pub email: Email,
    pub name: Name,
    pub password: Password,
    pub origin: Origin,
}

/// An account that an admin makes for somebody.
#[derive(Debug, Clone)]
pub struct NewAccount {
    pub email: Email,
    pub name: Name,
    pub password: Password,
    pub role: Role,
    pub plan: Plan,
}

impl IdentityService {
    /// Makes an account for whoever asks, where that is allowed.
    pub async fn sign_up(&self, sign_up: SignUp, receipt: &Receipt<User>) -> Result<User, IdentityError> {
        if self.inner.settings.sign_up == config::SignUp::Closed {
            return Err(IdentityError::SignUpClosed);
        }
        let SignUp { email, name, password, origin } = sign_up;
        // Nobody can look through addresses faster than guess at passwords.
        self.inner.throttle.guess(&email, origin).await?;
        let account = NewAccount { email, name, password, role: Role::Creator, plan: Plan::Free };
        let act = |user: &User| Deed::new(Act::SignedUp, Some(user.id), origin).subject(&user.id);
        self.inner.make_account(account, act, receipt).await
    }

    /// Makes an account for somebody. Only the owner of the machine and admins may; the owner names no actor.
    pub async fn create_user(&self, actor: Option<&Actor>, account: NewAccount) -> Result<User, IdentityError> {
        if let Some(actor) = actor {
            actor.require(Permission::ManageUsers)?;
        }
        let by = actor.map(|actor| actor.user_id);
        let act = |user: &User| {
            Deed::new(Act::UserCreated, by, Origin::default()).subject(&user.id).detail("role", user.role.name())
        };
        self.inner.make_account(account, act, &Receipt::none()).await
    }

    /// Whether there is anybody who can run the place.
    pub async fn has_admin(&self) -> Result<bool, IdentityError> {
        let inner = &self.inner;
        inner.db.transaction(|tx| async move { Ok(inner.stores.users.count_active_admins(&tx).await? > 0) }).await
    }

    /// The account of the actor.
    pub async fn show_me(&self, actor: &Actor) -> Result<User, IdentityError> {
        self.inner.get_user(actor.user_id).await
    }

    /// Gives the actor another name, where `user` is how the account still is.
    pub async fn rename_me(&self, actor: &Actor, user: &User, name: Name) -> Result<User, IdentityError> {
        actor.require_login()?;
        let now_ms = self.inner.now_ms();
        let renamed = User { name, version: user.version + 1, updated_at_ms: now_ms, ..user.clone() };
        let (inner, renamed) = (&self.inner, &renamed);
        inner
            .db
            .transaction(|tx| async move {
                inner.stores.users.update(&tx, renamed).await?;
                Ok::<_, IdentityError>(inner.memory.forget_in(&tx, renamed.id).await?)
            })
            .await?;
        Ok(renamed.clone())
    }

    /// Gives the actor another password, and ends all other sessions.
    pub async fn change_password(
        &self,
        actor: &Actor,
        current: &SecretString,
        new: &Password,
        origin: Origin,
    ) -> Result<(), IdentityError> {
        actor.require_login()?;
        let (inner, user) = (&self.inner, actor.user_id);
        let login = inner.stores.users.find_login_by_id(user).await?;
        let login = login.ok_or_else(|| IdentityError::UserNotFound(user.to_string()))?;
        inner.throttle.guess_again(&login.user.email).await?;
        if inner.passwords.verify(current, Some(&login.password_hash)).await? == Verdict::Wrong {
            return Err(IdentityError::WrongPassword);
        }
        let hash = inner.passwords.hash(new.secret()).await?;
        let change = &PasswordChange { checked: &login.password_hash, new: &hash };
        let keep = actor.session_id();
        inner
            .db
            .transaction(|tx| async move {
                if !inner.stores.users.change_password(&tx, user, change).await? {
                    return Err(IdentityError::Changed);
                }
                // A letter that is on its way opens nothing any more.
                inner.stores.resets.remove(&tx, user).await?;
                let count = inner.stores.sessions.revoke_all(&tx, user, keep, inner.now_ms()).await?;
                inner.memory.forget_in(&tx, user).await?;
                let deed = Deed::new(Act::PasswordChanged, Some(user), origin).detail("sessions", count);
                inner.note_in(&tx, &deed).await
            })
            .await
    }
}

impl Inner {
    pub(super) async fn get_user(&self, id: UserId) -> Result<User, IdentityError> {
        self.stores.users.find(id).await?.ok_or_else(|| IdentityError::UserNotFound(id.to_string()))
    }

    async fn make_account(
        &self,
        account: NewAccount,
        act: impl Fn(&User) -> Deed,
        receipt: &Receipt<User>,
    ) -> Result<User, IdentityError> {
        let hash = &self.passwords.hash(account.password.secret()).await?;
        let now_ms = self.now_ms();
        let user = &User {
            id: UserId::new(self.ids.as_ref()),
            email: account.email,
            name: account.name,
            role: account.role,
            plan: account.plan,
            status: Status::Active,
            version: 1,
            created_at_ms: now_ms,
            updated_at_ms: now_ms,
            last_login_at_ms: None,
        };
        let deed = &act(user);
        self.db
            .transaction(|tx| async move {
                self.stores.users.insert(&tx, user, hash).await?;
                self.outbox.append(&tx, &UserRegistered { user_id: user.id.as_uuid() }).await?;
                receipt.keep(&tx, user).await?;
                self.note_in(&tx, deed).await
            })
            .await?;
        Ok(user.clone())
    }
}
