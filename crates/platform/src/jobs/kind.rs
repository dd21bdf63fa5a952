//! Kinds of jobs: what they are given and give back, how they are tried again, and who does them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use kernel::Rng;
use serde::{Serialize, de::DeserializeOwned};

use super::{JobContext, JobError};

/// A kind of job. Whoever enqueues one needs to know no more.
pub trait JobKind: Send + Sync + 'static {
    /// The name under which its jobs are stored; it never changes.
    const NAME: &'static str;

    /// What a job is given. Stored jobs outlive a version of the program: add fields with defaults.
    type Payload: Serialize + DeserializeOwned + Send + 'static;

    /// What a job gives back.
    type Output: Serialize + DeserializeOwned + Send + 'static;

    /// How its jobs are tried, unless one says otherwise.
    fn policy() -> Policy {
        Policy::default()
    }
}

/// Does the jobs of a kind.
///
/// A job runs at least once: when its worker dies it runs again elsewhere. What must happen exactly once is written in one
/// transaction with [`JobContext::finish_in`].
pub trait JobHandler: std::fmt::Debug + Send + Sync + 'static {
    type Kind: JobKind;

    /// Does a job. It ends soon after [`JobContext::cancellation`]; some seconds later it is dropped where it waits.
    fn run(
        &self,
        payload: <Self::Kind as JobKind>::Payload,
        job: JobContext,
    ) -> impl Future<Output = Result<<Self::Kind as JobKind>::Output, JobError>> + Send;
}

/// How the jobs of a kind are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How often a job is begun at most, also when its worker dies over it.
    pub max_attempts: u32,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How many jobs of the kind a worker does at a time.
    pub concurrency: usize,
    /// The wait after the first failure; it doubles with each.
    pub first_wait: Duration,
    pub longest_wait: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            timeout: Duration::from_hours(1),
            concurrency: usize::MAX,
            first_wait: Duration::from_secs(2),
            longest_wait: Duration::from_mins(10),
        }
    }
}

impl Policy {
    /// How long to wait after the `attempt`-th attempt: between a half and the whole of a wait that doubles, so that what failed
    /// together does not come back together.
    pub fn wait_after(&self, attempt: u32, rng: &dyn Rng) -> Duration {
        let doubled = self.first_wait.saturating_mul(1 << attempt.saturating_sub(1).min(20)).min(self.longest_wait);
        let half_ms = u64::try_from(doubled.as_millis() / 2).unwrap_or(u64::MAX - 1);
        Duration::from_millis(half_ms + rng.below(half_ms + 1))
    }
}

/// A handler whose types are known by the name of its kind only.
pub(super) trait AnyHandler: std::fmt::Debug + Send + Sync {
    fn policy(&self) -> Policy;

    fn run<'a>(&'a self, payload: &'a str, job: JobContext) -> BoxFuture<'a, Result<String, JobError>>;
}

impl<H: JobHandler> AnyHandler for H {
    fn policy(&self) -> Policy {
        H::Kind::policy()
    }

    fn run<'a>(&'a self, payload: &'a str, job: JobContext) -> BoxFuture<'a, Result<String, JobError>> {
        Box::pin(async move {
            let unreadable =
                |error| JobError::fail(format!("the job of kind `{}` cannot be read: {error}", H::Kind::NAME));
            let payload = serde_json::from_str(payload).map_err(unreadable)?;
            let output = JobHandler::run(self, payload, job).await?;
            serde_json::to_string(&output)
                .map_err(|error| JobError::fail(format!("the result of `{}` cannot be stored: {error}", H::Kind::NAME)))
        })
    }
}

/// The handlers of a worker, by the kind that each does.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    handlers: BTreeMap<&'static str, Arc<dyn AnyHandler>>,
}

impl Registry {
    /// Adds a handler; the last one of a kind counts.
    #[must_use]
    pub fn with<H: JobHandler>(mut self, handler: H) -> Self {
        self.handlers.insert(H::Kind::NAME, Arc::new(handler));
        self
    }

    /// The same without the kinds that `is_wanted` refuses.
    #[must_use]
    pub fn only(mut self, is_wanted: impl Fn(&str) -> bool) -> Self {
        self.handlers.retain(|kind, _| is_wanted(kind));
        self
    }

    /// The names of the kinds.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.handlers.keys().copied()
    }

    pub(super) fn find(&self, kind: &str) -> Option<&Arc<dyn AnyHandler>> {
        self.handlers.get(kind)
    }

    pub(super) fn policies(&self) -> impl Iterator<Item = (&'static str, Policy)> + '_ {
        self.handlers.iter().map(|(kind, handler)| (*kind, handler.policy()))
    }
}

#[cfg(test)]
mod tests {
    use kernel::SeededRng;

    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_differ() {
        let policy =
            Policy { first_wait: Duration::from_secs(2), longest_wait: Duration::from_mins(1), ..Policy::default() };
        let rng = SeededRng::new(3);
        for (attempt, whole_s) in [(1, 2), (2, 4), (3, 8), (5, 32), (6, 60), (40, 60)] {
            let wait = policy.wait_after(attempt, &rng);
            let whole = Duration::from_secs(whole_s);
            assert!(wait >= whole / 2 && wait <= whole, "{attempt}: {wait:?}");
        }
        let waits: Vec<_> = (0..10).map(|_| policy.wait_after(6, &rng)).collect();
        assert!(waits.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
