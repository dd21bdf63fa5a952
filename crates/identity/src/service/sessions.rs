//! Sessions of one's own: which there are, and their end.

use kernel::{Actor, SessionId};
use platform::idempotency::Receipt;

use super::IdentityService;
use crate::{
    error::IdentityError,
    model::{Act, Deed, Origin, Session},
};

impl IdentityService {
    /// The actor's sessions, newest first.
    pub async fn list_sessions(&self, actor: &Actor) -> Result<Vec<Session>, IdentityError> {
        actor.require_login()?;
        let sessions = self.inner.stores.sessions.list(actor.user_id, self.inner.now_ms()).await?;
        Ok(sessions.into_iter().filter(|session| !self.inner.has_ended(session)).collect())
    }

    /// Ends the session that the actor acts in.
    pub async fn log_out(&self, actor: &Actor, origin: Origin, receipt: &Receipt<()>) -> Result<(), IdentityError> {
        actor.require_login()?;
        let Some(session) = actor.session_id() else { return Ok(()) };
        let deed = Deed::new(Act::LoggedOut, Some(actor.user_id), origin).subject(&session);
        self.revoke(actor, session, &deed, receipt).await.map(drop)
    }

    /// Ends one of the actor's sessions.
    pub async fn revoke_session(&self, actor: &Actor, id: SessionId, origin: Origin) -> Result<(), IdentityError> {
        actor.require_login()?;
        let deed = Deed::new(Act::SessionRevoked, Some(actor.user_id), origin).subject(&id);
        let was_there = self.revoke(actor, id, &deed, &Receipt::none()).await?;
        if was_there { Ok(()) } else { Err(IdentityError::SessionNotFound(id.to_string())) }
    }

    /// Ends all of the actor's sessions.
    pub async fn log_out_everywhere(
        &self,
        actor: &Actor,
        origin: Origin,
        receipt: &Receipt<()>,
    ) -> Result<(), IdentityError> {
        actor.require_login()?;
        let (inner, user) = (&self.inner, actor.user_id);
        inner
            .db
            .transaction(|tx| async move {
                let count = inner.stores.sessions.revoke_all(&tx, user, None, inner.now_ms()).await?;
                receipt.keep(&tx, &()).await?;
                inner.memory.forget_in(&tx, user).await?;
                let deed = Deed::new(Act::LoggedOutEverywhere, Some(user), origin).detail("sessions", count);
                inner.note_in(&tx, &deed).await
            })
            .await
    }

    async fn revoke(
        &self,
        actor: &Actor,
        id: SessionId,
        deed: &Deed,
        receipt: &Receipt<()>,
    ) -> Result<bool, IdentityError> {
        let (inner, user) = (&self.inner, actor.user_id);
        inner
            .db
            .transaction(|tx| async move {
                let was_there = inner.stores.sessions.revoke(&tx, id, user, inner.now_ms()).await?;
                receipt.keep(&tx, &()).await?;
                if was_there {
                    inner.memory.forget_in(&tx, user).await?;
                    inner.note_in(&tx, deed).await?;
                }
                Ok(was_there)
            })
            .await
    }
}
