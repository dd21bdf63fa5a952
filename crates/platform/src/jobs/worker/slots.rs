//! The room that a worker has for jobs, and the jobs in it.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};

use kernel::Uuid;
use tokio::sync::Notify;

use super::super::{JobContext, JobId, Registry, StopReason};

/// One attempt's place: the same job may come back before its last attempt has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Slot(u64);

/// How many jobs run and may run, of each kind and of all.
#[derive(Debug)]
pub(super) struct Slots {
    total: usize,
    of_kind: BTreeMap<&'static str, usize>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The id under which this worker claims; none while it has to register.
    worker: Option<Uuid>,
    running: HashMap<Slot, JobContext>,
    next: u64,
    /// What was claimed and whose end is not written yet. A job that is tried again may be claimed before all of that is done
    /// for the attempt before, so they are counted.
    held: HashMap<(Uuid, JobId), usize>,
    count_of_kind: HashMap<String, usize>,
}

impl Slots {
    pub(super) fn new(total: usize, registry: &Registry) -> Self {
        let of_kind = registry.policies().map(|(kind, policy)| (kind, policy.concurrency)).collect();
        Self { total, of_kind, state: Mutex::default(), changed: Notify::new() }
    }

    pub(super) fn worker(&self) -> Option<Uuid> {
        self.state().worker
    }

    /// Gives the worker another id, or none. What it does under the old one belongs to others.
    pub(super) fn set_worker(&self, worker: Option<Uuid>) {
        let mut state = self.state();
        state.worker = worker;
        for job in state.running.values().filter(|job| Some(job.worker()) != worker) {
            job.stop(StopReason::LeaseLost);
        }
    }

    /// The kinds of which another job may begin.
    pub(super) fn free_kinds(&self) -> Vec<&'static str> {
        self.of_kind.keys().copied().filter(|kind| self.free(kind) > 0).collect()
    }

    /// How many more jobs of a kind may begin.
    pub(super) fn free(&self, kind: &str) -> usize {
        let state = self.state();
        let limit = self.of_kind.get(kind).copied().unwrap_or(0);
        let of_kind = limit.saturating_sub(state.count_of_kind.get(kind).copied().unwrap_or(0));
        of_kind.min(self.total.saturating_sub(state.running.len()))
    }

    pub(super) fn is_full(&self) -> bool {
        self.free_kinds().len() < self.of_kind.len()
    }

    pub(super) fn begin(&self, job: &JobContext) -> Slot {
        let mut state = self.state();
        let slot = Slot(state.next);
        state.next += 1;
        *state.count_of_kind.entry(job.kind().to_owned()).or_default() += 1;
        *state.held.entry((job.worker(), job.id())).or_default() += 1;
        state.running.insert(slot, job.clone());
        slot
    }

    /// Whether a job was claimed under this id and its end is not written yet.
    pub(super) fn holds(&self, worker: Uuid, id: JobId) -> bool {
        self.state().held.contains_key(&(worker, id))
    }

    /// Forgets a job whose end was written, or never will be.
    pub(super) fn let_go(&self, worker: Uuid, id: JobId) {
        if let Entry::Occupied(mut held) = self.state().held.entry((worker, id)) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
    }

    pub(super) fn end(&self, slot: Slot) {
        let mut state = self.state();
        if let Some(job) = state.running.remove(&slot)
            && let Some(count) = state.count_of_kind.get_mut(job.kind())
        {
            *count = count.saturating_sub(1);
        }
        drop(state);
        self.changed.notify_waiters();
        self.changed.notify_one();
    }

    /// The jobs that run.
    pub(super) fn running(&self) -> Vec<JobContext> {
        self.state().running.values().cloned().collect()
    }

    pub(super) fn stop(&self, ids: &[JobId], reason: StopReason) {
        for job in self.running().iter().filter(|job| ids.contains(&job.id())) {
            job.stop(reason);
        }
    }

    pub(super) fn stop_all(&self, reason: StopReason) {
        for job in self.running() {
            job.stop(reason);
        }
    }

    /// Waits until a job ends.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Waits until no job runs.
    pub(super) async fn emptied(&self) {
        loop {
            let changed = self.changed.notified();
            if self.state().running.is_empty() {
                return;
            }
            changed.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
