//! What admins do with users.

use kernel::{
    Actor, Page, PageRequest, Permission, UserId,
    events::{UserChanged, UserDisabled},
};
use platform::db::Transaction;

use super::{IdentityService, Inner};
use crate::{
    error::IdentityError,
    model::{Act, Deed, Origin, Status, User, UserChange, UserFilter},
};

impl IdentityService {
    /// Users, newest first.
    pub async fn list_users(
        &self,
        actor: &Actor,
        filter: &UserFilter,
        page: &PageRequest,
    ) -> Result<Page<User>, IdentityError> {
        actor.require(Permission::ManageUsers)?;
        self.inner.stores.users.list(filter, page).await
    }

    /// One user.
    pub async fn show_user(&self, actor: &Actor, id: UserId) -> Result<User, IdentityError> {
        actor.require(Permission::ManageUsers)?;
        self.inner.get_user(id).await
    }

    /// Changes role, plan or status of `user`, where that is how the account still is. Somebody banned is thrown out at once.
    /// The last admin stays one.
    pub async fn change_user(
        &self,
        actor: &Actor,
        user: &User,
        change: UserChange,
        origin: Origin,
    ) -> Result<User, IdentityError> {
        actor.require(Permission::ManageUsers)?;
        let inner = &self.inner;
        let changed = &user.changed(change, inner.now_ms());
        inner
            .db
            .transaction(|tx| async move {
                if user.is_active_admin() && !changed.is_active_admin() {
                    inner.require_another_admin(&tx).await?;
                }
                inner.stores.users.update(&tx, changed).await?;
                inner.announce(&tx, user, changed).await?;
                if changed.status == Status::Banned {
                    inner.stores.sessions.revoke_all(&tx, user.id, None, inner.now_ms()).await?;
                }
                inner.memory.forget_in(&tx, user.id).await?;
                inner.note_in(&tx, &deed(actor, user, changed, origin)).await
            })
            .await?;
        Ok(changed.clone())
    }
}

impl Inner {
    /// Tells other contexts what they may have to know of a change.
    async fn announce(&self, tx: &Transaction, before: &User, after: &User) -> Result<(), IdentityError> {
        let user_id = after.id.as_uuid();
        if (before.role, before.plan) != (after.role, after.plan) {
            let (role, plan) = (after.role.name().to_owned(), after.plan.name().to_owned());
            self.outbox.append(tx, &UserChanged { user_id, role, plan }).await?;
        }
        if before.status == Status::Active && after.status == Status::Banned {
            self.outbox.append(tx, &UserDisabled { user_id }).await?;
        }
        Ok(())
    }

    async fn require_another_admin(&self, tx: &Transaction) -> Result<(), IdentityError> {
        if self.stores.users.count_active_admins(tx).await? < 2 { Err(IdentityError::LastAdmin) } else { Ok(()) }
    }
}

fn deed(actor: &Actor, before: &User, after: &User, origin: Origin) -> Deed {
    let act = match (before.status, after.status) {
        (Status::Active, Status::Banned) => Act::UserBanned,
        (Status::Banned, Status::Active) => Act::UserUnbanned,
        _ => Act::UserChanged,
    };
    let change = |from: &str, to: &str| format!("{from} -> {to}");
    Deed::new(act, Some(actor.user_id), origin)
        .subject(&after.id)
        .detail("role", change(before.role.name(), after.role.name()))
        .detail("plan", change(before.plan.name(), after.plan.name()))
}
