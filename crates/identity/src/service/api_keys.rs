//! API keys: made once, shown once, never more than their owner.

use kernel::{Actor, ApiKeyId, Page, PageRequest, Permission};
use platform::idempotency::Receipt;

use super::{DAY_MS, IdentityService};
use crate::{
    error::IdentityError,
    model::{Act, ApiKey, Deed, NewApiKey, Origin},
    tokens::{Secret, SecretKind},
};

/// Keys that one user may have.
const MAX_KEYS: u64 = 100;

/// A key that was just made, with the secret that is shown this once.
#[derive(Debug, Clone)]
pub struct MadeApiKey {
    pub key: ApiKey,
    pub secret: Secret,
}

impl IdentityService {
    /// Makes a key. It can have no scope that the actor does not have now, and loses what the actor loses later.
    pub async fn create_api_key(
        &self,
        actor: &Actor,
        new: NewApiKey,
        origin: Origin,
        receipt: &Receipt<MadeApiKey>,
    ) -> Result<MadeApiKey, IdentityError> {
        actor.require_login()?;
        let missing: Vec<_> = new.scopes.iter().filter(|scope| !actor.may(*scope)).map(Permission::name).collect();
        if !missing.is_empty() {
            return Err(IdentityError::ScopeNotHeld(missing.join(", ")));
        }
        if new.scopes.iter().next().is_none() {
            return Err(IdentityError::NoScope);
        }
        let inner = &self.inner;
        let now_ms = inner.now_ms();
        let secret = Secret::new(SecretKind::ApiKey, inner.rng.as_ref());
        let key = ApiKey {
            id: ApiKeyId::new(inner.ids.as_ref()),
            user_id: actor.user_id,
            name: new.name,
            hint: secret.hint(),
            scopes: new.scopes,
            created_at_ms: now_ms,
            expires_at_ms: new.expires_in_days.map(|days| now_ms + i64::from(days) * DAY_MS),
            last_used_at_ms: None,
        };
        let made = &MadeApiKey { key, secret };
        inner
            .db
            .transaction(|tx| async move {
                if inner.stores.api_keys.count(&tx, actor.user_id).await? >= MAX_KEYS {
                    return Err(IdentityError::TooManyApiKeys(MAX_KEYS));
                }
                inner.stores.api_keys.insert(&tx, &made.key, &made.secret.hash()).await?;
                receipt.keep(&tx, made).await?;
                let scopes: Vec<_> = made.key.scopes.iter().map(Permission::name).collect();
                let deed = Deed::new(Act::ApiKeyCreated, Some(actor.user_id), origin).subject(&made.key.id);
                inner.note_in(&tx, &deed.detail("scopes", scopes)).await
            })
            .await?;
        Ok(made.clone())
    }

    /// The actor's keys, newest first.
    pub async fn list_api_keys(&self, actor: &Actor, page: &PageRequest) -> Result<Page<ApiKey>, IdentityError> {
        actor.require_login()?;
        self.inner.stores.api_keys.list(actor.user_id, page).await
    }

    /// Ends one of the actor's keys at once.
    pub async fn revoke_api_key(&self, actor: &Actor, id: ApiKeyId, origin: Origin) -> Result<(), IdentityError> {
        actor.require_login()?;
        let inner = &self.inner;
        inner
            .db
            .transaction(|tx| async move {
                if !inner.stores.api_keys.remove(&tx, id, actor.user_id).await? {
                    return Err(IdentityError::ApiKeyNotFound(id.to_string()));
                }
                inner.memory.forget_in(&tx, actor.user_id).await?;
                let deed = Deed::new(Act::ApiKeyRevoked, Some(actor.user_id), origin).subject(&id);
                inner.note_in(&tx, &deed).await
            })
            .await
    }
}
