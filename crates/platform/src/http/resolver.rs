//! Resolves a name once and hands on only the addresses that may be talked to, so that the connection goes to an
//! address that was checked and to no other.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::AddressPolicy;

/// Where names are resolved.
#[async_trait]
pub trait Lookup: fmt::Debug + Send + Sync {
    /// The addresses of a host.
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's own resolution: its hosts file and name servers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Says inside the client's error that a name leads only to addresses that may not be talked to.
#[derive(Debug, thiserror::Error)]
#[error("`{host}` is at {address}, which is not a public address")]
pub(super) struct NotPublic {
    host: String,
    pub(super) address: IpAddr,
}

/// Says inside the client's error that a name could not be resolved.
#[derive(Debug, thiserror::Error)]
#[error("`{host}` cannot be resolved: {source}")]
pub(super) struct NotResolved {
    host: String,
    source: io::Error,
}

#[derive(Debug)]
pub(super) struct GuardedResolver {
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) policy: AddressPolicy,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, policy, host) = (Arc::clone(&self.lookup), self.policy, name.as_str().to_owned());
        Box::pin(async move {
            let found = match lookup.addresses(&host).await {
                Ok(found) => found,
                Err(source) => return Err(NotResolved { host, source }.into()),
            };
            let (allowed, refused): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|address| policy.allows_resolved(*address));
            match (allowed.is_empty(), refused.first()) {
                (true, Some(address)) => Err(NotPublic { host, address: *address }.into()),
                (true, None) => Err(NotResolved { host, source: io::Error::other("it has no address") }.into()),
                // The port is the URL's.
                (false, _) => Ok(Box::new(allowed.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs),
            }
        })
    }
}
