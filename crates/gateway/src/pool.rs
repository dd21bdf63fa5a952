//! The upstreams that there are now. Any of them may be added, drained, removed or replaced while requests are shared out.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use platform::rng::SystemRng;
use tokio::sync::watch;

use crate::{
    settings::HealthSettings,
    sticky,
    upstream::{Health, Role, Target, Upstream, UpstreamId},
};

/// All upstreams of a gateway. Clones are the same pool.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rules: Arc<HealthSettings>,
    next_id: AtomicU64,
    members: RwLock<Members>,
    /// Counts up with each change of who is in it.
    version: watch::Sender<u64>,
}

/// Who is in the pool. Both lists are replaced, never changed, so that a request sees the one or the other.
#[derive(Debug, Clone)]
struct Members {
    all: Arc<[Arc<Upstream>]>,
    serving: Arc<[Arc<Upstream>]>,
}

impl Members {
    fn of(all: impl Iterator<Item = Arc<Upstream>>) -> Self {
        let all: Arc<[_]> = all.collect();
        let serving = all.iter().filter(|upstream| upstream.role() == Role::Serving).cloned().collect();
        Self { all, serving }
    }
}

impl Pool {
    /// An empty pool, whose upstreams are judged by `rules`.
    pub fn new(rules: HealthSettings) -> Self {
        let members = RwLock::new(Members::of(std::iter::empty()));
        let version = watch::Sender::new(0);
        Self(Arc::new(Inner { rules: Arc::new(rules), next_id: AtomicU64::new(1), members, version }))
    }

    /// Adds an upstream, which gets requests from its first passed check on.
    pub fn add(&self, target: impl Into<Target>) -> Arc<Upstream> {
        self.insert(target.into(), Role::Serving)
    }

    /// Adds an upstream that is checked and gets no requests until [`Pool::replace`] lets it take over.
    pub fn add_standby(&self, target: impl Into<Target>) -> Arc<Upstream> {
        self.insert(target.into(), Role::Standby)
    }

    fn insert(&self, target: Target, role: Role) -> Arc<Upstream> {
        let id = UpstreamId(self.0.next_id.fetch_add(1, Ordering::Relaxed));
        let upstream = Arc::new(Upstream::new(id, target, sticky::ticket(&SystemRng), self.0.rules.clone()));
        upstream.set_role(role);
        let added = upstream.clone();
        self.change(move |all| Members::of(all.iter().cloned().chain([added])));
        upstream
    }

    /// Takes an upstream out of the pool: nothing new goes to it, and it is not checked any more. What is under way goes on.
    pub fn remove(&self, upstream: &Upstream) {
        self.change(|all| {
            upstream.set_role(Role::Removed);
            Members::of(all.iter().filter(|member| member.id() != upstream.id()).cloned())
        });
    }

    /// From now on nothing new goes to an upstream, not even from those whom a cookie sends there. What is under way goes
    /// on; see [`Upstream::drained`].
    pub fn drain(&self, upstream: &Upstream) {
        self.change(|all| {
            if upstream.role() != Role::Removed {
                upstream.set_role(Role::Draining);
            }
            Members::of(all.iter().cloned())
        });
    }

    /// In one step `to` serve and `from` drain: no request finds neither. The same with both exchanged goes back.
    ///
    /// Those in `to` should have been found well before ([`Upstream::became_healthy`]). Removed ones stay removed.
    pub fn replace(&self, from: &[Arc<Upstream>], to: &[Arc<Upstream>]) {
        let set = |upstreams: &[Arc<Upstream>], role| {
            upstreams.iter().filter(|upstream| upstream.role() != Role::Removed).for_each(|each| each.set_role(role));
        };
        // Whoever still holds the old list finds that those in it drain, looks again, and waits here for the new one.
        self.change(|all| {
            set(to, Role::Serving);
            set(from, Role::Draining);
            Members::of(all.iter().cloned())
        });
    }

    /// Every upstream, in the order in which they were added.
    pub fn upstreams(&self) -> Arc<[Arc<Upstream>]> {
        self.read(|members| members.all.clone())
    }

    /// The upstream of this id, where it still is in the pool.
    pub fn find(&self, id: UpstreamId) -> Option<Arc<Upstream>> {
        self.read(|members| members.all.iter().find(|upstream| upstream.id() == id).cloned())
    }

    /// Whether any upstream gets requests.
    pub fn takes_requests(&self) -> bool {
        self.read(|members| members.serving.iter().any(|upstream| upstream.health() == Health::Healthy))
    }

    /// What `choose` takes from those that are meant to get requests, well or not. It is asked again where they were
    /// replaced while it looked.
    pub(crate) fn choose<T>(&self, choose: impl Fn(&[Arc<Upstream>]) -> Option<T>) -> Option<T> {
        let mut serving = self.serving();
        loop {
            if let Some(chosen) = choose(&serving) {
                return Some(chosen);
            }
            let now = self.serving();
            if Arc::ptr_eq(&serving, &now) {
                return None;
            }
            serving = now;
        }
    }

    fn serving(&self) -> Arc<[Arc<Upstream>]> {
        self.read(|members| members.serving.clone())
    }

    /// How upstreams are judged.
    pub(crate) fn rules(&self) -> &HealthSettings {
        &self.0.rules
    }

    /// Tells when upstreams were added or removed.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }

    fn read<T>(&self, look: impl FnOnce(&Members) -> T) -> T {
        look(&self.0.members.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, next: impl FnOnce(&Arc<[Arc<Upstream>]>) -> Members) {
        let mut members = self.0.members.write().unwrap_or_else(PoisonError::into_inner);
        *members = next(&members.all);
        drop(members);
        self.0.version.send_modify(|version| *version += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::SocketAddr, time::Duration};

    fn pool() -> Pool {
        Pool::new(HealthSettings { failed_requests: 2, ..HealthSettings::default() })
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[tokio::test]
    async fn one_that_was_added_gets_nothing_before_its_first_check() {
        let pool = pool();
        let upstream = pool.add(address(1));
        assert_eq!((upstream.role(), upstream.health()), (Role::Serving, Health::Unchecked));
        assert!(upstream.admit().is_none());
        upstream.pass_check();
        assert!(upstream.admit().is_some());
        assert!(pool.takes_requests());
    }

    #[tokio::test]
    async fn a_replacement_takes_over_in_one_step_and_goes_back_in_one() {
        let pool = pool();
        let blue = [pool.add(address(1)), pool.add(address(2))];
        let green = [pool.add_standby(address(3))];
        blue.iter().chain(&green).for_each(|upstream| upstream.pass_check());
        assert!(green[0].admit().is_none(), "it waits");
        let under_way = blue[0].admit().unwrap();
        pool.replace(&blue, &green);
        assert!(blue.iter().all(|upstream| upstream.admit().is_none()));
        assert_eq!(pool.serving().iter().map(|each| each.id()).collect::<Vec<_>>(), [green[0].id()]);
        assert_eq!(under_way.upstream().drained(Duration::from_millis(1)).await, 1);
        pool.replace(&green, &blue);
        assert!(green[0].admit().is_none() && blue[1].admit().is_some());
    }

    #[tokio::test]
    async fn it_is_drained_when_the_last_request_ends() {
        let pool = pool();
        let upstream = pool.add(address(1));
        upstream.pass_check();
        let (first, second) = (upstream.admit().unwrap(), upstream.admit().unwrap());
        pool.drain(&upstream);
        let waiting = tokio::spawn({
            let upstream = upstream.clone();
            async move { upstream.drained(Duration::from_mins(1)).await }
        });
        drop(first);
        assert_eq!(upstream.in_flight(), 1);
        drop(second);
        assert_eq!(waiting.await.unwrap(), 0);
        pool.remove(&upstream);
        assert!(pool.upstreams().is_empty());
    }

    #[tokio::test]
    async fn a_removed_one_does_not_come_back() {
        let pool = pool();
        let (old, new) = (pool.add(address(1)), pool.add(address(2)));
        pool.remove(&old);
        pool.replace(std::slice::from_ref(&new), std::slice::from_ref(&old));
        pool.drain(&old);
        assert_eq!(old.role(), Role::Removed);
        assert!(pool.serving().is_empty());
    }

    #[test]
    fn no_request_finds_neither_while_many_are_shared_out() {
        let pool = pool();
        let (blue, green) = ([pool.add(address(1))], [pool.add_standby(address(2))]);
        blue[0].pass_check();
        green[0].pass_check();
        let admitted = || pool.choose(|serving| serving.iter().find_map(Upstream::admit));
        std::thread::scope(|scope| {
            let finding = scope.spawn(|| (0..20_000).filter(|_| admitted().is_none()).count());
            while !finding.is_finished() {
                pool.replace(&blue, &green);
                pool.replace(&green, &blue);
            }
            assert_eq!(finding.join().unwrap(), 0);
        });
    }
}
