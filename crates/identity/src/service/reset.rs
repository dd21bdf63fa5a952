//! A new password for who forgot the old one, by a link in a letter.
//!
//! The request itself only puts the address into a queue: whatever takes time, and tells whether there is such a user, is done
//! afterwards.

use std::sync::Arc;

use platform::idempotency::Receipt;
use tokio::sync::{Mutex, mpsc};

use super::{IdentityService, MINUTE_MS};
use crate::{
    error::IdentityError,
    model::{Act, Deed, Email, Origin, Password, Status, User},
    ports::{Letter, Mailer},
    tokens::{Secret, SecretHash, SecretKind},
};

/// Requests that wait for their letters. Who asks when it is full is told to come again.
const QUEUE_LENGTH: usize = 1000;

#[derive(Debug)]
pub(super) struct ResetQueue {
    mailer: Arc<dyn Mailer>,
    sender: mpsc::Sender<Asked>,
    receiver: Mutex<mpsc::Receiver<Asked>>,
}

#[derive(Debug)]
struct Asked {
    email: Email,
    origin: Origin,
}

impl ResetQueue {
    pub(super) fn new(mailer: Arc<dyn Mailer>) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        Self { mailer, sender, receiver: Mutex::new(receiver) }
    }
}

impl IdentityService {
    /// Has a letter sent to this address, where somebody has it. What is answered is the same where nobody does.
    pub async fn ask_for_reset(&self, email: Email, origin: Origin) -> Result<(), IdentityError> {
        self.inner.throttle.letter(&email).await?;
        let full = |_| crate::ports::MailError::Unavailable("too many letters are waiting".to_owned());
        Ok(self.inner.resets.sender.try_send(Asked { email, origin }).map_err(full)?)
    }

    /// Sends letters for as long as it is polled.
    pub(super) async fn send_reset_letters(&self) {
        let mut receiver = self.inner.resets.receiver.lock().await;
        while let Some(asked) = receiver.recv().await {
            self.send_and_tell(&asked).await;
        }
    }

    /// Sends the letters that wait now.
    pub async fn send_waiting_letters(&self) {
        let mut receiver = self.inner.resets.receiver.lock().await;
        while let Ok(asked) = receiver.try_recv() {
            self.send_and_tell(&asked).await;
        }
    }

    async fn send_and_tell(&self, asked: &Asked) {
        if let Err(error) = self.send_reset_letter(asked).await {
            tracing::warn!(error = %error, "a letter with a link to a new password was not sent");
        }
    }

    async fn send_reset_letter(&self, asked: &Asked) -> Result<(), IdentityError> {
        let inner = &self.inner;
        let Some(login) = inner.stores.users.find_login(&asked.email).await? else { return Ok(()) };
        if login.user.status == Status::Banned {
            return Ok(());
        }
        let secret = Secret::new(SecretKind::PasswordReset, inner.rng.as_ref());
        let (user, hash) = (login.user.id, &secret.hash());
        let minutes = inner.settings.password_reset_minutes;
        let expires_at_ms = inner.now_ms() + i64::from(minutes) * MINUTE_MS;
        inner
            .db
            .transaction(|tx| async move {
                inner.stores.resets.put(&tx, user, hash, expires_at_ms).await?;
                let deed = Deed::new(Act::PasswordResetSent, None, asked.origin).subject(&user);
                inner.note_in(&tx, &deed).await
            })
            .await?;
        Ok(inner.resets.mailer.send(&letter(&login.user, &secret, &inner.public_origin, minutes)).await?)
    }

    /// Sets a new password with what the letter held, and ends all sessions.
    pub async fn reset_password(
        &self,
        shown: &str,
        new: &Password,
        origin: Origin,
        receipt: &Receipt<()>,
    ) -> Result<(), IdentityError> {
        let inner = &self.inner;
        let shown = &SecretHash::of_shown(SecretKind::PasswordReset, shown).ok_or(IdentityError::ResetRefused)?;
        let hash = &inner.passwords.hash(new.secret()).await?;
        inner
            .db
            .transaction(|tx| async move {
                let now_ms = inner.now_ms();
                let user = inner.stores.resets.take(&tx, shown, now_ms).await?.ok_or(IdentityError::ResetRefused)?;
                inner.stores.users.set_password(&tx, user, hash).await?;
                let count = inner.stores.sessions.revoke_all(&tx, user, None, now_ms).await?;
                inner.memory.forget_in(&tx, user).await?;
                receipt.keep(&tx, &()).await?;
                let deed = Deed::new(Act::PasswordReset, Some(user), origin).subject(&user);
                inner.note_in(&tx, &deed.detail("sessions", count)).await
            })
            .await
    }
}

fn letter(user: &User, secret: &Secret, origin: &str, minutes: u16) -> Letter {
    // Behind a `#`, which no browser sends to any server and no proxy logs.
    let link = format!("{origin}/reset-password#token={}", secret.expose());
    let body = format!(
        "Hello {},\n\nsomebody, probably you, asked for a new password for your account.\n\n\
         Set it here within {minutes} minutes:\n{link}\n\n\
         If it was not you, do nothing: your password stays what it is.\n",
        user.name.as_str()
    );
    Letter {
        to: user.email.clone(),
        to_name: user.name.clone(),
        subject: "A new password for Pressroom".to_owned(),
        body,
    }
}
