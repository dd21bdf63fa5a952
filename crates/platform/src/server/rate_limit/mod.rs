//! How much anybody may ask for in how long: a sliding window for each user and each address, behind a port so that many
//! servers can count together.

mod memory;
mod shared;
mod standing;

use std::time::Duration;

use async_trait::async_trait;

pub use memory::MemoryLimiter;
pub use shared::{LimitsHealth, RedisLimiter};

pub(super) use standing::Standing;

/// So much in so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Names the quota in headers: `user`, `address`.
    pub name: &'static str,
    /// Units that may be spent in a window. A plain request costs one.
    pub units: u32,
    /// How long a window is.
    pub window: Duration,
}

/// How a quota stands after it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether there was enough left; nothing is spent where there was not.
    pub outcome: Outcome,
    /// Units that are left.
    pub remaining: u32,
    /// How long until all of it is there again.
    pub reset: Duration,
}

/// Whether it may be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Allowed,
    /// Not now; after the wait there will be enough.
    Refused {
        wait: Duration,
    },
}

impl Decision {
    /// How long to wait, where it was refused.
    pub fn refused(&self) -> Option<Duration> {
        match self.outcome {
            Outcome::Allowed => None,
            Outcome::Refused { wait } => Some(wait),
        }
    }
}

/// Counts what is spent, by key.
#[async_trait]
pub trait RateLimiter: std::fmt::Debug + Send + Sync {
    /// Spends `cost` of the quota of `key`, where so much is left.
    async fn spend(&self, key: &str, cost: u32, quota: &Quota) -> Decision;

    /// How the quota of `key` stands, spending nothing.
    async fn look(&self, key: &str, quota: &Quota) -> Decision;
}
