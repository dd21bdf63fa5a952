//! An authority of certificates for one test, and a client that trusts it.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// The name that certificates of tests are for.
pub(crate) const NAME: &str = "press.example";

/// Issues certificates into a folder.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let root = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("root.pem"), root.pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// Puts a certificate there that is good from one year to another; what it is.
    pub(crate) fn issue(&self, from_year: i32, to_year: i32) -> CertificateDer<'static> {
        self.issue_for(NAME, from_year, to_year)
    }

    pub(crate) fn issue_for(&self, name: &str, from_year: i32, to_year: i32) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from_year, 1, 1);
        params.not_after = rcgen::date_time_ymd(to_year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.key(), key.serialize_pem()).unwrap();
        std::fs::write(self.certificate(), certificate.pem()).unwrap();
        certificate.der().clone()
    }

    /// The section `[tls]` of settings.
    pub(crate) fn section(&self) -> String {
        let (certificate, key) = (self.certificate(), self.key());
        format!("[tls]\ncertificate = '{}'\nkey = '{}'\nreload_s = 1\n", certificate.display(), key.display())
    }

    /// An encrypted connection that speaks one of `protocols`.
    pub(crate) async fn connect(&self, address: SocketAddr, protocols: &[&str]) -> TlsStream<TcpStream> {
        connect(address, self.roots(), protocols).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// A file of the root that vouches for what it issues.
    pub(crate) fn root_file(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.root_file()).unwrap()).unwrap();
        roots
    }
}

/// An encrypted connection to a gateway.
pub(crate) async fn connect(
    address: SocketAddr,
    roots: RootCertStore,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    connect_to(NAME, address, roots, protocols).await
}

pub(crate) async fn connect_to(
    name: &'static str,
    address: SocketAddr,
    roots: RootCertStore,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name).unwrap(), stream).await
}

/// What the other side showed.
pub(crate) fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}
