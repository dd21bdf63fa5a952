//! Letters by SMTP; none where no server is set.

mod smtp;

use async_trait::async_trait;

pub use smtp::{Encryption, MailSettings, SmtpMailer};

use crate::ports::{Letter, MailError, Mailer};

/// Sends nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoMailer;

#[async_trait]
impl Mailer for NoMailer {
    async fn send(&self, _: &Letter) -> Result<(), MailError> {
        Err(MailError::NotSetUp)
    }
}
