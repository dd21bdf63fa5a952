//! Who is behind a token, a cookie or a key: as they are now, not as they were when it was made.

use std::sync::Arc;

use kernel::{Actor, Credential};

use super::{
    DAY_MS, IdentityService, Inner,
    memory::{TokenOf, of_user},
};
use crate::{
    error::IdentityError,
    model::{Session, Status, User},
    ports::{ApiKeyOf, SessionOf},
    tokens::{AccessClaims, SecretHash, SecretKind, TokenError},
};

impl IdentityService {
    /// Who shows this access token or API key.
    pub async fn authenticate_bearer(&self, shown: &str) -> Result<Actor, IdentityError> {
        if let Some(hash) = SecretHash::of_shown(SecretKind::ApiKey, shown) {
            return self.inner.authenticate_api_key(&hash).await;
        }
        if shown.starts_with(SecretKind::ApiKey.prefix()) {
            return Err(IdentityError::ApiKeyRefused);
        }
        let token = self.inner.find_token(shown).await?;
        if token.claims.has_run_out(self.inner.now_ms()) {
            return Err(TokenError::Expired.into());
        }
        self.inner.admit(&token.found, Credential::Token(token.found.session.id))
    }

    /// Who shows this cookie.
    pub async fn authenticate_cookie(&self, shown: &str) -> Result<Actor, IdentityError> {
        let hash = SecretHash::of_shown(SecretKind::Session, shown).ok_or(IdentityError::SessionEnded)?;
        let now_ms = self.inner.now_ms();
        let look_up = || async {
            let found = self.inner.stores.sessions.find_by_cookie(&hash).await?;
            Ok::<_, IdentityError>(of_user(found, |found| found.user.id))
        };
        let found = self.inner.memory.cookies.get_or_compute(hash.as_str(), look_up).await?;
        let found = found.ok_or(IdentityError::SessionEnded)?;
        self.inner.usage.note_session(found.session.id, now_ms);
        self.inner.admit(&found, Credential::Cookie(found.session.id))
    }
}

impl Inner {
    async fn verify_token(&self, shown: &str) -> Result<AccessClaims, IdentityError> {
        let keys = self.key_set().await?;
        match self.access.verify(&keys, shown, self.now_ms()) {
            Err(TokenError::UnknownKey) => {
                let keys = self.key_set_anew().await?;
                // What is still unknown is simply not ours.
                let verified = self.access.verify(&keys, shown, self.now_ms());
                Ok(verified
                    .map_err(|error| if error == TokenError::UnknownKey { TokenError::Invalid } else { error })?)
            }
            verified => Ok(verified?),
        }
    }

    /// The session of a token that is one of ours; it may have run out by now.
    async fn find_token(&self, shown: &str) -> Result<Arc<TokenOf>, IdentityError> {
        let look_up = || async {
            let claims = self.verify_token(shown).await?;
            let found = self.stores.sessions.find(claims.sid).await?;
            let found = found.filter(|found| found.user.id == claims.sub).map(|found| TokenOf { claims, found });
            Ok::<_, IdentityError>(of_user(found, |token| token.found.user.id))
        };
        let found = self.memory.tokens.get_or_compute(SecretHash::of(shown).as_str(), look_up).await?;
        found.ok_or(IdentityError::SessionEnded)
    }

    async fn authenticate_api_key(&self, hash: &SecretHash) -> Result<Actor, IdentityError> {
        let now_ms = self.now_ms();
        let look_up = || async {
            let found = self.stores.api_keys.find_by_secret(hash).await?;
            Ok::<_, IdentityError>(of_user(found, |found| found.user.id))
        };
        let found = self.memory.api_keys.get_or_compute(hash.as_str(), look_up).await?;
        let found = found.ok_or(IdentityError::ApiKeyRefused)?;
        let ApiKeyOf { key, user } = found.as_ref();
        if key.expires_at_ms.is_some_and(|at_ms| at_ms <= now_ms) || user.status == Status::Banned {
            return Err(IdentityError::ApiKeyRefused);
        }
        self.usage.note_api_key(key.id, now_ms);
        Ok(actor(user, Credential::ApiKey(key.id)).limited_to(key.scopes))
    }

    fn admit(&self, found: &SessionOf, credential: Credential) -> Result<Actor, IdentityError> {
        if self.has_ended(&found.session) || found.user.status == Status::Banned {
            return Err(IdentityError::SessionEnded);
        }
        Ok(actor(&found.user, credential))
    }

    /// Whether a session ran out, by its age or for want of use.
    pub(super) fn has_ended(&self, session: &Session) -> bool {
        let idle_ms = i64::from(self.settings.session_idle_days) * DAY_MS;
        session.expires_at_ms.min(session.last_used_at_ms + idle_ms) <= self.now_ms()
    }
}

fn actor(user: &User, credential: Credential) -> Actor {
    Actor::new(user.id, user.role, user.plan, credential)
}
