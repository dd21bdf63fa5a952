//! Letters by SMTP.

use std::time::Duration;

use async_trait::async_trait;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        self,
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::ports::{Letter, MailError, Mailer};

/// How long a server may take for each step.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Where letters are handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailSettings {
    /// The host of the server; absent for no mail.
    pub server: Option<String>,
    pub port: u16,
    pub encryption: Encryption,
    /// The name to sign in with; absent for none.
    pub user: Option<String>,
    /// Who letters come from.
    pub from: String,
}

/// How the connection to the server is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// From the second step on, and not at all without it (STARTTLS).
    #[default]
    StartTls,
    /// From the beginning.
    Tls,
    /// Never: for a server on this machine.
    None,
}

impl Default for MailSettings {
    fn default() -> Self {
        Self {
            server: None,
            port: 587,
            encryption: Encryption::default(),
            user: None,
            from: "Pressroom <pressroom@localhost>".to_owned(),
        }
    }
}

impl MailSettings {
    /// What is wrong with them, by key.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let sender = self.from.parse::<Mailbox>().err();
        sender.map(|error| ("mail.from", format!("`{}` is no address: {error}", self.from))).into_iter().collect()
    }
}

/// Hands letters to a server of SMTP.
#[derive(Debug, Clone)]
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl SmtpMailer {
    /// A mailer for the server that the settings name; fails where they name none or say something impossible.
    pub fn new(settings: &MailSettings, password: Option<&SecretString>) -> Result<Self, MailError> {
        let host = settings.server.as_deref().ok_or(MailError::NotSetUp)?;
        let from = settings.from.parse().map_err(|error| MailError::Refused(format!("`mail.from`: {error}")))?;
        let tls = || TlsParameters::new(host.to_owned()).map_err(|error| MailError::Unavailable(error.to_string()));
        let tls = match settings.encryption {
            Encryption::StartTls => Tls::Required(tls()?),
            Encryption::Tls => Tls::Wrapper(tls()?),
            Encryption::None => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(TIMEOUT));
        if let (Some(user), Some(password)) = (&settings.user, password) {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        Ok(Self { transport: builder.build(), from })
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        let address: Address = letter
            .to
            .as_str()
            .parse()
            .map_err(|_| MailError::Refused("the address cannot be written to".to_owned()))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(Some(letter.to_name.as_str().to_owned()), address))
            .subject(&letter.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(letter.body.clone())
            .map_err(|error| MailError::Refused(error.to_string()))?;
        self.transport.send(message).await.map(drop).map_err(|error| fault(&error))
    }
}

/// What servers say may repeat the address, which has no place in a log: only the code is told.
fn fault(error: &smtp::Error) -> MailError {
    match error.status() {
        Some(code) if error.is_permanent() => MailError::Refused(format!("it answered {code}")),
        Some(code) => MailError::Unavailable(format!("it answered {code}")),
        None if error.is_timeout() => MailError::Unavailable("it took too long".to_owned()),
        None => MailError::Unavailable("the connection failed".to_owned()),
    }
}
