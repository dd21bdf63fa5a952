//! Which upstream gets a request, and how often one may be tried again.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicUsize, Ordering},
};

use crate::{
    pool::Pool,
    settings::{BalanceSettings, Strategy},
    upstream::{Admission, Health, Others, Upstream, UpstreamId},
};

/// Tries that may be made at once, beyond the share of them: as many requests as a server may have when it dies.
const FREE_RETRIES: i64 = 500;
/// What a try costs; a request brings its percentage of it.
const RETRY_COST: i64 = 100;

/// Whether a request may find out if an upstream that was taken out is well again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trial {
    /// It can be tried elsewhere should it fail.
    Fit,
    /// Only where nobody else would take it.
    LastResort,
}

/// Upstreams that a request was given to already.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tried([Option<UpstreamId>; 4]);

impl Tried {
    pub(crate) fn note(&mut self, id: UpstreamId) {
        if let Some(free) = self.0.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(id);
        }
    }

    fn has(&self, id: UpstreamId) -> bool {
        self.0.contains(&Some(id))
    }
}

/// Shares requests out.
#[derive(Debug)]
pub(crate) struct Balancer {
    strategy: Strategy,
    /// Counts requests, so that equals take turns.
    turn: AtomicUsize,
}

impl Balancer {
    pub(crate) fn new(strategy: Strategy) -> Self {
        Self { strategy, turn: AtomicUsize::new(0) }
    }

    /// An upstream that takes a request which `tried` have not; none where all are out.
    pub(crate) fn choose(&self, pool: &Pool, tried: &Tried, trial: Trial) -> Option<Admission> {
        pool.choose(|serving| {
            let admitted = || self.best(serving, tried);
            let on_trial = || fresh(serving, tried).find_map(Upstream::admit_trial);
            match trial {
                Trial::Fit => on_trial().or_else(admitted),
                Trial::LastResort => admitted().or_else(on_trial),
            }
        })
    }

    fn best(&self, serving: &[Arc<Upstream>], tried: &Tried) -> Option<Admission> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let best = match self.strategy {
            Strategy::LeastLoad => least_loaded(serving, tried, turn),
            Strategy::RoundRobin => in_turn(serving, tried, turn),
        };
        // Between being found well and being asked it may have been taken out: then any other will do.
        best?.admit().or_else(|| fresh(serving, tried).find_map(Upstream::admit))
    }
}

fn fresh<'a>(serving: &'a [Arc<Upstream>], tried: &'a Tried) -> impl Iterator<Item = &'a Arc<Upstream>> {
    serving.iter().filter(|upstream| !tried.has(upstream.id()))
}

fn well<'a>(serving: &'a [Arc<Upstream>], tried: &'a Tried) -> impl Iterator<Item = &'a Arc<Upstream>> {
    fresh(serving, tried).filter(|upstream| upstream.health() == Health::Healthy)
}

/// The one with the fewest requests under way for its weight. Among equals, the one whose turn it is.
fn least_loaded<'a>(serving: &'a [Arc<Upstream>], tried: &'a Tried, turn: usize) -> Option<&'a Arc<Upstream>> {
    let (before, from) = serving.split_at(turn.checked_rem(serving.len())?);
    let mut best: Option<(&Arc<Upstream>, u64)> = None;
    for upstream in well(from, tried).chain(well(before, tried)) {
        let load = upstream.in_flight() as u64;
        // a ÷ w < b ÷ v, without the division.
        let is_less = best.is_none_or(|(other, other_load)| {
            load * u64::from(other.weight()) < other_load * u64::from(upstream.weight())
        });
        if is_less {
            best = Some((upstream, load));
        }
    }
    best.map(|(upstream, _)| upstream)
}

/// The one whose turn it is; one of weight three has three turns.
fn in_turn<'a>(serving: &'a [Arc<Upstream>], tried: &'a Tried, turn: usize) -> Option<&'a Arc<Upstream>> {
    let turns: usize = well(serving, tried).map(|upstream| upstream.weight() as usize).sum();
    let mut turn = turn.checked_rem(turns)?;
    for upstream in well(serving, tried) {
        match turn.checked_sub(upstream.weight() as usize) {
            Some(rest) => turn = rest,
            None => return Some(upstream),
        }
    }
    // One of them was taken out in between.
    well(serving, tried).next()
}

/// Whether any upstream but this one is well.
pub(crate) fn others(pool: &Pool, than: UpstreamId) -> Others {
    let is_well = pool.choose(|serving| {
        serving.iter().any(|other| other.id() != than && other.health() == Health::Healthy).then_some(())
    });
    if is_well.is_some() { Others::Well } else { Others::Ill }
}

/// How many requests may be tried again: when everything fails, tries would only add to the load.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    percent: i64,
    credit: AtomicI64,
}

impl RetryBudget {
    pub(crate) fn new(settings: &BalanceSettings) -> Self {
        Self { percent: settings.retry_percent.into(), credit: AtomicI64::new(FREE_RETRIES * RETRY_COST) }
    }

    /// A request came.
    pub(crate) fn earn(&self) {
        if self.credit.load(Ordering::Relaxed) < FREE_RETRIES * RETRY_COST {
            self.credit.fetch_add(self.percent, Ordering::Relaxed);
        }
    }

    /// Whether a request may be tried again.
    pub(crate) fn spend(&self) -> bool {
        let is_enough = self.credit.fetch_sub(RETRY_COST, Ordering::Relaxed) >= RETRY_COST;
        if !is_enough {
            self.credit.fetch_add(RETRY_COST, Ordering::Relaxed);
        }
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{settings::HealthSettings, upstream::Target};
    use std::collections::BTreeMap;

    fn pool(weights: &[u32]) -> Pool {
        let pool = Pool::new(HealthSettings::default());
        for (port, weight) in (1..).zip(weights) {
            pool.add(Target { address: ([127, 0, 0, 1], port).into(), weight: *weight }).pass_check();
        }
        pool
    }

    fn choose(balancer: &Balancer, pool: &Pool) -> Admission {
        balancer.choose(pool, &Tried::default(), Trial::Fit).unwrap()
    }

    fn shares(balancer: &Balancer, pool: &Pool, requests: usize) -> Vec<usize> {
        let mut shares = BTreeMap::new();
        for _ in 0..requests {
            *shares.entry(choose(balancer, pool).upstream().id()).or_default() += 1;
        }
        shares.into_values().collect()
    }

    #[tokio::test]
    async fn turns_follow_the_weights() {
        let balancer = Balancer::new(Strategy::RoundRobin);
        assert_eq!(shares(&balancer, &pool(&[1, 1, 1]), 9), [3, 3, 3]);
        assert_eq!(shares(&balancer, &pool(&[3, 1]), 40), [30, 10]);
    }

    #[tokio::test]
    async fn the_least_loaded_gets_the_next_and_equals_take_turns() {
        let balancer = Balancer::new(Strategy::LeastLoad);
        assert_eq!(shares(&balancer, &pool(&[1, 1]), 10), [5, 5], "nothing is under way");
        let pool = pool(&[1, 2]);
        let held: Vec<_> = (0..9).map(|_| choose(&balancer, &pool)).collect();
        assert_eq!(pool.upstreams().iter().map(|upstream| upstream.in_flight()).collect::<Vec<_>>(), [3, 6]);
        drop(held);
    }

    #[tokio::test]
    async fn what_was_tried_or_is_ill_gets_nothing() {
        let balancer = Balancer::new(Strategy::LeastLoad);
        let pool = pool(&[1, 1, 1]);
        let upstreams = pool.upstreams();
        (0..3).for_each(|_| upstreams[0].fail_check());
        let mut tried = Tried::default();
        tried.note(upstreams[1].id());
        for _ in 0..5 {
            let chosen = balancer.choose(&pool, &tried, Trial::Fit).unwrap();
            assert_eq!(chosen.upstream().id(), upstreams[2].id());
        }
        tried.note(upstreams[2].id());
        assert!(balancer.choose(&pool, &tried, Trial::LastResort).is_none());
        assert_eq!(others(&pool, upstreams[1].id()), Others::Well);
    }

    #[test]
    fn retries_are_a_share_of_the_requests() {
        let budget = RetryBudget::new(&BalanceSettings::default());
        let mut retries = 0;
        for _ in 0..10_000 {
            budget.earn();
            retries += u32::from(budget.spend());
        }
        assert!((2000..=2500).contains(&retries), "{retries}");
    }
}
