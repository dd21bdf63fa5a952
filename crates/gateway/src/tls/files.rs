//! A certificate and its key in files, read again when they change.

use std::{path::PathBuf, sync::Arc};

use rustls::{crypto::ring, sign::CertifiedKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use super::{Certificate, TlsFault, validity::Validity};

/// Bytes that such a file may have.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The two files.
#[derive(Debug)]
pub(super) struct Pair {
    certificate: PathBuf,
    key: PathBuf,
    /// What was in them when they were read last, fit or not: a fault is told once.
    seen: Option<(Vec<u8>, Vec<u8>)>,
}

impl Pair {
    pub(super) fn new(certificate: PathBuf, key: PathBuf) -> Self {
        Self { certificate, key, seen: None }
    }

    /// What is in them now, where it is something else than last time.
    ///
    /// Contents are compared, not times: tools that renew certificates link and copy in ways that keep them. While only one
    /// of both is new they do not fit, which is a fault until the other is new as well.
    pub(super) async fn read_if_changed(&mut self) -> Result<Option<Certificate>, TlsFault> {
        let now = (read(&self.certificate).await?, read(&self.key).await?);
        if self.seen.as_ref() == Some(&now) {
            return Ok(None);
        }
        let (certificate, key) = self.seen.insert(now);
        parse((&self.certificate, certificate), (&self.key, key)).map(Some)
    }
}

async fn read(path: &PathBuf) -> Result<Vec<u8>, TlsFault> {
    let fault = |source| TlsFault::Read { path: path.clone(), source };
    let size_bytes = tokio::fs::metadata(path).await.map_err(fault)?.len();
    if size_bytes > MAX_FILE_BYTES {
        return Err(TlsFault::Unfit { path: path.clone(), reason: format!("{size_bytes} bytes are too many") });
    }
    tokio::fs::read(path).await.map_err(fault)
}

/// The certificate and the key in the text of two files.
pub(super) fn parse(certificate: (&PathBuf, &[u8]), key: (&PathBuf, &[u8])) -> Result<Certificate, TlsFault> {
    let unfit = |path: &PathBuf, reason: &dyn std::fmt::Display| TlsFault::Unfit {
        path: path.clone(),
        reason: reason.to_string(),
    };
    let (path, text) = certificate;
    let chain = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| unfit(path, &error))?;
    let first = chain.first().ok_or_else(|| TlsFault::Empty { path: path.clone(), what: "certificate" })?;
    let validity = Validity::of(first).ok_or_else(|| unfit(path, &"its first certificate cannot be read"))?;
    let (key_path, text) = key;
    let key = PrivateKeyDer::from_pem_slice(text)
        .map_err(|_| TlsFault::Empty { path: key_path.clone(), what: "private key" })?;
    let key = CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| unfit(key_path, &error))?;
    Ok(Certificate { key: Arc::new(key), validity })
}
