//! The one maker of HTTP clients. Addresses come from users and from pages, so each is checked where the connection is
//! made: only `http` and `https`, only public addresses, few redirects, bounded sizes and times, no proxy.

mod address;
mod charset;
mod download;
mod error;
mod fetch;
mod probe;
mod resolver;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

pub use address::AddressPolicy;
pub use download::{DownloadLimits, Downloaded};
pub use error::HttpError;
pub use fetch::{FetchLimits, Fetched};
pub use probe::{ProbeError, Probed, probe};
pub use resolver::{Lookup, SystemLookup};

use resolver::GuardedResolver;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How servers know us.
const USER_AGENT: &str = concat!("pressroom/", env!("CARGO_PKG_VERSION"));

/// Fetches from the public network, and from nowhere else. Clones share their connections.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    policy: AddressPolicy,
}

impl HttpClient {
    /// A client that resolves names as the system does.
    ///
    /// Servers must show a certificate that the system's own roots vouch for (on Linux those of `ca-certificates`, or of
    /// `SSL_CERT_FILE`). Fails where there are none.
    pub fn new(policy: AddressPolicy) -> Result<Self, HttpError> {
        Self::with_lookup(policy, Arc::new(SystemLookup))
    }

    /// A client that resolves names with `lookup`; what it answers is checked like any other answer.
    pub fn with_lookup(policy: AddressPolicy, lookup: Arc<dyn Lookup>) -> Result<Self, HttpError> {
        // Whichever provider was installed first serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .no_proxy()
            .referer(false)
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Arc::new(GuardedResolver { lookup, policy }))
            .build()
            .map_err(HttpError::Client)?;
        Ok(Self { client, policy })
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that builds clients")]
fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
}
