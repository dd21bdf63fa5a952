//! Whether the gateway can do its work, as its health reports tell.

use async_trait::async_trait;
use platform::server::health::{Component, Need};

use crate::pool::Pool;

/// The upstreams: without any that is well, everything is refused.
#[derive(Debug)]
pub(crate) struct UpstreamsHealth(pub(crate) Pool);

#[async_trait]
impl Component for UpstreamsHealth {
    fn name(&self) -> &'static str {
        "upstreams"
    }

    fn need(&self) -> Need {
        Need::Vital
    }

    async fn check(&self) -> Result<(), String> {
        if self.0.takes_requests() {
            return Ok(());
        }
        let upstreams = self.0.upstreams();
        let each = upstreams.iter().map(|one| format!("{} {:?} {:?}", one.address(), one.role(), one.health()));
        Err(format!("no upstream takes requests: {}", each.collect::<Vec<_>>().join(", ")))
    }
}
