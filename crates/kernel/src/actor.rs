//! Who acts, as far as a service has to know: told from a credential at the edge, asked for permissions inside.

use crate::{ErrorKind, Permission, Permissions, Plan, Role, id_type};

id_type!(UserId, "a user");
id_type!(SessionId, "a session");
id_type!(ApiKeyId, "an API key");

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The user.
    pub user_id: UserId,
    /// What the user is here for.
    pub role: Role,
    /// What the user pays for.
    pub plan: Plan,
    /// What showed who it is.
    pub credential: Credential,
    /// What may be done: that of role and plan, less what the credential leaves out.
    permissions: Permissions,
}

/// What showed who somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// A signed token of a login.
    Token(SessionId),
    /// The cookie of a login in a browser.
    Cookie(SessionId),
    /// An API key.
    ApiKey(ApiKeyId),
    /// The owner of the machine, on its command line.
    Console,
}

/// Somebody may not do what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// A permission is lacking.
    #[error("this needs the permission `{0}`, which your role, plan or API key does not have")]
    Lacks(Permission),
    /// An API key cannot do what only its owner may.
    #[error("this needs a login; an API key cannot do it")]
    NeedsLogin,
}

impl Forbidden {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Forbidden
    }
}

impl Actor {
    /// A user who may do what role and plan allow.
    pub fn new(user_id: UserId, role: Role, plan: Plan, credential: Credential) -> Self {
        Self { user_id, role, plan, credential, permissions: Permissions::of(role, plan) }
    }

    /// The same, with nothing that is not in `scopes`.
    #[must_use]
    pub fn limited_to(mut self, scopes: Permissions) -> Self {
        self.permissions = self.permissions.intersection(scopes);
        self
    }

    /// What may be done.
    pub fn permissions(&self) -> Permissions {
        self.permissions
    }

    /// Whether it may be done.
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(permission)
    }

    /// Fails where it may not be done.
    pub fn require(&self, permission: Permission) -> Result<(), Forbidden> {
        if self.may(permission) { Ok(()) } else { Err(Forbidden::Lacks(permission)) }
    }

    /// Fails where none of these may be done; there is at least one.
    pub fn require_any(&self, permissions: &[Permission]) -> Result<(), Forbidden> {
        match permissions {
            [first, others @ ..] if !others.iter().any(|other| self.may(*other)) => self.require(*first),
            _ => Ok(()),
        }
    }

    /// Fails where only an API key was shown: keys make no keys and change no passwords.
    pub fn require_login(&self) -> Result<(), Forbidden> {
        match self.credential {
            Credential::ApiKey(_) => Err(Forbidden::NeedsLogin),
            Credential::Token(_) | Credential::Cookie(_) | Credential::Console => Ok(()),
        }
    }

    /// The login that it acts in, where there is one.
    pub fn session_id(&self) -> Option<SessionId> {
        match self.credential {
            Credential::Token(session) | Credential::Cookie(session) => Some(session),
            Credential::ApiKey(_) | Credential::Console => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Uuid;

    fn actor(role: Role) -> Actor {
        let (user, key) = (UserId::from_uuid(Uuid::from_u128(1)), ApiKeyId::from_uuid(Uuid::from_u128(2)));
        Actor::new(user, role, Plan::Free, Credential::ApiKey(key))
    }

    #[test]
    fn an_api_key_can_do_no_more_than_its_scopes_and_no_more_than_its_owner() {
        let scopes = || [Permission::ReadArticles, Permission::ManageUsers].into_iter().collect();
        let creator = actor(Role::Creator).limited_to(scopes());
        assert!(creator.may(Permission::ReadArticles));
        assert!(!creator.may(Permission::WriteArticles), "the owner may, the key may not");
        assert_eq!(creator.require(Permission::ManageUsers), Err(Forbidden::Lacks(Permission::ManageUsers)));
        assert!(actor(Role::Admin).limited_to(scopes()).may(Permission::ManageUsers));
    }

    #[test]
    fn an_api_key_is_no_login() {
        assert_eq!(actor(Role::Admin).require_login(), Err(Forbidden::NeedsLogin));
    }
}
