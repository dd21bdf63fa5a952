//! From a password to a session, and from a refresh token to the next.

use kernel::SessionId;
use platform::{db::Transaction, idempotency::Receipt};
use secrecy::SecretString;

use super::{DAY_MS, IdentityService, Inner};
use crate::{
    error::IdentityError,
    model::{Act, Deed, Email, Origin, Presented, Session, SessionKind, Status, User, judge_refresh},
    passwords::Verdict,
    ports::{Login, PasswordChange},
    tokens::{Secret, SecretHash, SecretKind},
};

/// What somebody shows to come in.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub email: Email,
    pub password: SecretString,
    /// What the session is to be held by.
    pub kind: SessionKind,
    pub origin: Origin,
}

/// A session that was opened or renewed, with what is shown for it.
#[derive(Debug, Clone)]
pub struct Opened {
    pub session: Session,
    pub user: User,
    pub tokens: Tokens,
}

/// What is shown for a session.
#[derive(Debug, Clone)]
pub enum Tokens {
    /// For programs.
    Pair { access: SecretString, expires_in_s: u32, refresh: Secret },
    /// For browsers.
    Cookie { secret: Secret, max_age_s: i64 },
}

impl IdentityService {
    /// Opens a session.
    ///
    /// Whoever fails learns nothing of why, and the same is done for an address that nobody has: one hash, one transaction,
    /// one entry in the audit log.
    pub async fn log_in(&self, shown: &Credentials, receipt: &Receipt<Opened>) -> Result<Opened, IdentityError> {
        let inner = &self.inner;
        if let Err(error) = inner.throttle.guess(&shown.email, shown.origin).await {
            inner.note(&Deed::new(Act::LoginThrottled, None, shown.origin)).await?;
            return Err(error);
        }
        let login = inner.stores.users.find_login(&shown.email).await?;
        let stored = login.as_ref().map(|login| login.password_hash.as_str());
        let verdict = inner.passwords.verify(&shown.password, stored).await?;
        let admitted = login.filter(|login| verdict != Verdict::Wrong && login.user.status == Status::Active);
        let failed = || Deed::new(Act::LoginFailed, None, shown.origin).detail("kind", shown.kind.name());
        let Some(Login { user, password_hash }) = admitted else {
            inner.note(&failed()).await?;
            return Err(IdentityError::WrongCredentials);
        };
        let rehashed = match verdict {
            Verdict::RightButOld => Some(inner.passwords.hash(&shown.password).await?),
            Verdict::Right | Verdict::Wrong => None,
        };
        let change = &PasswordChange { checked: &password_hash, new: rehashed.as_deref().unwrap_or(&password_hash) };
        let opened = inner.prepare(user, shown.kind).await?;
        let opened = &opened;
        let is_opened = inner
            .db
            .transaction(|tx| async move {
                // Checking takes a while: a password that was changed meanwhile, or a ban, ends what the old one began.
                let (user, now_ms) = (opened.user.id, opened.session.created_at_ms);
                if !inner.stores.users.note_login(&tx, user, change, now_ms).await? {
                    return Ok(false);
                }
                inner.open_in(&tx, opened, shown.origin).await?;
                receipt.keep(&tx, opened).await?;
                Ok::<bool, IdentityError>(true)
            })
            .await?;
        if !is_opened {
            inner.note(&failed()).await?;
            return Err(IdentityError::WrongCredentials);
        }
        Ok(opened.clone())
    }

    /// Renews a session: the token shown is replaced by the next.
    ///
    /// A token that was replaced is taken only for as long as its successor was not shown; after that it ends the session
    /// for all who hold a token of it.
    pub async fn refresh(
        &self,
        shown: &str,
        origin: Origin,
        receipt: &Receipt<Opened>,
    ) -> Result<Opened, IdentityError> {
        let inner = &self.inner;
        let shown = &SecretHash::of_shown(SecretKind::Refresh, shown).ok_or(IdentityError::RefreshRefused)?;
        let keys = inner.key_set().await?;
        let keys = keys.as_ref();
        let renewed = inner
            .db
            .transaction(|tx| async move {
                let found = inner.stores.refresh.lock_session(&tx, shown).await?;
                let found = found.filter(|found| !inner.has_ended(&found.session));
                let Some(found) = found.filter(|found| found.user.status == Status::Active) else {
                    return Ok(Renewal::Refused);
                };
                let now_ms = inner.now_ms();
                if judge_refresh(inner.stores.refresh.state(&tx, shown).await?, now_ms) == Presented::Revoke {
                    let (session, user) = (found.session.id, found.user.id);
                    inner.stores.sessions.revoke(&tx, session, user, now_ms).await?;
                    inner.memory.forget_in(&tx, user).await?;
                    let deed = Deed::new(Act::RefreshReplayed, Some(user), origin).subject(&session);
                    inner.note_in(&tx, &deed).await?;
                    return Ok(Renewal::Revoked);
                }
                let next = Secret::new(SecretKind::Refresh, inner.rng.as_ref());
                inner.stores.refresh.replace(&tx, shown, &next.hash(), now_ms).await?;
                inner.stores.refresh.insert(&tx, found.session.id, &next.hash()).await?;
                let tokens = inner.pair(keys, &found.user, found.session.id, next)?;
                let opened = Opened { session: found.session, user: found.user, tokens };
                receipt.keep(&tx, &opened).await?;
                Ok::<_, IdentityError>(Renewal::Renewed(Box::new(opened)))
            })
            .await?;
        match renewed {
            Renewal::Renewed(opened) => {
                inner.usage.note_session(opened.session.id, inner.now_ms());
                Ok(*opened)
            }
            // One was a copy: its session has ended.
            Renewal::Revoked | Renewal::Refused => Err(IdentityError::RefreshRefused),
        }
    }
}

/// What became of a refresh token that was shown.
enum Renewal {
    Renewed(Box<Opened>),
    /// It was a copy: the session has ended.
    Revoked,
    Refused,
}

impl Inner {
    /// A session that is not stored yet.
    async fn prepare(&self, user: User, kind: SessionKind) -> Result<Opened, IdentityError> {
        let now_ms = self.now_ms();
        let id = SessionId::new(self.ids.as_ref());
        let lifetime_ms = i64::from(self.settings.session_days) * DAY_MS;
        let session = Session {
            id,
            user_id: user.id,
            kind,
            created_at_ms: now_ms,
            last_used_at_ms: now_ms,
            expires_at_ms: now_ms + lifetime_ms,
        };
        let tokens = match kind {
            SessionKind::Tokens => {
                let refresh = Secret::new(SecretKind::Refresh, self.rng.as_ref());
                self.pair(self.key_set().await?.as_ref(), &user, id, refresh)?
            }
            SessionKind::Cookie => {
                let secret = Secret::new(SecretKind::Session, self.rng.as_ref());
                Tokens::Cookie { secret, max_age_s: lifetime_ms / 1000 }
            }
        };
        Ok(Opened { session, user, tokens })
    }

    async fn open_in(&self, tx: &Transaction, opened: &Opened, origin: Origin) -> Result<(), IdentityError> {
        let (session, stores) = (&opened.session, &self.stores);
        match &opened.tokens {
            Tokens::Pair { refresh, .. } => {
                stores.sessions.insert(tx, session, None).await?;
                stores.refresh.insert(tx, session.id, &refresh.hash()).await?;
            }
            Tokens::Cookie { secret, .. } => stores.sessions.insert(tx, session, Some(&secret.hash())).await?,
        }
        let deed = Deed::new(Act::LoggedIn, Some(session.user_id), origin);
        self.note_in(tx, &deed.subject(&session.id).detail("kind", session.kind.name())).await
    }

    fn pair(
        &self,
        keys: &crate::tokens::KeySet,
        user: &User,
        session: SessionId,
        refresh: Secret,
    ) -> Result<Tokens, IdentityError> {
        let access = self.access.issue(keys, user.id, session, self.now_ms()).ok_or(IdentityError::SigningKey)?;
        Ok(Tokens::Pair { access: access.into(), expires_in_s: self.settings.access_token_s, refresh })
    }
}
