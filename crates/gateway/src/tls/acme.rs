//! Certificates by ACME (RFC 8555), proven over plain HTTP (section 8.3) and renewed when two thirds of their time are over.

use std::{
    collections::HashMap,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use instant_acme::{
    Account, AccountBuilder, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder,
    Order, OrderStatus, RetryPolicy,
};
use tokio::{task::spawn_blocking, time::timeout};

use super::{Certificate, TlsFault, files, validity::Validity};
use crate::settings::AcmeSettings;

const ACCOUNT: &str = "account.json";
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";

/// How long one order may take: an authority may be slow to look.
const ORDER_LIMIT: Duration = Duration::from_mins(5);
/// How long an authority may take for one step of it.
const STEP_LIMIT: Duration = Duration::from_mins(2);
/// After a failure the next try waits, twice as long each time: authorities count tries.
const FIRST_PAUSE_MS: i64 = 60 * 1000;
const LONGEST_PAUSE_MS: i64 = 6 * 60 * 60 * 1000;
/// Proofs that are shown at a time, more than one order has.
const MAX_CHALLENGES: usize = 256;

/// What an authority may ask for over plain HTTP: proofs by their tokens.
#[derive(Debug, Default)]
pub(crate) struct Challenges(RwLock<HashMap<String, String>>);

impl Challenges {
    /// The proof of a token.
    pub(crate) fn find(&self, token: &str) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }

    fn show(&self, token: String, proof: String) {
        let mut shown = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if shown.len() < MAX_CHALLENGES {
            shown.insert(token, proof);
        }
    }

    fn clear(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Gets certificates from an authority.
#[derive(Debug)]
pub(super) struct Acme {
    settings: AcmeSettings,
    challenges: Arc<Challenges>,
    not_before_ms: i64,
    failures: u32,
}

impl Acme {
    pub(super) fn new(settings: AcmeSettings) -> Self {
        Self { settings, challenges: Arc::default(), not_before_ms: i64::MIN, failures: 0 }
    }

    pub(super) fn challenges(&self) -> Arc<Challenges> {
        self.challenges.clone()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.settings.folder.join(name)
    }

    /// The certificate that was gotten before.
    pub(super) async fn find_kept(&self) -> Result<Option<Certificate>, TlsFault> {
        let (certificate, key) = (self.path(CERTIFICATE), self.path(KEY));
        let (Some(chain), Some(secret)) = (read(&certificate).await?, read(&key).await?) else { return Ok(None) };
        match files::parse((&certificate, &chain), (&key, &secret)) {
            Ok(kept) => Ok(Some(kept)),
            Err(error) => {
                tracing::warn!(error = %error, "the kept certificate cannot be used; another one is gotten");
                Ok(None)
            }
        }
    }

    /// A new certificate, where it is time for one.
    pub(super) async fn renew(
        &mut self,
        shown: Option<Validity>,
        now_ms: i64,
    ) -> Result<Option<Certificate>, TlsFault> {
        let is_due = shown.is_none_or(|validity| now_ms >= validity.two_thirds_ms());
        if !is_due || now_ms < self.not_before_ms {
            return Ok(None);
        }
        let ordered = timeout(ORDER_LIMIT, self.order()).await;
        self.challenges.clear();
        let ordered = ordered.unwrap_or_else(|_| Err(TlsFault::Refused("the authority took too long".to_owned())));
        if ordered.is_ok() {
            self.failures = 0;
        } else {
            let pause_ms = FIRST_PAUSE_MS.saturating_mul(1 << self.failures.min(20)).min(LONGEST_PAUSE_MS);
            self.not_before_ms = now_ms.saturating_add(pause_ms);
            self.failures = self.failures.saturating_add(1);
        }
        ordered.map(Some)
    }

    async fn order(&self) -> Result<Certificate, TlsFault> {
        let folder = self.settings.folder.clone();
        let created = tokio::fs::create_dir_all(&folder).await;
        created.map_err(|source| TlsFault::Write { path: folder, source })?;
        let account = self.account().await?;
        let names: Vec<_> = self.settings.domains.iter().cloned().map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&names)).await?;
        self.prove(&mut order).await?;
        let retries = RetryPolicy::new().timeout(STEP_LIMIT);
        let status = order.poll_ready(&retries).await?;
        if status != OrderStatus::Ready {
            return Err(TlsFault::Refused(format!("the authority did not see the proofs (the order is {status:?})")));
        }
        let key = order.finalize().await?;
        let chain = order.poll_certificate(&retries).await?;
        let (certificate_path, key_path) = (self.path(CERTIFICATE), self.path(KEY));
        let certificate = files::parse((&certificate_path, chain.as_bytes()), (&key_path, key.as_bytes()))?;
        // Should it end between both, they do not fit, and another certificate is gotten.
        write(key_path, key.into_bytes()).await?;
        write(certificate_path, chain.into_bytes()).await?;
        Ok(certificate)
    }

    /// Shows the proof of each name, and tells the authority to look.
    async fn prove(&self, order: &mut Order) -> Result<(), TlsFault> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            match authorization.status {
                AuthorizationStatus::Pending => {}
                AuthorizationStatus::Valid => continue,
                status => return Err(TlsFault::Refused(format!("an authorization is {status:?}"))),
            }
            let mut challenge = authorization
                .challenge(ChallengeType::Http01)
                .ok_or_else(|| TlsFault::Refused("the authority takes no proof over HTTP".to_owned()))?;
            self.challenges.show(challenge.token.clone(), challenge.key_authorization().as_str().to_owned());
            challenge.set_ready().await?;
        }
        Ok(())
    }

    /// The account of before, or a new one.
    async fn account(&self) -> Result<Account, TlsFault> {
        let path = self.path(ACCOUNT);
        if let Some(kept) = read(&path).await? {
            let credentials: AccountCredentials = serde_json::from_slice(&kept)
                .map_err(|error| TlsFault::Unfit { path: path.clone(), reason: error.to_string() })?;
            return Ok(self.builder()?.from_credentials(credentials).await?);
        }
        let contact: Vec<_> = self.settings.contact.iter().map(String::as_str).collect();
        let account = NewAccount {
            contact: &contact,
            terms_of_service_agreed: self.settings.agrees_to_terms,
            only_return_existing: false,
        };
        let directory = self.settings.directory.to_string();
        let (account, credentials) = self.builder()?.create(&account, directory, None).await?;
        let text = serde_json::to_vec(&credentials)
            .map_err(|error| TlsFault::Unfit { path: path.clone(), reason: error.to_string() })?;
        write(path, text).await?;
        Ok(account)
    }

    fn builder(&self) -> Result<AccountBuilder, TlsFault> {
        Ok(match &self.settings.root {
            Some(root) => Account::builder_with_root(root)?,
            None => Account::builder()?,
        })
    }
}

/// What is in a file; nothing where it is not there.
async fn read(path: &Path) -> Result<Option<Vec<u8>>, TlsFault> {
    match tokio::fs::read(path).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TlsFault::Read { path: path.to_owned(), source }),
    }
}

/// Writes a file that only its owner may read, whole or not at all.
async fn write(path: PathBuf, bytes: Vec<u8>) -> Result<(), TlsFault> {
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let target = path.clone();
    let written = spawn_blocking(move || {
        // Temporary files are readable by their owner alone.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        file.persist(target).map_err(|error| error.error).map(drop)
    });
    let written = written.await.map_err(std::io::Error::other).and_then(|result| result);
    written.map_err(|source| TlsFault::Write { path, source })
}
