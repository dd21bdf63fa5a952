//! The gateway's certificate: from files, or by ACME (RFC 8555).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use super::{Fault, out_of_range};

/// The section `[tls]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// A file of the certificate and those between it and its root, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// A file of its key, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Seconds between two looks at the files, or at what ACME has to do.
    #[serde(default = "default_reload_s")]
    pub reload_s: u64,
    /// Days before its end from which a certificate is told to be about to expire.
    #[serde(default = "default_warn_days")]
    pub warn_days: u64,
    /// Gets the certificate from an authority instead of files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acme: Option<AcmeSettings>,
}

/// The section `[tls.acme]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcmeSettings {
    /// The authority's directory.
    pub directory: Url,
    /// The names that the certificate is for. Each must lead to `listen.redirect` on port 80.
    pub domains: Vec<String>,
    /// Where the authority may write to, such as `mailto:ops@example.org`.
    #[serde(default)]
    pub contact: Vec<String>,
    /// Whether you agree to the authority's terms of service; without it, it gives nothing.
    #[serde(default)]
    pub agrees_to_terms: bool,
    /// The folder that keeps the account and the certificate.
    pub folder: PathBuf,
    /// A file of the root that vouches for the authority's own server, in PEM; the system's roots without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<PathBuf>,
}

fn default_reload_s() -> u64 {
    10
}

fn default_warn_days() -> u64 {
    14
}

impl TlsSettings {
    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults: Vec<Fault> = [
            out_of_range("tls.reload_s", self.reload_s, 1..=86_400),
            out_of_range("tls.warn_days", self.warn_days, 0..=365),
        ]
        .into_iter()
        .flatten()
        .collect();
        let has_files = self.certificate.is_some() && self.key.is_some();
        let has_any = self.certificate.is_some() || self.key.is_some();
        match &self.acme {
            None if !has_files => {
                faults.push(("tls", "set both `certificate` and `key`, or a section `[tls.acme]`".to_owned()));
            }
            Some(_) if has_any => {
                faults.push(("tls", "the certificate comes from files or by ACME, not both".to_owned()));
            }
            _ => {}
        }
        faults.extend(self.acme.iter().flat_map(AcmeSettings::faults));
        faults
    }
}

impl AcmeSettings {
    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.directory.scheme() != "https" {
            faults.push(("tls.acme.directory", format!("`{}` is no https address", self.directory)));
        }
        if self.domains.is_empty() || self.domains.len() > 100 {
            faults.push(("tls.acme.domains", format!("{} names; write 1 to 100", self.domains.len())));
        }
        for domain in &self.domains {
            let is_name = url::Host::parse(domain).is_ok_and(|host| matches!(host, url::Host::Domain(_)));
            if !is_name || domain.contains('*') {
                let remedy = "is no name of a host; names with `*` cannot be proven over HTTP";
                faults.push(("tls.acme.domains", format!("`{domain}` {remedy}")));
            }
        }
        if !self.agrees_to_terms {
            let remedy = "read the terms of service of the authority and set it to true";
            faults.push(("tls.acme.agrees_to_terms", remedy.to_owned()));
        }
        faults
    }
}
