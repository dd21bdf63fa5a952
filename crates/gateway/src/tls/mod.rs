//! The certificate that clients are shown: read again when its files change, or gotten by ACME, without a connection lost.

mod acme;
mod files;
mod validity;

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use kernel::Clock;
use platform::server::health::{Component, Need};
use rustls::{
    ServerConfig,
    crypto::CryptoProvider,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;

pub(crate) use acme::Challenges;

use self::{acme::Acme, files::Pair, validity::Validity};
use crate::{metrics, serve::ALPN_HTTP2, settings::TlsSettings};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    #[error("cannot read `{path}`: {source}; see `tls` in the settings")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("cannot write `{path}`: {source}; see `tls.acme.folder` in the settings")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("`{path}` holds no {what} in PEM")]
    Empty { path: PathBuf, what: &'static str },
    #[error("`{path}` cannot be used: {reason}")]
    Unfit { path: PathBuf, reason: String },
    #[error("encryption cannot be set up: {0}")]
    Config(#[from] rustls::Error),
    #[error("no certificate by ACME: {0}")]
    Acme(#[from] instant_acme::Error),
    #[error("no certificate by ACME: {0}")]
    Refused(String),
}

/// A certificate with its key, and how long it is good.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    key: Arc<CertifiedKey>,
    validity: Validity,
}

/// What is shown to clients now.
#[derive(Debug, Default)]
pub(crate) struct Shown(RwLock<Option<Certificate>>);

impl Shown {
    fn now(&self) -> Option<Certificate> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn show(&self, certificate: Certificate) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(certificate);
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.now().map(|certificate| certificate.key)
    }
}

/// Where the certificate comes from.
#[derive(Debug)]
enum Source {
    Files(Pair),
    Acme(Box<Acme>),
}

/// Keeps the certificate.
#[derive(Debug)]
pub(crate) struct Certificates {
    source: Source,
    shown: Arc<Shown>,
    config: Arc<ServerConfig>,
    clock: Arc<dyn Clock>,
    reload: Duration,
    warn_days: u64,
}

impl Certificates {
    /// Reads the certificate. Files must be there; one by ACME may still have to be gotten.
    pub(crate) async fn open(settings: &TlsSettings, clock: Arc<dyn Clock>) -> Result<Self, TlsFault> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let shown = Arc::new(Shown::default());
        let source = match (&settings.acme, &settings.certificate, &settings.key) {
            (Some(acme), _, _) => Source::Acme(Box::new(Acme::new(acme.clone()))),
            (None, Some(certificate), Some(key)) => Source::Files(Pair::new(certificate.clone(), key.clone())),
            (None, _, _) => return Err(TlsFault::Refused("the settings name no certificate".to_owned())),
        };
        let config = config(provider, shown.clone())?;
        let (reload, warn_days) = (Duration::from_secs(settings.reload_s), settings.warn_days);
        let mut certificates = Self { source, shown, config, clock, reload, warn_days };
        match &mut certificates.source {
            Source::Files(pair) => {
                if let Some(certificate) = pair.read_if_changed().await? {
                    certificates.shown.show(certificate);
                }
            }
            Source::Acme(acme) => {
                if let Some(certificate) = acme.find_kept().await? {
                    certificates.shown.show(certificate);
                }
            }
        }
        Ok(certificates)
    }

    /// What encrypts connections.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.clone())
    }

    /// What an authority may ask for.
    pub(crate) fn challenges(&self) -> Arc<Challenges> {
        match &self.source {
            Source::Files(_) => Arc::default(),
            Source::Acme(acme) => acme.challenges(),
        }
    }

    /// How the certificate is.
    pub(crate) fn health(&self) -> CertificateHealth {
        CertificateHealth { shown: self.shown.clone(), clock: self.clock.clone(), warn_days: self.warn_days }
    }

    /// Keeps the certificate good until it is dropped.
    pub(crate) async fn keep(mut self) {
        let mut look = interval(self.reload);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let health = self.health();
        let mut known = None;
        loop {
            look.tick().await;
            self.renew().await;
            let now_ms = self.clock.now_ms();
            if let Some(certificate) = self.shown.now() {
                metrics::note_certificate((certificate.validity.not_after_ms - now_ms) as f64 / 1000.0);
            }
            let state = health.state();
            if state != known {
                if let Some(state) = &state {
                    tracing::warn!(state, "the gateway's certificate needs care");
                }
                known = state;
            }
        }
    }

    async fn renew(&mut self) {
        let now_ms = self.clock.now_ms();
        let renewed = match &mut self.source {
            Source::Files(pair) => pair.read_if_changed().await,
            Source::Acme(acme) => acme.renew(self.shown.now().map(|shown| shown.validity), now_ms).await,
        };
        match renewed {
            Ok(None) => {}
            Ok(Some(certificate)) => {
                tracing::info!("the gateway shows a new certificate");
                self.shown.show(certificate);
            }
            // What was shown before goes on being shown.
            Err(error) => tracing::error!(error = %error, "the certificate cannot be renewed"),
        }
    }
}

fn config(provider: Arc<CryptoProvider>, shown: Arc<Shown>) -> Result<Arc<ServerConfig>, TlsFault> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(shown);
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// How the certificate is, for health reports.
#[derive(Debug)]
pub(crate) struct CertificateHealth {
    shown: Arc<Shown>,
    clock: Arc<dyn Clock>,
    warn_days: u64,
}

impl CertificateHealth {
    /// What is wrong with it; nothing where it is good for long enough.
    fn state(&self) -> Option<String> {
        let Some(certificate) = self.shown.now() else {
            return Some("there is no certificate yet: clients cannot connect".to_owned());
        };
        let Validity { not_before_ms, not_after_ms } = certificate.validity;
        let now_ms = self.clock.now_ms();
        let left_days = (not_after_ms - now_ms).div_euclid(DAY_MS);
        if now_ms >= not_after_ms {
            Some("the certificate has expired: clients refuse it".to_owned())
        } else if now_ms < not_before_ms {
            Some("the certificate is not valid yet: clients refuse it".to_owned())
        } else if left_days < i64::try_from(self.warn_days).unwrap_or(i64::MAX) {
            Some(format!("the certificate expires within {} days", left_days + 1))
        } else {
            None
        }
    }
}

#[async_trait]
impl Component for CertificateHealth {
    fn name(&self) -> &'static str {
        "certificate"
    }

    fn need(&self) -> Need {
        Need::Useful
    }

    async fn check(&self) -> Result<(), String> {
        self.state().map_or(Ok(()), Err)
    }
}
